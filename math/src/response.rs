//! The answer in a response.

use std::fmt;

/// Where a response has its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The last box; else what follows the usual phrases; else the last formula or number.
    #[default]
    Any,
    /// The last box only.
    Boxed,
    /// What follows the last `####`, as in GSM8K.
    Hashes,
    /// A letter of a multiple choice.
    Choice,
}

/// An answer in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The answer, as it was written.
    pub text: &'a str,
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
}

/// Why a response has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Missing {
    /// It names none.
    NoAnswer,
    /// It stops inside its last box.
    OpenBox,
}

/// Finds the answer of a response.
pub fn find(response: &str, _rule: Rule) -> Result<Found<'_>, Missing> {
    let start = response.rfind("\\boxed{").ok_or(Missing::NoAnswer)? + 7;
    let end = response[start..].rfind('}').ok_or(Missing::OpenBox)?;
    Ok(Found { text: &response[start..start + end], by: Place::Box })
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::NoAnswer => "the response names no answer",
            Missing::OpenBox => "the response stops inside its box",
        })
    }
}
