//! A letter of a multiple choice, with or without what stands behind it.

use crate::parse::{Parsed, Parser};
use crate::token::Token;
use crate::value::Value;

impl Parser<'_, '_> {
    /// Passes `(B)`, `B.`, `B)` or `option B`, and what stands behind it. A bare letter may be a variable and is not passed.
    pub(super) fn choice(&mut self) -> Parsed<Option<Value>> {
        let start = self.at;
        if matches!(self.peek(), Some(Token::Word("option" | "Option" | "choice" | "Choice"))) {
            self.at += 1;
        }
        let named = self.at > start;
        let Some(letter) = self.letter(named) else {
            self.at = start;
            return Ok(None);
        };
        if self.peek().is_none() {
            return Ok(Some(Value::Choice(letter, None)));
        }
        while self.take(':') || self.take('.') || self.take(',') {}
        let content = self.at;
        match self.list() {
            Ok(value) if self.peek().is_none() => Ok(Some(Value::Choice(letter, Some(Box::new(value))))),
            // `(A)` may also begin a product, and `A.` be followed by words.
            _ if self.tokens[content..].iter().all(|l| matches!(l.token, Token::Word(_) | Token::Text(_))) => {
                self.at = self.tokens.len();
                Ok(Some(Value::Choice(letter, None)))
            }
            _ => {
                self.at = start;
                Ok(None)
            }
        }
    }

    fn letter(&mut self, named: bool) -> Option<char> {
        let (first, second, third) = (self.peek()?, self.peek_at(1), self.peek_at(2));
        let (letter, length) = match (first, second, third) {
            (Token::Symbol('('), Some(inside), Some(Token::Symbol(')'))) => (only(inside)?, 3),
            (Token::Letter(letter), Some(Token::Symbol('.' | ')' | ':')), _) => (letter, 2),
            (Token::Letter(letter), ..) if named => (letter, 1),
            (Token::Text(_), ..) => (only(first)?, 1),
            _ => return None,
        };
        let known = ('A'..='J').contains(&letter);
        self.at += if known { length } else { 0 };
        known.then_some(letter)
    }
}

/// The letter that a token is, brackets and a point left out.
fn only(token: Token<'_>) -> Option<char> {
    match token {
        Token::Letter(letter) => Some(letter),
        Token::Text(text) => {
            let mut letters = text.trim_matches(['(', ')', '.', ' ', ':']).chars();
            letters.next().filter(|_| letters.next().is_none())
        }
        _ => None,
    }
}
