//! The token-level reward model: what its weights do to the policy's step.

use oreal_algos::{Algorithm, Alignment, Column, Experience, Layout, Normaliser, Oreal, Pooling, Role, TokenWeights};
use oreal_models::State;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Row, Verdict};
use super::worlds::{PASS_RATES, arms, ragged, tree};
use crate::error::Result;
use crate::lab::{Answer, Lab, Question, norm};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "one-sided-weights",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 10",
            statement: "At a prefix the weights of right and of wrong answers are never both above 0.",
            measures: "the smaller of the two pulls that the loss exerts at a prefix that a right and a wrong answer share",
            derivation: "One weight is max(2σ(w)-1, 0), the other max(1-2σ(w), 0), of one score w: their arguments are each other's \
                         negative. So a prefix is either one that right answers are taught at, or one that wrong answers are pushed \
                         away from.",
            recorded: Verdict::Holds,
            check: Exact(|| one_sided(0.5)),
            control: Control {
                wrong: "weights from a confidence of 0 rather than 0.5",
                check: Exact(|| one_sided(0.0)),
            },
        },
        Claim {
            name: "zero-start",
            topic: Topic::TokenRewards,
            source: "OREAL, released code",
            statement: "While the reward model says 0, no batch moves the policy.",
            measures: "length of the policy's expected step, and its variance",
            derivation: "A score of 0 is a confidence of 0.5, where both weights are 0. The divergence does not move the policy either \
                         while it is the reference. So the policy waits until the reward model has learnt something. The \
                         alternative in the same code, the share of tokens with the highest confidence, does not wait: where all \
                         confidences are the same it weighs the first tokens by 1.",
            recorded: Verdict::Holds,
            check: Exact(|| zero_start(TokenWeights::Threshold(0.5))),
            control: Control {
                wrong: "the half of the tokens with the highest confidence",
                check: Exact(|| zero_start(TokenWeights::TopShare(0.5))),
            },
        },
        Claim {
            name: "alignment-before",
            topic: Topic::TokenRewards,
            source: "OREAL, released code",
            statement: "When a token's weight has seen only what is before the token, and answers have one length, the expected step \
                        ascends the pass rate, whatever the reward model says.",
            measures: "least cosine between the expected step and the gradient of the pass rate, in all states and state by state",
            derivation: "At a state h the weight is one number for all tokens. Of right answers the expected step there is w⁺(h) times \
                         what a step without weights is, a positive multiple of the state's gradient of p; of wrong answers likewise. \
                         So it is c(h)·∇ₕp with c(h) = (2K/(K-1)n)·[w⁺(h)·(1-(1-p)^(K-1))·(1-p)/p + η·w⁻(h)·(1-p^(K-1))·p/(1-p)].",
            recorded: Verdict::Holds,
            check: Exact(|| before(Alignment::Before)),
            control: Control { wrong: "the weight has seen its token", check: Exact(|| before(Alignment::After)) },
        },
        Claim {
            name: "alignment-after",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 10-11: the weight of a token is w(s≤t)",
            statement: "The expected step ascends the pass rate as well when a token's weight has seen the token.",
            measures: "least cosine with the gradient of the pass rate, and the share of random reward models that descend",
            derivation: "The expected step at h is then a policy gradient with G(h,a) = a·w⁺(h,a)·Q(h,a)/p - η·b·w⁻(h,a)·(1-Q(h,a))/(1-p) \
                         in place of Q(h,a), the chance of success after a. A reward model that prefers a worse token (w⁺ above 0 where \
                         Q is small, w⁺ = 0 where it is large) turns the state around, and nothing in eq. 10 forbids it. Only the last \
                         token cannot turn: there Q is 1 or 0, and G has the sign of the outcome.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| after(0.5)),
            control: Control { wrong: "wrong answers pushed up: eta -0.5", check: Exact(|| after(-0.5)) },
        },
        Claim {
            name: "alignment-before-lengths",
            topic: Topic::TokenRewards,
            source: "OREAL, released code: right and wrong answers each divided by their tokens",
            statement: "With the weight that has seen only what is before, the step ascends also where answers differ in length.",
            measures: "least cosine between the expected step and the gradient of the pass rate, in all states and state by state",
            derivation: "Divided by its tokens, a right answer counts 1/n: at a state the step is the gradient of E[R/n], and one that wrong \
                         answers give is that of -E[(1-R)/n]. A short right answer then beats a surer one that is longer. Divided by \
                         answers instead of tokens, every state is a non-negative multiple of its gradient of p again.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| lengths(Alignment::Before)),
            control: Control { wrong: "the weight has seen its token", check: Exact(|| lengths(Alignment::After)) },
        },
    ]
}

