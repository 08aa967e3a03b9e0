//! Arithmetic expressions that hit a target.
//!
//! - Prompt: `2,3,7>13:`, three numbers (in rising order) and a target, which is a whole number from 1 to 999.
//! - Completion: an expression of `+ - * /` and parentheses that uses every given number exactly once, `2*3+7`.
//! - Verdicts: right when its value is exactly the target; wrong for an expression of another value, of no value (division by
//!   zero) or of other numbers; unparsable when it is no expression. Numerals have no leading zero and no sign, and
//!   parentheses nest at most 32 deep.
//! - Difficulty: how many numbers, and the largest that may be given.
//! - Problems: every set of numbers, with every target they can hit by way of whole numbers from 1 to 999. The sets are
//!   split, so that all targets of a set are in the same split. A draw takes the set first and the target second, so that
//!   targets of sets with many are rarer.

mod expression;
mod ratio;
mod reachable;

use rand::seq::IteratorRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use self::expression::Expression;
use self::ratio::Ratio;
use self::reachable::{LARGEST_TARGET, reachable};
use crate::env::{Ending, Env, Problem, Split, Verdict};
use crate::mistakes;
use crate::numeral;
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Catalogue, Numbered};

/// Expressions of `numbers` given numbers, each from 1 to `largest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Countdown {
    numbers: u32,
    largest: u32,
}

impl Countdown {
    /// From 2 to 4 numbers, the largest that may be given being from 2 to 99.
    pub fn new(numbers: u32, largest: u32) -> Result<Self, IllegalSetting> {
        Settings { numbers: numbers.into(), largest: largest.into() }.try_into()
    }

    fn sets(&self) -> Numbered {
        Numbered { total: choices(self.largest + self.numbers - 1, self.numbers) }
    }

    /// The numbers of a set, in rising order. Choosing `k` numbers with repetition is choosing `k` different ones from a
    /// range longer by `k - 1`, and those are numbered by the combinatorial number system.
    fn set(&self, mut index: u64) -> Vec<u64> {
        let mut numbers: Vec<u64> = Vec::new();
        for place in (1..=self.numbers).rev() {
            let chosen = (0..self.largest + self.numbers).take_while(|&number| choices(number, place) <= index).count()
                as u32
                - 1;
            index -= choices(chosen, place);
            numbers.insert(0, u64::from(chosen + 2 - place));
        }
        numbers
    }

    fn pose(&self, set: u64, target: u64, answer: String) -> Problem {
        let numbers: Vec<String> = self.set(set).iter().map(u64::to_string).collect();
        Problem { id: set * (LARGEST_TARGET + 1) + target, prompt: format!("{}>{target}:", numbers.join(",")), answer }
    }

    /// An expression of the same numbers for another target, or else (rarely) no expression at all.
    fn mistake(&self, problem: &Problem, rng: &mut dyn Rng) -> String {
        let others = if mistakes::is_of_form(rng) { None } else { elsewhere(&problem.answer) };
        let other = others.and_then(|others| others.into_iter().choose(rng));
        other.unwrap_or_else(|| mistakes::smudge(&problem.answer, ',', rng))
    }
}

impl Default for Countdown {
    fn default() -> Self {
        Self { numbers: 3, largest: 9 }
    }
}

