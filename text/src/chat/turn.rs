//! What ends a turn, and answers that end with it.

use std::collections::BTreeMap;

use super::{Chat, question};
use crate::Token;
use crate::error::Result;
use crate::message::{Message, Role};
use crate::template::{ChatTemplate, Variables};
use crate::tokenizer::Tokenizer;

/// An answer that no template looks into: a character for private use.
const ANSWER: &str = "\u{10fffd}";

/// The first control token that the template writes after what an assistant says.
pub(super) fn end(tokenizer: &Tokenizer, template: &ChatTemplate, special: &BTreeMap<String, String>) -> Option<Token> {
    let conversation = [question(), Message::new(Role::Assistant, ANSWER)];
    let text = template.render(&conversation, &Variables { special: Some(special), ..Variables::default() }).ok()?;
    let (_, after) = text.rsplit_once(ANSWER)?;
    tokenizer.parse(after).ok()?.into_iter().find(|&token| tokenizer.is_control(token))
}

impl Chat {
    /// Tokens of an answer and of the token that ends it, as they follow a prompt: what a model is to learn to say.
    ///
    /// They are those that the template writes for the turn, its spaces included, when this holds the text whole but
    /// for white space around it. Otherwise (a template that drops thoughts from past turns, or begins the turn another
    /// way than it writes past ones) they are those of the text as it is, then [`Chat::end`].
    pub fn answer(&self, text: &str) -> Result<Vec<Token>> {
        let tokens = match self.rendered_answer(text)? {
            Some(tokens) => tokens,
            None => {
                let mut tokens = self.tokenizer.encode(text)?;
                tokens.push(self.end);
                tokens
            }
        };
        self.checked(tokens)
    }

    fn rendered_answer(&self, text: &str) -> Result<Option<Vec<Token>>> {
        let before = self.parts(&[question()], true)?;
        let Ok(whole) = self.parts(&[question(), Message::new(Role::Assistant, text)], false) else { return Ok(None) };
        let Some(rest) = whole.after(&before).filter(|rest| rest.text().contains(text.trim())) else { return Ok(None) };
        let before = before.encode(&self.tokenizer)?;
        let mut tokens = match whole.encode(&self.tokenizer)?.strip_prefix(before.as_slice()) {
            Some(tokens) => tokens.to_vec(),
            // A word that goes across the end of the prompt: the prompt's tokens are fixed, so the rest stands alone.
            None => rest.encode(&self.tokenizer)?,
        };
        match tokens.iter().position(|&token| token == self.end) {
            Some(position) => tokens.truncate(position + 1),
            None => tokens.push(self.end),
        }
        Ok(Some(tokens))
    }
}