/// The released code without its divergence.
pub(super) fn released() -> Oreal {
    Oreal { beta: 0.0, ..Oreal::default() }
}

/// Random scores are drawn from minus this to this: enough for weights of 0.9.
const LOUD: f64 = 3.0;

/// With a random reward model.
fn scored(lab: Lab, seed: u64) -> Lab {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut scores = lab.table(Role::RewardModel).clone();
    for question in lab.questions() {
        for answer in &question.answers {
            for seen in 0..=answer.tokens.len() {
                scores.set_scalar(&question.prompt, &answer.tokens[..seen], rng.random_range(-LOUD..LOUD));
            }
        }
    }
    lab.with(Role::RewardModel, scores)
}

/// With a random score of the prompt, and 0 on all that follows.
fn prompt_scored(lab: Lab, seed: u64) -> Lab {
    let mut scores = lab.table(Role::RewardModel).clone();
    let score = ChaCha8Rng::seed_from_u64(seed).random_range(-LOUD..LOUD);
    scores.set_scalar(&lab.questions()[0].prompt, &[], score);
    lab.with(Role::RewardModel, scores)
}

pub(super) fn is_right(answer: &Answer) -> bool {
    answer.verdict.reward() > 0.5
}

/// How many tokens of an answer the score of its token `t` has seen.
fn seen(algorithm: &Oreal, t: usize) -> usize {
    match algorithm.alignment {
        Alignment::Before => t,
        Alignment::After => t + 1,
    }
}

/// Eq. 10 for the outcome of an answer, at its token `t`.
fn weight(lab: &Lab, algorithm: &Oreal, answer: &Answer, t: usize) -> f64 {
    let prompt = &lab.questions()[0].prompt;
    let score = |t| lab.table(Role::RewardModel).row(prompt, &answer.tokens[..seen(algorithm, t)]).scalar;
    let score = match algorithm.pooling {
        Pooling::Own => score(t),
        Pooling::RunningMean => (0..=t).map(score).sum::<f64>() / (t + 1) as f64,
    };
    let sign = if is_right(answer) { 1.0 } else { -1.0 };
    (2.0 / (1.0 + (-sign * score).exp()) - 1.0).max(0.0)
}

const SETTINGS: [(Alignment, Pooling); 4] = [
    (Alignment::Before, Pooling::RunningMean),
    (Alignment::Before, Pooling::Own),
    (Alignment::After, Pooling::RunningMean),
    (Alignment::After, Pooling::Own),
];

/// How strongly the objective pulls at `logπ` of each token of a right and of a wrong answer that are a batch.
fn pulls(lab: &Lab, algorithm: &Oreal, pair: [&Answer; 2]) -> Vec<f64> {
    let (prompt, scores) = (&lab.questions()[0].prompt, lab.table(Role::RewardModel));
    let tokens = || pair.iter().flat_map(|answer| (0..answer.tokens.len()).map(move |t| (answer, t)));
    let score = |seen| tokens().map(|(answer, t)| scores.row(prompt, &answer.tokens[..t + seen]).scalar).collect();
    let x = Experience::new(Layout::new(&[pair.map(|answer| answer.tokens.len()).to_vec()]))
        .with(Column::Logp, Vec::new())
        .with(Column::Score, score(0))
        .with(Column::ScoreAfter, score(1))
        .with(Column::Advantage, tokens().map(|(answer, _)| 2.0 * answer.verdict.reward() - 1.0).collect())
        .with(Column::Reward, pair.map(|answer| answer.verdict.reward()).to_vec());
    let cotangents = algorithm.objective().evaluate(&x).cotangents.remove(&Column::Logp);
    cotangents.unwrap_or_default().iter().map(|cotangent| cotangent.abs()).collect()
}

