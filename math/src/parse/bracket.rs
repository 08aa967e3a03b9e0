//! What stands in brackets: tuples, intervals, sets, absolute values, groups.

use crate::expr::{Expr, Function};
use crate::parse::{Bar, Parsed, Parser, Unreadable, flat};
use crate::token::Token;
use crate::value::{Relation, Side, Sign, Tuple, Value};

impl Parser<'_, '_> {
    /// What follows `(` or `[`: one value in brackets is the value, several are a tuple.
    pub(super) fn bracket(&mut self, open: char) -> Parsed<Value> {
        let mut items = self.values()?;
        let close = match self.peek() {
            Some(Token::Symbol(close @ (')' | ']'))) => close,
            Some(Token::Command("rangle")) => '>',
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        match (items.len(), open, close) {
            (1, '(', ')') | (1, '[', ']') => items.pop().ok_or(Unreadable::Empty),
            (1, ..) | (_, '<', ')' | ']') | (_, '(' | '[', '>') => Err(self.unexpected()),
            _ => Ok(Value::Tuple(Tuple { open, items, close })),
        }
    }

    /// What follows `{`: a group that is only written in braces, `{a \over b}`, or a set in plain text.
    pub(super) fn group(&mut self) -> Parsed<Value> {
        let mut items = self.values()?;
        let (over, choose) = (self.take_command("over"), self.take_command("choose"));
        if let (Some(above), true) = (items.pop_if(|_| over || choose), items.is_empty()) {
            let (above, below) = (self.scalar(above)?, self.sum()?);
            let below = self.scalar(below)?;
            self.expect('}')?;
            return Ok(Value::plain(match over {
                true => Expr::Quotient(Box::new(above), Box::new(below)),
                false => Expr::Call(Function::Binomial, vec![above, below]),
            }));
        }
        self.expect('}')?;
        match (items.pop(), items.is_empty()) {
            (Some(one), true) => Ok(one),
            (last, _) => Ok(Value::Set(flat(items.into_iter().chain(last).collect()))),
        }
    }

    /// What follows `\{`.
    pub(super) fn set(&mut self) -> Parsed<Value> {
        if self.take_command("}") {
            return Ok(Value::Set(Vec::new()));
        }
        let first = self.with_bar(Bar::Closes, Self::item)?;
        if self.take('|') || self.take(':') || self.take_command("mid") {
            return self.builder(first);
        }
        let mut items = vec![first];
        while self.take(',') || self.take(';') {
            self.node()?;
            items.push(self.item()?);
        }
        if self.take_command("}") { Ok(Value::Set(flat(items))) } else { Err(self.unexpected()) }
    }

    /// The conditions of a set: `{x | ..}`, `{x in R | ..}`.
    fn builder(&mut self, first: Value) -> Parsed<Value> {
        let mut conditions = Vec::new();
        let variable = match first {
            Value::Scalar(scalar) if matches!(scalar.expr, Expr::Symbol(_)) => {
                let Expr::Symbol(name) = scalar.expr else { return Err(self.unexpected()) };
                name
            }
            Value::Relation(Relation { mut sides, signs }) if signs == [Sign::In] && is_reals(&sides[1]) => {
                match sides.swap_remove(0) {
                    Side::Name(name, _) => name,
                    Side::Value(_) => return Err(self.unexpected()),
                }
            }
            other => {
                conditions.push(other);
                String::new()
            }
        };
        conditions.push(self.relation()?);
        while self.separator() {
            conditions.push(self.relation()?);
        }
        if !self.take_command("}") {
            return Err(self.unexpected());
        }
        conditions.retain(|condition| !states_reals(condition));
        Ok(Value::Builder(variable, conditions))
    }

    /// What follows `|`: an absolute value.
    pub(super) fn absolute(&mut self) -> Parsed<Value> {
        let inside = self.with_bar(Bar::Closes, Self::sum)?;
        let inside = self.scalar(inside)?;
        self.expect('|')?;
        Ok(Value::plain(Expr::Call(Function::Abs, vec![inside])))
    }

    /// What follows `\lfloor` or `\lceil`.
    pub(super) fn rounded(&mut self, function: Function, close: &str) -> Parsed<Value> {
        let inside = self.sum()?;
        let inside = self.scalar(inside)?;
        if !self.take_command(close) {
            return Err(self.unexpected());
        }
        Ok(Value::plain(Expr::Call(function, vec![inside])))
    }

    /// The expression that a value is.
    pub(super) fn scalar(&self, value: Value) -> Parsed<Expr> {
        value.into_expr().ok_or_else(|| self.unexpected())
    }
}

/// The name of the real numbers, as `\mathbb{R}` is read.
pub(crate) const REALS: &str = "R (numbers)";

fn is_reals(side: &Side) -> bool {
    matches!(side, Side::Name(name, _) if name == REALS)
}

/// `x in R` says nothing in a set of reals.
fn states_reals(condition: &Value) -> bool {
    matches!(condition, Value::Relation(relation) if relation.signs == [Sign::In] && is_reals(&relation.sides[1]))
}
