//! One choice among six arms: small enough that every expectation is a sum of a few terms.
//!
//! - Prompt: `q2?` is question 2, to train on; `h2?` is its held-out twin of the same probability, which a policy that shares
//!   nothing between questions must leave alone.
//! - Completion: one arm. `a`, `b`, `c` are right, `x`, `y`, `z` are wrong, anything else is unparsable.
//! - Difficulty: the probability of being right under the initial law, one per question.
//! - Problems: as many in each split as there are probabilities.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::env::{Ending, Env, Problem, Split, Verdict};
use crate::mistakes;
use crate::settings::{IllegalSetting, settings};

/// Questions whose probability of a right answer is known at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Bandit {
    probabilities: Vec<f64>,
}

impl Bandit {
    /// One question per probability, each strictly between 0 and 1.
    pub fn new(probabilities: Vec<f64>) -> Result<Self, IllegalSetting> {
        Settings { probabilities }.try_into()
    }

    /// Of the questions to train on, in order.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// Of being right on this problem under the initial law.
    pub fn probability(&self, problem: &Problem) -> f64 {
        self.probabilities[problem.id as usize % self.probabilities.len()]
    }

    /// The initial law over arms. The right arms share the question's probability as 1/2, 1/3, 1/6, and the wrong ones share
    /// the rest in the same way: unequal, so that to keep the proportions among right arms is a statement.
    pub fn law(&self, problem: &Problem) -> Vec<(char, f64)> {
        let p = self.probability(problem);
        let share = |arms: [char; 3], mass: f64| arms.into_iter().zip(SHARES.map(|share| share * mass));
        share(RIGHT, p).chain(share(WRONG, 1.0 - p)).collect()
    }

    fn question(&self, split: Split, index: usize) -> Problem {
        let (letter, first) = match split {
            Split::Train => ('q', 0),
            Split::HeldOut => ('h', self.probabilities.len()),
        };
        Problem { id: (first + index) as u64, prompt: format!("{letter}{index}?"), answer: RIGHT[0].into() }
    }
}

impl Default for Bandit {
    fn default() -> Self {
        Self { probabilities: Settings::default().probabilities }
    }
}

impl Env for Bandit {
    fn name(&self) -> &'static str {
        "bandit"
    }

    fn alphabet(&self) -> String {
        "abcxyz0123456789qh?".into()
    }

    fn max_tokens(&self) -> usize {
        2
    }

    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem {
        self.question(split, rng.random_range(0..self.probabilities.len()))
    }

    fn problems(&self, split: Split) -> Option<Vec<Problem>> {
        Some((0..self.probabilities.len()).map(|index| self.question(split, index)).collect())
    }

    fn judge(&self, _problem: &Problem, completion: &str, ending: Ending) -> Verdict {
        let mut characters = completion.chars();
        match (ending, characters.next(), characters.next()) {
            (Ending::Truncated, ..) => Verdict::Truncated,
            (Ending::Stopped, Some(arm), None) if RIGHT.contains(&arm) => Verdict::Right,
            (Ending::Stopped, Some(arm), None) if WRONG.contains(&arm) => Verdict::Wrong,
            (Ending::Stopped, ..) => Verdict::Unparsable,
        }
    }

    /// The initial law given that the arm is right, or given that it is wrong. So an error rate of one minus the question's
    /// probability is the initial law itself.
    fn demonstration(&self, _problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        let arms = if mistakes::errs(error_rate, rng) { WRONG } else { RIGHT };
        let place = rng.random::<f64>();
        let arm = if place < SHARES[0] {
            arms[0]
        } else if place < SHARES[0] + SHARES[1] {
            arms[1]
        } else {
            arms[2]
        };
        arm.into()
    }
}

const RIGHT: [char; 3] = ['a', 'b', 'c'];
const WRONG: [char; 3] = ['x', 'y', 'z'];
const SHARES: [f64; 3] = [1.0 / 2.0, 1.0 / 3.0, 1.0 / 6.0];

settings! { Settings { probabilities: Vec<f64> } }

impl Default for Settings {
    fn default() -> Self {
        Self { probabilities: vec![0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95] }
    }
}

impl TryFrom<Settings> for Bandit {
    type Error = IllegalSetting;

    fn try_from(Settings { probabilities }: Settings) -> Result<Self, IllegalSetting> {
        if probabilities.is_empty() {
            return Err(IllegalSetting::new("probabilities", "at least one", "none"));
        }
        match probabilities.iter().find(|&&p| !(p > 0.0 && p < 1.0)) {
            Some(p) => Err(IllegalSetting::new("probabilities", "strictly between 0 and 1", p)),
            None => Ok(Self { probabilities }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;

    #[test]
    fn right_mass_of_the_law_is_the_probability() {
        let bandit = Bandit::default();
        for split in [Split::Train, Split::HeldOut] {
            for (problem, p) in bandit.problems(split).unwrap().iter().zip(bandit.probabilities()) {
                let mass = |verdict| -> f64 {
                    let judged = |arm: char| bandit.judge(problem, &arm.to_string(), Ending::Stopped);
                    bandit.law(problem).iter().filter(|(arm, _)| judged(*arm) == verdict).map(|(_, mass)| mass).sum()
                };
                assert!((mass(Verdict::Right) - p).abs() < 1e-15, "{problem:?}");
                assert!((mass(Verdict::Wrong) - (1.0 - p)).abs() < 1e-15, "{problem:?}");
            }
        }
    }

    #[test]
    fn demonstrations_at_the_question_s_own_error_rate_follow_the_law() {
        let bandit = Bandit::new(vec![0.3]).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let problem = bandit.problem(Split::Train, &mut rng);
        let mut counts = BTreeMap::new();
        for _ in 0..60_000 {
            *counts.entry(bandit.demonstration(&problem, 0.7, &mut rng)).or_insert(0) += 1;
        }
        for (arm, mass) in bandit.law(&problem) {
            let frequency = f64::from(counts[&arm.to_string()]) / 60_000.0;
            assert!((frequency - mass).abs() < 0.01, "{arm}: {frequency} for {mass}");
        }
    }
}
