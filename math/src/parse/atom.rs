//! Atoms and what is bound to them: powers, subscripts, factorials.

use crate::expr::{Constant, Expr, Function};
use crate::parse::number::number_word;
use crate::parse::symbol::{ACCENTS, GREEK};
use crate::parse::{Bar, Parsed, Parser, Unreadable};
use crate::token::Token;
use crate::value::Value;

/// Most marks behind one atom.
const MARKS: usize = 20;

impl<'a> Parser<'_, 'a> {
    /// Whether the next token can be a factor without a sign before it.
    pub(super) fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(Token::Letter(_) | Token::Symbol('(' | '{' | '√')) => true,
            Some(Token::Symbol('|')) => self.bar == Bar::Opens,
            Some(Token::Symbol('[')) => self.is_grouping(),
            Some(Token::Number(_)) => {
                !matches!(self.previous(), Some(Token::Number(_))) && self.at > 0 && self.after_close()
            }
            Some(Token::Command(name)) => {
                name == "frac"
                    || matches!(
                        name,
                        "pi" | "Pi" | "infty" | "lfloor" | "lceil" | "partial" | "mathrm" | "boxed" | "fbox" | "nabla"
                    )
                    || GREEK.contains(&name)
                    || ACCENTS.contains(&name)
                    || super::function::is_function(name)
            }
            _ => false,
        }
    }

    /// Whether a square bracket groups one expression, rather than beginning an interval.
    fn is_grouping(&self) -> bool {
        let mut depth = 0_usize;
        for lexeme in self.tokens.iter().skip(self.at) {
            match lexeme.token {
                Token::Symbol('(' | '[' | '{') => depth += 1,
                Token::Symbol(close @ (')' | ']' | '}')) => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return close == ']';
                    }
                }
                Token::Symbol(',' | ';') if depth == 1 => return false,
                _ => {}
            }
        }
        false
    }

    fn previous(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at.checked_sub(1)?).map(|lexeme| lexeme.token)
    }

    /// Whether a bracket, group or factorial ends right before, so that a number can follow as a factor.
    fn after_close(&self) -> bool {
        matches!(self.previous(), Some(Token::Symbol(')' | '}' | ']' | '!')))
    }

    /// An atom with its powers, subscripts and factorials.
    pub(super) fn power(&mut self) -> Parsed<Value> {
        self.deeper(|parser| {
            let mut value = parser.atom()?;
            for _ in 0..MARKS {
                value = match parser.peek() {
                    Some(Token::Symbol('^')) => parser.raised(value)?,
                    Some(Token::Symbol('!')) if !parser.is_unequal() => parser.factorial(value)?,
                    Some(Token::Symbol('\'')) => {
                        parser.at += 1;
                        parser.primed(value, 1)?
                    }
                    _ => return Ok(value),
                };
            }
            Err(Unreadable::TooLarge)
        })
    }

    fn is_unequal(&self) -> bool {
        self.peek_at(1) == Some(Token::Symbol('='))
    }

    fn factorial(&mut self, value: Value) -> Parsed<Value> {
        self.at += 1;
        let function = if self.take('!') { Function::DoubleFactorial } else { Function::Factorial };
        Ok(Value::plain(Expr::Call(function, vec![self.scalar(value)?])))
    }

    /// What follows a caret: a power, a degree sign, primes.
    fn raised(&mut self, value: Value) -> Parsed<Value> {
        self.at += 1;
        let start = self.at;
        let braced = self.take('{');
        if self.take_command("circ") || self.take('°') {
            if braced {
                self.expect('}')?;
            }
            let expr = self.scalar(value)?;
            return Ok(Value::plain(Expr::Product(vec![expr, Expr::Constant(Constant::Degree)])));
        }
        let mut primes = 0;
        while self.take_command("prime") || self.take('\'') {
            primes += 1;
        }
        if primes > 0 {
            if braced {
                self.expect('}')?;
            }
            return self.primed(value, primes);
        }
        self.at = start;
        let base = self.scalar(value)?;
        self.node()?;
        let exponent = self.exponent()?;
        Ok(Value::plain(Expr::Power(Box::new(base), Box::new(exponent))))
    }

    fn primed(&mut self, value: Value, primes: usize) -> Parsed<Value> {
        match value.into_expr() {
            Some(Expr::Symbol(name)) => Ok(Value::plain(Expr::Symbol(format!("{name}{}", "'".repeat(primes))))),
            _ => Err(self.unexpected()),
        }
    }

    /// A group, or one atom with its sign; in plain text `2^3^2` is `2^(3^2)`.
    fn exponent(&mut self) -> Parsed<Expr> {
        let negative = self.take('-');
        let grouped = self.is('{');
        let value = self.deeper(|parser| if grouped { parser.atom() } else { parser.power() })?;
        let expr = self.scalar(value)?;
        Ok(if negative { expr.negated() } else { expr })
    }

    /// What a command takes as its argument: a group, or one token; of digits in a row only the first.
    pub(super) fn script(&mut self) -> Parsed<Expr> {
        let negative = self.take('-');
        let value = self.deeper(Self::atom)?;
        let expr = self.scalar(value)?;
        Ok(if negative { expr.negated() } else { expr })
    }

    /// A number, a symbol, a function with its arguments, or what stands in brackets.
    pub(super) fn atom(&mut self) -> Parsed<Value> {
        self.node()?;
        let Some(token) = self.peek() else { return Err(Unreadable::Unfinished) };
        let before = self.at;
        self.at += 1;
        match token {
            Token::Number(literal) => self.number(literal),
            Token::Letter(letter) => self.letter_atom(letter),
            Token::Symbol('(') => self.deeper(|parser| parser.bracket('(')),
            Token::Symbol('[') => self.deeper(|parser| parser.bracket('[')),
            Token::Symbol('{') => self.deeper(Self::group),
            Token::Symbol('|') => self.deeper(Self::absolute),
            Token::Symbol('√') => self.function("sqrt").unwrap_or(Err(Unreadable::Unfinished)).map(Value::plain),
            Token::Command(name) => self.command(name, before),
            Token::Word(word) | Token::Text(word) => match number_word(word) {
                Some(number) => Ok(Value::plain(Expr::integer(number))),
                None => {
                    self.at = before;
                    Err(self.unexpected())
                }
            },
            Token::Symbol(_) => {
                self.at = before;
                Err(self.unexpected())
            }
        }
    }

    fn command(&mut self, name: &'a str, before: usize) -> Parsed<Value> {
        if let Some(call) = self.function(name) {
            return call.map(Value::plain);
        }
        match name {
            "{" => self.deeper(Self::set),
            "frac" => self.fraction().map(Value::plain),
            "pi" => Ok(Value::plain(Expr::Constant(Constant::Pi))),
            "infty" => Ok(Value::plain(Expr::Constant(Constant::Infinity))),
            "lfloor" => self.deeper(|parser| parser.rounded(Function::Floor, "rfloor")),
            "lceil" => self.deeper(|parser| parser.rounded(Function::Ceiling, "rceil")),
            "langle" => self.deeper(|parser| parser.bracket('<')),
            "emptyset" => Ok(Value::Set(Vec::new())),
            "boxed" | "fbox" | "framebox" => self.deeper(Self::atom),
            "begin" => self.environment(),
            "mathbb" | "mathbf" => self.number_set(),
            _ if ACCENTS.contains(&name) => self.accented(name),
            _ if GREEK.contains(&name) || name == "Pi" || name == "nabla" => self.symbol(format!("\\{name}")),
            _ => {
                self.at = before;
                Err(self.unexpected())
            }
        }
    }

    /// What follows `\frac`. A derivative such as `\frac{dx}{dt}` is one symbol.
    pub(super) fn fraction(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let (above, below) = (self.spelling()?, self.spelling()?);
        let is_derivative = |part: &str| (part.starts_with('d') && part.len() > 1) || part.starts_with("\\partial ");
        if is_derivative(&above) && is_derivative(&below) {
            return Ok(Expr::Symbol(format!("{above}/{below}")));
        }
        self.at = start;
        self.node()?;
        Ok(Expr::Quotient(Box::new(self.script()?), Box::new(self.script()?)))
    }
}
