//! The letter of a multiple choice.

use std::borrow::Cow;

use super::formulas::Formulas;
use super::phrases::{self, Last};
use super::words::{first_word, is_emphasis, is_one_of, is_space};
use super::{Found, Missing, Place, boxes};

/// The letter in the last box, else after the last phrase, else the last that stands alone.
pub(super) fn answer(text: &str) -> Result<Found<'_>, Missing> {
    if let Some(found) = boxes::answer(text)?
        && let Some(letter) = named(found.text, Case::Any)?
    {
        return Ok(Found { text: letter.into(), by: found.by });
    }
    if let Last::Answer(found) = phrases::last(text, &Formulas::of(text))
        && let Some(letter) = named(found.text, Case::Upper)?
    {
        return Ok(Found { text: letter.into(), by: found.by });
    }
    let letter = standing_alone(text).ok_or(Missing::NoAnswer)?;
    Ok(Found { text: letter.into(), by: Place::Letter })
}

/// Which letters count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Any,
    /// Upper case, and in parentheses also lower case.
    Upper,
}

/// The letter that an answer names; `None` where it names none. Several letters are no answer.
fn named(answer: Cow<'_, str>, case: Case) -> Result<Option<&str>, Missing> {
    let Cow::Borrowed(answer) = answer else { return Err(Missing::NoAnswer) };
    let (word, after) = first_letters(answer);
    let case = if answer.starts_with('(') { Case::Any } else { case };
    if word.len() > 1 && word.chars().all(|c| is_choice(c, Case::Upper)) {
        return Err(Missing::NoAnswer);
    }
    if word.len() != 1 || !word.chars().all(|c| is_choice(c, case)) || continues(after) {
        return Ok(None);
    }
    let after = after.trim_start_matches(|c| is_space(c) || ")]}.$".contains(c));
    let (joining, rest) = first_word(after);
    let next = after.strip_prefix([',', ';', '/', '&']).or(is_one_of(joining, "and or").then_some(rest));
    match next.map(|next| first_letters(next).0) {
        Some(next) if next.len() == 1 && next.chars().all(|c| is_choice(c, case)) => Err(Missing::NoAnswer),
        _ => Ok(Some(word)),
    }
}

/// The first word of an answer after brackets, font commands and words such as "option", and what follows it.
fn first_letters(mut answer: &str) -> (&str, &str) {
    const SKIPPED: &str = "the option choice answer letter text textbf textrm mathrm mathbf bf left and";
    loop {
        answer = answer.trim_start_matches(|c| is_space(c) || "([{$\\".contains(c));
        let (word, after) = first_word(answer);
        if !is_one_of(word, SKIPPED) {
            return (word, after);
        }
        answer = after;
    }
}

/// Whether a letter before `after` is part of a formula or a longer name.
fn continues(after: &str) -> bool {
    after.starts_with(|c: char| c.is_alphanumeric() || "=+-/^_<>(".contains(c))
        || after.trim_start().starts_with(['=', '+', '<', '>', '^'])
}

fn is_choice(c: char, case: Case) -> bool {
    ('A'..='J').contains(&c) || case == Case::Any && ('a'..='j').contains(&c)
}

/// The last letter written as `(B)`, `B.`, `B)`, `B:` or `**B**`, or at the end of the text.
fn standing_alone(text: &str) -> Option<&str> {
    let letters = text.char_indices().rev().filter(|(_, c)| is_choice(*c, Case::Any));
    letters.into_iter().find_map(|(at, c)| {
        let (before, letter, rest) = (text.get(..at)?, text.get(at..at + 1)?, text.get(at + 1..)?);
        let in_parentheses = before.ends_with('(') && rest.starts_with(')');
        let starts = before.chars().next_back().is_none_or(is_space);
        let upper = is_choice(c, Case::Upper) && starts;
        let emphasised = before.ends_with('*') && rest.starts_with('*');
        (in_parentheses || upper && (emphasised || ends(rest))).then_some(letter)
    })
}

/// Whether `rest` ends a letter: the end of the text, or a sign such as `.` before white space.
fn ends(rest: &str) -> bool {
    let rest = rest.trim_start_matches(is_emphasis);
    let Some(after) = rest.strip_prefix(['.', ')', ':']) else { return rest.trim_start().is_empty() };
    after.chars().next().is_none_or(is_space)
}
