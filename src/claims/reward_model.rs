//! The token-level reward model: what it learns from outcomes.

use oreal_algos::{Alignment, Oreal, Role, Selection};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Row, Verdict};
use super::token_rewards::{is_right, motion, released};
use super::worlds::{PASS_RATES, arms, tree};
use crate::error::Result;
use crate::lab::{Answer, Lab, Question, norm};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "first-lesson",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 12 and released code",
            statement: "The first step of the reward model moves the score of a prefix in proportion to P(prefix | right) - \
                        P(prefix | wrong).",
            measures: "the reward model's expected step from 0 against that difference times P(right and wrong in the group)/4n",
            derivation: "At 0 the cross-entropy pulls the mean score of a right answer up by 1/2 and that of a wrong one down by as much; \
                         each of n scores gets 1/n of it, each of the two kept answers counts 1/2. The kept right answer passes the \
                         prefix with probability P(prefix | right). Every answer passes the prompt: its own score does not move.",
            recorded: Verdict::Holds,
            check: Exact(|| first_lesson(Selection::Pair)),
            control: Control { wrong: "all answers kept, not pairs", check: Exact(|| first_lesson(Selection::All)) },
        },
        Claim {
            name: "one-token-silence",
            topic: Topic::TokenRewards,
            source: "OREAL, released code",
            statement: "Where answers have one token, neither the reward model nor the policy of the released code ever moves.",
            measures: "length and variance of both steps, starting from a reward model that says 0",
            derivation: "The weight of a token has seen what is before it: of a single token, the prompt. A pair has a right and a wrong \
                         answer with the same prompt, so the pulls on its score, -1/2 and 1/2, cancel in every batch; the score stays 0, \
                         and with it the weight. In longer answers the same is true of the first token until later scores differ.",
            recorded: Verdict::Holds,
            check: Exact(|| silence(Selection::Pair)),
            control: Control { wrong: "all answers kept, not pairs", check: Exact(|| silence(Selection::All)) },
        },
        Claim {
            name: "no-finite-optimum",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 12",
            statement: "A reward model that sees complete answers brings the cross-entropy of eq. 12 to 0.",
            measures: "expected cross-entropy of a pair where the mean score is ±c",
            derivation: "The outcome is certain given the answer, so scores that separate right from wrong answers lower the loss at every \
                         scale: at mean scores ±c it is log(1+e^-c), above 0 for every finite c. There is no optimum to reach; what \
                         training makes of it is decided by when it stops.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| no_optimum(Alignment::After)),
            control: Control { wrong: "the last token is not seen", check: Exact(|| no_optimum(Alignment::Before)) },
        },
        Claim {
            name: "finite-optimum",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 12 and released code",
            statement: "Where the last token decides, a reward model that has not seen it has an optimum: the mean score is log P(prefix | \
                        right)/P(prefix | wrong).",
            measures: "the reward model's expected step there, and the loss against the entropy that is left",
            derivation: "The cross-entropy of a prefix that is right with chance q among those kept is least at logit(q). A pair is right \
                         or wrong with equal chance, so q has no p in it: logit(q) is the log of the likelihood ratio, not the \
                         log-odds of success after the prefix, which it would be if all answers were kept. An average prefix weighs 0.",
            recorded: Verdict::Holds,
            check: Exact(|| optimum(Selection::Pair)),
            control: Control { wrong: "all answers kept, not pairs", check: Exact(|| optimum(Selection::All)) },
        },
    ]
}

fn first_lesson(selection: Selection) -> Result<Evidence> {
    let algorithm = Oreal { selection, ..released() };
    let mut rows = Vec::new();
    for (seed, rollouts) in (0..4).flat_map(|seed| [2, 3, 4].map(|k| (seed, k))) {
        let lab = tree(seed, rollouts)?;
        let (question, p) = (&lab.questions()[0], lab.pass_rates()[0]);
        let mixed = 1.0 - p.powi(rollouts as i32) - (1.0 - p).powi(rollouts as i32);
        let expected = lab.expected(&algorithm)?;
        let (mut stated, mut measured) = (Vec::new(), Vec::new());
        for (state, step) in expected.by_state(Role::RewardModel) {
            let passing =
                |(answer, mass): (&Answer, f64)| match (answer.tokens.starts_with(&state.prefix), is_right(answer)) {
                    (true, true) => mass / p,
                    (true, false) => -mass / (1.0 - p),
                    (false, _) => 0.0,
                };
            let difference: f64 = question.answers.iter().zip(lab.probabilities(0)).map(passing).sum();
            stated.push(difference * mixed / (4 * question.answers[0].tokens.len()) as f64);
            measured.push(step[0]);
        }
        rows.push(Row::gradient(format!("tree {seed}, K {rollouts}"), &stated, &measured));
    }
    Ok(Evidence::new(rows))
}

