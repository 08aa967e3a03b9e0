//! `oreal grade`: a verdict on each row of a file.
//!
//! Rows are graded in blocks, each by all threads, and printed in the order of the file. So the output does not depend on the
//! number of threads, and memory does not depend on the length of the file.

mod counts;
mod graded;
mod judged;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use oreal_math::Gold;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};
use crate::rows::{RawRow, Row, Rows};
use crate::rule::{DecimalsName, RuleName};
use crate::terminal::print_part;
use counts::Counts;
use graded::{Graded, line};
use judged::{Given, Judged};

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
    /// What the decimals of gold answers mean
    #[arg(long, value_enum, value_name = "DECIMALS", default_value_t)]
    decimals: DecimalsName,
    /// Settings of a judge (TOML), a model that is asked where the rules cannot tell: see examples/judge.toml
    #[arg(long, value_name = "FILE")]
    judge: Option<PathBuf>,
    /// Field of the question, for the judge [default: question, else problem]
    #[arg(long, value_name = "FIELD", requires = "judge")]
    question: Option<String>,
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
  step            what decided: finding, reading, kind, text, rational, normal_form, certified,
                  rounded or judge
  reason          why, in words
  gold, answer    how both were read
  not_understood  only where the gold answer is compared as text: why
  error           only where the verdict is null: what is wrong with the row
The exit code is not zero where a row could not be read. The others are graded. A judge that fails leaves
cannot_tell.";

impl Grade {
    /// Prints the verdicts as they come, and a summary to standard error.
    pub(super) fn run(self) -> Result<()> {
        let (clock, pool) = (Instant::now(), self.pool()?);
        let judge = self.judge.as_deref().map(|file| Judged::new(file, self.question.clone())).transpose()?;
        let mut rows = Rows::open(&self.file)?;
        let mut counts = Counts::default();
        loop {
            let (block, end) = block(&mut rows);
            let grade = |row: &RawRow| self.grade(&row.parse()?, judge.as_ref());
            let mut graded: Vec<Result<Graded>> = pool.install(|| block.par_iter().map(grade).collect());
            judge.iter().for_each(|judge| judge.review(&mut graded));
            graded.iter().for_each(|graded| counts.add(graded));
            let line = |(row, graded): (&RawRow, &_)| line(row.place.number, graded);
            let text: String = pool.install(|| block.par_iter().zip(&graded).map(line).collect());
            match (print_part(&text)?, end) {
                (ControlFlow::Break(()), _) => return Ok(()),
                (ControlFlow::Continue(()), None) => {}
                (ControlFlow::Continue(()), Some(end)) => {
                    eprintln!("{}", counts.summary(clock.elapsed().as_secs_f64()));
                    judge.iter().for_each(|judge| eprintln!("{}", judge.summary()));
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

    /// The verdict of the rules, and what is left to the judge.
    fn grade(&self, row: &Row, judge: Option<&Judged>) -> Result<Graded> {
        let id = self.id.as_deref().map(|id| row.json(id)).transpose()?;
        let text = row.text(&self.gold)?;
        let gold = Gold::new(&text).with_decimals(self.decimals.into());
        let given = self.given(row)?;
        let grade = match &given {
            Given::Answer(answer) => gold.grade(answer),
            Given::Response(response, rule) => gold.grade_response(response, *rule),
        };
        let open = match judge {
            Some(judge) => judge.open(grade.verdict, judge.question(row)?, text, &given),
            None => None,
        };
        Ok(Graded { id, grade, not_understood: gold.not_understood(), open, opinion: None })
    }

    fn given(&self, row: &Row) -> Result<Given> {
        let respond = |field: &str| Ok(Given::Response(row.text(field)?, self.rule.into()));
        match (&self.answer, &self.response) {
            (Some(answer), _) => Ok(Given::Answer(row.text(answer)?)),
            (None, Some(response)) => respond(response),
            (None, None) if row.has("response") => respond("response"),
            (None, None) => Ok(Given::Answer(row.text("answer")?)),
        }
    }
}

/// Rows of a block, and bytes after which it ends before.
const ROWS: usize = 4096;
const BYTES: usize = 32 << 20;

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
