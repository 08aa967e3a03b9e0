//! What a phrase names: the formulas right after it, or a few words up to the end of the sentence.

use std::borrow::Cow;

use super::formulas::Formulas;
use super::words::{first_word, is_emphasis, is_one_of, trimmed};

/// Words that start another clause, which is no part of an answer: "7, because".
const CLAUSES: &str = "because since as which so but not then when hence";
/// Words that make a sentence of its own, which names nothing.
const SENTENCES: &str = "is are was were has have had we let this that there can must will get";

/// What stands at `at`: the formula, with those joined to it, or the text up to the end of the sentence or of the clause.
/// `None` where that is empty, has more than `most_words` words, or is a sentence of its own.
pub(super) fn name<'a>(text: &'a str, at: usize, formulas: &Formulas, most_words: usize) -> Option<Cow<'a, str>> {
    if let Some(list) = formulas.list_at(text, at) {
        return (!list.is_empty()).then_some(list);
    }
    let end = name_end(text, at, formulas, most_words)?;
    let name = trimmed(text.get(at..end)?);
    (!name.is_empty()).then_some(name.into())
}

/// Where the sentence ends that `at` is in.
pub(super) fn sentence_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.char_indices().find(|(end, _)| rest.get(*end..).is_some_and(ends_sentence));
    at + end.map_or(rest.len(), |(end, _)| end)
}

/// Where the name ends that starts at `at`. It reads no further than the words of a name, so that a search which tries many
/// phrases takes linear time.
fn name_end(text: &str, at: usize, formulas: &Formulas, most_words: usize) -> Option<usize> {
    let mut formulas = formulas.from(at).iter().peekable();
    let mut rest = text.get(at..)?;
    let mut words = 0;
    while !rest.is_empty() && !ends_sentence(rest) {
        let here = text.len() - rest.len();
        if let Some(formula) = formulas.next_if(|formula| formula.span.start == here) {
            rest = text.get(formula.span.end..)?;
            continue;
        }
        let (word, after) = first_word(rest);
        if is_one_of(word, CLAUSES) {
            break;
        }
        words += usize::from(word.chars().nth(1).is_some());
        if words > most_words || is_one_of(word, SENTENCES) {
            return None;
        }
        rest = if word.is_empty() { after_sign(rest) } else { after };
    }
    Some(text.len() - rest.len())
}

/// Whether a sentence ends here: a line break, or a full stop or question mark before white space or the end. A decimal point
/// is none.
fn ends_sentence(rest: &str) -> bool {
    match rest.strip_prefix(['.', '?', '。']) {
        Some(after) => {
            after.trim_start_matches(|c| is_emphasis(c) || c == ')').chars().next().is_none_or(char::is_whitespace)
        }
        None => rest.starts_with(['\n', '。']),
    }
}

/// What follows the command or the character that `rest` starts with.
fn after_sign(rest: &str) -> &str {
    let mut chars = rest.chars();
    match chars.next() {
        Some('\\') => match first_word(chars.as_str()) {
            ("", after) => after.strip_prefix(['{', '}', '$', '\\']).unwrap_or(after),
            (_, after) => after,
        },
        _ => chars.as_str(),
    }
}
