//! From tokens to values: lists, relations, sums, products, powers.
//!
//! A recursive descent, one function for each level of precedence, from lists down to atoms. Depth and size are bounded. Where
//! `±` occurs, the item around it is read once for each sign.

mod atom;
mod bracket;
mod choice;
mod function;
mod matrix;
mod name;
mod quantity;
mod words;

pub(crate) use bracket::REALS;

use std::fmt;

use crate::expr::Expr;
use crate::limits::{DEPTH, NODES};
use crate::token::{Lexeme, Token};
use crate::value::{Combination, Relation, Scalar, Side, Sign, Value};

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
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, nodes: 0, bars: 0, sign: None, ambiguous: false };
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
pub(crate) fn bare<'t, 'a>(tokens: &'t [Lexeme<'a>]) -> &'t [Lexeme<'a>] {
    let end = tokens.iter().rposition(|lexeme| !is_end(lexeme.token)).map_or(0, |last| last + 1);
    let tokens = &tokens[..end];
    let boxed = matches!(tokens.first(), Some(Lexeme { token: Token::Command("boxed" | "fbox" | "framebox"), .. }));
    match words::end_of_group(tokens, 1) {
        Some(close) if boxed && close == tokens.len() && tokens.len() > 3 => bare(&tokens[2..close - 1]),
        _ => tokens,
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
    /// Open `|`: in them another one closes.
    bars: usize,
    /// How the `±` of the current item are read; `None` where none occurred yet.
    sign: Option<Choose>,
    ambiguous: bool,
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

    /// Sides with `=`, `<` and the like between them.
    fn relation(&mut self) -> Parsed<Value> {
        self.deeper(|parser| {
            let mut sides = vec![parser.first_side()?];
            let mut signs = Vec::new();
            while let Some(sign) = parser.relation_sign() {
                signs.push(sign);
                sides.push(match parser.words_name() {
                    Some(name) => name,
                    None => Side::of(parser.combination()?),
                });
            }
            match sides.pop() {
                Some(Side::Value(value)) if sides.is_empty() => Ok(value),
                Some(Side::Name(_, Some(expr))) if sides.is_empty() => Ok(Value::plain(expr)),
                Some(last) => {
                    sides.push(last);
                    Ok(Value::Relation(Relation { sides, signs }))
                }
                None => Err(Unreadable::Empty),
            }
        })
    }

    fn first_side(&mut self) -> Parsed<Side> {
        match self.name() {
            Some(name) => Ok(name),
            None => self.combination().map(Side::of),
        }
    }

    fn relation_sign(&mut self) -> Option<Sign> {
        let sign = match self.peek()? {
            Token::Symbol('=') if self.peek_at(1) == Some(Token::Symbol('<')) => self.second(Sign::LessEqual),
            Token::Symbol('=') => Sign::Equal,
            Token::Symbol('<') if self.peek_at(1) == Some(Token::Symbol('=')) => self.second(Sign::LessEqual),
            Token::Symbol('>') if self.peek_at(1) == Some(Token::Symbol('=')) => self.second(Sign::GreaterEqual),
            Token::Symbol('<') => Sign::Less,
            Token::Symbol('>') => Sign::Greater,
            Token::Command(name) => match name {
                "leq" => Sign::LessEqual,
                "geq" => Sign::GreaterEqual,
                "neq" => Sign::Unequal,
                "approx" | "simeq" => Sign::About,
                "in" => Sign::In,
                "equiv" => Sign::Other("is congruent to"),
                "parallel" => Sign::Other("is parallel to"),
                "perp" => Sign::Other("is perpendicular to"),
                "cong" => Sign::Other("is congruent with"),
                "sim" => Sign::Other("is similar to"),
                "subset" => Sign::Other("is a subset of"),
                "subseteq" => Sign::Other("is a subset of or equal to"),
                "propto" => Sign::Other("is proportional to"),
                "mid" => Sign::Other("divides"),
                _ => return None,
            },
            _ => return None,
        };
        self.at += 1;
        Some(sign)
    }

    /// A sign of two characters: the first is passed here.
    fn second(&mut self, sign: Sign) -> Sign {
        self.at += 1;
        sign
    }

    /// Sets with `\cup` and the like between them.
    fn combination(&mut self) -> Parsed<Value> {
        let mut value = self.sum()?;
        loop {
            let how = match self.peek() {
                Some(Token::Command("cup")) => Combination::Union,
                Some(Token::Command("cap")) => Combination::Intersection,
                Some(Token::Command("setminus")) => Combination::Difference,
                _ => return Ok(value),
            };
            self.at += 1;
            self.node()?;
            let next = self.sum()?;
            value = match value {
                Value::Combined(same, mut parts) if same == how => {
                    parts.push(next);
                    Value::Combined(how, parts)
                }
                other if self.nodes < DEPTH * 4 => Value::Combined(how, vec![other, next]),
                _ => return Err(Unreadable::TooLarge),
            };
        }
    }

    /// Products with `+`, `-` and `±` between them.
    fn sum(&mut self) -> Parsed<Value> {
        let (negative, signed) = self.leading_signs();
        let first = self.product()?;
        if !signed && !self.is_sum_sign() {
            return Ok(first);
        }
        let Value::Scalar(first) = first else { return self.set_difference(first) };
        if !self.is_sum_sign() {
            let expr = if negative { first.expr.negated() } else { first.expr };
            return Ok(Value::Scalar(Scalar { expr, ..first }));
        }
        let first = self.in_sum(first)?;
        let mut terms = vec![if negative { first.negated() } else { first }];
        while self.is_sum_sign() {
            self.node()?;
            let (negative, _) = self.leading_signs();
            let Value::Scalar(next) = self.product()? else { return Err(self.unexpected()) };
            let next = self.in_sum(next)?;
            terms.push(if negative { next.negated() } else { next });
        }
        Ok(Value::plain(Expr::Sum(terms)))
    }

    /// `A - B` of sets.
    fn set_difference(&mut self, first: Value) -> Parsed<Value> {
        if !self.take('-') {
            return Err(self.unexpected());
        }
        Ok(Value::Combined(Combination::Difference, vec![first, self.product()?]))
    }

    /// A quantity in a sum: only those without dimension are numbers.
    fn in_sum(&self, scalar: Scalar) -> Parsed<Expr> {
        Value::Scalar(scalar).into_expr().ok_or_else(|| self.unexpected())
    }

    fn is_sum_sign(&self) -> bool {
        matches!(self.peek(), Some(Token::Symbol('+' | '-') | Token::Command("pm" | "mp")))
    }

    /// Signs in a row: whether they negate, and whether there were any.
    fn leading_signs(&mut self) -> (bool, bool) {
        let (mut negative, start) = (false, self.at);
        loop {
            match self.peek() {
                Some(Token::Symbol('+')) => {}
                Some(Token::Symbol('-')) => negative = !negative,
                Some(Token::Command("pm")) => negative ^= *self.sign.get_or_insert(Choose::Plus) == Choose::Minus,
                Some(Token::Command("mp")) => negative ^= *self.sign.get_or_insert(Choose::Plus) == Choose::Plus,
                _ => return (negative, self.at > start),
            }
            self.at += 1;
        }
    }

    /// Factors with `*`, `/` or nothing between them, and a unit behind them.
    fn product(&mut self) -> Parsed<Value> {
        if let Some(currency) = self.currency() {
            return self.money(currency);
        }
        let first = self.power()?;
        let Value::Scalar(Scalar { expr, base, .. }) = first else { return Ok(first) };
        let (mut above, mut below) = (vec![expr], Vec::new());
        let mut divided = false;
        loop {
            let explicit = self.peek();
            match explicit {
                Some(Token::Symbol('*' | '/')) if !self.is_unit_quotient() => self.at += 1,
                _ if self.starts_factor() => self.ambiguous |= divided,
                _ => break,
            }
            self.node()?;
            let Value::Scalar(Scalar { expr, unit: None, .. }) = self.factor()? else {
                return Err(self.unexpected());
            };
            divided = explicit == Some(Token::Symbol('/'));
            if divided { &mut below } else { &mut above }.push(expr);
        }
        let alone = above.len() == 1 && below.is_empty();
        let expr = match (single(above), below.is_empty()) {
            (above, true) => above,
            (above, false) => Expr::Quotient(Box::new(above), Box::new(single(below))),
        };
        self.quantity(expr, base.filter(|_| alone))
    }

    /// A factor behind `*` or `/` may have a sign.
    fn factor(&mut self) -> Parsed<Value> {
        let (negative, _) = self.leading_signs();
        match self.power()? {
            Value::Scalar(scalar) if negative => Ok(Value::Scalar(Scalar { expr: scalar.expr.negated(), ..scalar })),
            Value::Matrix(_) | Value::Set(_) | Value::List(_) if negative => Err(self.unexpected()),
            other => Ok(other),
        }
    }
}

/// The product of factors.
fn single(mut factors: Vec<Expr>) -> Expr {
    match factors.pop() {
        Some(one) if factors.is_empty() => one,
        last => Expr::Product(factors.into_iter().chain(last).collect()),
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

impl Side {
    fn of(value: Value) -> Side {
        match value {
            Value::Scalar(Scalar { expr: Expr::Symbol(name), unit: None, .. }) => {
                Side::Name(name.clone(), Some(Expr::Symbol(name)))
            }
            other => Side::Value(other),
        }
    }
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
