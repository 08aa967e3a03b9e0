//! Running sums, written out: only the last sum is judged, and the token at which a completion goes wrong is known.
//!
//! | | |
//! |---|---|
//! | Prompt | `3+4+5=` |
//! | Completion | Every partial sum, the final one last, `7,12`, as numerals without leading zeros. |
//! | Verdicts | Right when the last numeral is the sum, whatever the partial sums; wrong when it is another; unparsable when there are more or fewer numerals than sums, or anything else. |
//! | Difficulty | `terms`, from 2 to 9, and `digits`, the most digits of a term, 1 or 2. |
//! | Size | One problem for each list of terms: 10^(digits * terms). |
//! | Mistakes | One digit of one sum is off by one, and the sums after it follow from it. Never unparsable. |
//! | Ids | The terms, each written with `digits` digits, as one number. |
//!
//! # The decisive token
//! The *faithful continuation* of a prefix makes no further mistake. It finishes the numeral in progress as the sum of the
//! numeral before it, as written, and the term, if the digits so far allow that, and leaves it as it is if they do not. Each later
//! numeral is the numeral before it, as written, plus the term. A prefix is *open* when its faithful continuation is right.
//! The decisive token of a completion that is not right is the token after its longest open prefix. For `3+4+5=`:
//! - In `8,13` it is the `8`, because the `13` follows from it.
//! - In `7,13` it is the `3`.
//! - In `7`, which stops too early, it is the end token.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::env::{Env, Teacher, World};
use crate::mistakes;
use crate::numeral;
use crate::problem::{Problem, Split};
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Entries, Numbers};
use crate::verdict::{Answer, Verdict, judge_each};

/// Sums of `terms` numbers of up to `digits` digits, with the partial sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Settings")]
pub struct Chain {
    terms: u32,
    digits: u32,
}

impl Chain {
    /// From 2 to 9 terms of 1 or 2 digits.
    pub fn new(terms: u32, digits: u32) -> Result<Self, IllegalSetting> {
        Settings { terms: terms.into(), digits: digits.into() }.try_into()
    }

    fn ids(&self) -> Numbers {
        Numbers::new(10_u64.pow(self.digits * self.terms))
    }

    fn pose(&self, id: u64) -> Problem {
        let below = 10_u64.pow(self.digits);
        let terms: Vec<u64> = (0..self.terms).rev().map(|place| id / below.pow(place) % below).collect();
        let sums = terms.iter().scan(0, |sum, term| {
            *sum += term;
            Some(*sum)
        });
        let prompt = format!("{}=", join(&terms, "+")).into();
        Problem { id, prompt, answer: join(&sums.skip(1).collect::<Vec<_>>(), ",") }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self { terms: 3, digits: 1 }
    }
}

impl Env for Chain {
    fn name(&self) -> &str {
        "chain"
    }

    /// A sum of up to nine terms has at most one digit more than they have.
    fn max_tokens(&self) -> usize {
        let (sums, widest) = (self.terms as usize - 1, self.digits as usize + 1);
        sums * (widest + 1)
    }

    fn count(&self, split: Split) -> u64 {
        self.ids().count(split)
    }

    fn problem(&self, split: Split, index: u64, _rng: &mut dyn Rng) -> Problem {
        self.pose(self.ids().at(split, index))
    }

    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        judge_each(answers, verdict)
    }

    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }

    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Chain {
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if !mistakes::errs(error_rate, rng) {
            return problem.answer.clone();
        }
        let Some(mut sums) = numbers(&problem.answer) else {
            return mistakes::with_one_replaced(&problem.answer, '=', rng);
        };
        let step = rng.random_range(0..sums.len());
        let error = mistakes::digit_off_by_one(sums[step], rng) - sums[step];
        sums[step..].iter_mut().for_each(|sum| *sum += error);
        join(&sums, ",")
    }
}

impl World for Chain {
    fn alphabet(&self) -> String {
        "0123456789+=,".into()
    }

