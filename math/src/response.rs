//! The answer in a response.
//!
//! A response is what a model wrote: running text, often with LaTeX and Markdown. [`find`] names the part that is its
//! answer and does not read it. Every search takes time linear in the length of the response, whatever it holds.

mod boxes;
mod choice;
mod formulas;
mod names;
mod numbers;
mod phrases;
mod words;

use std::borrow::Cow;
use std::fmt;

use formulas::Formulas;
use phrases::Last;

/// Where a response has its answer.
///
/// A reasoning model's thoughts hold no answer: everything up to the last `</think>` is passed over by every rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The last box; else what follows the last of the usual phrases ("the final answer is 7", "Answer: 7", "#### 7"); else
    /// the last formula or the last number, whichever is later.
    #[default]
    Any,
    /// The last box only.
    Boxed,
    /// What follows the last `####` on its line, as in GSM8K.
    Hashes,
    /// The letter, A to J, of a multiple choice: in the last box, else after the last phrase, else the last letter written
    /// as `(B)`, `B.` or `B)`. Lower case counts in a box and in parentheses. Two letters are no answer.
    Choice,
}

/// An answer in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The answer, as it was written; without the box, formula delimiters or emphasis around it. An answer in several parts,
    /// such as `$\boxed{1}$ or $\boxed{2}$`, is the list of them: `1, 2`.
    pub text: Cow<'a, str>,
    /// How it was found.
    pub by: Place,
}

/// How an answer was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In a box.
    Box,
    /// After a phrase.
    Phrase,
    /// After `####`.
    Hashes,
    /// The last formula.
    Formula,
    /// The last number.
    Number,
    /// The last letter of a multiple choice that stands alone.
    Letter,
}

/// Why a response has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// It names none.
    NoAnswer,
    /// It stops inside its last box. An earlier box is no answer then: the model was still writing.
    OpenBox,
    /// Its last box is empty.
    EmptyBox,
    /// It stops before `</think>`.
    OpenThought,
}

/// Finds the answer of a response.
pub fn find(response: &str, rule: Rule) -> Result<Found<'_>, Missing> {
    let text = after_thoughts(response)?;
    match rule {
        Rule::Any => any(text),
        Rule::Boxed => boxes::answer(text)?.ok_or(Missing::NoAnswer),
        Rule::Hashes => hashes(text),
        Rule::Choice => choice::answer(text),
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::NoAnswer => "the response names no answer",
            Missing::OpenBox => "the response stops inside its last box",
            Missing::EmptyBox => "the last box of the response is empty",
            Missing::OpenThought => "the response stops before the end of its thoughts",
        })
    }
}

impl std::error::Error for Missing {}

/// The response from the last `</think>` on.
fn after_thoughts(response: &str) -> Result<&str, Missing> {
    let text = response.rsplit_once("</think>").map_or(response, |(_, text)| text);
    if text.contains("<think>") { Err(Missing::OpenThought) } else { Ok(text) }
}

fn any(text: &str) -> Result<Found<'_>, Missing> {
    if let Some(found) = boxes::answer(text)? {
        return Ok(found);
    }
    let formulas = Formulas::of(text);
    match phrases::last(text, &formulas) {
        Last::Answer(found) => Ok(found),
        Last::Denial(end) => tail(text, end, &formulas),
        Last::None => tail(text, 0, &formulas),
    }
}

/// The last formula or the last number that starts at `from` or later, whichever is later.
fn tail<'a>(text: &'a str, from: usize, formulas: &Formulas) -> Result<Found<'a>, Missing> {
    let formula = formulas.last(text, from);
    let rest = formula.as_ref().map_or(from, |formula| formula.span.end);
    let number = numbers::last(text.get(rest..).unwrap_or_default());
    let number = number.map(|number| Found { text: number.into(), by: Place::Number });
    let formula = formula.map(|formula| Found { text: formula.inside(text).into(), by: Place::Formula });
    number.or(formula).ok_or(Missing::NoAnswer)
}

fn hashes(text: &str) -> Result<Found<'_>, Missing> {
    let (_, rest) = text.rsplit_once("####").ok_or(Missing::NoAnswer)?;
    let answer = words::trimmed(rest.lines().next().unwrap_or_default());
    if answer.is_empty() { Err(Missing::NoAnswer) } else { Ok(Found { text: answer.into(), by: Place::Hashes }) }
}
