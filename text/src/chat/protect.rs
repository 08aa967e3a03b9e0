//! Rendering with what is said kept apart from control tokens. The method is told at [`Chat`](super::Chat).

use std::collections::BTreeSet;
use std::ops::Range;

use crate::Token;
use crate::error::Result;
use crate::message::Message;
use crate::template::{ChatTemplate, Variables};
use crate::tokenizer::{Part, Tokenizer};

/// A rendered conversation: pieces of text, and of each whether names of control tokens in it are ordinary text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts(Vec<(String, bool)>);

impl Parts {
    pub(super) fn text(&self) -> String {
        self.0.iter().map(|(text, _)| text.as_str()).collect()
    }

    pub(super) fn encode(&self, tokenizer: &Tokenizer) -> Result<Vec<Token>> {
        let part = self.0.iter().map(|(text, plain)| if *plain { Part::Plain(text) } else { Part::Template(text) });
        tokenizer.encode_parts(&part.collect::<Vec<_>>())
    }

    /// What follows these parts, if they begin so.
    pub(super) fn after(&self, before: &Self) -> Option<Self> {
        let mut rest = self.0.as_slice();
        let (last, whole) = before.0.split_last()?;
        for part in whole {
            rest = rest.strip_prefix(std::slice::from_ref(part))?;
        }
        let ((text, plain), tail) = rest.split_first()?;
        let cut = text.strip_prefix(last.0.as_str()).filter(|_| *plain == last.1)?;
        Some(Self(std::iter::once((cut.to_string(), *plain)).chain(tail.iter().cloned()).collect()))
    }
}

/// The conversation as the template renders it.
pub(super) fn render(
    tokenizer: &Tokenizer,
    template: &ChatTemplate,
    messages: &[Message],
    variables: &Variables<'_>,
) -> Result<Parts> {
    let spans: Vec<Vec<Range<usize>>> = messages.iter().map(|m| names(tokenizer, &m.content)).collect();
    let contents = || messages.iter().map(|m| m.content.as_str());
    let cut = |(content, spans): (&str, &Vec<Range<usize>>)| -> Vec<String> {
        spans.iter().map(|span| content[span.clone()].to_string()).collect()
    };
    let distinct: BTreeSet<String> = contents().zip(&spans).flat_map(cut).collect();
    if distinct.is_empty() {
        return Ok(Parts(vec![(template.render(messages, variables)?, false)]));
    }
    let marks: Vec<(char, String)> = free(template, messages).zip(distinct).collect();
    let marked: Vec<Message> = messages.iter().zip(&spans).map(|(m, spans)| mark(m, spans, &marks)).collect();
    Ok(unmarked(&template.render(&marked, variables)?, &marks))
}

/// Characters for private use that neither the messages nor the template have.
fn free(template: &ChatTemplate, messages: &[Message]) -> impl Iterator<Item = char> {
    let private = '\u{f0000}'..='\u{ffffd}';
    let texts = messages.iter().map(|m| m.content.as_str()).chain([template.source()]);
    let used: BTreeSet<char> = texts.flat_map(str::chars).filter(|c| private.contains(c)).collect();
    private.filter(move |c| !used.contains(c))
}

fn mark(message: &Message, spans: &[Range<usize>], marks: &[(char, String)]) -> Message {
    let mut content = String::new();
    let mut end = 0;
    for span in spans {
        content.push_str(&message.content[end..span.start]);
        let name = &message.content[span.clone()];
        content.extend(marks.iter().find(|(_, text)| text == name).map(|(mark, _)| mark));
        end = span.end;
    }
    content.push_str(&message.content[end..]);
    Message { role: message.role, content }
}

fn unmarked(text: &str, marks: &[(char, String)]) -> Parts {
    let mut parts = vec![(String::new(), false)];
    for c in text.chars() {
        match marks.iter().find(|(mark, _)| *mark == c) {
            Some((_, name)) => parts.extend([(name.clone(), true), (String::new(), false)]),
            None => parts.last_mut().into_iter().for_each(|(text, _)| text.push(c)),
        }
    }
    Parts(parts)
}

/// Where a text has names of control tokens, the end of one at its beginning, or the beginning of one at its end. The
/// white space around it, which the template may trim, does not count.
fn names(tokenizer: &Tokenizer, text: &str) -> Vec<Range<usize>> {
    let mut spans = tokenizer.find_control(text);
    let inside = text.trim();
    let start = text.len() - text.trim_start().len();
    let end = start + inside.len();
    let control = || tokenizer.control().iter().map(|(_, name)| name.as_str());
    let head = control().map(|name| joint(name, inside)).max().unwrap_or(0);
    let tail = control().map(|name| joint(inside, name)).max().unwrap_or(0);
    let free = |span: &Range<usize>, spans: &[Range<usize>]| {
        !span.is_empty() && spans.iter().all(|other| span.end <= other.start || other.end <= span.start)
    };
    for span in [start..start + head, end - tail..end] {
        if free(&span, &spans) {
            spans.push(span);
        }
    }
    spans.sort_by_key(|span| span.start);
    spans
}

/// Length of the longest end of one text that is a beginning of the other, and not the whole of the control token.
fn joint(left: &str, right: &str) -> usize {
    let most = left.len().min(right.len());
    let fits = |length: &usize| right.get(..*length).is_some_and(|beginning| left.ends_with(beginning));
    (1..=most).rev().find(fits).unwrap_or(0)
}
