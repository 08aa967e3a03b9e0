//! One choice among six arms: small enough to write every expectation as a sum of a few terms.
//!
//! | | |
//! |---|---|
//! | Prompt | `q2?` is question 2 of those to train on. `h2?` is the held-out question of the same probability: a policy without shared parameters must not change on it. |
//! | Completion | One arm. |
//! | Verdicts | Right for `a`, `b`, `c`; wrong for `x`, `y`, `z`; unparsable otherwise. |
//! | Difficulty | The probability of a right arm under the [initial policy](Bandit::initial_policy), one per question. |
//! | Size | In each split `questions` for each of the probabilities. 381 completions (19 characters, 2 tokens). |
//! | Ids | The number in the prompt; for a held-out question, plus the size of the split. |

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::env::{Env, Teacher, World};
use crate::mistakes;
use crate::problem::{Problem, Split};
use crate::settings::{IllegalSetting, settings, within};
use crate::verdict::{Answer, Verdict, judge_each};

/// Questions whose probability of a right answer is known at the start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Bandit {
    probabilities: Vec<f64>,
    questions: u32,
}

impl Bandit {
    /// `questions` (from 1 to 1000) in each split for every one of the probabilities, which are strictly between 0 and 1.
    pub fn new(probabilities: Vec<f64>, questions: u32) -> Result<Self, IllegalSetting> {
        Settings { probabilities, questions: questions.into() }.try_into()
    }

    /// As given. Question `i` of a split has the probability at `i` modulo their number.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// The probability of a right arm for this problem under the initial policy.
    pub fn probability(&self, problem: &Problem) -> f64 {
        self.probabilities[(problem.id % self.probabilities.len() as u64) as usize]
    }

    /// The initial policy: the probability of each arm. The right arms share the question's probability as 1/2, 1/3 and 1/6, and
    /// the wrong ones share the rest in the same way. The shares are unequal so that a claim about the proportions among
    /// right arms can be wrong.
    pub fn initial_policy(&self, problem: &Problem) -> Vec<(char, f64)> {
        let p = self.probability(problem);
        let share = |arms: [char; 3], mass: f64| arms.into_iter().zip(SHARES.map(|share| share * mass));
        share(RIGHT, p).chain(share(WRONG, 1.0 - p)).collect()
    }

    fn size(&self) -> u64 {
        self.probabilities.len() as u64 * u64::from(self.questions)
    }
}

impl Default for Bandit {
    fn default() -> Self {
        Self { probabilities: vec![0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95], questions: 8 }
    }
}

impl Env for Bandit {
    fn name(&self) -> &str {
        "bandit"
    }

    fn max_tokens(&self) -> usize {
        2
    }

    fn count(&self, _split: Split) -> u64 {
        self.size()
    }

