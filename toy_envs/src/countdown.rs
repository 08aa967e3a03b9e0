//! Arithmetic expressions that hit a target.
//!
//! | | |
//! |---|---|
//! | Prompt | `2,3,7>13:`, numbers in rising order and a target, which is a whole number from 1 to 999 |
//! | Completion | An expression of `+ - * /` and parentheses that uses every given number exactly once, `2*3+7`. |
//! | Verdicts | Right when its value is exactly the target; wrong for an expression of another value, of no value (division by zero) or of other numbers; unparsable otherwise. Numerals have no leading zero and no sign, and parentheses nest at most 32 deep. |
//! | Difficulty | `numbers`, how many are given, from 2 to 4, and `largest`, the largest that may be given, from 2 to 99. |
//! | Size | An index is a set of numbers; [`Env::problem`] draws one of the targets that the set can hit with every intermediate value a whole number from 1 to 999. The sets are split, so that all targets of a set are in the same split. By default 110 sets to train on and 55 held out. |
//! | Mistakes | One in eight has a character replaced by a comma. The others are expressions of the same numbers for another target. |
//! | Ids | `1000 * set + target`, with the sets of numbers in colexicographic order. |

mod expression;
mod ratio;
mod reachable;

use rand::Rng;
use rand::seq::IteratorRandom;
use serde::{Deserialize, Serialize};

use self::expression::Expression;
use self::ratio::Ratio;
use self::reachable::{LARGEST_TARGET, reachable};
use crate::env::{Env, Teacher, World};
use crate::mistakes;
use crate::numeral;
use crate::problem::{Problem, Split};
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Entries, Numbers};
use crate::verdict::{Answer, Verdict, judge_each};

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

    /// Every problem of the set of numbers at an index (taken modulo the count), in the order of their targets.
    pub fn problems(&self, split: Split, index: u64) -> Vec<Problem> {
        let set = self.sets().at(split, index);
        let numbers = self.set(set);
        reachable(&numbers).into_iter().map(|(target, answer)| pose(set, &numbers, target, answer)).collect()
    }

    /// How many sets of numbers there are in both splits.
    fn total(&self) -> u64 {
        binomial(self.largest + self.numbers - 1, self.numbers)
    }

    fn sets(&self) -> Numbers {
        Numbers::new(self.total())
    }

    /// The numbers of a set, in rising order. Choosing `k` numbers with repetition is choosing `k` different ones from a
    /// range longer by `k - 1`, and those are numbered by the combinatorial number system.
    fn set(&self, mut index: u64) -> Vec<u64> {
        let mut numbers: Vec<u64> = Vec::new();
        for place in (1..=self.numbers).rev() {
            let chosen = (0..).take_while(|&number| binomial(number, place) <= index).last().unwrap_or(0);
            index -= binomial(chosen, place);
            numbers.insert(0, u64::from(chosen + 2 - place));
        }
        numbers
    }

    fn mistake(&self, problem: &Problem, rng: &mut dyn Rng) -> String {
        let others = if mistakes::is_unparsable(rng) { None } else { other_expressions(&problem.answer) };
        let other = others.and_then(|others| others.into_iter().choose(rng));
        other.unwrap_or_else(|| mistakes::with_one_replaced(&problem.answer, ',', rng))
    }
}

impl Default for Countdown {
    fn default() -> Self {
        Self { numbers: 3, largest: 9 }
    }
}

impl Env for Countdown {
    fn name(&self) -> &str {
        "countdown"
    }

    /// The numbers, the signs between them, a pair of parentheses around each inner expression, the end.
    fn max_tokens(&self) -> usize {
        let numbers = self.numbers as usize;
        numbers * numeral::width(self.largest.into()) + (numbers - 1) + 2 * (numbers - 2) + 1
    }

    fn count(&self, split: Split) -> u64 {
        self.sets().count(split)
    }

    /// Each target of the set at `index` with the same probability. Every set has one, its sum.
    fn problem(&self, split: Split, index: u64, rng: &mut dyn Rng) -> Problem {
        let set = self.sets().at(split, index);
        let numbers = self.set(set);
        let (target, answer) = reachable(&numbers).into_iter().choose(rng).unwrap_or_default();
        pose(set, &numbers, target, answer)
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        judge_each(answers, |problem, completion| match expression::read(completion) {
            None => Verdict::Unparsable,
            Some(written) if is_right(&written, &problem.answer) => Verdict::Right,
            Some(_) => Verdict::Wrong,
        })
    }

    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }

    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Countdown {
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if mistakes::errs(error_rate, rng) { self.mistake(problem, rng) } else { problem.answer.clone() }
    }
}

impl World for Countdown {
    fn alphabet(&self) -> String {
        "0123456789+-*/(),>:".into()
    }
}

fn pose(set: u64, numbers: &[u64], target: u64, answer: String) -> Problem {
    let listed = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    Problem { id: set * (LARGEST_TARGET + 1) + target, prompt: format!("{listed}>{target}:").into(), answer }
}

/// Whether the expression has the numbers and the value of the answer.
fn is_right(written: &Expression<'_>, answer: &str) -> bool {
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

/// Expressions of the same numbers as the answer's, one for each other target. `None` for an answer with more numbers than
/// any problem has, because the work would grow without bound.
fn other_expressions(answer: &str) -> Option<Vec<String>> {
    let right = expression::read(answer)?;
    let numbers: Vec<u64> = right.numbers.iter().map(|number| numeral::value(number)).collect::<Option<_>>()?;
    let is_other = |target: &u64| Ratio::whole((*target).into()) != right.value;
    (numbers.len() <= MOST_NUMBERS as usize)
        .then(|| reachable(&numbers).into_iter().filter(|(target, _)| is_other(target)).map(|(_, text)| text).collect())
}

/// Binomial coefficient, for numbers small enough not to overflow.
fn binomial(from: u32, count: u32) -> u64 {
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
            let sets: BTreeSet<_> = (0..countdown.total()).map(|index| countdown.set(index)).collect();
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
            for set in (0..countdown.total()).map(|index| countdown.set(index)) {
                assert!(reachable(&set).len() >= 2, "{set:?}");
            }
        }
    }
}
