//! Words, emphasis and separators.

use std::borrow::Cow;

/// What stands between two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// Separators, and one of them joins: the parts are one list.
    Join,
    /// Nothing but space and delimiters.
    Space,
    /// Anything else.
    Text,
}

/// What `gap` is between two parts.
pub(super) fn between(gap: &str) -> Between {
    const SPACE: [&str; 19] = [
        "$", "\\(", "\\)", "\\[", "\\]", "\\\\", "\\,", "\\;", "\\:", "\\!", "\\ ", "\\quad", "\\qquad", "\\text", "{",
        "}", "*", "&", "~",
    ];
    const JOIN: [&str; 4] = [",", ";", "and", "or"];
    let mut found = Between::Space;
    let mut rest = gap.trim_start();
    while !rest.is_empty() {
        let (word, after) = first_word(rest);
        if let Some(after) = JOIN.iter().find_map(|sign| rest.strip_prefix(sign)).filter(|_| word.is_empty()) {
            (found, rest) = (Between::Join, after);
        } else if JOIN.contains(&word) {
            (found, rest) = (Between::Join, after);
        } else if let Some(after) = SPACE.iter().find_map(|sign| rest.strip_prefix(sign)) {
            rest = after;
        } else {
            return Between::Text;
        }
        rest = rest.trim_start();
    }
    found
}

/// A single part as it is, several as a list.
pub(super) fn joined<'a>(parts: &[&'a str]) -> Cow<'a, str> {
    match parts {
        [part] => Cow::Borrowed(part),
        parts => Cow::Owned(parts.join(", ")),
    }
}

/// The word that `text` starts with, empty where it starts with none, and the rest. A word is a run of letters, with
/// apostrophes inside.
pub(super) fn first_word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphabetic() && c != '\'' && c != '’').unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or(("", text))
}

/// The text before the word that ends `text`, white space and emphasis after it aside, and the word.
pub(super) fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end_matches(is_space);
    let length = text.chars().rev().take_while(|c| c.is_alphabetic()).map(char::len_utf8).sum::<usize>();
    text.split_at_checked(text.len() - length).unwrap_or((text, ""))
}

/// Whether `word` is one of the words of `list`, in any case.
pub(super) fn is_one_of(word: &str, list: &str) -> bool {
    list.split(' ').any(|other| word.eq_ignore_ascii_case(other))
}

/// Without emphasis and punctuation around it, and without a closing parenthesis that nothing opens.
pub(super) fn trimmed(text: &str) -> &str {
    let text = trimmed_end(text.trim_start_matches(|c: char| is_space(c) || c == ':'));
    match text.strip_suffix(')') {
        Some(rest) if text.matches(')').count() > text.matches(['(', '[']).count() => trimmed_end(rest),
        _ => text,
    }
}

/// Whether `c` is white space or emphasis.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || is_emphasis(c)
}

/// Whether `c` emphasises or quotes in running text and in Markdown.
pub(super) fn is_emphasis(c: char) -> bool {
    "*_`\"“”".contains(c)
}

fn trimmed_end(text: &str) -> &str {
    text.trim_end_matches(|c| is_space(c) || ".,;:?(".contains(c))
}
