//! The token-level reward model: its first step and its optimum.

use oreal_algos::{Alignment, Oreal, Role, Selection};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
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
            statement: "At the reward model's first step, the score of a prefix changes in proportion to P(prefix | \
                        right) - P(prefix | wrong).",
            measures: "the reward model's expected step from 0 against that difference times P(right and wrong in the \
                       group)/4n",
            derivation: "At 0 the gradient of the cross-entropy with respect to the mean score is -1/2 for a right \
                         answer and 1/2 for a wrong one. Each of n scores gets 1/n of it, and each of the two kept \
                         answers counts 1/2. The kept right answer contains the prefix with probability P(prefix | \
                         right), the wrong one with P(prefix | wrong). Both contain the prompt, so the score of the \
                         prompt does not change.",
            recorded: Verdict::Holds,
            check: Exact(|| first_lesson(Selection::Pair)),
            control: Control {
                wrong: "all answers are kept, not pairs",
                check: Exact(|| first_lesson(Selection::All)),
            },
        },
        Claim {
            name: "one-token-silence",
            topic: Topic::TokenRewards,
            source: "OREAL, released code",
            statement: "If answers have one token, neither the reward model nor the policy of the released code ever \
                        changes.",
            measures: "norm plus standard deviation of both steps, for a reward model that outputs 0",
            derivation: "The weight of a token depends on the tokens before it, for a single token on the prompt. A \
                         pair has a right and a wrong answer to the same prompt, so their gradient contributions to \
                         its score, -1/2 and 1/2, cancel in every batch. The score stays 0, and with it the weight. In \
                         longer answers the same holds for the first token until later scores differ.",
            recorded: Verdict::Holds,
            check: Exact(|| silence(Selection::Pair)),
            control: Control { wrong: "all answers are kept, not pairs", check: Exact(|| silence(Selection::All)) },
        },
        Claim {
            name: "no-finite-optimum",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 12",
            statement: "A reward model that reads complete answers brings the cross-entropy of eq. 12 to 0.",
            measures: "expected cross-entropy of a pair with mean scores ±c",
            derivation: "The outcome is certain given the answer, so scores that separate right from wrong answers \
                         lower the loss further the larger they are. With mean scores ±c it is log(1+e^-c), above 0 \
                         for every finite c. There is no finite optimum; the result of training depends on when it \
                         stops.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| no_optimum(Alignment::After)),
            control: Control { wrong: "the last token is not read", check: Exact(|| no_optimum(Alignment::Before)) },
        },
        Claim {
            name: "finite-optimum",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 12 and released code",
            statement: "If the last token decides, a reward model that does not read it has an optimum: the mean score \
                        is log P(prefix | right)/P(prefix | wrong).",
            measures: "the reward model's expected step at the optimum, and the loss there against the remaining \
                       entropy",
            derivation: "For a prefix whose answer is right with probability q among the kept answers, the \
                         cross-entropy is minimal at logit(q). A pair has one right and one wrong answer, so q does \
                         not depend on p, and logit(q) is the log of the likelihood ratio. If all answers were kept, \
                         it would be the log-odds of a right answer after the prefix. A prefix that is equally \
                         probable in right and wrong answers has score 0, so its weight is 0.",
            recorded: Verdict::Holds,
            check: Exact(|| optimum(Selection::Pair)),
            control: Control { wrong: "all answers are kept, not pairs", check: Exact(|| optimum(Selection::All)) },
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
        for (state, step) in expected.by_state(Role::REWARD_MODEL) {
            let signed_mass =
                |(answer, mass): (&Answer, f64)| match (answer.tokens.starts_with(&state.prefix), is_right(answer)) {
                    (true, true) => mass / p,
                    (true, false) => -mass / (1.0 - p),
                    (false, _) => 0.0,
                };
            let difference: f64 = question.answers.iter().zip(lab.probabilities(0)).map(signed_mass).sum();
            stated.push(difference * mixed / (4 * question.answers[0].tokens.len()) as f64);
            measured.push(step[0]);
        }
        rows.push(Measurement::gradient(format!("tree {seed}, K {rollouts}"), &stated, &measured));
    }
    Ok(Evidence::new(rows))
}

