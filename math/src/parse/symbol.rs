//! Symbols: letters with subscripts and accents, and what looks like one.

use crate::expr::{Constant, Expr, Function};
use crate::parse::bracket::REALS;
use crate::parse::name::spelled;
use crate::parse::{Parsed, Parser, Unreadable};
use crate::token::Token;
use crate::value::Value;

/// Greek letters that are variables.
#[rustfmt::skip]
pub(super) const GREEK: [&str; 34] = [
    "alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "rho", "sigma", "tau", "upsilon", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi",
    "Sigma", "Phi", "Psi", "Omega", "ell", "hbar",
];

/// Commands that make a name of what they stand over.
#[rustfmt::skip]
pub(super) const ACCENTS: [&str; 15] = [
    "overline", "bar", "vec", "overrightarrow", "hat", "widehat", "tilde", "widetilde", "dot", "ddot", "mathcal", "mathscr",
    "mathfrak", "underline", "angle",
];

impl Parser<'_, '_> {
    pub(super) fn letter_atom(&mut self, letter: char) -> Parsed<Value> {
        if letter == 'C'
            && self.is('_')
            && let Some(binomial) = self.chosen()
        {
            return Ok(binomial);
        }
        if let Some(value) = self.value_at_number(letter) {
            return Ok(value);
        }
        match letter {
            'e' if !self.is('_') => Ok(Value::plain(Expr::Constant(Constant::E))),
            'i' if !self.is('_') => Ok(Value::plain(Expr::Constant(Constant::I))),
            _ => self.symbol(letter.to_string()),
        }
    }

    /// `f(0)`: the value of a function, rather than a product.
    fn value_at_number(&mut self, letter: char) -> Option<Value> {
        let tokens = (self.peek()?, self.peek_at(1)?, self.peek_at(2)?);
        let (Token::Symbol('('), Token::Number(number), Token::Symbol(')')) = tokens else { return None };
        self.at += 3;
        let mut name = format!("{letter}(");
        number.write(&mut name);
        Some(Value::plain(Expr::Symbol(name + ")")))
    }

    /// `C_n^k`: a binomial coefficient.
    fn chosen(&mut self) -> Option<Value> {
        let start = self.at;
        let parts = (|| {
            self.at += 1;
            let n = self.script().ok()?;
            let k = self.take('^').then(|| self.script().ok())??;
            Some(Value::plain(Expr::Call(Function::Binomial, vec![n, k])))
        })();
        if parts.is_none() {
            self.at = start;
        }
        parts
    }

    /// A symbol with its subscript.
    pub(super) fn symbol(&mut self, mut name: String) -> Parsed<Value> {
        while self.take('_') {
            name.push('_');
            name += &self.spelling()?;
        }
        Ok(Value::plain(Expr::Symbol(name)))
    }

    /// A group or token as it is spelled.
    pub(super) fn spelling(&mut self) -> Parsed<String> {
        let start = self.at;
        if !self.take('{') {
            self.peek().ok_or(Unreadable::Unfinished)?;
            self.at += 1;
            return Ok(spelled(&self.tokens[start..self.at]));
        }
        let mut depth = 1;
        while depth > 0 {
            match self.peek().ok_or(Unreadable::Unfinished)? {
                Token::Symbol('{') => depth += 1,
                Token::Symbol('}') => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Ok(spelled(&self.tokens[start + 1..self.at - 1]))
    }

    pub(super) fn accented(&mut self, accent: &str) -> Parsed<Value> {
        let inside = self.spelling()?;
        self.symbol(format!("\\{accent} {inside}"))
    }

    /// `\mathbb{R}` and the other sets of numbers.
    pub(super) fn number_set(&mut self) -> Parsed<Value> {
        let name = self.spelling()?;
        match name.as_str() {
            "R" => Ok(Value::plain(Expr::Symbol(REALS.to_owned()))),
            _ => self.symbol(format!("{name} (numbers)")),
        }
    }
}