impl Env for Countdown {
    fn name(&self) -> &'static str {
        "countdown"
    }

    fn alphabet(&self) -> String {
        "0123456789+-*/(),>:".into()
    }

    /// The numbers, the signs between them, a pair of parentheses around each inner expression, the end.
    fn max_tokens(&self) -> usize {
        let numbers = self.numbers as usize;
        numbers * numeral::width(self.largest.into()) + (numbers - 1) + 2 * (numbers - 2) + 1
    }

    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem {
        let set = self.sets().draw(split, rng);
        let targets = reachable(&self.set(set));
        let chosen = rng.random_range(0..targets.len().max(1));
        let (target, answer) = targets.into_iter().nth(chosen).unwrap_or_default();
        self.pose(set, target, answer)
    }

    fn problems(&self, split: Split) -> Option<Vec<Problem>> {
        if self.sets().total > LISTABLE_SETS {
            return None;
        }
        let sets = self.sets().list(split)?.into_iter();
        let posed =
            |set| reachable(&self.set(set)).into_iter().map(move |(target, answer)| self.pose(set, target, answer));
        Some(sets.flat_map(posed).collect())
    }

    fn judge(&self, problem: &Problem, completion: &str, ending: Ending) -> Verdict {
        match (ending, expression::read(completion)) {
            (Ending::Truncated, _) => Verdict::Truncated,
            (Ending::Stopped, None) => Verdict::Unparsable,
            (Ending::Stopped, Some(written)) if is_same(&written, &problem.answer) => Verdict::Right,
            (Ending::Stopped, Some(_)) => Verdict::Wrong,
        }
    }

    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if mistakes::errs(error_rate, rng) { self.mistake(problem, rng) } else { problem.answer.clone() }
    }
}

/// Settings of more sets than this are drawn from, not listed.
const LISTABLE_SETS: u64 = 500;

/// Whether the expression has the numbers and the value of the answer.
fn is_same(written: &Expression<'_>, answer: &str) -> bool {
    let Some(right) = expression::read(answer) else {
        return false;
    };
    let sorted = |expression: &Expression<'_>| {
        let mut numbers: Vec<String> = expression.numbers.iter().map(|&number| number.to_owned()).collect();
        numbers.sort();
        numbers
    };
    right.value.is_ok() && written.value == right.value && sorted(written) == sorted(&right)
}

/// Expressions of the same numbers as the answer's, with any other value.
fn elsewhere(answer: &str) -> Option<Vec<String>> {
    let right = expression::read(answer)?;
    let numbers: Vec<u64> = right.numbers.iter().map(|number| numeral::value(number)).collect::<Option<_>>()?;
    let is_other = |target: &u64| Ratio::whole((*target).into()) != right.value;
    let given_by_us = numbers.len() <= MOST_NUMBERS as usize;
    given_by_us
        .then(|| reachable(&numbers).into_iter().filter(|(target, _)| is_other(target)).map(|(_, text)| text).collect())
}

/// Binomial coefficient, for numbers small enough not to overflow.
fn choices(from: u32, count: u32) -> u64 {
    (0..u64::from(count)).fold(1, |product, taken| product * u64::from(from).saturating_sub(taken) / (taken + 1))
}

const MOST_NUMBERS: u32 = 4;

settings! { Settings { numbers: i64, largest: i64 } }

impl Default for Settings {
    fn default() -> Self {
        let Countdown { numbers, largest } = Countdown::default();
        Self { numbers: numbers.into(), largest: largest.into() }
    }
}

impl TryFrom<Settings> for Countdown {
    type Error = IllegalSetting;

    fn try_from(settings: Settings) -> Result<Self, IllegalSetting> {
        let numbers = within("numbers", 2..=MOST_NUMBERS, settings.numbers)?;
        Ok(Self { numbers, largest: within("largest", 2..=99, settings.largest)? })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sets_are_all_the_rising_lists() {
        for (numbers, largest) in [(2, 2), (2, 9), (3, 5), (4, 4)] {
            let countdown = Countdown { numbers, largest };
            let sets: BTreeSet<_> = (0..countdown.sets().total).map(|index| countdown.set(index)).collect();
            let mut lists: Vec<Vec<u64>> = vec![vec![]];
            for _ in 0..numbers {
                let extend =
                    |list: Vec<u64>| (1..=u64::from(largest)).map(move |next| [list.clone(), vec![next]].concat());
                lists = lists.into_iter().flat_map(extend).collect();
            }
            lists.retain(|list| list.is_sorted());
            assert!(sets.iter().eq(&lists), "{countdown:?}: {sets:?}");
        }
    }

    #[test]
    fn every_set_hits_at_least_two_targets() {
        for (numbers, largest) in [(2, 99), (3, 12), (4, 5)] {
            let countdown = Countdown { numbers, largest };
            for set in (0..countdown.sets().total).map(|index| countdown.set(index)) {
                assert!(reachable(&set).len() >= 2, "{set:?}");
            }
        }
    }
}
