//! Relations: sides with `=`, `<` and the like between them.

use crate::expr::Expr;
use crate::parse::{Bar, Parsed, Parser, Unreadable};
use crate::token::Token;
use crate::value::{Relation, Scalar, Side, Sign, Value};

impl Parser<'_, '_> {
    /// Sides with `=`, `<` and the like between them.
    pub(super) fn relation(&mut self) -> Parsed<Value> {
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
                "mid" if self.bar == Bar::Opens => Sign::Other("divides"),
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
