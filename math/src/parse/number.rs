//! Numbers: mixed ones, digits in another base, numbers in words.

use num_bigint::BigInt;
use num_traits::Num;

use crate::expr::Expr;
use crate::parse::{Parsed, Parser, Unreadable};
use crate::token::{Literal, Token};
use crate::value::{Scalar, Value};

impl Parser<'_, '_> {
    pub(super) fn number(&mut self, literal: Literal<'_>) -> Parsed<Value> {
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
}

/// Numbers that are written out.
pub(super) fn number_word(word: &str) -> Option<u32> {
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
