//! Boxes: `\boxed{7}`, `\boxed 7`, `\fbox{7}`, `\framebox{7}`.
//!
//! The last box is the one that opens last, so of nested boxes the innermost. The boxes before it belong to it where only
//! separators stand between, and among them a comma, a semicolon, "and" or "or". Anything else keeps boxes apart: of
//! `x = \boxed{1}, y = \boxed{2}` the answer is `2`.

use std::ops::Range;

use super::words::{Between, between, joined};
use super::{Found, Missing, Place};

/// The last box with those that belong to it, or `None` where there is no box.
pub(super) fn answer(text: &str) -> Result<Option<Found<'_>>, Missing> {
    let (mut start, inside) = match last(text) {
        None => return Ok(None),
        Some(Boxed::Open) => return Err(Missing::OpenBox),
        Some(Boxed::Closed { inside: "", .. }) => return Err(Missing::EmptyBox),
        Some(Boxed::Closed { span, inside }) => (span.start, inside),
    };
    let mut parts = vec![inside];
    // Each round reads the text between one box and the next, so all rounds together read the text once.
    while let Some(before) = text.get(..start)
        && let Some(Boxed::Closed { span, inside }) = last(before)
        && before.get(span.end..).map(between) == Some(Between::Join)
    {
        parts.push(inside);
        start = span.start;
    }
    parts.retain(|part| !part.is_empty());
    parts.reverse();
    Ok(Some(Found { text: joined(&parts), by: Place::Box }))
}

enum Boxed<'a> {
    /// Where the box stands, in bytes, and what is in it.
    Closed {
        span: Range<usize>,
        inside: &'a str,
    },
    Open,
}

/// The box that opens last.
fn last(text: &str) -> Option<Boxed<'_>> {
    text.rmatch_indices('\\').find_map(|(at, _)| starting_at(text, at))
}

/// The box whose command starts at `start`.
fn starting_at(text: &str, start: usize) -> Option<Boxed<'_>> {
    let command = text.get(start..)?;
    let rest = ["\\boxed", "\\fbox", "\\framebox"].iter().find_map(|name| command.strip_prefix(name))?;
    let rest = without_options(rest.trim_start());
    if rest.is_empty() {
        return Some(Boxed::Open);
    }
    let (inside, length) = match rest.strip_prefix('{') {
        Some(rest) => {
            let Some(close) = closing_brace(rest) else { return Some(Boxed::Open) };
            (rest.get(..close)?, close + 2)
        }
        None if starts_value(rest) => {
            let Some(word) = word(rest) else { return Some(Boxed::Open) };
            if word.is_empty() {
                return None;
            }
            (word, word.len())
        }
        None => return None,
    };
    let begin = text.len() - rest.len();
    Some(Boxed::Closed { span: start..begin + length, inside: inside.trim() })
}

/// Without the width and the position in `\framebox[3cm][l]{7}`.
fn without_options(mut text: &str) -> &str {
    /// Bytes of the longest option.
    const LONGEST: usize = 20;
    while text.starts_with('[')
        && let Some(end) = text.bytes().take(LONGEST).position(|byte| byte == b']')
        && let Some(rest) = text.get(end + 1..)
        && rest.starts_with(['[', '{'])
    {
        text = rest;
    }
    text
}

/// The offset of the brace that closes the one before `text`. Escaped braces do not count.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Whether a box without braces can start so. The word `form` in "in \boxed form" is not in a box.
fn starts_value(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    let second_is_letter = chars.next().is_some_and(char::is_alphabetic);
    first.is_some_and(|first| first.is_ascii_digit() || "+-.(\\[|".contains(first))
        || first.is_some_and(char::is_alphabetic) && !second_is_letter
}

/// What a box without braces holds: up to white space or the end of the formula, outside of braces. `None` where a brace is
/// not closed.
fn word(text: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    let end = loop {
        let Some((at, c)) = chars.next() else { break text.len() };
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '\\' if depth == 0 && matches!(next, Some(')' | ']')) => break at,
            '\\' => drop(chars.next()),
            '{' => depth += 1,
            '}' | '$' if depth == 0 => break at,
            '}' => depth -= 1,
            _ if depth == 0 && c.is_whitespace() => break at,
            _ => {}
        }
    };
    if depth > 0 { None } else { Some(text.get(..end)?.trim_end_matches(['.', ',', ';', ':', '*'])) }
}
