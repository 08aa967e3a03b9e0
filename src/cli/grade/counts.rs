//! What the summary of a file counts.

use std::cmp::Ordering;
use std::path::Path;

use oreal_math::Verdict;

use super::graded::Graded;
use crate::error::{Error, Result};

/// How many rows had which outcome.
#[derive(Default)]
pub(super) struct Counts {
    right: u64,
    wrong: u64,
    cannot_tell: u64,
    unparsable: u64,
    not_understood: u64,
    bad: u64,
}

impl Counts {
    /// The first rows that cannot be read are told as they come.
    pub(super) fn add(&mut self, graded: &Result<Graded>) {
        match graded {
            Ok(graded) => {
                self.not_understood += u64::from(graded.not_understood.is_some());
                *self.of(graded.verdict()) += 1;
            }
            Err(problem) => {
                self.bad += 1;
                match self.bad.cmp(&(TOLD + 1)) {
                    Ordering::Less => eprintln!("error: {problem}"),
                    Ordering::Equal => eprintln!("error: more rows cannot be read; the output has all of them"),
                    Ordering::Greater => {}
                }
            }
        }
    }

    /// An error where a row could not be read.
    pub(super) fn check(&self, file: &str) -> Result<()> {
        let problem =
            || Error::file(Path::new(file), format!("{} of {} rows could not be read", self.bad, self.rows()));
        if self.bad == 0 { Ok(()) } else { Err(problem()) }
    }

    pub(super) fn summary(&self, seconds: f64) -> String {
        let rows = self.rows();
        let share = |(count, what)| format!("{count} {what} ({:.1}%)", 100.0 * count as f64 / rows.max(1) as f64);
        let verdicts = [
            (self.right, "right"),
            (self.wrong, "wrong"),
            (self.cannot_tell, "cannot tell"),
            (self.unparsable, "unparsable"),
        ];
        let mut text = format!(
            "{rows} rows in {seconds:.2} s, {:.0} a second: {}",
            rows as f64 / seconds.max(1e-9),
            verdicts.map(share).join(", ")
        );
        if self.not_understood > 0 {
            text += &format!("\n{} gold answers are not understood, and compared as text", self.not_understood);
        }
        text
    }

    fn rows(&self) -> u64 {
        self.right + self.wrong + self.cannot_tell + self.unparsable + self.bad
    }

    fn of(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Right => &mut self.right,
            Verdict::Wrong => &mut self.wrong,
            Verdict::CannotTell => &mut self.cannot_tell,
            Verdict::Unparsable => &mut self.unparsable,
        }
    }
}

/// Rows that cannot be read and are told one by one on standard error.
const TOLD: u64 = 10;
