//! The token-level reward model: the effect of its weights on the policy's expected step.

use oreal_algos::{Algorithm, Alignment, Column, Experience, Layout, Normaliser, Oreal, Pooling, Role, TokenWeights};
use oreal_models::State;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::worlds::{PASS_RATES, arms, ragged, tree};
use crate::error::Result;
use crate::lab::{Answer, Lab, Question, norm};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "one-sided-weights",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 10",
            statement: "At a prefix, the weights of right and of wrong answers are never both above 0.",
            measures: "the smaller of the absolute log-prob gradients of the loss at a prefix shared by a right and a \
                       wrong answer",
            derivation: "One weight is max(2σ(w)-1, 0) and the other max(1-2σ(w), 0), of the same score w. Their first \
                         arguments are each other's negative, so at most one is above 0. So at each prefix either only \
                         right answers contribute to the gradient, or only wrong ones, or none.",
            recorded: Verdict::Holds,
            check: Exact(|| one_sided(0.5)),
            control: Control {
                wrong: "weights that are 0 below a confidence of 0 instead of 0.5",
                check: Exact(|| one_sided(0.0)),
            },
        },
        Claim {
            name: "zero-start",
            topic: Topic::TokenRewards,
            source: "OREAL, released code",
            statement: "While the reward model outputs 0, no batch changes the policy.",
            measures: "norm of the policy's expected step, plus its standard deviation",
            derivation: "A score of 0 is a confidence of 0.5, where both weights are 0. The KL divergence has no \
                         gradient either while the policy equals the reference. So the policy does not change until \
                         the reward model has been trained. The alternative in the same code, weights on the tokens \
                         with the highest confidence, behaves differently: if all confidences are equal, the first \
                         tokens get weight 1.",
            recorded: Verdict::Holds,
            check: Exact(|| zero_start(TokenWeights::Threshold(0.5.into()))),
            control: Control {
                wrong: "the half of the tokens with the highest confidence",
                check: Exact(|| zero_start(TokenWeights::TopShare(0.5.into()))),
            },
        },
        Claim {
            name: "alignment-before",
            topic: Topic::TokenRewards,
            source: "OREAL, released code",
            statement: "If a token's weight depends only on the tokens before it, and answers have equal length, the \
                        expected step ascends the pass rate (its cosine with ∇p is at least 0), whatever the reward \
                        model outputs.",
            measures: "smallest cosine between the expected step and the gradient of the pass rate, over all states \
                       together and at each state",
            derivation: "At a state h, a prompt with a prefix, the weight is the same for every next token. The \
                         contribution of right answers is w⁺(h) times that without weights, which is a positive \
                         multiple of ∇ₕp, the state's part of ∇p. The same holds for wrong answers and w⁻(h). So the \
                         expected step is c(h)·∇ₕp with c(h) = (2K/(K-1)n)·[w⁺(h)·(1-(1-p)^(K-1))·(1-p)/p + \
                         η·w⁻(h)·(1-p^(K-1))·p/(1-p)].",
            recorded: Verdict::Holds,
            check: Exact(|| before(Alignment::Before)),
            control: Control {
                wrong: "the weight also depends on its token",
                check: Exact(|| before(Alignment::After)),
            },
        },
        Claim {
            name: "alignment-after",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 10-11: the weight of a token is w(s≤t)",
            statement: "The expected step also ascends the pass rate if a token's weight depends on the token itself.",
            measures: "smallest cosine with the gradient of the pass rate, and the share of random reward models whose \
                       expected step decreases it",
            derivation: "The expected step at h is then a policy gradient with G(h,a) = a·w⁺(h,a)·Q(h,a)/p - \
                         η·b·w⁻(h,a)·(1-Q(h,a))/(1-p) in place of Q(h,a), the probability of a right answer after \
                         token a. A reward model that prefers a worse token (w⁺ above 0 where Q is small, w⁺ = 0 where \
                         it is large) reverses the step at this state, and nothing in eq. 10 excludes it. Only the \
                         step at the last token cannot be reversed: there Q is 1 or 0, and G has the sign of the \
                         outcome.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| after(0.5)),
            control: Control { wrong: "the sign of wrong answers is reversed: eta -0.5", check: Exact(|| after(-0.5)) },
        },
        Claim {
            name: "alignment-before-lengths",
            topic: Topic::TokenRewards,
            source: "OREAL, released code: right and wrong answers each divided by their tokens",
            statement: "With weights that depend only on the tokens before, the expected step also ascends the pass \
                        rate if answers differ in length.",
            measures: "smallest cosine between the expected step and the gradient of the pass rate, over all states \
                       together and at each state",
            derivation: "Divided by its n tokens, a right answer counts 1/n. So at a state the contribution of right \
                         answers is the gradient of E[R/n], and that of wrong answers is the gradient of -E[(1-R)/n]. \
                         A short right answer is then preferred to a longer one that is more likely to be right. If \
                         losses are divided by the number of answers instead of tokens, the step at every state is \
                         again a non-negative multiple of ∇ₕp.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| lengths(Alignment::Before)),
            control: Control {
                wrong: "the weight also depends on its token",
                check: Exact(|| lengths(Alignment::After)),
            },
        },
    ]
}

