//! Arithmetic modulo a number.
//!
//! | | |
//! |---|---|
//! | Prompt | `13+15%23=`, also with `-` or `*` |
//! | Completion | The residue from 0 below the modulus, `5`, as a numeral without leading zeros. |
//! | Verdicts | Right; wrong for another numeral, also an unreduced one; unparsable otherwise. So a problem has exactly one right completion. |
//! | Difficulty | `modulus`, from 2 to 1000000, and `operation`. |
//! | Size | One problem for each ordered pair of residues; a pair and its mirror image are in the same split. Of 529 problems with the default modulus 23, 55 are held out; 2380 completions (13 characters, 3 tokens). A modulus up to 10 needs 2 tokens, but leaves fewer than 50 problems to hold out. |
//! | Mistakes | One in eight has a digit replaced by `=`. The others are the residue before or after the right one. |
//! | Ids | `a * modulus + b` |

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::env::{Env, Teacher, World};
use crate::mistakes;
use crate::numeral;
use crate::problem::{Problem, Split};
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Entries, Pairs};
use crate::verdict::{Answer, Verdict, judge_each};

/// One operation on the residues of a modulus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Modular {
    modulus: u32,
    operation: Operation,
}

/// The operation on the two residues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// `a + b`
    #[default]
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
}

impl Modular {
    /// A modulus from 2 to 1000000.
    pub fn new(modulus: u32, operation: Operation) -> Result<Self, IllegalSetting> {
        Settings { modulus: modulus.into(), operation }.try_into()
    }

    fn pairs(&self) -> Pairs {
        Pairs::below(self.modulus.into())
    }

    fn pose(&self, (a, b): (u64, u64)) -> Problem {
        let modulus = u64::from(self.modulus);
        let residue = match self.operation {
            Operation::Add => (a + b) % modulus,
            Operation::Subtract => (a + modulus - b) % modulus,
            Operation::Multiply => a * b % modulus,
        };
        let prompt = format!("{a}{}{b}%{modulus}=", self.operation.sign());
        Problem { id: a * modulus + b, prompt: prompt.into(), answer: residue.to_string() }
    }

    fn mistake(&self, problem: &Problem, rng: &mut dyn Rng) -> String {
        let residue = numeral::value(&problem.answer).filter(|_| !mistakes::is_unparsable(rng));
        let Some(residue) = residue else {
            return mistakes::with_one_replaced(&problem.answer, '=', rng);
        };
        let modulus = u64::from(self.modulus);
        let step = if rng.random() { 1 } else { modulus - 1 };
        ((residue % modulus + step) % modulus).to_string()
    }
}

impl Default for Modular {
    fn default() -> Self {
        Self { modulus: 23, operation: Operation::default() }
    }
}

impl Env for Modular {
    fn name(&self) -> &str {
        "modular"
    }

    fn max_tokens(&self) -> usize {
        numeral::width(u64::from(self.modulus) - 1) + 1
    }

    fn count(&self, split: Split) -> u64 {
        self.pairs().count(split)
    }

    fn problem(&self, split: Split, index: u64, _rng: &mut dyn Rng) -> Problem {
        self.pose(self.pairs().at(split, index))
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        judge_each(answers, |problem, completion| numeral::verdict(completion, &problem.answer))
    }

    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }

    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Modular {
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if mistakes::errs(error_rate, rng) { self.mistake(problem, rng) } else { problem.answer.clone() }
    }
}

impl World for Modular {
    fn alphabet(&self) -> String {
        format!("0123456789{}%=", self.operation.sign())
    }
}

impl Operation {
    fn sign(self) -> char {
        match self {
            Operation::Add => '+',
            Operation::Subtract => '-',
            Operation::Multiply => '*',
        }
    }
}

settings! { Settings { modulus: i64, operation: Operation } }

impl Default for Settings {
    fn default() -> Self {
        let Modular { modulus, operation } = Modular::default();
        Self { modulus: modulus.into(), operation }
    }
}

impl TryFrom<Settings> for Modular {
    type Error = IllegalSetting;

    fn try_from(settings: Settings) -> Result<Self, IllegalSetting> {
        Ok(Self { modulus: within("modulus", 2..=1_000_000, settings.modulus)?, operation: settings.operation })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residues_are_those_of_the_integers() {
        for modulus in [2, 3, 7, 12] {
            for (a, b) in (0..modulus).flat_map(|a| (0..modulus).map(move |b| (a, b))) {
                let answer = |operation| Modular { modulus, operation }.pose((a.into(), b.into())).answer;
                let [x, y, m] = [a, b, modulus].map(i64::from);
                assert_eq!(answer(Operation::Add), (x + y).rem_euclid(m).to_string());
                assert_eq!(answer(Operation::Subtract), (x - y).rem_euclid(m).to_string());
                assert_eq!(answer(Operation::Multiply), (x * y).rem_euclid(m).to_string());
            }
        }
    }
}
