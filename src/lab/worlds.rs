//! Worlds: a world is a lab whose questions have so few completions that every batch can be enumerated.

use oreal_algos::Role;
use oreal_models::{Optimiser, Table, Token};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::{Lab, Question, Sharing};
use crate::error::Result;

/// The pass rates at which claims are checked.
pub const PASS_RATES: [f64; 7] = [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];

/// Shares of the two right and of the two wrong answers. They are unequal, so that a change of the shares is visible.
const RIGHT: [f64; 2] = [0.7, 0.3];
const WRONG: [f64; 2] = [0.6, 0.4];

/// One question with the given pass rate, with two right and two wrong answers of one token.
pub fn arms(pass_rate: f64, rollouts: usize) -> Result<Lab> {
    let p = pass_rate;
    let probabilities = RIGHT.map(|share| p * share).into_iter().chain(WRONG.map(|share| (1.0 - p) * share));
    one_token(&[(probabilities.collect(), vec![0, 1])], rollouts)
}

/// One question with the given pass rate, with one right and one wrong answer of one token: the smallest world, for
/// many rollouts.
pub fn two_arms(pass_rate: f64, rollouts: usize) -> Result<Lab> {
    one_token(&[(vec![pass_rate, 1.0 - pass_rate], vec![0])], rollouts)
}

/// Two questions with the given pass rates and four answers of one token. They share parameters ([`Sharing::Prompts`]).
/// Their right answers differ: tokens 0 and 1 for the first question, 1 and 2 for the second.
pub fn crossed(pass_rates: [f64; 2], rollouts: usize) -> Result<Lab> {
    let [p, q] = pass_rates;
    let first = vec![0.7 * p, 0.3 * p, 0.6 * (1.0 - p), 0.4 * (1.0 - p)];
    let second = vec![0.5 * (1.0 - q), 0.2 * q, 0.8 * q, 0.5 * (1.0 - q)];
    Ok(one_token(&[(first, vec![0, 1]), (second, vec![1, 2])], rollouts)?.sharing(Sharing::Prompts))
}

/// Questions whose answers are single tokens, from the probability of each token and the tokens that are right.
fn one_token(questions: &[(Vec<f64>, Vec<Token>)], rollouts: usize) -> Result<Lab> {
    let tokens = questions.iter().map(|(probabilities, _)| probabilities.len()).max().unwrap_or(0);
    let mut policy = Table::new(tokens, &Optimiser::EXACT)?;
    let mut listed = Vec::new();
    for (number, (probabilities, right)) in questions.iter().enumerate() {
        let prompt = vec![0; number + 1];
        policy.set_logits(&prompt, &[], &probabilities.iter().map(|p| p.ln()).collect::<Vec<_>>());
        let answers = (0..tokens as Token).map(|token| (vec![token], right.contains(&token)));
        listed.push(Question::new(&prompt, answers));
    }
    Lab::new(listed, policy, rollouts)
}

/// Probability that `k` of `n` answers are right.
pub(crate) fn binomial(n: usize, k: usize, p: f64) -> f64 {
    let ways = (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product::<f64>();
    ways * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
}

/// The distribution of answers given that the answer is right: π/p on right answers, 0 on wrong ones.
pub(crate) fn given_right(lab: &Lab, question: usize) -> Vec<f64> {
    let (p, probabilities) = (lab.pass_rates()[question], lab.probabilities(question));
    let answers = lab.questions()[question].answers.iter();
    answers.zip(probabilities).map(|(answer, mass)| answer.verdict.reward() * mass / p).collect()
}

/// One question with eight completions: three tokens each, from a vocabulary of two. Policy and rewards are random; at
/// least one completion is right and one wrong.
pub fn tree(seed: u64, rollouts: usize) -> Result<Lab> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let completions: Vec<Vec<Token>> = (0..8).map(|i: Token| vec![i >> 2 & 1, i >> 1 & 1, i & 1]).collect();
    let right = rng.random_range(1..255_u32);
    let mut policy = Table::new(2, &Optimiser::EXACT)?;
    for completion in &completions {
        for length in 0..3 {
            let logits = [rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)];
            policy.set_logits(&PROMPT, &completion[..length], &logits);
        }
    }
    let judged = completions.into_iter().enumerate().map(|(i, completion)| (completion, right >> i & 1 == 1));
    Lab::new(vec![Question::new(&PROMPT, judged)], policy, rollouts)
}

/// One question with completions of one, two and three tokens from a vocabulary of two: a completion ends with token 0
/// or after three tokens. Policy and rewards are random; at least one completion is right and one wrong.
pub fn ragged(seed: u64, rollouts: usize) -> Result<Lab> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let completions: Vec<Vec<Token>> = vec![vec![0], vec![1, 0], vec![1, 1, 0], vec![1, 1, 1]];
    let right = rng.random_range(1..15_u32);
    let mut policy = Table::new(2, &Optimiser::EXACT)?;
    for length in 0..3 {
        policy.set_logits(&PROMPT, &[1, 1][..length], &[rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)]);
    }
    let judged = completions.into_iter().enumerate().map(|(i, completion)| (completion, right >> i & 1 == 1));
    Lab::new(vec![Question::new(&PROMPT, judged)], policy, rollouts)
}

/// Replaces the reference by the policy of `other`, and the critic by random values.
pub(crate) fn with_others(lab: Lab, seed: u64, other: &Lab) -> Result<Lab> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut critic = Table::new(lab.table(Role::POLICY).vocabulary(), &Optimiser::EXACT)?;
    for answer in &lab.questions()[0].answers {
        for length in 0..=answer.tokens.len() {
            critic.set_scalar(&lab.questions()[0].prompt, &answer.tokens[..length], rng.random_range(-1.0..1.0));
        }
    }
    Ok(lab.with(Role::REFERENCE, other.table(Role::POLICY).clone()).with(Role::CRITIC, critic))
}

const PROMPT: [Token; 1] = [0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worlds_are_complete_and_have_the_requested_pass_rates() {
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
