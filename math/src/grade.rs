//! The verdict on an answer.

use crate::response::{Rule, find};

/// Whether an answer is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The answer equals the gold answer.
    Right,
    /// The answer does not equal the gold answer.
    Wrong,
    /// The rules cannot decide. Only such an answer may go to another judge.
    CannotTell,
    /// The response names no answer.
    Unparsable,
}

/// The step that decided, from exact to approximate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// There was nothing to compare.
    Finding,
    /// The same text after normalisation, or texts that differ.
    Text,
    /// Values of different kinds.
    Kind,
    /// Exact rational numbers.
    Rational,
    /// Normal forms: radicals, polynomials, rational functions.
    NormalForm,
    /// Certified numbers: intervals that hold the exact values, at one or several points.
    Certified,
}

/// A verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// The verdict.
    pub verdict: Verdict,
    /// The step that decided.
    pub step: Step,
    /// Why, in words.
    pub reason: String,
    /// How the gold answer was read.
    pub gold: String,
    /// How the answer was read; empty where there is none.
    pub answer: String,
}

/// A gold answer, read once and compared with many answers.
#[derive(Clone, Debug)]
pub struct Gold {
    text: String,
}

impl Gold {
    /// Reads a gold answer. Never fails: one that is not understood is compared as text, see [`Gold::understood`].
    pub fn new(text: &str) -> Gold {
        Gold { text: text.trim().to_owned() }
    }

    /// Why the gold answer is compared as text only, or not at all; `None` where it is understood.
    pub fn not_understood(&self) -> Option<String> {
        self.text.is_empty().then(|| "empty".to_owned())
    }

    /// How it was read.
    pub fn reading(&self) -> String {
        self.text.clone()
    }

    /// The verdict on an answer that stands alone.
    pub fn grade(&self, answer: &str) -> Grade {
        let same = self.text == answer.trim();
        Grade {
            verdict: if same { Verdict::Right } else { Verdict::Wrong },
            step: Step::Text,
            reason: String::new(),
            gold: self.reading(),
            answer: answer.trim().to_owned(),
        }
    }

    /// The verdict on the answer that a response ends in.
    pub fn grade_response(&self, response: &str, rule: Rule) -> Grade {
        match find(response, rule) {
            Ok(found) => self.grade(&found.text),
            Err(missing) => Grade {
                verdict: Verdict::Unparsable,
                step: Step::Finding,
                reason: missing.to_string(),
                gold: self.reading(),
                answer: String::new(),
            },
        }
    }
}