    fn decisive(&self, problem: &Problem, completion: &str) -> Option<usize> {
        if verdict(problem, completion) == Verdict::Right {
            return None;
        }
        let sums = numbers(&problem.answer)?;
        let starts = completion.char_indices().map(|(start, _)| start).chain([completion.len()]);
        let longest_open =
            starts.enumerate().take(sums.len() * WIDEST).filter(|&(_, end)| is_open(&sums, &completion[..end]));
        longest_open.last().map(|(index, _)| index)
    }
}

fn verdict(problem: &Problem, completion: &str) -> Verdict {
    let count = |text: &str| text.split(',').count();
    let last = |text: &str| text.rsplit(',').next().map(str::to_owned);
    if count(completion) != count(&problem.answer) || !completion.split(',').all(numeral::is_numeral) {
        Verdict::Unparsable
    } else if last(completion) == last(&problem.answer) {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

/// Length of the longest numeral that fits a `u64`, and a comma. Longer prefixes than this for each sum cannot be open, so that
/// the work on a long text is bounded.
const WIDEST: usize = 21;

/// Whether the faithful continuation of the prefix ends in the last of the sums.
fn is_open(sums: &[i128], prefix: &str) -> bool {
    faithful_outcome(sums, prefix).is_some_and(|outcome| sums.last() == Some(&outcome))
}

/// The last number of the faithful continuation; `None` if the prefix cannot be continued to a list of numerals.
fn faithful_outcome(sums: &[i128], prefix: &str) -> Option<i128> {
    let (done, in_progress) = prefix.rsplit_once(',').map_or((None, prefix), |(done, rest)| (Some(done), rest));
    let done = done.map_or(Some(Vec::new()), numbers)?;
    let sum = sums.get(done.len())?;
    let faithful = done.last().map_or(*sum, |written| written + (sum - sums[done.len() - 1]));
    let written =
        if faithful.to_string().starts_with(in_progress) { faithful } else { numeral::value(in_progress)?.into() };
    Some(written + (sums.last()? - sum))
}

/// The numbers of a list of numerals with commas between them. Their sums and differences cannot overflow an `i128`.
fn numbers(list: &str) -> Option<Vec<i128>> {
    list.split(',').map(|text| numeral::value(text).map(i128::from)).collect()
}

fn join<T: ToString>(numbers: &[T], between: &str) -> String {
    numbers.iter().map(T::to_string).collect::<Vec<_>>().join(between)
}

settings! { Settings { terms: i64, digits: i64 } }

impl Default for Settings {
    fn default() -> Self {
        let Chain { terms, digits } = Chain::default();
        Self { terms: terms.into(), digits: digits.into() }
    }
}

impl TryFrom<Settings> for Chain {
    type Error = IllegalSetting;

    fn try_from(settings: Settings) -> Result<Self, IllegalSetting> {
        Ok(Self { terms: within("terms", 2..=9, settings.terms)?, digits: within("digits", 1..=2, settings.digits)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_list_the_terms_and_their_running_sums() {
        let problem = Chain { terms: 4, digits: 2 }.pose(3_40_05_99);
        assert_eq!((problem.prompt.text(), problem.answer.as_str()), (Some("3+40+5+99="), "43,48,147"));
    }

    #[test]
    fn the_decisive_token_ends_the_longest_open_prefix() {
        let problem = Chain { terms: 4, digits: 1 }.pose(3456);
        assert_eq!(problem.answer, "7,12,18");
        for (completion, decisive) in [
            ("7,12,18", None),
            ("8,14,18", None),
            ("8,13,19", Some(0)),
            ("7,13,19", Some(3)),
            ("7,12,19", Some(6)),
            ("7,12,28", Some(5)),
            ("8,12,20", Some(5)),
            ("7,1,7", Some(3)),
            ("7,120,126", Some(4)),
            ("7,12", Some(4)),
            ("7,12,", Some(5)),
            ("", Some(0)),
            ("07,12,18", Some(0)),
            ("7;12,18", Some(1)),
            ("7,é2,18", Some(2)),
            ("7,12,18,18", Some(7)),
            ("7,12,99999999999999999999999999", Some(5)),
        ] {
            assert_eq!(Chain::default().decisive(&problem, completion), decisive, "{completion:?}");
        }
    }
}
