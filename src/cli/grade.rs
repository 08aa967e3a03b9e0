//! `oreal grade`: a verdict on each row of a file.
//!
//! Rows are graded in blocks, each by all threads, and printed in the order of the file. So the output does not depend on the
//! number of threads, and memory does not depend on the length of the file.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use oreal_math::{Gold, Verdict};
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::rows::{RawRow, Row, Rows};
use crate::rule::RuleName;
use crate::terminal::print_part;

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Grade {
    /// JSONL (one object a line) or parquet; - is JSONL on standard input
    file: PathBuf,
    /// Field of the gold answer; reward_model.ground_truth is one inside another
    #[arg(long, value_name = "FIELD", default_value = "gold")]
    gold: String,
    /// Field of an answer that stands alone [default: answer, where a row has no response]
    #[arg(long, value_name = "FIELD", conflicts_with_all = ["response", "rule"])]
    answer: Option<String>,
    /// Field of a response that an answer is looked for in [default: response]
    #[arg(long, value_name = "FIELD")]
    response: Option<String>,
    /// Where a response has its answer
    #[arg(long, value_enum, value_name = "RULE", default_value_t)]
    rule: RuleName,
    /// Field that is copied into the output as `id`
    #[arg(long, value_name = "FIELD")]
    id: Option<String>,
    /// Number of threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

const AFTER: &str = "\
Prints one JSON object a row, in the order of the file:
  row             line of a JSONL file, row of a parquet file, from 1
  id              with --id: that field
  verdict         right, wrong, cannot_tell or unparsable; null for a row that cannot be read
  step            what decided: finding, reading, kind, text, rational, normal_form, certified or
                  rounded
  reason          why, in words
  gold, answer    how both were read
  not_understood  only where the gold answer is compared as text: why
  error           only where the verdict is null: what is wrong with the row
The exit code is not zero where a row could not be read. The others are graded.";

impl Grade {
    /// Prints the verdicts as they come, and a summary to standard error.
    pub(super) fn run(self) -> Result<()> {
        let (clock, pool) = (Instant::now(), self.pool()?);
        let mut rows = Rows::open(&self.file)?;
        let mut counts = Counts::default();
        loop {
            let (block, end) = block(&mut rows);
            let lines: Vec<Line> = pool.install(|| block.par_iter().map(|row| self.line(row)).collect());
            let text: String = lines.iter().map(|line| line.text.as_str()).collect();
            lines.iter().for_each(|line| counts.add(&line.outcome));
            match (print_part(&text)?, end) {
                (ControlFlow::Break(()), _) => return Ok(()),
                (ControlFlow::Continue(()), None) => {}
                (ControlFlow::Continue(()), Some(end)) => {
                    eprintln!("{}", counts.summary(clock.elapsed().as_secs_f64()));
                    return end.and_then(|()| counts.check(rows.file()));
                }
            }
        }
    }

    fn pool(&self) -> Result<ThreadPool> {
        let threads = self.threads.map_or(0, |threads| threads.into());
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.map_err(|problem| Error::setting("--threads", problem))
    }

    fn line(&self, raw: &RawRow) -> Line {
        let row = raw.place.number;
        match raw.parse().and_then(|row| self.grade(&row)) {
            Ok(graded) => graded.line(row),
            Err(problem) => {
                let message = problem.to_string();
                let error = if let Error::Row { problem, .. } = problem { problem } else { message.clone() };
                Line { text: json(&BadLine { row, verdict: None, error: &error }), outcome: Outcome::Bad(message) }
            }
        }
    }

    fn grade(&self, row: &Row) -> Result<Graded> {
        let id = self.id.as_deref().map(|id| row.json(id)).transpose()?;
        let gold = Gold::new(&row.text(&self.gold)?);
        let respond = |field: &str| Ok::<_, Error>(gold.grade_response(&row.text(field)?, self.rule.into()));
        let grade = match (&self.answer, &self.response) {
            (Some(answer), _) => gold.grade(&row.text(answer)?),
            (None, Some(response)) => respond(response)?,
            (None, None) if row.has("response") => respond("response")?,
            (None, None) => gold.grade(&row.text("answer")?),
        };
        Ok(Graded { id, grade, not_understood: gold.not_understood() })
    }
}

struct Graded {
    id: Option<Box<RawValue>>,
    grade: oreal_math::Grade,
    /// Why the gold answer is compared as text.
    not_understood: Option<String>,
}

/// What is printed of a row, and what is counted.
struct Line {
    text: String,
    outcome: Outcome,
}

enum Outcome {
    Graded {
        verdict: Verdict,
        gold: Reading,
    },
    /// The row cannot be read: why, with file and line.
    Bad(String),
}

/// How a gold answer was read.
enum Reading {
    Understood,
    Text,
}

impl Graded {
    fn line(self, row: u64) -> Line {
        let Graded { id, grade, not_understood } = self;
        let text = json(&GradedLine {
            row,
            id: id.as_deref(),
            verdict: grade.verdict.name(),
            step: grade.step.name(),
            reason: &grade.reason,
            gold: &grade.gold,
            answer: &grade.answer,
            not_understood: not_understood.as_deref(),
        });
        let gold = not_understood.map_or(Reading::Understood, |_| Reading::Text);
        Line { text, outcome: Outcome::Graded { verdict: grade.verdict, gold } }
    }
}

#[derive(Serialize)]
struct GradedLine<'a> {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    verdict: &'static str,
    step: &'static str,
    reason: &'a str,
    gold: &'a str,
    answer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_understood: Option<&'a str>,
}

