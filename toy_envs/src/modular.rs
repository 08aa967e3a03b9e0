//! Arithmetic modulo a number.
//!
//! - Prompt: `3+5%7=`, also with `-` or `*`: the result of the operation, reduced.
//! - Completion: the residue from 0 below the modulus, `1`, as a canonical numeral (no leading zero).
//! - Verdicts: right; wrong for another number, also an unreduced one; unparsable for anything but a canonical numeral, so
//!   that a problem has exactly one right completion.
//! - Difficulty: the modulus, and the operation.
//! - Problems: one per ordered pair of residues; a pair and its mirror image are in the same split.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::env::{Ending, Env, Problem, Split, Verdict};
use crate::mistakes;
use crate::numeral;
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Catalogue, Pairs};

/// One operation on the residues of a modulus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Modular {
    modulus: u32,
    operation: Operation,
}

/// What is done to the two residues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    #[default]
    Add,
    Subtract,
    Multiply,
}

impl Modular {
    /// A modulus from 2 to 1000000.
    pub fn new(modulus: u32, operation: Operation) -> Result<Self, IllegalSetting> {
        Settings { modulus: modulus.into(), operation }.try_into()
    }

    fn pairs(&self) -> Pairs {
        Pairs { below: self.modulus.into() }
    }

    fn pose(&self, (a, b): (u64, u64)) -> Problem {
        let modulus = u64::from(self.modulus);
        let residue = match self.operation {
            Operation::Add => (a + b) % modulus,
            Operation::Subtract => (a + modulus - b) % modulus,
            Operation::Multiply => a * b % modulus,
        };
        let prompt = format!("{a}{}{b}%{modulus}=", self.operation.sign());
        Problem { id: a * modulus + b, prompt, answer: residue.to_string() }
    }

    /// A neighbouring residue, or else (rarely) no numeral at all.
    fn mistake(&self, problem: &Problem, rng: &mut dyn Rng) -> String {
        match numeral::value(&problem.answer) {
            Some(residue) if !mistakes::is_of_form(rng) => {
                let modulus = u64::from(self.modulus);
                let aside = if rng.random() { 1 } else { modulus - 1 };
                ((residue % modulus + aside) % modulus).to_string()
            }
            _ => mistakes::smudge(&problem.answer, '=', rng),
        }
    }
}

impl Default for Modular {
    fn default() -> Self {
        Self { modulus: 7, operation: Operation::default() }
    }
}

impl Env for Modular {
    fn name(&self) -> &'static str {
        "modular"
    }

    fn alphabet(&self) -> String {
        format!("0123456789{}%=", self.operation.sign())
    }

    fn max_tokens(&self) -> usize {
        numeral::width(u64::from(self.modulus) - 1) + 1
    }

    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem {
        self.pose(self.pairs().draw(split, rng))
    }

    fn problems(&self, split: Split) -> Option<Vec<Problem>> {
        let pairs = self.pairs().list(split)?;
        Some(pairs.into_iter().map(|pair| self.pose(pair)).collect())
    }

    fn judge(&self, problem: &Problem, completion: &str, ending: Ending) -> Verdict {
        match ending {
            Ending::Truncated => Verdict::Truncated,
            Ending::Stopped => numeral::verdict(completion, &problem.answer),
        }
    }

    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if mistakes::errs(error_rate, rng) { self.mistake(problem, rng) } else { problem.answer.clone() }
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
