//! What follows the usual phrases: "the final answer is 7", "**Answer:** 7", "the correct option is (B)", "#### 7".
//!
//! A phrase is a noun ("answer", or "option" or "choice" after "correct"), up to some words between, and a link: a form of
//! "is", a colon, an equals sign, or the end of a heading. The last phrase that names something wins. A phrase that denies, as
//! in "the answer is not 7", ends the search: what was said before it is no longer the answer.

use super::formulas::Formulas;
use super::names::{name, sentence_end};
use super::words::{first_word, is_one_of, is_space, last_word};
use super::{Found, Place};

/// What the last phrase of a text says.
pub(super) enum Last<'a> {
    /// An answer.
    Answer(Found<'a>),
    /// What the answer is not, in a sentence that ends at this offset.
    Denial(usize),
    /// There is no phrase.
    None,
}

/// The last phrase of a text.
pub(super) fn last<'a>(text: &'a str, formulas: &Formulas) -> Last<'a> {
    let offset = |rest: &str| text.len() - rest.len();
    let starts = text.bytes().enumerate().rev().filter(|(_, byte)| b"#aAoOcC".contains(byte)).map(|(at, _)| at);
    for at in starts {
        let (link, place, most_words) = match (after_hashes(text, at), after_noun(text, at)) {
            (Some(rest), _) => (Link::To(rest.trim_start_matches([' ', '\t'])), Place::Hashes, 0),
            (None, Some(rest)) => (link(text.get(..at).unwrap_or_default(), rest), Place::Phrase, MOST_WORDS),
            (None, None) => continue,
        };
        match link {
            Link::To(rest) => {
                if let Some(text) = name(text, offset(rest), formulas, most_words) {
                    return Last::Answer(Found { text, by: place });
                }
            }
            Link::Denial(rest) => return Last::Denial(sentence_end(text, offset(rest))),
            Link::None => {}
        }
    }
    Last::None
}

/// Most words of an answer.
const MOST_WORDS: usize = 5;
/// Most words between the noun and the link.
const MOST_BETWEEN: usize = 10;
/// What the words between can start with: "the answer to the problem is".
const BETWEEN: &str = "to of for in as should must would will can turns comes therefore thus then here choice option";
/// Verbs that link.
const LINKS: &str = "is are was were be equals";
/// What may stand between the link and the answer.
const FILLERS: &str = "probably likely simply just thus therefore then hence indeed clearly now also still again actually really \
    exactly approximately about roughly given found written expressed as follows below by to be equal option \
    choice letter and so";
/// What is said of an answer instead of naming it: "the answer is correct".
const JUDGEMENTS: &str = "correct incorrect right wrong clear unclear obvious valid invalid consistent reasonable verified confirmed \
    known unknown ambiguous same in required";
/// What makes a phrase a condition: "if the answer is 7".
const CONDITIONS: &str = "if whether unless suppose assume assuming until";
/// What may stand between a condition and its noun.
const ARTICLES: &str = "the final an our my correct";
/// The other words of a heading over an answer.
const HEADINGS: &str = "the final my short correct numerical";

/// How a noun is linked to what follows.
enum Link<'a> {
    To(&'a str),
    Denial(&'a str),
    None,
}

/// What follows the hashes of a line that starts with `####` at `at`.
fn after_hashes(text: &str, at: usize) -> Option<&str> {
    let rest = text.get(at..)?.strip_prefix("####").filter(|rest| !rest.starts_with('#'))?;
    let before = text.get(..at)?.trim_end_matches([' ', '\t']);
    (before.is_empty() || before.ends_with('\n')).then_some(rest)
}

/// What follows the noun at `at`.
fn after_noun(text: &str, at: usize) -> Option<&str> {
    let (before, rest) = (text.get(..at)?, text.get(at..)?);
    let is_noun = |noun: &&str| rest.get(..noun.len()).is_some_and(|word| word.eq_ignore_ascii_case(noun));
    let noun = ["answer", "option", "choice"].into_iter().find(is_noun)?;
    let rest = rest.get(noun.len()..)?;
    let rest = rest.strip_prefix("(s)").or(rest.strip_prefix(['s', 'S'])).unwrap_or(rest);
    let in_word = |c: char| c.is_alphabetic() || "'’".contains(c);
    let whole = !before.ends_with(in_word) && !rest.starts_with(in_word);
    let judged = || is_one_of(last_word(before).1, "correct right best");
    (whole && (noun == "answer" || judged())).then_some(rest)
}

/// The link that follows a noun between `before` and `rest`.
fn link<'a>(before: &str, mut rest: &'a str) -> Link<'a> {
    if is_condition(before) {
        return Link::None;
    }
    if ends_heading(before, rest) {
        return linked(rest);
    }
    for count in 0..MOST_BETWEEN {
        rest = rest.trim_start_matches(|c: char| is_space(c) || c.is_ascii_digit() || "(),".contains(c));
        if let Some(rest) = rest.strip_prefix([':', '=', '：']) {
            return linked(rest);
        }
        let (word, after) = first_word(rest);
        if denies(word) {
            return Link::Denial(after);
        }
        if is_one_of(word, LINKS) {
            return linked(after);
        }
        if word.is_empty() || count == 0 && !is_one_of(word, BETWEEN) {
            return Link::None;
        }
        rest = after;
    }
    Link::None
}

/// The link whose verb or sign stands before `rest`.
fn linked(mut rest: &str) -> Link<'_> {
    loop {
        let start = rest.trim_start_matches(|c: char| is_space(c) || ":：,".contains(c));
        let skipped = rest.get(..rest.len() - start.len()).unwrap_or_default();
        let start = start.strip_prefix("- ").filter(|_| skipped.contains('\n')).unwrap_or(start);
        let (word, after) = first_word(start);
        if denies(word) {
            return Link::Denial(after);
        }
        if start.is_empty() || is_one_of(word, JUDGEMENTS) {
            return Link::None;
        }
        if !is_one_of(word, FILLERS) {
            return Link::To(start);
        }
        rest = after;
    }
}

fn denies(word: &str) -> bool {
    is_one_of(word, "not never neither cannot") || word.ends_with("n't") || word.ends_with("n’t")
}

/// Whether `before` makes what follows a condition.
fn is_condition(mut before: &str) -> bool {
    for _ in 0..3 {
        let (rest, word) = last_word(before);
        if is_one_of(word, CONDITIONS) {
            return true;
        }
        if !is_one_of(word, ARTICLES) {
            return false;
        }
        before = rest;
    }
    false
}

/// Whether the noun between `before` and `rest` ends a heading, such as `**Final Answer**` on a line of its own.
fn ends_heading(before: &str, rest: &str) -> bool {
    let line_ends = rest.trim_start_matches(|c: char| c != '\n' && (is_space(c) || c == '#')).starts_with('\n');
    let line = || before.rsplit('\n').next().unwrap_or_default();
    let words = || line().split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    line_ends && words().all(|word| is_one_of(word, HEADINGS))
}