#[derive(Serialize)]
struct BadLine<'a> {
    row: u64,
    verdict: Option<&'static str>,
    error: &'a str,
}

/// How many rows had which outcome.
#[derive(Default)]
struct Counts {
    right: u64,
    wrong: u64,
    cannot_tell: u64,
    unparsable: u64,
    not_understood: u64,
    bad: u64,
}

impl Counts {
    fn rows(&self) -> u64 {
        self.right + self.wrong + self.cannot_tell + self.unparsable + self.bad
    }

    /// The first rows that cannot be read are told as they come.
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Graded { verdict, gold } => {
                self.not_understood += u64::from(matches!(gold, Reading::Text));
                *self.of(*verdict) += 1;
            }
            Outcome::Bad(message) => {
                self.bad += 1;
                match self.bad.cmp(&(TOLD + 1)) {
                    Ordering::Less => eprintln!("error: {message}"),
                    Ordering::Equal => eprintln!("error: more rows cannot be read; the output has all of them"),
                    Ordering::Greater => {}
                }
            }
        }
    }

    fn of(&mut self, verdict: Verdict) -> &mut u64 {
        match verdict {
            Verdict::Right => &mut self.right,
            Verdict::Wrong => &mut self.wrong,
            Verdict::CannotTell => &mut self.cannot_tell,
            Verdict::Unparsable => &mut self.unparsable,
        }
    }

    /// An error where a row could not be read.
    fn check(&self, file: &str) -> Result<()> {
        let problem =
            || Error::file(Path::new(file), format!("{} of {} rows could not be read", self.bad, self.rows()));
        if self.bad == 0 { Ok(()) } else { Err(problem()) }
    }

    fn summary(&self, seconds: f64) -> String {
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
}

/// Rows of a block, and bytes after which it ends before.
const ROWS: usize = 4096;
const BYTES: usize = 32 << 20;

/// Rows that cannot be read and are told one by one on standard error.
const TOLD: u64 = 10;

/// The next rows of a file, and how it ended where it did.
fn block(rows: &mut Rows) -> (Vec<RawRow>, Option<Result<()>>) {
    let (mut block, mut bytes) = (Vec::new(), 0);
    while block.len() < ROWS && bytes < BYTES {
        match rows.next() {
            None => return (block, Some(Ok(()))),
            Some(Err(problem)) => return (block, Some(Err(problem))),
            Some(Ok(row)) => {
                bytes += row.bytes();
                block.push(row);
            }
        }
    }
    (block, None)
}

/// A line of output. What is printed here can always be written as JSON.
fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default() + "\n"
}
