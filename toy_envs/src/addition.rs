//! Sums of two numbers.
//!
//! - Prompt: `34+57=`.
//! - Completion: the sum, `91`, as a canonical numeral (no leading zero), in the order of digits of the settings: written
//!   from the least significant digit it is `19`, and 50 is `05`.
//! - Verdicts: right; wrong for another number; unparsable for anything but a canonical numeral, so that a problem has
//!   exactly one right completion.
//! - Difficulty: the most digits of a number added.
//! - Problems: one per ordered pair of numbers below 10^digits; `34+57=` and `57+34=` are in the same split.

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};

use crate::env::{Ending, Env, Problem, Split, Verdict};
use crate::mistakes;
use crate::numeral;
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Catalogue, Pairs};

/// Sums of two numbers of up to `digits` digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Addition {
    digits: u32,
    order: Order,
}

/// Which digit of the sum is written first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    #[default]
    MostSignificantFirst,
    /// The order in which carries run, which small models learn sooner.
    LeastSignificantFirst,
}

impl Addition {
    /// From 1 to 9 digits.
    pub fn new(digits: u32, order: Order) -> Result<Self, IllegalSetting> {
        Settings { digits: digits.into(), order }.try_into()
    }

    fn below(&self) -> u64 {
        10_u64.pow(self.digits)
    }

    fn pose(&self, (a, b): (u64, u64)) -> Problem {
        let answer = self.order.turned(&(a + b).to_string());
        Problem { id: a * self.below() + b, prompt: format!("{a}+{b}="), answer }
    }

    /// A carry forgotten where there is one, or else a digit off by one, or else (rarely) no numeral at all.
    fn mistake(&self, problem: &Problem, rng: &mut dyn Rng) -> String {
        if mistakes::is_of_form(rng) {
            return mistakes::smudge(&problem.answer, '=', rng);
        }
        let forgotten = carry_forgotten(&problem.prompt);
        let wrong = match forgotten.choose(rng) {
            Some(wrong) if mistakes::errs(0.5, rng) => wrong.to_string(),
            _ => mistakes::slip(&self.order.turned(&problem.answer), rng),
        };
        self.order.turned(&wrong)
    }
}

impl Default for Addition {
    fn default() -> Self {
        Self { digits: 2, order: Order::default() }
    }
}

impl Env for Addition {
    fn name(&self) -> &'static str {
        "addition"
    }

    fn alphabet(&self) -> String {
        "0123456789+=".into()
    }

    fn max_tokens(&self) -> usize {
        self.digits as usize + 2
    }

    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem {
        self.pose(Pairs { below: self.below() }.draw(split, rng))
    }

    fn problems(&self, split: Split) -> Option<Vec<Problem>> {
        let pairs = Pairs { below: self.below() }.list(split)?;
        Some(pairs.into_iter().map(|pair| self.pose(pair)).collect())
    }

    fn judge(&self, problem: &Problem, completion: &str, ending: Ending) -> Verdict {
        match ending {
            Ending::Truncated => Verdict::Truncated,
            Ending::Stopped => numeral::verdict(&self.order.turned(completion), &self.order.turned(&problem.answer)),
        }
    }

    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if mistakes::errs(error_rate, rng) { self.mistake(problem, rng) } else { problem.answer.clone() }
    }
}

impl Order {
    /// From the usual order of digits to this one, and back.
    fn turned(self, numeral: &str) -> String {
        match self {
            Order::MostSignificantFirst => numeral.into(),
            Order::LeastSignificantFirst => numeral.chars().rev().collect(),
        }
    }
}

/// What the sum would be without one of its carries, for each carry.
fn carry_forgotten(prompt: &str) -> Vec<u64> {
    let operands = prompt.trim_end_matches('=').split_once('+');
    let Some((a, b)) = operands.and_then(|(a, b)| Some((numeral::value(a)?, numeral::value(b)?))) else {
        return Vec::new();
    };
    let powers = (1..19).map(|place| 10_u64.pow(place));
    let carried = powers.filter(|power| a % power + b % power >= *power);
    carried.filter_map(|power| a.checked_add(b)?.checked_sub(power)).collect()
}

settings! { Settings { digits: i64, order: Order } }

impl Default for Settings {
    fn default() -> Self {
        let Addition { digits, order } = Addition::default();
        Self { digits: digits.into(), order }
    }
}

impl TryFrom<Settings> for Addition {
    type Error = IllegalSetting;

    fn try_from(settings: Settings) -> Result<Self, IllegalSetting> {
        Ok(Self { digits: within("digits", 1..=9, settings.digits)?, order: settings.order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_carry_can_be_forgotten() {
        assert_eq!(carry_forgotten("34+57="), [81]);
        assert_eq!(carry_forgotten("99+1="), [90, 0]);
        assert_eq!(carry_forgotten("12+34="), [0; 0]);
        assert_eq!(carry_forgotten("q1?"), [0; 0]);
        assert_eq!(carry_forgotten("18446744073709551615+1="), [0; 0]);
    }
}
