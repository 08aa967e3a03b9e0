//! Units behind a number, and currencies before it.

use crate::expr::{Constant, Expr};
use crate::parse::{Parsed, Parser, is_conjunction};
use crate::token::Token;
use crate::unit::Unit;
use crate::value::{Scalar, Value};

impl Parser<'_, '_> {
    /// The quantity of this expression in the unit that stands next, if one does.
    pub(super) fn quantity(&mut self, expr: Expr, base: Option<(String, u32)>) -> Parsed<Value> {
        let (expr, degree) = without_degree(expr);
        let unit = match degree {
            Behind::Nothing => self.unit(),
            Behind::Degree => self.temperature().or(Some(Unit::Degree)),
            Behind::Temperature(scale) => Some(in_degrees(&scale)),
        };
        Ok(Value::Scalar(Scalar { expr, unit, base }))
    }

    /// The currency that stands next.
    pub(super) fn currency(&mut self) -> Option<Unit> {
        let unit = match self.peek()? {
            Token::Command("$") => Unit::named("dollars", 1),
            Token::Symbol('€') => Some(Unit::Counted("euros".into())),
            Token::Symbol('£') => Some(Unit::Counted("pounds sterling".into())),
            _ => None,
        };
        self.at += usize::from(unit.is_some());
        unit
    }

    /// An amount behind its currency.
    pub(super) fn money(&mut self, currency: Unit) -> Parsed<Value> {
        match self.deeper(Self::product)? {
            Value::Scalar(Scalar { expr, unit, base: None }) => {
                let same = unit.as_ref().is_none_or(|unit| unit.agrees(&currency));
                if same {
                    Ok(Value::Scalar(Scalar { expr, unit: Some(currency), base: None }))
                } else {
                    Err(self.unexpected())
                }
            }
            _ => Err(self.unexpected()),
        }
    }

    /// `C` or `F` behind degrees.
    fn temperature(&mut self) -> Option<Unit> {
        let scale = match self.peek()? {
            Token::Letter(c @ ('C' | 'F')) => c.to_string(),
            Token::Text(text @ ("C" | "F" | "Celsius" | "Fahrenheit"))
            | Token::Word(text @ ("Celsius" | "Fahrenheit")) => text.chars().take(1).collect(),
            _ => return None,
        };
        self.at += 1;
        Some(in_degrees(&scale))
    }

    /// The unit that stands next.
    fn unit(&mut self) -> Option<Unit> {
        let mut unit = self.one_unit()?;
        loop {
            let start = self.at;
            let quotient = self.take('/');
            let _ = quotient || self.take('*');
            let next = self.one_unit();
            let joined =
                next.and_then(|next| if quotient { unit.clone().over(&next) } else { unit.clone().times_unit(&next) });
            match joined {
                Some(joined) => unit = joined,
                None => {
                    self.at = start;
                    return Some(unit);
                }
            }
        }
    }

    /// Whether `/` or `*` stands between two units, rather than between numbers.
    pub(super) fn is_unit_quotient(&self) -> bool {
        matches!(self.peek_at(1), Some(Token::Word(_) | Token::Text(_)))
    }

    fn one_unit(&mut self) -> Option<Unit> {
        let (words, tokens) = match self.peek()? {
            Token::Symbol('%') | Token::Command("%") => {
                self.at += 1;
                return Some(Unit::Percent);
            }
            Token::Command("AA") => ("angstrom".to_owned(), 1),
            Token::Text(text) if !is_conjunction(text) => (text.to_owned(), 1),
            Token::Word(word) if !matches!(word, "and" | "or") => self.words(word),
            _ => return None,
        };
        let start = self.at;
        self.at += tokens;
        let power = self.unit_power();
        let unit = Unit::named(&words, power.unwrap_or(1));
        if unit.is_none() {
            self.at = start;
        }
        unit
    }

    /// Words in a row, up to a power.
    fn words(&self, first: &str) -> (String, usize) {
        let more = (1..3).map_while(|ahead| match self.peek_at(ahead) {
            Some(Token::Word(word)) if !matches!(word, "and" | "or") => Some(word),
            _ => None,
        });
        let mut words = vec![first];
        words.extend(more);
        (words.join(" "), words.len())
    }

    /// `^2`, `^{-1}`.
    fn unit_power(&mut self) -> Option<i8> {
        let start = self.at;
        let power = (|| {
            if !self.take('^') {
                return None;
            }
            let braced = self.take('{');
            let negative = self.take('-');
            let Some(Token::Number(literal)) = self.peek() else { return None };
            self.at += 1;
            let digits: i8 = literal.digits().parse().ok()?;
            (!braced || self.take('}')).then_some(if negative { -digits } else { digits })
        })();
        if power.is_none() {
            self.at = start;
        }
        power
    }
}

fn in_degrees(scale: &str) -> Unit {
    Unit::Counted(format!("degrees {scale}"))
}

/// What stands behind a number.
enum Behind {
    Nothing,
    Degree,
    /// `C` or `F` behind the degree sign.
    Temperature(String),
}

/// The expression in front of a degree sign, and what was behind it.
fn without_degree(expr: Expr) -> (Expr, Behind) {
    let Expr::Product(mut factors) = expr else { return (expr, Behind::Nothing) };
    match &factors[..] {
        [_, Expr::Constant(Constant::Degree)] => (factors.swap_remove(0), Behind::Degree),
        [Expr::Product(inner), Expr::Symbol(scale)] if matches!(scale.as_str(), "C" | "F") => match &inner[..] {
            [number, Expr::Constant(Constant::Degree)] => (number.clone(), Behind::Temperature(scale.clone())),
            _ => (Expr::Product(factors), Behind::Nothing),
        },
        _ => (Expr::Product(factors), Behind::Nothing),
    }
}