/// The released code without its KL divergence.
pub(super) fn released() -> Oreal {
    Oreal { beta: 0.0.into(), ..Oreal::default() }
}

/// Random scores are uniform in ±3, which gives weights up to 0.9.
const MAX_SCORE: f64 = 3.0;

/// With a random reward model: a random score for every prefix.
fn scored(lab: Lab, seed: u64) -> Lab {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut scores = lab.table(Role::REWARD_MODEL).clone();
    for question in lab.questions() {
        for answer in &question.answers {
            for seen in 0..=answer.tokens.len() {
                scores.set_scalar(&question.prompt, &answer.tokens[..seen], rng.random_range(-MAX_SCORE..MAX_SCORE));
            }
        }
    }
    lab.with(Role::REWARD_MODEL, scores)
}

/// With a reward model that outputs a random score for the prompt and 0 for every longer prefix.
fn prompt_scored(lab: Lab, seed: u64) -> Lab {
    with_prompt_score(lab, ChaCha8Rng::seed_from_u64(seed).random_range(-MAX_SCORE..MAX_SCORE))
}

/// With a reward model that outputs this score for the prompt and 0 for every longer prefix.
pub(super) fn with_prompt_score(lab: Lab, score: f64) -> Lab {
    let mut scores = lab.table(Role::REWARD_MODEL).clone();
    scores.set_scalar(&lab.questions()[0].prompt, &[], score);
    lab.with(Role::REWARD_MODEL, scores)
}

pub(super) fn is_right(answer: &Answer) -> bool {
    answer.verdict.reward() > 0.5
}

/// Number of tokens of an answer that the score of its token `t` depends on.
fn tokens_read(algorithm: &Oreal, t: usize) -> usize {
    match algorithm.alignment {
        Alignment::Before => t,
        Alignment::After => t + 1,
    }
}

