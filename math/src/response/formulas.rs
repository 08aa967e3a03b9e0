//! Formulas: `$..$`, `$$..$$`, `\(..\)` and `\[..\]`.
//!
//! A dollar sign may also be money. So two dollar signs enclose a formula only where the second is not followed by a digit,
//! as in "$5-$6", nor preceded by a space that the first lacks, as in "$5 or $6". A blank line ends a paragraph, and with it
//! what `$` or `\(` opened.

use std::borrow::Cow;
use std::ops::Range;

use super::words::{Between, between, joined};

/// The formulas of a text, in order.
pub(super) struct Formulas(Vec<Formula>);

/// A formula in a text, in bytes.
#[derive(Clone)]
pub(super) struct Formula {
    /// With its delimiters.
    pub(super) span: Range<usize>,
    /// Between its delimiters.
    inside: Range<usize>,
}

impl Formulas {
    /// Finds all formulas of a text.
    pub(super) fn of(text: &str) -> Formulas {
        let mut formulas = Vec::new();
        let mut open: Option<(Kind, Range<usize>)> = None;
        let mut rest = text;
        while let Some(skip) = rest.find(['\\', '$', '\n']) {
            rest = rest.get(skip..).unwrap_or_default();
            let inline = matches!(open, Some((Kind::Dollar, _)));
            let (token, length) = token(rest, inline);
            let start = text.len() - rest.len();
            let here = start..start + length;
            rest = rest.get(length..).unwrap_or_default();
            open = match (open, token) {
                (Some((kind, opener)), Token::Close(closes) | Token::Either(closes))
                    if kind == closes && encloses(kind, text.get(opener.end..start).unwrap_or_default(), rest) =>
                {
                    formulas.push(Formula { span: opener.start..here.end, inside: opener.end..start });
                    None
                }
                (Some((Kind::Dollar | Kind::Parenthesis, _)), Token::BlankLine) => None,
                // Inside of another formula a dollar sign stands in text.
                (Some(open), Token::Either(Kind::Dollar)) if open.0 != Kind::Dollar => Some(open),
                (_, Token::Open(kind) | Token::Either(kind)) => Some((kind, here)),
                (open, _) => open,
            };
        }
        Formulas(formulas)
    }

    /// The last formula that starts at `from` or later and is more than the name of one variable.
    pub(super) fn last(&self, text: &str, from: usize) -> Option<&Formula> {
        let more_than_a_name = |formula: &&Formula| {
            let mut chars = formula.inside(text).chars();
            chars.next().is_some_and(|first| !first.is_alphabetic() || chars.next().is_some())
        };
        self.0.iter().rev().take_while(|formula| formula.span.start >= from).find(more_than_a_name)
    }

    /// The formula that starts at `at`, with those that are joined to it by a comma, a semicolon, "and" or "or".
    pub(super) fn list_at<'a>(&self, text: &'a str, at: usize) -> Option<Cow<'a, str>> {
        let first = self.0.binary_search_by_key(&at, |formula| formula.span.start).ok()?;
        let mut parts = Vec::new();
        let mut end = at;
        for formula in self.0.get(first..)? {
            let gap = text.get(end..formula.span.start)?;
            if !parts.is_empty() && between(gap) != Between::Join {
                break;
            }
            parts.push(formula.inside(text));
            end = formula.span.end;
        }
        Some(joined(&parts))
    }

    /// The formulas that start at `from` or later.
    pub(super) fn from(&self, from: usize) -> &[Formula] {
        let first = self.0.partition_point(|formula| formula.span.start < from);
        self.0.get(first..).unwrap_or_default()
    }
}

impl Formula {
    /// Its text, without delimiters and without the full stop of the sentence.
    pub(super) fn inside<'a>(&self, text: &'a str) -> &'a str {
        let inside = text.get(self.inside.clone()).unwrap_or_default();
        inside.trim().trim_end_matches(['.', ',', ';']).trim_end()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Dollar,
    Dollars,
    Parenthesis,
    Bracket,
}

enum Token {
    Open(Kind),
    Close(Kind),
    Either(Kind),
    BlankLine,
    Other,
}

/// The token that `text` starts with, and its length in bytes. Two dollar signs in a row are two tokens where a formula is
/// open `inline`, as in `$x$$y$`.
fn token(text: &str, inline: bool) -> (Token, usize) {
    let mut bytes = text.bytes();
    match (bytes.next(), bytes.next()) {
        (Some(b'$'), Some(b'$')) if !inline => (Token::Either(Kind::Dollars), 2),
        (Some(b'$'), _) => (Token::Either(Kind::Dollar), 1),
        (Some(b'\\'), Some(b'(')) => (Token::Open(Kind::Parenthesis), 2),
        (Some(b'\\'), Some(b')')) => (Token::Close(Kind::Parenthesis), 2),
        (Some(b'\\'), Some(b'[')) => (Token::Open(Kind::Bracket), 2),
        (Some(b'\\'), Some(b']')) => (Token::Close(Kind::Bracket), 2),
        (Some(b'\\'), Some(b'\\' | b'$')) => (Token::Other, 2),
        (Some(b'\n'), _) if is_blank_next(text) => (Token::BlankLine, 1),
        _ => (Token::Other, 1),
    }
}

/// Whether the line after a line break is blank.
fn is_blank_next(text: &str) -> bool {
    text.bytes().skip(1).find(|byte| !b" \t\r".contains(byte)) == Some(b'\n')
}

/// Whether the delimiters around `inside`, before `rest`, enclose a formula.
fn encloses(kind: Kind, inside: &str, rest: &str) -> bool {
    let loose_end =
        inside.ends_with(|c: char| c.is_whitespace() || c == '(') && !inside.starts_with(char::is_whitespace);
    let money = loose_end || rest.starts_with(|c: char| c.is_ascii_digit());
    !inside.trim().is_empty() && (kind != Kind::Dollar || !money)
}
