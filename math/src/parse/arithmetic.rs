//! Sums, products and what combines sets.

use crate::expr::Expr;
use crate::limits::DEPTH;
use crate::parse::{Choose, Parsed, Parser, Unreadable};
use crate::token::Token;
use crate::value::{Combination, Scalar, Value};

impl Parser<'_, '_> {
    /// Sets with `\cup` and the like between them.
    pub(super) fn combination(&mut self) -> Parsed<Value> {
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
    pub(super) fn sum(&mut self) -> Parsed<Value> {
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
        let mut unit = None;
        let mut terms = vec![if negative { first.negated() } else { first }];
        while self.is_sum_sign() {
            self.node()?;
            let (negative, _) = self.leading_signs();
            let Value::Scalar(mut next) = self.product()? else { return Err(self.unexpected()) };
            // `2 + \pi cm`: the unit of all.
            if !self.is_sum_sign() && next.unit.as_ref().is_some_and(|unit| !unit.is_number()) {
                unit = next.unit.take();
            }
            let next = self.in_sum(next)?;
            terms.push(if negative { next.negated() } else { next });
        }
        Ok(Value::Scalar(Scalar { expr: Expr::Sum(terms), unit, base: None }))
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
    pub(super) fn leading_signs(&mut self) -> (bool, bool) {
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
    pub(super) fn product(&mut self) -> Parsed<Value> {
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
        let expr = match (product_of(above), below.is_empty()) {
            (above, true) => above,
            (above, false) => Expr::Quotient(Box::new(above), Box::new(product_of(below))),
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
pub(super) fn product_of(mut factors: Vec<Expr>) -> Expr {
    match factors.pop() {
        Some(one) if factors.is_empty() => one,
        last => Expr::Product(factors.into_iter().chain(last).collect()),
    }
}