fn silence(selection: Selection) -> Result<Evidence> {
    let algorithm = Oreal { selection, ..Oreal::default() };
    let mut rows = Vec::new();
    for p in PASS_RATES {
        let lab = arms(p, 4)?;
        rows.push(Row::number(format!("reward model, p {p}"), 0.0, motion(&lab, &algorithm, Role::RewardModel)?));
        rows.push(Row::number(format!("policy, p {p}"), 0.0, motion(&lab, &algorithm, Role::Policy)?));
    }
    Ok(Evidence::new(rows))
}

/// A tree in which the last token decides: after every two tokens one third token is right and one is wrong.
fn decided_last(seed: u64, rollouts: usize) -> Result<Lab> {
    let lab = tree(seed, rollouts)?;
    let (question, mut rng) = (&lab.questions()[0], ChaCha8Rng::seed_from_u64(seed));
    let flips: Vec<bool> = (0..4).map(|_| rng.random()).collect();
    let judged =
        question.answers.iter().enumerate().map(|(i, a)| (a.tokens.clone(), (a.tokens[2] == 1) != flips[i / 2]));
    Lab::new(vec![Question::new(&question.prompt, judged)], lab.table(Role::Policy).clone(), rollouts)
}

/// The cross-entropy of eq. 12, where there is something to learn from.
fn cross_entropy(lab: &Lab, algorithm: &Oreal) -> Result<f64> {
    let expected = lab.expected(algorithm)?;
    Ok(expected.metrics["reward_model_loss"] / expected.kept)
}

fn no_optimum(alignment: Alignment) -> Result<Evidence> {
    let algorithm = Oreal { alignment, ..released() };
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (seed, scale) in (0..4).flat_map(|seed| [1.0, 2.0, 4.0, 8.0, 16.0].map(|c| (seed, c))) {
        let lab = decided_last(seed, 3)?;
        let (question, mut scores) = (&lab.questions()[0], lab.table(Role::RewardModel).clone());
        for answer in &question.answers {
            let sign = if is_right(answer) { 1.0 } else { -1.0 };
            scores.set_scalar(&question.prompt, &answer.tokens, sign * scale * answer.tokens.len() as f64);
        }
        let loss = cross_entropy(&lab.clone().with(Role::RewardModel, scores), &algorithm)?;
        let at = format!("tree {seed}, c {scale}");
        stated.push(Row::number(&at, 0.0, loss).in_series(format!("tree {seed}")));
        exactly.push(Row::number(format!("log(1+e^-c), {at}"), f64::exp(-scale).ln_1p(), loss));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn optimum(selection: Selection) -> Result<Evidence> {
    let algorithm = Oreal { selection, ..released() };
    let mut rows = Vec::new();
    for (seed, rollouts) in (0..4).flat_map(|seed| [2, 3, 4].map(|k| (seed, k))) {
        let lab = decided_last(seed, rollouts)?;
        let (question, p, law) = (&lab.questions()[0], lab.pass_rates()[0], lab.probabilities(0));
        let mut scores = lab.table(Role::RewardModel).clone();
        let mut entropy = 0.0;
        for (pair, mass) in question.answers.chunks(2).zip(law.chunks(2)) {
            let (right, wrong) = if is_right(&pair[0]) { (mass[0], mass[1]) } else { (mass[1], mass[0]) };
            let [a, b] = [right / p, wrong / (1.0 - p)];
            // Three scores are averaged; the last of them carries all of it.
            scores.set_scalar(&question.prompt, &pair[0].tokens[..2], 3.0 * (a / b).ln());
            entropy -= (a * (a / (a + b)).ln() + b * (b / (a + b)).ln()) / 2.0;
        }
        let lab = lab.with(Role::RewardModel, scores);
        let expected = lab.expected(&algorithm)?;
        rows.push(Row::number(
            format!("step at the optimum, tree {seed}, K {rollouts}"),
            0.0,
            norm(&expected.roles[&Role::RewardModel].mean),
        ));
        let loss = cross_entropy(&lab, &algorithm)?;
        rows.push(Row::number(format!("loss there, tree {seed}, K {rollouts}"), entropy, loss));
    }
    Ok(Evidence::new(rows))
}
