//! From rows to questions with gold answers.

use std::path::Path;

use oreal_math::{Gold, Rule, find};

use super::left_out::{Cause, LeftOut};
use super::settings::{Balance, Fields, Taken};
use crate::error::{Error, Result};
use crate::rows::{Place, Row, Rows};

/// A question with its gold answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) place: Place,
    pub(super) text: String,
    /// As it was written.
    pub(super) answer: String,
    pub(super) gold: Gold,
    /// How often it is trained on in an epoch.
    pub(super) copies: usize,
}

/// How often each question is trained on.
pub(super) struct Weight<'a> {
    pub(super) balance: Balance,
    /// Field of the pass rate.
    pub(super) pass_rate: &'a str,
}

impl Question {
    /// The question up to white space.
    pub(super) fn words(&self) -> String {
        words(&self.text)
    }
}

/// The questions of a file whose gold answers are understood. A row without one of the fields is an error.
pub(super) fn questions(
    file: &str,
    fields: &Fields,
    weight: &Weight<'_>,
    left_out: &mut Vec<LeftOut>,
) -> Result<Vec<Question>> {
    let read = Rows::each(Path::new(file), |row| question(row, fields, weight))?;
    let mut questions = Vec::with_capacity(read.len());
    for question in read {
        match question {
            Ok(question) => questions.push(question),
            Err(out) => left_out.push(out),
        }
    }
    Ok(questions)
}

type Outcome = std::result::Result<Question, LeftOut>;

fn question(row: Row, fields: &Fields, weight: &Weight<'_>) -> Result<Outcome> {
    let (text, answer) = question_and_answer(&row, fields)?;
    let copies = copies(&row, weight)?;
    let out = |cause, detail: String| Ok(Err(LeftOut { place: row.place.clone(), cause, detail }));
    if fields.tolerance.is_some_and(|field| row.has(field)) {
        return out(Cause::Tolerance, String::new());
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(problem) => return out(Cause::NotUnderstood, problem),
    };
    let gold = Gold::new(&answer).with_decimals(fields.decimals);
    match gold.not_understood() {
        Some(problem) => out(Cause::NotUnderstood, problem),
        None => Ok(Ok(Question { place: row.place, text, answer, gold, copies })),
    }
}

/// The question, and the gold answer or why there is none. A row without one of the fields, or with an empty question, is an
/// error.
pub(super) fn question_and_answer(row: &Row, fields: &Fields) -> Result<(String, std::result::Result<String, String>)> {
    let text = row.text(&fields.question)?.trim().to_owned();
    if text.is_empty() {
        return Err(Error::row(&row.place, format!("field `{}`: empty", fields.question)));
    }
    // A gold answer may be null, but not without its field.
    row.json(&fields.gold)?;
    match row.text(&fields.gold) {
        Ok(answer) => Ok((text, taken(&answer, fields.taken))),
        Err(Error::Row { problem, .. }) => Ok((text, Err(problem))),
        Err(other) => Err(other),
    }
}

/// A question up to white space.
pub(super) fn words(question: &str) -> String {
    question.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How often a question is trained on. Pass rates are read only where they matter.
fn copies(row: &Row, weight: &Weight<'_>) -> Result<usize> {
    if weight.balance == Balance::Off {
        return Ok(1);
    }
    let rate = row.number(weight.pass_rate)?;
    if !(0.0..=1.0).contains(&rate) {
        return Err(Error::row(&row.place, format!("field `{}`: {rate} is no rate from 0 to 1", weight.pass_rate)));
    }
    Ok(weight.balance.copies(rate))
}

/// The gold answer in the text of its field.
fn taken(text: &str, how: Taken) -> std::result::Result<String, String> {
    match how {
        Taken::Whole => Ok(text.trim().to_owned()),
        Taken::AfterHashes => {
            let answer = text.rsplit_once("####").map(|(_, answer)| answer.trim().to_owned());
            answer.ok_or_else(|| "it has no ####".to_owned())
        }
        Taken::LastBox => {
            find(text, Rule::Boxed).map(|found| found.text.trim().to_owned()).map_err(|missing| missing.to_string())
        }
    }
}
