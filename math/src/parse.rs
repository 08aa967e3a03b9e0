//! From tokens to values: lists, relations, sums, products, powers.
//!
//! A recursive descent, one function for each level of precedence, from lists down to atoms. Depth and size are bounded. Where
//! `±` occurs, the item around it is read once for each sign.

mod arithmetic;
mod atom;
mod bracket;
mod choice;
mod function;
mod matrix;
mod name;
mod number;
mod quantity;
mod relation;
mod symbol;
mod words;

pub(crate) use bracket::REALS;

use std::fmt;

use crate::limits::{DEPTH, NODES};
use crate::token::{Lexeme, Token};
use crate::value::Value;

/// Why an answer was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nothing is there.
    Empty,
    /// Something stands where it cannot.
    Unexpected(String),
    /// The answer ends too early.
    Unfinished,
    /// More nesting, digits or nodes than are read.
    TooLarge,
}

/// Result of reading a part.
type Parsed<T> = Result<T, Unreadable>;

/// What tokens say.
#[derive(Debug)]
pub(crate) struct Parse {
    /// The value.
    pub value: Value,
    /// Whether `a/bc` occurs, which some read as `a/(bc)` and others as `(a/b)c`.
    pub ambiguous: bool,
}

/// Reads all tokens.
pub(crate) fn parse(tokens: &[Lexeme<'_>]) -> Parsed<Parse> {
    let tokens = words::split(tokens);
    if tokens.is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut parser =
        Parser { tokens: &tokens, at: 0, depth: 0, nodes: 0, bar: Bar::Opens, sign: None, ambiguous: false };
    let value = match parser.choice()? {
        Some(choice) => choice,
        None => parser.list()?,
    };
    match parser.peek() {
        None => Ok(Parse { value, ambiguous: parser.ambiguous }),
        Some(_) => Err(parser.unexpected()),
    }
}

/// The tokens without a box around all of them, and without what may stand behind an answer.
pub(crate) fn bare<'t, 'a>(mut tokens: &'t [Lexeme<'a>]) -> &'t [Lexeme<'a>] {
    loop {
        let end = tokens.iter().rposition(|lexeme| !is_end(lexeme.token)).map_or(0, |last| last + 1);
        tokens = &tokens[..end];
        let boxed = matches!(tokens.first(), Some(Lexeme { token: Token::Command("boxed" | "fbox" | "framebox"), .. }));
        match words::end_of_group(tokens, 1) {
            Some(close) if boxed && close == tokens.len() && tokens.len() > 3 => tokens = &tokens[2..close - 1],
            _ => return tokens,
        }
    }
}

/// What may stand behind an answer without being part of it.
fn is_end(token: Token<'_>) -> bool {
    matches!(token, Token::Symbol('.' | ',' | ';' | ':') | Token::Command("\\"))
}

struct Parser<'t, 'a> {
    tokens: &'t [Lexeme<'a>],
    at: usize,
    depth: usize,
    nodes: usize,
    bar: Bar,
    /// How the `±` of the current item are read; `None` where none occurred yet.
    sign: Option<Choose>,
    ambiguous: bool,
}

/// What `|` does behind an expression.
#[derive(Clone, Copy, PartialEq)]
enum Bar {
    /// It opens another factor.
    Opens,
    /// It closes an absolute value, or stands before the conditions of a set.
    Closes,
}

/// How `±` is read.
#[derive(Clone, Copy, PartialEq)]
enum Choose {
    Plus,
    Minus,
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).map(|lexeme| lexeme.token)
    }

    fn is_spaced(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|lexeme| lexeme.spaced)
    }

    fn is(&self, symbol: char) -> bool {
        self.peek() == Some(Token::Symbol(symbol))
    }

    fn is_command(&self, name: &str) -> bool {
        self.peek() == Some(Token::Command(name))
    }

    /// Passes the symbol if it stands next.
    fn take(&mut self, symbol: char) -> bool {
        let there = self.is(symbol);
        self.at += usize::from(there);
        there
    }

    fn take_command(&mut self, name: &str) -> bool {
        let there = self.is_command(name);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, symbol: char) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Unreadable {
        let Some(token) = self.peek() else { return Unreadable::Unfinished };
        Unreadable::Unexpected(match token {
            Token::Number(literal) => literal.digits().chars().take(20).collect(),
            Token::Letter(c) | Token::Symbol(c) => c.to_string(),
            Token::Word(text) | Token::Text(text) => text.chars().take(20).collect(),
            Token::Command(name) => format!("\\{}", name.chars().take(20).collect::<String>()),
        })
    }

    /// Counts a node of the tree.
    fn node(&mut self) -> Parsed<()> {
        self.nodes += 1;
        if self.nodes > NODES { Err(Unreadable::TooLarge) } else { Ok(()) }
    }

    /// One level deeper.
    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= DEPTH {
            return Err(Unreadable::TooLarge);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Reads a part in which `|` does this.
    fn with_bar<T>(&mut self, bar: Bar, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        let outer = std::mem::replace(&mut self.bar, bar);
        let result = read(self);
        self.bar = outer;
        result
    }

    /// Values with commas between them.
    fn values(&mut self) -> Parsed<Vec<Value>> {
        self.with_bar(Bar::Opens, |parser| {
            let mut items = vec![parser.relation()?];
            while parser.take(',') || parser.take(';') {
                parser.node()?;
                items.push(parser.relation()?);
            }
            Ok(items)
        })
    }

    /// Items with commas or words between them.
    fn list(&mut self) -> Parsed<Value> {
        let mut items = vec![self.item()?];
        while self.separator() {
            items.push(self.item()?);
        }
        Ok(match (items.pop(), items.is_empty()) {
            (Some(one), true) => one,
            (last, _) => Value::List(flat(items.into_iter().chain(last).collect())),
        })
    }

    /// Passes what separates items.
    fn separator(&mut self) -> bool {
        let start = self.at;
        while let Some(token) = self.peek() {
            match token {
                Token::Symbol(',' | ';') | Token::Command("\\" | "wedge" | "vee" | "&") => self.at += 1,
                Token::Word("and" | "or") => self.at += 1,
                Token::Text(text) if is_conjunction(text) => self.at += 1,
                _ => break,
            }
        }
        self.at > start
    }

    /// One value, or two where `±` occurs in it.
    fn item(&mut self) -> Parsed<Value> {
        let (start, outer) = (self.at, self.sign.take());
        let first = self.relation();
        let occurred = self.sign.is_some();
        let result = match first {
            Ok(first) if occurred => {
                self.at = start;
                self.sign = Some(Choose::Minus);
                self.relation().map(|second| Value::List(flat(vec![first, second])))
            }
            other => other,
        };
        self.sign = outer;
        result
    }
}

/// Lists in a list are part of it.
fn flat(items: Vec<Value>) -> Vec<Value> {
    let parts = |item| match item {
        Value::List(inner) => inner,
        other => vec![other],
    };
    items.into_iter().flat_map(parts).collect()
}

/// Words that separate items.
fn is_conjunction(text: &str) -> bool {
    matches!(text.trim_matches([',', ' ']), "and" | "or" | "" | "and/or" | "or else")
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Empty => f.write_str("nothing is there"),
            Unreadable::Unexpected(what) => write!(f, "`{what}` is not expected there"),
            Unreadable::Unfinished => f.write_str("it ends too early"),
            Unreadable::TooLarge => f.write_str("it is too large"),
        }
    }
}