fn one_sided(tau: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (alignment, pooling) in SETTINGS {
        let token_weights = TokenWeights::Threshold(tau);
        let algorithm = Oreal { alignment, pooling, token_weights, ..released() };
        let (mut both, mut off) = (0.0_f64, 0.0_f64);
        for seed in 0..8 {
            let lab = scored(tree(seed, 2)?, seed);
            let (right, wrong): (Vec<&Answer>, Vec<&Answer>) =
                lab.questions()[0].answers.iter().partition(|a| is_right(a));
            for pair in right.iter().flat_map(|a| wrong.iter().map(|b| [*a, *b])) {
                let (n, pulls) = (pair[0].tokens.len(), pulls(&lab, &algorithm, pair));
                for t in 0..n {
                    let [a, b] = [pulls[t], pulls[n + t]].map(|pull| pull * n as f64);
                    let shared = seen(&algorithm, t);
                    if pair[0].tokens[..shared] == pair[1].tokens[..shared] {
                        both = both.max(a.min(b));
                    }
                    off = off.max((a - weight(&lab, &algorithm, pair[0], t)).abs());
                    off = off.max((b - algorithm.eta * weight(&lab, &algorithm, pair[1], t)).abs());
                }
            }
        }
        stated.push(Row::number(format!("{alignment:?}, {pooling:?}"), 0.0, both));
        exactly.push(Row::number(format!("weights of eq. 10, {alignment:?}, {pooling:?}"), 0.0, off));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// How far batches move a role: the length of the expected step, plus the deviation.
pub(super) fn motion(lab: &Lab, algorithm: &Oreal, role: Role) -> Result<f64> {
    let roles = lab.expected(algorithm)?.roles;
    Ok(roles.get(&role).map_or(0.0, |moments| norm(&moments.mean) + moments.variance.sqrt()))
}

fn zero_start(token_weights: TokenWeights) -> Result<Evidence> {
    let algorithm = Oreal { token_weights, ..Oreal::default() };
    let mut rows = Vec::new();
    for p in PASS_RATES {
        rows.push(Row::number(format!("one token, p {p}"), 0.0, motion(&arms(p, 4)?, &algorithm, Role::Policy)?));
    }
    for seed in 0..4 {
        rows.push(Row::number(format!("tree {seed}"), 0.0, motion(&tree(seed, 3)?, &algorithm, Role::Policy)?));
        let lengths = motion(&ragged(seed, 3)?, &algorithm, Role::Policy)?;
        rows.push(Row::number(format!("lengths 1 to 3, {seed}"), 0.0, lengths));
    }
    Ok(Evidence::new(rows))
}

/// The part at a state of `sum over answers s and their tokens t of π(s)·f(s, t)·∇logπ(token t)`.
fn part(lab: &Lab, state: &State, f: &dyn Fn(&Answer, usize) -> f64) -> Vec<f64> {
    let (t, width) = (state.prefix.len(), lab.table(Role::Policy).vocabulary());
    let (mut law, mut mass) = (vec![0.0; width], vec![0.0; width]);
    for (answer, probability) in lab.questions()[0].answers.iter().zip(lab.probabilities(0)) {
        if answer.tokens.starts_with(&state.prefix) && answer.tokens.len() > t {
            law[answer.tokens[t] as usize] += probability;
            mass[answer.tokens[t] as usize] += probability * f(answer, t);
        }
    }
    let (reached, total) = (law.iter().sum::<f64>(), mass.iter().sum::<f64>());
    mass.iter().zip(law).map(|(mass, law)| mass - law / reached * total).collect()
}

/// What the released scheme multiplies `π(s)·∇logπ` of an answer's token by, on average.
fn coefficient(lab: &Lab, algorithm: &Oreal, rollouts: usize, answer: &Answer, t: usize) -> f64 {
    let (p, k) = (lab.pass_rates()[0], rollouts as f64);
    let of = |p: f64| 2.0 * k / (k - 1.0) * (1.0 - p) * (1.0 - (1.0 - p).powf(k - 1.0)) / p;
    let divisor = match algorithm.normaliser {
        Normaliser::Tokens => answer.tokens.len() as f64,
        Normaliser::Trajectories => 1.0,
    };
    let outcome = if is_right(answer) { of(p) } else { -algorithm.eta * of(1.0 - p) };
    outcome * weight(lab, algorithm, answer, t) / divisor
}

/// The cosine between two vectors; 0 where one of them vanishes.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let (dot, lengths) = (a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>(), norm(a) * norm(b));
    if lengths > 1e-15 { dot / lengths } else { 0.0 }
}

/// What came out of many random reward models.
struct Sweep {
    /// Least cosine with the gradient of the pass rate, in all states and in any one.
    least: f64,
    in_a_state: f64,
    /// In a state where the last token comes.
    in_a_last_state: f64,
    /// Share of the reward models that descend.
    descending: f64,
    /// Greatest distance of a step from the formula, in units of it.
    off: f64,
}

const WORLDS: u64 = 16;
const MODELS: u64 = 4;

type World = fn(u64, usize) -> Result<Lab>;
/// A lab with a reward model drawn by a seed.
type Model = fn(Lab, u64) -> Lab;

fn sweep(world: World, model: Model, algorithm: &Oreal, rollouts: usize) -> Result<Sweep> {
    let mut sweep = Sweep { least: 1.0, in_a_state: 1.0, in_a_last_state: 1.0, descending: 0.0, off: 0.0 };
    for (seed, draw) in (0..WORLDS).flat_map(|seed| (0..MODELS).map(move |draw| (seed, draw))) {
        let lab = model(world(seed, rollouts)?, 1000 * seed + draw);
        let longest = lab.questions()[0].answers.iter().map(|answer| answer.tokens.len()).max();
        let (mut truth, mut formula, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for (state, step) in lab.expected(algorithm)?.by_state(Role::Policy) {
            let ascent = part(&lab, state, &|answer, _| answer.verdict.reward());
            sweep.in_a_state = sweep.in_a_state.min(cosine(step, &ascent));
            if Some(state.prefix.len() + 1) == longest {
                sweep.in_a_last_state = sweep.in_a_last_state.min(cosine(step, &ascent));
            }
            formula.extend(part(&lab, state, &|answer, t| coefficient(&lab, algorithm, rollouts, answer, t)));
            truth.extend(ascent);
            found.extend(step);
        }
        let whole = cosine(&found, &truth);
        sweep.least = sweep.least.min(whole);
        sweep.descending += f64::from(whole < 0.0) / (WORLDS * MODELS) as f64;
        sweep.off = sweep.off.max(Row::gradient("", &formula, &found).off);
    }
    Ok(sweep)
}

fn before(alignment: Alignment) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (pooling, rollouts) in [Pooling::RunningMean, Pooling::Own].into_iter().flat_map(|p| [2, 3].map(|k| (p, k))) {
        let found = sweep(tree, scored, &Oreal { alignment, pooling, ..released() }, rollouts)?;
        let at = format!("{pooling:?}, K {rollouts}");
        stated.push(Row::at_least(format!("all states, {at}"), 0.0, found.least));
        stated.push(Row::at_least(format!("each state, {at}"), 0.0, found.in_a_state));
        exactly.push(Row::number(format!("distance from c(h)·∇p, {at}"), 0.0, found.off));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn after(eta: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for rollouts in [2, 3] {
        let algorithm = Oreal { alignment: Alignment::After, pooling: Pooling::Own, eta, ..released() };
        let found = sweep(tree, scored, &algorithm, rollouts)?;
        stated.push(Row::at_least(format!("cosine, K {rollouts}"), 0.0, found.least));
        stated.push(Row::at_most(format!("share that descends, K {rollouts}"), 0.0, found.descending));
        exactly.push(Row::number(format!("distance from the gradient with G, K {rollouts}"), 0.0, found.off));
        exactly.push(Row::at_least(format!("last tokens ascend, K {rollouts}"), 0.0, found.in_a_last_state));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// As a tree, but answers that begin with token 0 end after two tokens.
fn uneven(seed: u64, rollouts: usize) -> Result<Lab> {
    let lab = tree(seed, rollouts)?;
    let (question, right) = (&lab.questions()[0], ChaCha8Rng::seed_from_u64(seed).random_range(1..63_u32));
    let short = question.answers[..4].chunks(2).map(|pair| pair[0].tokens[..2].to_vec());
    let long = question.answers[4..].iter().map(|answer| answer.tokens.clone());
    let judged = short.chain(long).enumerate().map(|(i, tokens)| (tokens, right >> i & 1 == 1));
    Lab::new(vec![Question::new(&question.prompt, judged)], lab.table(Role::Policy).clone(), rollouts)
}

fn lengths(alignment: Alignment) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    let models: [(&str, Model); 2] = [("random scores", scored), ("a score of the prompt alone", prompt_scored)];
    for ((name, model), normaliser) in
        models.into_iter().flat_map(|m| [Normaliser::Tokens, Normaliser::Trajectories].map(|by| (m, by)))
    {
        let algorithm = Oreal { alignment, normaliser, pooling: Pooling::Own, ..released() };
        let found = sweep(uneven, model, &algorithm, 2)?;
        let at = format!("{name}, divided by {normaliser:?}");
        exactly.push(Row::number(format!("distance from the formula, {at}"), 0.0, found.off));
        let cosines = [("all states", found.least), ("each state", found.in_a_state)];
        let rows = cosines.map(|(states, cosine)| Row::at_least(format!("{states}, {at}"), 0.0, cosine));
        match normaliser {
            Normaliser::Tokens => stated.extend(rows),
            Normaliser::Trajectories => exactly.extend(rows),
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