/// The weight of eq. 10 for the outcome of an answer, at its token `t`.
fn weight(lab: &Lab, algorithm: &Oreal, answer: &Answer, t: usize) -> f64 {
    let prompt = &lab.questions()[0].prompt;
    let score = |t| lab.table(Role::REWARD_MODEL).row(prompt, &answer.tokens[..tokens_read(algorithm, t)]).scalar;
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

/// Absolute gradient of the loss with respect to `logπ` of each token, for a batch of one right and one wrong answer.
fn log_prob_gradients(lab: &Lab, algorithm: &Oreal, pair: [&Answer; 2]) -> Result<Vec<f64>> {
    let (prompt, scores) = (&lab.questions()[0].prompt, lab.table(Role::REWARD_MODEL));
    let tokens = || pair.iter().flat_map(|answer| (0..answer.tokens.len()).map(move |t| (answer, t)));
    let score = |seen| tokens().map(|(answer, t)| scores.row(prompt, &answer.tokens[..t + seen]).scalar).collect();
    let x = Experience::new(Layout::new(&[pair.map(|answer| answer.tokens.len()).to_vec()])?)
        .with(Column::LOGP, tokens().map(|_| 0.0).collect())?
        .with(Column::SCORE, score(0))?
        .with(Column::SCORE_AFTER, score(1))?
        .with(Column::ADVANTAGE, tokens().map(|(answer, _)| 2.0 * answer.verdict.reward() - 1.0).collect())?
        .with(Column::REWARD, pair.map(|answer| answer.verdict.reward()).to_vec())?;
    let cotangents = algorithm.objective().evaluate(&x).cotangents.remove(&Column::LOGP);
    Ok(cotangents.unwrap_or_default().iter().map(|cotangent| cotangent.abs()).collect())
}

fn one_sided(tau: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (alignment, pooling) in SETTINGS {
        let token_weights = TokenWeights::Threshold(tau.into());
        let algorithm = Oreal { alignment, pooling, token_weights, ..released() };
        let (mut both, mut off) = (0.0_f64, 0.0_f64);
        for seed in 0..8 {
            let lab = scored(tree(seed, 2)?, seed);
            let (right, wrong): (Vec<&Answer>, Vec<&Answer>) =
                lab.questions()[0].answers.iter().partition(|a| is_right(a));
            for pair in right.iter().flat_map(|a| wrong.iter().map(|b| [*a, *b])) {
                let (n, gradients) = (pair[0].tokens.len(), log_prob_gradients(&lab, &algorithm, pair)?);
                for t in 0..n {
                    let [a, b] = [gradients[t], gradients[n + t]].map(|gradient| gradient * n as f64);
                    let shared = tokens_read(&algorithm, t);
                    if pair[0].tokens[..shared] == pair[1].tokens[..shared] {
                        both = both.max(a.min(b));
                    }
                    off = off.max((a - weight(&lab, &algorithm, pair[0], t)).abs());
                    off = off.max((b - algorithm.eta.at(0) * weight(&lab, &algorithm, pair[1], t)).abs());
                }
            }
        }
        stated.push(Measurement::number(format!("{alignment:?}, {pooling:?}"), 0.0, both));
        exactly.push(Measurement::number(format!("weights of eq. 10, {alignment:?}, {pooling:?}"), 0.0, off));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// Norm of a role's expected step plus its standard deviation: 0 if and only if no batch changes the role.
pub(super) fn motion(lab: &Lab, algorithm: &Oreal, role: Role) -> Result<f64> {
    let roles = lab.expected(algorithm)?.roles;
    Ok(roles.get(&role).map_or(0.0, |moments| norm(&moments.mean) + moments.variance.sqrt()))
}

fn zero_start(token_weights: TokenWeights) -> Result<Evidence> {
    let algorithm = Oreal { token_weights, ..Oreal::default() };
    let mut rows = Vec::new();
    for p in PASS_RATES {
        rows.push(Measurement::number(
            format!("one token, p {p}"),
            0.0,
            motion(&arms(p, 4)?, &algorithm, Role::POLICY)?,
        ));
    }
    for seed in 0..4 {
        rows.push(Measurement::number(format!("tree {seed}"), 0.0, motion(&tree(seed, 3)?, &algorithm, Role::POLICY)?));
        let lengths = motion(&ragged(seed, 3)?, &algorithm, Role::POLICY)?;
        rows.push(Measurement::number(format!("ragged tree {seed}"), 0.0, lengths));
    }
    Ok(Evidence::new(rows))
}

/// The elements at a state of `sum over answers s and their tokens t of π(s)·f(s, t)·∇logπ(token t)`.
fn part(lab: &Lab, state: &State, f: &dyn Fn(&Answer, usize) -> f64) -> Vec<f64> {
    let (t, width) = (state.prefix.len(), lab.table(Role::POLICY).vocabulary());
    let (mut visits, mut mass) = (vec![0.0; width], vec![0.0; width]);
    for (answer, probability) in lab.questions()[0].answers.iter().zip(lab.probabilities(0)) {
        if answer.tokens.starts_with(&state.prefix) && answer.tokens.len() > t {
            visits[answer.tokens[t] as usize] += probability;
            mass[answer.tokens[t] as usize] += probability * f(answer, t);
        }
    }
    let (reached, total) = (visits.iter().sum::<f64>(), mass.iter().sum::<f64>());
    mass.iter().zip(visits).map(|(mass, visits)| mass - visits / reached * total).collect()
}

/// The expected factor of `π(s)·∇logπ` of an answer's token in the released scheme.
fn coefficient(lab: &Lab, algorithm: &Oreal, rollouts: usize, answer: &Answer, t: usize) -> f64 {
    let (p, k) = (lab.pass_rates()[0], rollouts as f64);
    let of = |p: f64| 2.0 * k / (k - 1.0) * (1.0 - p) * (1.0 - (1.0 - p).powf(k - 1.0)) / p;
    let divisor = match algorithm.normaliser {
        Normaliser::Tokens => answer.tokens.len() as f64,
        Normaliser::Trajectories => 1.0,
    };
    let outcome = if is_right(answer) { of(p) } else { -algorithm.eta.at(0) * of(1.0 - p) };
    outcome * weight(lab, algorithm, answer, t) / divisor
}

/// The cosine of the angle between two vectors; 0 if one of them is 0.
fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let (dot, lengths) = (a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>(), norm(a) * norm(b));
    if lengths > 1e-15 { dot / lengths } else { 0.0 }
}

/// Results over many random reward models.
struct Sweep {
    /// Smallest cosine of the expected step with the gradient of the pass rate, over all states together.
    all_states: f64,
    /// Smallest cosine at a single state.
    each_state: f64,
    /// Smallest cosine at a state before the last token.
    last_token: f64,
    /// Share of the reward models whose expected step descends the pass rate.
    descending: f64,
    /// Largest relative deviation of an expected step from the formula.
    off: f64,
}

const WORLDS: u64 = 16;
const MODELS: u64 = 4;

type World = fn(u64, usize) -> Result<Lab>;
/// A lab with a reward model drawn by a seed.
type Model = fn(Lab, u64) -> Lab;

fn sweep(world: World, model: Model, algorithm: &Oreal, rollouts: usize) -> Result<Sweep> {
    let mut sweep = Sweep { all_states: 1.0, each_state: 1.0, last_token: 1.0, descending: 0.0, off: 0.0 };
    for (seed, draw) in (0..WORLDS).flat_map(|seed| (0..MODELS).map(move |draw| (seed, draw))) {
        let lab = model(world(seed, rollouts)?, 1000 * seed + draw);
        let longest = lab.questions()[0].answers.iter().map(|answer| answer.tokens.len()).max();
        let (mut truth, mut formula, mut found) = (Vec::new(), Vec::new(), Vec::new());
        for (state, step) in lab.expected(algorithm)?.by_state(Role::POLICY) {
            let ascent = part(&lab, state, &|answer, _| answer.verdict.reward());
            sweep.each_state = sweep.each_state.min(cosine(step, &ascent));
            if Some(state.prefix.len() + 1) == longest {
                sweep.last_token = sweep.last_token.min(cosine(step, &ascent));
            }
            formula.extend(part(&lab, state, &|answer, t| coefficient(&lab, algorithm, rollouts, answer, t)));
            truth.extend(ascent);
            found.extend(step);
        }
        let whole = cosine(&found, &truth);
        sweep.all_states = sweep.all_states.min(whole);
        sweep.descending += f64::from(whole < 0.0) / (WORLDS * MODELS) as f64;
        sweep.off = sweep.off.max(Measurement::gradient("", &formula, &found).off);
    }
    Ok(sweep)
}

fn before(alignment: Alignment) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (pooling, rollouts) in [Pooling::RunningMean, Pooling::Own].into_iter().flat_map(|p| [2, 3].map(|k| (p, k))) {
        let found = sweep(tree, scored, &Oreal { alignment, pooling, ..released() }, rollouts)?;
        let at = format!("{pooling:?}, K {rollouts}");
        stated.push(Measurement::at_least(format!("all states, {at}"), 0.0, found.all_states));
        stated.push(Measurement::at_least(format!("each state, {at}"), 0.0, found.each_state));
        exactly.push(Measurement::number(format!("deviation from c(h)·∇p, {at}"), 0.0, found.off));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn after(eta: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for rollouts in [2, 3] {
        let algorithm = Oreal { alignment: Alignment::After, pooling: Pooling::Own, eta: eta.into(), ..released() };
        let found = sweep(tree, scored, &algorithm, rollouts)?;
        stated.push(Measurement::at_least(format!("smallest cosine, K {rollouts}"), 0.0, found.all_states));
        stated.push(Measurement::at_most(
            format!("share of reward models that descend, K {rollouts}"),
            0.0,
            found.descending,
        ));
        exactly.push(Measurement::number(format!("deviation from the gradient with G, K {rollouts}"), 0.0, found.off));
        exactly.push(Measurement::at_least(
            format!("smallest cosine at the last token, K {rollouts}"),
            0.0,
            found.last_token,
        ));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// A tree in which answers that begin with token 0 end after two tokens.
fn uneven(seed: u64, rollouts: usize) -> Result<Lab> {
    let lab = tree(seed, rollouts)?;
    let (question, right) = (&lab.questions()[0], ChaCha8Rng::seed_from_u64(seed).random_range(1..63_u32));
    let short = question.answers[..4].chunks(2).map(|pair| pair[0].tokens[..2].to_vec());
    let long = question.answers[4..].iter().map(|answer| answer.tokens.clone());
    let judged = short.chain(long).enumerate().map(|(i, tokens)| (tokens, right >> i & 1 == 1));
    Lab::new(vec![Question::new(&question.prompt, judged)], lab.table(Role::POLICY).clone(), rollouts)
}

fn lengths(alignment: Alignment) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    let models: [(&str, Model); 2] = [("random scores", scored), ("score of the prompt only", prompt_scored)];
    for ((name, model), normaliser) in
        models.into_iter().flat_map(|m| [Normaliser::Tokens, Normaliser::Trajectories].map(|by| (m, by)))
    {
        let algorithm = Oreal { alignment, normaliser, pooling: Pooling::Own, ..released() };
        let found = sweep(uneven, model, &algorithm, 2)?;
        let divisor = if normaliser == Normaliser::Tokens { "tokens" } else { "answers" };
        let at = format!("{name}, divided by {divisor}");
        exactly.push(Measurement::number(format!("deviation from the formula, {at}"), 0.0, found.off));
        let cosines = [("all states", found.all_states), ("each state", found.each_state)];
        let rows = cosines.map(|(states, cosine)| Measurement::at_least(format!("{states}, {at}"), 0.0, cosine));
        match normaliser {
            Normaliser::Tokens => stated.extend(rows),
            Normaliser::Trajectories => exactly.extend(rows),
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
