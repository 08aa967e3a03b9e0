//! All problems of a file, to be evaluated on: no split, no copies, in the order of the file.
//!
//! A benchmark is its problems, so little is left out: rows without a gold answer, repeated questions, and questions with
//! several gold answers. A gold answer that is not understood, or that has a tolerance, stays: what no rule can decide there
//! is ungraded, and shown as such.

use std::collections::HashMap;
use std::path::Path;

use oreal_math::{Gold, Grade, Verdict};
use oreal_toy_envs::Prompt;

use super::left_out::{Cause, LeftOut, notices};
use super::read::{question_and_answer, words};
use super::set::prompt;
use super::settings::{Fields, ProblemSettings};
use crate::digest;
use crate::error::{Error, Result};
use crate::rows::{Place, Row, Rows};
use crate::rule::RuleName;

/// The problems of a file.
#[derive(Debug)]
pub struct TestSet {
    /// In the order of the file.
    pub problems: Vec<TestProblem>,
    /// The rows that are not used, and why.
    pub left_out: Vec<LeftOut>,
}

/// A question with its gold answer.
#[derive(Debug)]
pub struct TestProblem {
    /// The first 16 hexadecimal digits of the SHA-256 of question and gold answer: the same in every file and for every prompt.
    pub id: String,
    /// Where it is.
    pub place: Place,
    /// As the file has it.
    pub question: String,
    /// The gold answer, as the file has it.
    pub answer: String,
    /// What the model is asked.
    pub prompt: Prompt,
    /// The text of each field that problems are grouped by, in the order they were asked for; `none` where the row lacks it.
    pub groups: Vec<String>,
    gold: Gold,
    /// Whether answers near the gold answer are right, too.
    tolerance: bool,
}

impl TestSet {
    /// Reads the file that the settings name: its first `limit` problems, or all. `by` are the fields that problems are grouped
    /// by.
    ///
    /// # Errors
    /// A file that cannot be read or has no problems, a row without question or gold answer, a group field that no row has.
    pub fn read(settings: &ProblemSettings, by: &[String], limit: Option<usize>) -> Result<TestSet> {
        let fields = settings.fields().map_err(|illegal| Error::setting(illegal.key, illegal.problem))?;
        let read = Rows::each(Path::new(&settings.file), |row| problem(&row, &fields, settings, by))?;
        let mut set = TestSet { problems: Vec::with_capacity(read.len()), left_out: Vec::new() };
        for problem in read {
            match problem {
                Ok(problem) => set.problems.push(problem),
                Err(out) => set.left_out.push(out),
            }
        }
        set.distinct();
        set.problems.truncate(limit.unwrap_or(usize::MAX));
        set.check(&settings.file, by)?;
        Ok(set)
    }

    /// A sentence for each cause that rows are left out for.
    pub fn notices(&self) -> Vec<String> {
        notices(&self.left_out)
    }

    /// Keeps the first of each question. Where gold answers differ, none of them is right for sure, and all are left out.
    fn distinct(&mut self) {
        let mut by_question: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, problem) in self.problems.iter().enumerate() {
            by_question.entry(words(&problem.question)).or_default().push(index);
        }
        let mut causes = vec![None; self.problems.len()];
        for same in by_question.values().filter(|same| same.len() > 1) {
            let first = &self.problems[same[0]];
            let agree = same.iter().all(|&other| first.agrees(&self.problems[other]));
            let (out, cause) = if agree { (&same[1..], Cause::Repeated) } else { (&same[..], Cause::Contradicted) };
            out.iter().for_each(|&index| causes[index] = Some(cause));
        }
        let mut causes = causes.into_iter();
        let (left_out, problems): (Vec<_>, Vec<_>) = std::mem::take(&mut self.problems)
            .into_iter()
            .map(|problem| (problem, causes.next().flatten()))
            .partition(|(_, cause)| cause.is_some());
        self.problems = problems.into_iter().map(|(problem, _)| problem).collect();
        let out = |(problem, cause): (TestProblem, Option<Cause>)| {
            cause.map(|cause| LeftOut { place: problem.place, cause, detail: String::new() })
        };
        self.left_out.extend(left_out.into_iter().filter_map(out));
    }

    fn check(&self, file: &str, by: &[String]) -> Result<()> {
        if self.problems.is_empty() {
            let reasons: String = self.notices().iter().map(|notice| format!("; {notice}")).collect();
            return Err(Error::file(Path::new(file), format!("has no problems{reasons}")));
        }
        for (place, field) in by.iter().enumerate() {
            if self.problems.iter().all(|problem| problem.groups[place] == NO_GROUP) {
                return Err(Error::setting("by", format!("no problem of {file} has a field `{field}` with a text")));
            }
        }
        Ok(())
    }
}

impl TestProblem {
    /// The grade of an answer by rule. Near a gold answer with a tolerance, no rule says that an answer is wrong.
    pub fn grade(&self, response: &str, rule: RuleName) -> Grade {
        let grade = self.gold.grade_response(response, rule.into());
        match grade.verdict {
            Verdict::Wrong if self.tolerance => {
                let reason = format!("the gold answer has a tolerance; without it: {}", grade.reason);
                Grade { verdict: Verdict::CannotTell, reason, ..grade }
            }
            _ => grade,
        }
    }

    fn agrees(&self, other: &TestProblem) -> bool {
        self.answer == other.answer || self.gold.grade(&other.answer).verdict == Verdict::Right
    }
}

/// The group of a problem whose row lacks the field.
const NO_GROUP: &str = "none";

type Outcome = std::result::Result<TestProblem, LeftOut>;

fn problem(row: &Row, fields: &Fields, settings: &ProblemSettings, by: &[String]) -> Result<Outcome> {
    let (question, answer) = question_and_answer(row, fields)?;
    let answer = match answer {
        Ok(answer) => answer,
        Err(detail) => return Ok(Err(LeftOut { place: row.place.clone(), cause: Cause::NotUnderstood, detail })),
    };
    let group = |field: &String| if row.has(field) { row.text(field) } else { Ok(NO_GROUP.to_owned()) };
    Ok(Ok(TestProblem {
        id: digest::short(&format!("{question}\0{answer}")),
        place: row.place.clone(),
        prompt: prompt(&question, settings),
        groups: by.iter().map(group).collect::<Result<_>>()?,
        gold: Gold::new(&answer).with_decimals(fields.decimals),
        tolerance: fields.tolerance.is_some_and(|field| row.has(field)),
        question,
        answer,
    }))
}
