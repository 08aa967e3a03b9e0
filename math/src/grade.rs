//! The verdict on an answer.

use std::fmt;

use crate::compare::{Finding, Work, compare};
use crate::parse::Unreadable;
use crate::print::printed;
use crate::read::{Reading, key, read};
use crate::response::{Found, Place, Rule, find};
use crate::step::Step;
use crate::value::Value;

/// Whether an answer is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// A verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grade {
    /// The verdict.
    pub verdict: Verdict,
    /// The step that decided.
    pub step: Step,
    /// Why, in words; empty for a right answer.
    pub reason: String,
    /// How the gold answer was read.
    pub gold: String,
    /// How the answer was read; empty where there is none.
    pub answer: String,
}

/// What the decimals of a gold answer mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Decimals {
    /// They may be exact or rounded. A fraction that rounds to one is right; a decimal with other digits that does is
    /// [`Verdict::CannotTell`].
    #[default]
    Unknown,
    /// They are rounded, as in problems of physics: whatever rounds to one is right.
    Rounded,
}

/// A gold answer, read once and compared with many answers.
#[derive(Clone, Debug)]
pub struct Gold {
    key: String,
    reading: Reading,
    printed: String,
    decimals: Decimals,
}

impl Gold {
    /// Reads a gold answer. Never fails: one that is not understood equals only its own text, see [`Gold::not_understood`].
    pub fn new(text: &str) -> Gold {
        let reading = read(text);
        let printed = match &reading.value {
            Ok(value) => printed(value),
            Err(_) => shortened(text),
        };
        Gold { key: key(text), reading, printed, decimals: Decimals::default() }
    }

    /// With what its decimals mean.
    pub fn with_decimals(self, decimals: Decimals) -> Gold {
        Gold { decimals, ..self }
    }

    /// Why the gold answer can only be compared as text; `None` where it is understood. Words count as understood.
    pub fn not_understood(&self) -> Option<String> {
        self.reading.value.as_ref().err().map(|problem| problem.to_string())
    }

    /// Whether it is words, which are compared as text.
    pub fn is_text(&self) -> bool {
        matches!(self.reading.value, Ok(Value::Text(_)))
    }

    /// How it was read.
    pub fn reading(&self) -> &str {
        &self.printed
    }

    /// The verdict on an answer that stands alone.
    pub fn grade(&self, answer: &str) -> Grade {
        let own = key(answer);
        if own.is_empty() {
            return self.verdict(Verdict::Unparsable, Step::Finding, "the answer is empty", String::new());
        }
        if own == self.key {
            return self.verdict(Verdict::Right, Step::Text, "", self.printed.clone());
        }
        let reading = read(answer);
        if matches!(reading.value, Err(_) | Ok(Value::Text(_)))
            && let Ok(Found { text, by: Place::Box | Place::Phrase }) = find(answer, Rule::Any)
            && text != answer
        {
            return self.grade(&text);
        }
        let text = match &reading.value {
            Ok(value) => printed(value),
            Err(_) => shortened(answer),
        };
        match self.compare(&reading) {
            Finding::Equal(step) => self.verdict(Verdict::Right, step, "", text),
            Finding::Different(step, why) => self.verdict(Verdict::Wrong, step, &why, text),
            Finding::Unknown(step, why) => self.verdict(Verdict::CannotTell, step, &why, text),
        }
    }

    /// The verdict on the answer that a response gives.
    pub fn grade_response(&self, response: &str, rule: Rule) -> Grade {
        match find(response, rule) {
            Ok(found) => self.grade(&found.text),
            Err(missing) => self.verdict(Verdict::Unparsable, Step::Finding, &missing.to_string(), String::new()),
        }
    }

    fn verdict(&self, verdict: Verdict, step: Step, reason: &str, answer: String) -> Grade {
        Grade { verdict, step, reason: reason.to_owned(), gold: self.printed.clone(), answer }
    }

    /// Each way to read the gold answer beside each way to read the answer: the first that makes them equal counts.
    fn compare(&self, answer: &Reading) -> Finding {
        let unread = |what: &str, problem: &Unreadable| {
            Finding::Unknown(Step::Reading, format!("{what} was not understood: {problem}"))
        };
        let gold = match &self.reading.value {
            Ok(gold) => gold,
            Err(problem) => return unread("the gold answer", problem),
        };
        let given = match &answer.value {
            Ok(given) => given,
            Err(problem) => return unread("the answer", problem),
        };
        let mut work = Work::new(self.decimals == Decimals::Rounded);
        let first = compare(gold, given, &mut work);
        if first.is_equal() {
            return first;
        }
        let golds = [Some(gold), self.reading.other.as_ref()];
        let answers = [Some(given), answer.other.as_ref()];
        for (i, gold) in golds.iter().enumerate() {
            for (j, given) in answers.iter().enumerate() {
                if let (Some(gold), Some(given), true) = (gold, given, i + j > 0)
                    && let equal @ Finding::Equal(_) = compare(gold, given, &mut work)
                {
                    return equal;
                }
            }
        }
        match first {
            Finding::Different(step, _) if answer.ambiguous || self.reading.ambiguous => {
                Finding::Unknown(step, "a/bc can be read as a/(bc) and as (a/b)c".into())
            }
            other => other,
        }
    }
}

/// A text that was not understood, cut where it is long.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ..", &text[..end]),
        None => text.to_owned(),
    }
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 4] = [Verdict::Right, Verdict::Wrong, Verdict::CannotTell, Verdict::Unparsable];

    /// As in records: `right`, `wrong`, `cannot_tell`, `unparsable`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Right => "right",
            Verdict::Wrong => "wrong",
            Verdict::CannotTell => "cannot_tell",
            Verdict::Unparsable => "unparsable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
