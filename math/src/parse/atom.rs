//! Atoms and what is bound to them: powers, subscripts, factorials.

use num_bigint::BigInt;
use num_traits::Num;

use crate::expr::{Constant, Expr, Function};
use crate::parse::bracket::REALS;
use crate::parse::name::spelled;
use crate::parse::{Parsed, Parser, Unreadable};
use crate::token::{Literal, Token};
use crate::value::{Scalar, Value};

/// Most marks behind one atom.
const MARKS: usize = 20;

/// Greek letters that are variables.
#[rustfmt::skip]
const GREEK: [&str; 34] = [
    "alpha", "beta", "gamma", "delta", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "rho", "sigma", "tau", "upsilon", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi",
    "Sigma", "Phi", "Psi", "Omega", "ell", "hbar",
];

/// Commands that make a name of what they stand over.
#[rustfmt::skip]
const ACCENTS: [&str; 15] = [
    "overline", "bar", "vec", "overrightarrow", "hat", "widehat", "tilde", "widetilde", "dot", "ddot", "mathcal", "mathscr",
    "mathfrak", "underline", "angle",
];

impl<'a> Parser<'_, 'a> {
    /// Whether the next token can be a factor without a sign before it.
    pub(super) fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(Token::Letter(_) | Token::Symbol('(' | '{' | '√')) => true,
            Some(Token::Symbol('|')) => self.bars == 0,
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

    /// Whether a bracket or group ends right before, so that a number can follow as a factor.
    fn after_close(&self) -> bool {
        matches!(self.previous(), Some(Token::Symbol(')' | '}' | ']')))
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

    fn number(&mut self, literal: Literal<'_>) -> Parsed<Value> {
        if self.is('_') {
            return self.in_base(&literal);
        }
        let number = literal.value().ok_or(Unreadable::TooLarge)?;
        let whole = Expr::Number(number);
        Ok(Value::plain(match self.mixed(&literal) {
            Some(part) => Expr::Sum(vec![whole, part]),
            None => whole,
        }))
    }

    /// The fraction below 1 behind an integer, as in `1\frac{2}{3}` or `1 2/3`.
    fn mixed(&mut self, whole: &Literal<'_>) -> Option<Expr> {
        if !whole.is_integer() {
            return None;
        }
        let start = self.at;
        let fraction = match self.peek()? {
            Token::Command("frac") => {
                self.at += 1;
                self.fraction().ok()
            }
            Token::Number(above) if self.is_spaced() => {
                let Some(Token::Number(below)) = self.peek_at(2) else { return None };
                let slash = self.peek_at(1) == Some(Token::Symbol('/'));
                self.at += 3;
                let parts = (above.value()?.value, below.value()?.value);
                slash.then(|| Expr::Quotient(Box::new(Expr::rational(parts.0)), Box::new(Expr::rational(parts.1))))
            }
            _ => return None,
        };
        let proper = fraction.filter(|fraction| match fraction {
            Expr::Quotient(above, below) => match (above.number(), below.number()) {
                (Some(above), Some(below)) => above.is_integer() && below.is_integer() && above < below,
                _ => false,
            },
            _ => false,
        });
        if proper.is_none() {
            self.at = start;
        }
        proper
    }

    /// `204_5`: digits in another base.
    fn in_base(&mut self, literal: &Literal<'_>) -> Parsed<Value> {
        self.at += 1;
        let base = self.script()?;
        let base =
            base.number().filter(|base| base.is_integer()).and_then(|base| u32::try_from(base.to_integer()).ok());
        let base =
            base.filter(|base| (2..=36).contains(base) && literal.is_integer()).ok_or_else(|| self.unexpected())?;
        let digits = literal.digits();
        let value = BigInt::from_str_radix(&digits, base).map_err(|_| self.unexpected())?;
        Ok(Value::Scalar(Scalar { expr: Expr::integer(value), unit: None, base: Some((digits, base)) }))
    }

    fn letter_atom(&mut self, letter: char) -> Parsed<Value> {
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
    fn symbol(&mut self, mut name: String) -> Parsed<Value> {
        while self.take('_') {
            name.push('_');
            name += &self.spelling()?;
        }
        Ok(Value::plain(Expr::Symbol(name)))
    }

    /// A group or token as it is spelled.
    fn spelling(&mut self) -> Parsed<String> {
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

    fn accented(&mut self, accent: &str) -> Parsed<Value> {
        let inside = self.spelling()?;
        self.symbol(format!("\\{accent} {inside}"))
    }

    /// `\mathbb{R}` and the other sets of numbers.
    fn number_set(&mut self) -> Parsed<Value> {
        let name = self.spelling()?;
        match name.as_str() {
            "R" => Ok(Value::plain(Expr::Symbol(REALS.to_owned()))),
            _ => self.symbol(format!("{name} (numbers)")),
        }
    }

    /// What follows `\frac`. A derivative such as `\frac{dx}{dt}` is one symbol.
    fn fraction(&mut self) -> Parsed<Expr> {
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

/// Numbers that are written out.
fn number_word(word: &str) -> Option<u32> {
    const NUMBERS: [&str; 21] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
        "twenty",
    ];
    NUMBERS.iter().position(|number| number.eq_ignore_ascii_case(word)).map(|n| n as u32)
}