fn silence(selection: Selection) -> Result<Evidence> {
    let algorithm = Oreal { selection, ..Oreal::default() };
    let mut rows = Vec::new();
    for p in PASS_RATES {
        let lab = arms(p, 4)?;
        rows.push(Measurement::number(
            format!("reward model, p {p}"),
            0.0,
            motion(&lab, &algorithm, Role::REWARD_MODEL)?,
        ));
        rows.push(Measurement::number(format!("policy, p {p}"), 0.0, motion(&lab, &algorithm, Role::POLICY)?));
    }
    Ok(Evidence::new(rows))
}

/// A tree in which the last token decides: after any two tokens, one third token is right and the other wrong.
fn decided_last(seed: u64, rollouts: usize) -> Result<Lab> {
    let lab = tree(seed, rollouts)?;
    let (question, mut rng) = (&lab.questions()[0], ChaCha8Rng::seed_from_u64(seed));
    let flips: Vec<bool> = (0..4).map(|_| rng.random()).collect();
    let judged =
        question.answers.iter().enumerate().map(|(i, a)| (a.tokens.clone(), (a.tokens[2] == 1) != flips[i / 2]));
    Lab::new(vec![Question::new(&question.prompt, judged)], lab.table(Role::POLICY).clone(), rollouts)
}

/// The expected cross-entropy of eq. 12, given that a batch has kept answers.
fn cross_entropy(lab: &Lab, algorithm: &Oreal) -> Result<f64> {
    let expected = lab.expected(algorithm)?;
    Ok(expected.metrics["reward_model_loss"] / expected.kept)
}

fn no_optimum(alignment: Alignment) -> Result<Evidence> {
    let algorithm = Oreal { alignment, ..released() };
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (seed, scale) in (0..4).flat_map(|seed| [1.0, 2.0, 4.0, 8.0, 16.0].map(|c| (seed, c))) {
        let lab = decided_last(seed, 3)?;
        let (question, mut scores) = (&lab.questions()[0], lab.table(Role::REWARD_MODEL).clone());
        for answer in &question.answers {
            let sign = if is_right(answer) { 1.0 } else { -1.0 };
            scores.set_scalar(&question.prompt, &answer.tokens, sign * scale * answer.tokens.len() as f64);
        }
        let loss = cross_entropy(&lab.clone().with(Role::REWARD_MODEL, scores), &algorithm)?;
        let at = format!("tree {seed}, c {scale}");
        stated.push(Measurement::number(&at, 0.0, loss).in_series(format!("tree {seed}")));
        exactly.push(Measurement::number(format!("log(1+e^-c), {at}"), f64::exp(-scale).ln_1p(), loss));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn optimum(selection: Selection) -> Result<Evidence> {
    let algorithm = Oreal { selection, ..released() };
    let mut rows = Vec::new();
    for (seed, rollouts) in (0..4).flat_map(|seed| [2, 3, 4].map(|k| (seed, k))) {
        let lab = decided_last(seed, rollouts)?;
        let (question, p, probabilities) = (&lab.questions()[0], lab.pass_rates()[0], lab.probabilities(0));
        let mut scores = lab.table(Role::REWARD_MODEL).clone();
        let mut entropy = 0.0;
        for (pair, mass) in question.answers.chunks(2).zip(probabilities.chunks(2)) {
            let (right, wrong) = if is_right(&pair[0]) { (mass[0], mass[1]) } else { (mass[1], mass[0]) };
            let [a, b] = [right / p, wrong / (1.0 - p)];
            // The mean of three scores is log(a/b): the first two are 0.
            scores.set_scalar(&question.prompt, &pair[0].tokens[..2], 3.0 * (a / b).ln());
            entropy -= (a * (a / (a + b)).ln() + b * (b / (a + b)).ln()) / 2.0;
        }
        let lab = lab.with(Role::REWARD_MODEL, scores);
        let expected = lab.expected(&algorithm)?;
        rows.push(Measurement::number(
            format!("step at the optimum, tree {seed}, K {rollouts}"),
            0.0,
            norm(&expected.roles[&Role::REWARD_MODEL].mean),
        ));
        let loss = cross_entropy(&lab, &algorithm)?;
        rows.push(Measurement::number(format!("loss at the optimum, tree {seed}, K {rollouts}"), entropy, loss));
    }
    Ok(Evidence::new(rows))
}
