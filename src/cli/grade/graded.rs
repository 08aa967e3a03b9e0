//! A row with its verdict, and the line that is printed of it.

use oreal_math::{Grade, Verdict};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::judge::{Opinion, Question};

/// A row that could be read, with its verdict.
pub(super) struct Graded {
    pub(super) id: Option<Box<RawValue>>,
    pub(super) grade: Grade,
    /// Why the gold answer is compared as text.
    pub(super) not_understood: Option<String>,
    /// What is put to the judge; `None` where the rules have decided.
    pub(super) open: Option<Question>,
    /// What the judge said to it.
    pub(super) opinion: Option<Opinion>,
}

impl Graded {
    /// The last verdict. Without a decision of the judge there is none, whatever the rules said.
    pub(super) fn verdict(&self) -> Verdict {
        match &self.opinion {
            None => self.grade.verdict,
            Some(Opinion::Right) => Verdict::Right,
            Some(Opinion::Wrong) => Verdict::Wrong,
            Some(Opinion::Ungraded(_)) => Verdict::CannotTell,
        }
    }

    /// The step that gave it.
    fn step(&self) -> &'static str {
        match (&self.opinion, self.grade.verdict) {
            (None, _) | (Some(Opinion::Ungraded(_)), Verdict::CannotTell) => self.grade.step.name(),
            (Some(_), _) => JUDGE,
        }
    }

    fn reason(&self) -> String {
        let Grade { verdict, reason, .. } = &self.grade;
        match &self.opinion {
            None => reason.clone(),
            Some(Opinion::Right | Opinion::Wrong) => format!("{verdict} by rule: {reason}"),
            Some(Opinion::Ungraded(why)) => format!("{verdict} by rule: {reason}; the judge: {why}"),
        }
    }
}

/// The line of a row, with its end.
pub(super) fn line(row: u64, graded: &Result<Graded>) -> String {
    let graded = match graded {
        Ok(graded) => graded,
        Err(Error::Row { problem, .. }) => return json(&BadLine { row, verdict: None, error: problem }),
        Err(other) => return json(&BadLine { row, verdict: None, error: &other.to_string() }),
    };
    json(&GradedLine {
        row,
        id: graded.id.as_deref(),
        verdict: graded.verdict().name(),
        step: graded.step(),
        reason: &graded.reason(),
        gold: &graded.grade.gold,
        answer: &graded.grade.answer,
        not_understood: graded.not_understood.as_deref(),
    })
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

/// The step where a judge decided, beside those of [`oreal_math::Step`].
const JUDGE: &str = "judge";

/// A line of output. What is printed here can always be written as JSON.
fn json(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default() + "\n"
}
