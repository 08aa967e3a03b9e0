//! Sums of two numbers.
//!
//! | | |
//! |---|---|
//! | Prompt | `34+57=` |
//! | Completion | The sum, `91`, as a numeral without leading zeros. With `order = "least-significant-first"` its digits are written in reverse: `19`, and `05` for 50. |
//! | Verdicts | Right; wrong for another numeral; unparsable otherwise. So a problem has exactly one right completion. |
//! | Difficulty | `digits`: the most digits of a number added, from 1 to 9. |
//! | Size | One problem for each ordered pair of numbers below 10^digits. `34+57=` and `57+34=` are in the same split. |
//! | Mistakes | One in eight has a digit replaced by `=`. Of the others half forget a carry, where there is one, and the rest have one digit off by one. |
//! | Ids | `a * 10^digits + b` |

use rand::Rng;
use rand::seq::IndexedRandom;
use serde::{Deserialize, Serialize};

use crate::env::{Env, Teacher, World};
use crate::mistakes;
use crate::numeral;
use crate::problem::{Problem, Split};
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Entries, Pairs};
use crate::verdict::{Answer, Verdict, judge_each};

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
    /// As numbers are usually written.
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

    fn bound(&self) -> u64 {
        10_u64.pow(self.digits)
    }

    fn pose(&self, (a, b): (u64, u64)) -> Problem {
        let answer = self.order.apply(&(a + b).to_string());
        Problem { id: a * self.bound() + b, prompt: format!("{a}+{b}=").into(), answer }
    }

    fn mistake(&self, problem: &Problem, rng: &mut dyn Rng) -> String {
        let sum = numeral::value(&self.order.apply(&problem.answer));
        let Some(sum) = sum.filter(|_| !mistakes::is_unparsable(rng)) else {
            return mistakes::with_one_replaced(&problem.answer, '=', rng);
        };
        let forgotten = sums_without_a_carry(problem.prompt.text().unwrap_or_default());
        let wrong = match forgotten.choose(rng) {
            Some(&wrong) if mistakes::errs(0.5, rng) => wrong.into(),
            _ => mistakes::digit_off_by_one(sum.into(), rng),
        };
        self.order.apply(&wrong.to_string())
    }
}

impl Default for Addition {
    fn default() -> Self {
        Self { digits: 2, order: Order::default() }
    }
}

impl Env for Addition {
    fn name(&self) -> &str {
        "addition"
    }

    fn max_tokens(&self) -> usize {
        self.digits as usize + 2
    }

    fn count(&self, split: Split) -> u64 {
        Pairs::below(self.bound()).count(split)
    }

    fn problem(&self, split: Split, index: u64, _rng: &mut dyn Rng) -> Problem {
        self.pose(Pairs::below(self.bound()).at(split, index))
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        judge_each(answers, |problem, completion| {
            numeral::verdict(&self.order.apply(completion), &self.order.apply(&problem.answer))
        })
    }

    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }

    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Addition {
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if mistakes::errs(error_rate, rng) { self.mistake(problem, rng) } else { problem.answer.clone() }
    }
}

impl World for Addition {
    fn alphabet(&self) -> String {
        "0123456789+=".into()
    }
}

impl Order {
    /// From the usual order of digits to this one, and back.
    fn apply(self, numeral: &str) -> String {
        match self {
            Order::MostSignificantFirst => numeral.into(),
            Order::LeastSignificantFirst => numeral.chars().rev().collect(),
        }
    }
}

/// What the sum would be without one of its carries, for each carry.
fn sums_without_a_carry(prompt: &str) -> Vec<u64> {
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
        assert_eq!(sums_without_a_carry("34+57="), [81]);
        assert_eq!(sums_without_a_carry("99+1="), [90, 0]);
        assert_eq!(sums_without_a_carry("12+34="), [0; 0]);
        assert_eq!(sums_without_a_carry("q1?"), [0; 0]);
        assert_eq!(sums_without_a_carry("18446744073709551615+1="), [0; 0]);
    }
}
