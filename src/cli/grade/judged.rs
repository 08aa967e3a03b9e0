//! The judge behind the rules, where `--judge` names one.

use std::fs;
use std::path::Path;

use oreal_math::{Rule, Verdict, find};

use super::graded::Graded;
use crate::error::{Error, Result};
use crate::judge::{Asks, Judge, JudgeSettings, Question};
use crate::rows::Row;

/// A judge, and what it is asked.
pub(super) struct Judged {
    judge: Judge,
    asks: Asks,
    /// Field of the question.
    field: Option<String>,
}

impl Judged {
    /// With the settings of a file.
    pub(super) fn new(file: &Path, field: Option<String>) -> Result<Judged> {
        let settings = settings(file)?;
        let asks = settings.asks;
        let judge = Judge::new(settings).map_err(|problem| Error::setting(file.display(), problem))?;
        Ok(Judged { judge, asks, field })
    }

    /// The question of a row.
    pub(super) fn question(&self, row: &Row) -> Result<String> {
        match &self.field {
            Some(field) => row.text(field),
            None if !row.has("question") && row.has("problem") => row.text("problem"),
            None => row.text("question"),
        }
    }

    /// What is asked about an answer after the verdict of the rules. There is nothing to ask without a gold answer or an answer.
    pub(super) fn open(&self, verdict: Verdict, question: String, gold: String, answer: &Given) -> Option<Question> {
        let answer = Some(answer).filter(|_| self.asks.after(verdict) && !gold.trim().is_empty())?.answer()?;
        Some(Question { question, gold, answer })
    }

    /// Asks about all that is open, at once.
    pub(super) fn review(&self, graded: &mut [Result<Graded>]) {
        let questions: Vec<Question> = graded.iter_mut().flatten().filter_map(|graded| graded.open.clone()).collect();
        let open = graded.iter_mut().flatten().filter(|graded| graded.open.is_some());
        for (graded, opinion) in open.zip(self.judge.opinions(&questions)) {
            graded.opinion = Some(opinion);
        }
    }

    /// How the judge did.
    pub(super) fn summary(&self) -> String {
        let notice = self.judge.notice().map(|notice| format!("\njudge: {notice}"));
        format!("{}{}", self.judge.counts(), notice.unwrap_or_default())
    }
}

/// What a row gives to grade.
pub(super) enum Given {
    /// An answer that stands alone.
    Answer(String),
    /// A response that an answer is looked for in.
    Response(String, Rule),
}

impl Given {
    /// The answer, as it was written.
    fn answer(&self) -> Option<String> {
        match self {
            Given::Answer(text) => Some(text.clone()),
            Given::Response(text, rule) => Some(find(text, *rule).ok()?.text.into_owned()),
        }
    }
}

/// A problem is told by line, without the line itself: it may hold a key by mistake.
fn settings(file: &Path) -> Result<JudgeSettings> {
    let text = fs::read_to_string(file).map_err(|problem| Error::file(file, problem))?;
    toml::from_str(&text).map_err(|problem: toml::de::Error| {
        let before = problem.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Error::setting(format!("{}, line {line}", file.display()), problem.message())
    })
}
