//! Running sums, written out: the outcome is judged, and the token that lost it is known.
//!
//! - Prompt: `3+4+5=`.
//! - Completion: every partial sum and then the final one, `7,12`, as canonical numerals (no leading zero).
//! - Verdicts: only the outcome counts. Right when the last numeral is the sum, whatever the partial sums say; wrong when it
//!   is another number; unparsable when there are not as many numerals as sums, or something else.
//! - Difficulty: the number of terms, and the most digits of a term.
//! - Problems: 10^(digits * terms), one per list of terms.
//!
//! # The decisive token
//! The *faithful continuation* of a prefix makes no new slip: the numeral in progress is finished as what its predecessor, as
//! written, and the term add up to where the digits so far allow it and left as it is where they do not; each later
//! numeral is its predecessor, as written, plus the term. A prefix is *open* when its faithful continuation is right. The
//! decisive token of a completion that is not right is the one after its longest open prefix. For `3+4+5=`:
//! in `8,13` it is the `8`, which the rest follows faithfully; in `7,13` the `3`; in `7`, which stops too early, the end.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::env::{Ending, Env, Problem, Split, Verdict};
use crate::mistakes;
use crate::numeral;
use crate::settings::{IllegalSetting, settings, within};
use crate::split::{Catalogue, Numbered};

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

    fn lists(&self) -> Numbered {
        Numbered { total: 10_u64.pow(self.digits * self.terms) }
    }

    fn pose(&self, id: u64) -> Problem {
        let below = 10_u64.pow(self.digits);
        let terms: Vec<u64> = (0..self.terms).rev().map(|place| id / below.pow(place) % below).collect();
        let sums = terms.iter().scan(0, |sum, term| {
            *sum += term;
            Some(*sum)
        });
        Problem { id, prompt: format!("{}=", join(&terms, "+")), answer: join(&sums.skip(1).collect::<Vec<_>>(), ",") }
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self { terms: 3, digits: 1 }
    }
}

impl Env for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn alphabet(&self) -> String {
        "0123456789+=,".into()
    }

    /// A sum of up to nine terms has at most one digit more than they have.
    fn max_tokens(&self) -> usize {
        let (sums, widest) = (self.terms as usize - 1, self.digits as usize + 1);
        sums * (widest + 1)
    }

    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem {
        self.pose(self.lists().draw(split, rng))
    }

    fn problems(&self, split: Split) -> Option<Vec<Problem>> {
        let ids = self.lists().list(split)?;
        Some(ids.into_iter().map(|id| self.pose(id)).collect())
    }

    fn judge(&self, problem: &Problem, completion: &str, ending: Ending) -> Verdict {
        let count = |text: &str| text.split(',').count();
        let last = |text: &str| text.rsplit(',').next().map(str::to_owned);
        match ending {
            Ending::Truncated => Verdict::Truncated,
            Ending::Stopped if !completion.split(',').all(numeral::is_numeral) => Verdict::Unparsable,
            Ending::Stopped if count(completion) != count(&problem.answer) => Verdict::Unparsable,
            Ending::Stopped if last(completion) == last(&problem.answer) => Verdict::Right,
            Ending::Stopped => Verdict::Wrong,
        }
    }

    /// A wrong one has one slip, a digit off by one, and is consistent from there on.
    fn demonstration(&self, problem: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if !mistakes::errs(error_rate, rng) {
            return problem.answer.clone();
        }
        let Some(mut sums) = numbers(&problem.answer) else {
            return mistakes::smudge(&problem.answer, '=', rng);
        };
        let step = rng.random_range(0..sums.len());
        let slipped = mistakes::slip(&sums[step].to_string(), rng);
        let off = numeral::value(&slipped).map_or(1, i128::from) - sums[step];
        sums[step..].iter_mut().for_each(|sum| *sum += off);
        join(&sums, ",")
    }

    fn decisive(&self, problem: &Problem, completion: &str) -> Option<usize> {
        if self.judge(problem, completion, Ending::Stopped) == Verdict::Right {
            return None;
        }
        let sums = numbers(&problem.answer)?;
        let starts = completion.char_indices().map(|(start, _)| start).chain([completion.len()]);
        let longest_open =
            starts.enumerate().take(sums.len() * WIDEST).filter(|&(_, end)| is_open(&sums, &completion[..end]));
        longest_open.last().map(|(index, _)| index)
    }
}

/// Characters of the longest numeral that is read, and a comma.
const WIDEST: usize = 21;

/// Whether the faithful continuation of the prefix ends in the last of the sums.
fn is_open(sums: &[i128], prefix: &str) -> bool {
    faithful_outcome(sums, prefix).is_some_and(|outcome| sums.last() == Some(&outcome))
}

/// The last number of the faithful continuation; none where the prefix has left the form.
fn faithful_outcome(sums: &[i128], prefix: &str) -> Option<i128> {
    let (done, in_progress) = prefix.rsplit_once(',').map_or((None, prefix), |(done, rest)| (Some(done), rest));
    let done = done.map_or(Some(Vec::new()), numbers)?;
    let sum = sums.get(done.len())?;
    let faithful = done.last().map_or(*sum, |written| written + (sum - sums[done.len() - 1]));
    let written =
        if faithful.to_string().starts_with(in_progress) { faithful } else { numeral::value(in_progress)?.into() };
    Some(written + (sums.last()? - sum))
}

/// Of a list of numerals with commas between them. Wide enough that their sums and differences cannot overflow.
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
        assert_eq!((problem.prompt.as_str(), problem.answer.as_str()), ("3+40+5+99=", "43,48,147"));
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