    fn problem(&self, split: Split, index: u64, _rng: &mut dyn Rng) -> Problem {
        let index = index % self.size();
        let (letter, id) = match split {
            Split::Train => ('q', index),
            Split::HeldOut => ('h', self.size() + index),
        };
        Problem { id, prompt: format!("{letter}{index}?").into(), answer: RIGHT[0].into() }
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        judge_each(answers, |_, completion| {
            let mut characters = completion.chars();
            match (characters.next(), characters.next()) {
                (Some(arm), None) if RIGHT.contains(&arm) => Verdict::Right,
                (Some(arm), None) if WRONG.contains(&arm) => Verdict::Wrong,
                _ => Verdict::Unparsable,
            }
        })
    }

    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }

    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Bandit {
    /// Drawn from the initial policy, given that the arm is right or given that it is wrong. So with an error rate of one minus
    /// the question's probability, demonstrations follow the initial policy.
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

impl World for Bandit {
    fn alphabet(&self) -> String {
        "abcxyz0123456789qh?".into()
    }
}

const RIGHT: [char; 3] = ['a', 'b', 'c'];
const WRONG: [char; 3] = ['x', 'y', 'z'];
const SHARES: [f64; 3] = [1.0 / 2.0, 1.0 / 3.0, 1.0 / 6.0];

settings! { Settings { probabilities: Vec<f64>, questions: i64 } }

impl Default for Settings {
    fn default() -> Self {
        let Bandit { probabilities, questions } = Bandit::default();
        Self { probabilities, questions: questions.into() }
    }
}

impl TryFrom<Settings> for Bandit {
    type Error = IllegalSetting;

    fn try_from(Settings { probabilities, questions }: Settings) -> Result<Self, IllegalSetting> {
        let questions = within("questions", 1..=1000, questions)?;
        if probabilities.is_empty() {
            return Err(IllegalSetting::new("probabilities", "at least one", "none"));
        }
        match probabilities.iter().find(|&&p| !(p > 0.0 && p < 1.0)) {
            Some(p) => Err(IllegalSetting::new("probabilities", "strictly between 0 and 1", p)),
            None => Ok(Self { probabilities, questions }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;
    use crate::enumerate;

    #[test]
    fn questions_are_numbered_and_take_the_probabilities_by_turns() {
        let bandit = Bandit::new(vec![0.2, 0.7, 0.4], 2).unwrap();
        let found = |split| {
            let problems = enumerate::problems(&bandit, split);
            problems.map(|p| (p.id, p.prompt.to_string(), bandit.probability(&p))).collect::<Vec<_>>()
        };
        let expected = |first: u64, letter: char| {
            let probabilities = [0.2, 0.7, 0.4, 0.2, 0.7, 0.4];
            (0..6).zip(probabilities).map(|(i, p)| (first + i, format!("{letter}{i}?"), p)).collect::<Vec<_>>()
        };
        assert_eq!(found(Split::Train), expected(0, 'q'));
        assert_eq!(found(Split::HeldOut), expected(6, 'h'));
    }

    #[test]
    fn right_mass_of_the_initial_policy_is_the_probability() {
        let bandit = Bandit::default();
        for problem in Split::ALL.into_iter().flat_map(|split| enumerate::problems(&bandit, split)) {
            let p = bandit.probability(&problem);
            let mass = |verdict| -> f64 {
                let judged = |arm: char| bandit.judge(&[Answer::stopped(&problem, &arm.to_string())])[0];
                bandit
                    .initial_policy(&problem)
                    .iter()
                    .filter(|(arm, _)| judged(*arm) == verdict)
                    .map(|(_, mass)| mass)
                    .sum()
            };
            assert!((mass(Verdict::Right) - p).abs() < 1e-15, "{problem:?}");
            assert!((mass(Verdict::Wrong) - (1.0 - p)).abs() < 1e-15, "{problem:?}");
        }
    }

    #[test]
    fn the_initial_policy_is_as_documented() {
        let bandit = Bandit::new(vec![0.6], 1).unwrap();
        let problem = enumerate::problems(&bandit, Split::Train).next().unwrap();
        let expected = [('a', 0.3), ('b', 0.2), ('c', 0.1), ('x', 0.2), ('y', 0.4 / 3.0), ('z', 0.2 / 3.0)];
        for ((arm, mass), expected) in bandit.initial_policy(&problem).into_iter().zip(expected) {
            assert!(arm == expected.0 && (mass - expected.1).abs() < 1e-15, "{arm}: {mass}");
        }
    }

    #[test]
    fn demonstrations_at_the_question_s_own_error_rate_follow_the_initial_policy() {
        let bandit = Bandit::new(vec![0.3], 1).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let problem = bandit.problem(Split::Train, 0, &mut rng);
        let mut counts = BTreeMap::new();
        for _ in 0..60_000 {
            *counts.entry(bandit.demonstration(&problem, 0.7, &mut rng)).or_insert(0) += 1;
        }
        for (arm, mass) in bandit.initial_policy(&problem) {
            let frequency = f64::from(counts[&arm.to_string()]) / 60_000.0;
            assert!((frequency - mass).abs() < 0.01, "{arm}: {frequency} for {mass}");
        }
    }
}
