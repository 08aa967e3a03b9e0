//! Small worlds in which everything can be enumerated.

use oreal_algos::Role;
use oreal_models::{Optimiser, Table, Token};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::{Lab, Question, Sharing};
use crate::error::Result;

/// The pass rates that claims are checked at.
pub const PASS_RATES: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

/// Shares of the right and of the wrong answers: unequal, so that to keep them is a statement.
const RIGHT: [f64; 2] = [0.7, 0.3];
const WRONG: [f64; 2] = [0.6, 0.4];

/// One question of this pass rate with two right and two wrong answers of one token.
pub fn arms(pass_rate: f64, rollouts: usize) -> Result<Lab> {
    let p = pass_rate;
    let law = RIGHT.map(|share| p * share).into_iter().chain(WRONG.map(|share| (1.0 - p) * share));
    one_token(&[(law.collect(), vec![0, 1])], rollouts)
}

/// One question of this pass rate with one right and one wrong answer of one token: the smallest there is, for many rollouts.
pub fn two_arms(pass_rate: f64, rollouts: usize) -> Result<Lab> {
    one_token(&[(vec![pass_rate, 1.0 - pass_rate], vec![0])], rollouts)
}

/// Two questions of these pass rates whose logits are common but for a constant, and whose right answers are not the same:
/// the first two of four, and the second and third.
pub fn crossed(pass_rates: [f64; 2], rollouts: usize) -> Result<Lab> {
    let [p, q] = pass_rates;
    let first = vec![0.7 * p, 0.3 * p, 0.6 * (1.0 - p), 0.4 * (1.0 - p)];
    let second = vec![0.5 * (1.0 - q), 0.2 * q, 0.8 * q, 0.5 * (1.0 - q)];
    Ok(one_token(&[(first, vec![0, 1]), (second, vec![1, 2])], rollouts)?.sharing(Sharing::Prompts))
}

/// Questions whose answers are single tokens: the law over tokens, and which of them are right.
fn one_token(laws: &[(Vec<f64>, Vec<Token>)], rollouts: usize) -> Result<Lab> {
    let tokens = laws.iter().map(|(law, _)| law.len()).max().unwrap_or(0);
    let mut policy = Table::new(tokens, &Optimiser::EXACT);
    let mut questions = Vec::new();
    for (number, (law, right)) in laws.iter().enumerate() {
        let prompt = vec![0; number + 1];
        policy.set_logits(&prompt, &[], &law.iter().map(|mass| mass.ln()).collect::<Vec<_>>());
        let answers = (0..tokens as Token).map(|token| (vec![token], right.contains(&token)));
        questions.push(Question::new(&prompt, answers));
    }
    Lab::new(questions, policy, rollouts)
}

/// Probability that `k` of `n` answers are right.
pub(crate) fn binomial(n: usize, k: usize, p: f64) -> f64 {
    let ways = (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
    ways * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
}

/// The law of right answers given that the answer is right, π/p; 0 on the wrong ones.
pub(crate) fn given_right(lab: &Lab, question: usize) -> Vec<f64> {
    let (p, law) = (lab.pass_rates()[question], lab.probabilities(question));
    let answers = lab.questions()[question].answers.iter();
    answers.zip(law).map(|(answer, mass)| answer.verdict.reward() * mass / p).collect()
}

/// Three tokens of two kinds, so eight completions of equal length; policy and rewards are random, and neither all right nor
/// all wrong.
pub fn tree(seed: u64, rollouts: usize) -> Result<Lab> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let completions: Vec<Vec<Token>> = (0..8).map(|i: Token| vec![i >> 2 & 1, i >> 1 & 1, i & 1]).collect();
    let right = rng.random_range(1..255_u32);
    let mut policy = Table::new(2, &Optimiser::EXACT);
    for completion in &completions {
        for length in 0..3 {
            let logits = [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)];
            policy.set_logits(&PROMPT, &completion[..length], &logits);
        }
    }
    let judged = completions.into_iter().enumerate().map(|(i, completion)| (completion, right >> i & 1 == 1));
    Lab::new(vec![Question::new(&PROMPT, judged)], policy, rollouts)
}

/// Completions of one, two and three tokens: token 0 ends one, and the third does. Policy and rewards are random, and neither
/// all right nor all wrong.
pub fn ragged(seed: u64, rollouts: usize) -> Result<Lab> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let completions: Vec<Vec<Token>> = vec![vec![0], vec![1, 0], vec![1, 1, 0], vec![1, 1, 1]];
    let right = rng.random_range(1..15_u32);
    let mut policy = Table::new(2, &Optimiser::EXACT);
    for length in 0..3 {
        policy.set_logits(&PROMPT, &[1, 1][..length], &[rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)]);
    }
    let judged = completions.into_iter().enumerate().map(|(i, completion)| (completion, right >> i & 1 == 1));
    Lab::new(vec![Question::new(&PROMPT, judged)], policy, rollouts)
}

/// With a reference that is another random policy, and a critic of random values.
pub(crate) fn with_others(lab: Lab, seed: u64, other: &Lab) -> Lab {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut critic = Table::new(lab.table(Role::Policy).vocabulary(), &Optimiser::EXACT);
    for answer in &lab.questions()[0].answers {
        for length in 0..=answer.tokens.len() {
            critic.set_scalar(&lab.questions()[0].prompt, &answer.tokens[..length], rng.random_range(-1.0..1.0));
        }
    }
    lab.with(Role::Reference, other.table(Role::Policy).clone()).with(Role::Critic, critic)
}

const PROMPT: [Token; 1] = [0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_are_complete_and_have_the_pass_rates_asked_for() {
        for (lab, p) in PASS_RATES.map(|p| (arms(p, 1).unwrap(), p)) {
            assert!((lab.pass_rates()[0] - p).abs() < 1e-15);
        }
        for seed in 0..20 {
            for lab in [tree(seed, 1).unwrap(), ragged(seed, 1).unwrap()] {
                assert!((lab.probabilities(0).iter().sum::<f64>() - 1.0).abs() < 1e-14);
                assert!((0.0..1.0).contains(&lab.pass_rates()[0]) && lab.pass_rates()[0] > 0.0);
            }
        }
    }
}
