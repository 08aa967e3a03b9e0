//! What an answer says.

use crate::expr::Expr;
use crate::unit::Unit;

/// An answer that was understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A number or an expression, with its unit.
    Scalar(Scalar),
    /// Several in brackets: a point, a vector, an interval.
    Tuple(Tuple),
    /// `3:4`, which may also be a time of day.
    Ratio(Vec<Value>),
    /// Several without brackets, in any order: `1, 2`, `1 and 2`, `1 or 2`, `±1`.
    List(Vec<Value>),
    /// Several in braces, in any order.
    Set(Vec<Value>),
    /// Sets and intervals put together.
    Combined(Combination, Vec<Value>),
    /// `{x | ..}`: the variable and what holds for it.
    Builder(String, Vec<Value>),
    /// Equations, inequalities, and chains of them.
    Relation(Relation),
    /// Rows of a matrix.
    Matrix(Vec<Vec<Expr>>),
    /// A letter of a multiple choice, and what stands behind it.
    Choice(char, Option<Box<Value>>),
    /// Words.
    Text(String),
}

/// A number or an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    /// Without the unit.
    pub expr: Expr,
    /// The unit.
    pub unit: Option<Unit>,
    /// The digits of a number that was written in another base, and the base.
    pub base: Option<(String, u32)>,
}

/// Several values in brackets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tuple {
    /// `(`, `[` or, for `\langle`, `<`.
    pub open: char,
    /// The values.
    pub items: Vec<Value>,
    /// `)`, `]` or `>`.
    pub close: char,
}

/// How sets are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combination {
    /// In one of them.
    Union,
    /// In all of them.
    Intersection,
    /// In the first and in none of the others.
    Difference,
}

/// A chain of comparisons: `a < b <= c`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Relation {
    /// The sides, one more than comparisons.
    pub sides: Vec<Side>,
    /// What stands between two sides.
    pub signs: Vec<Sign>,
}

/// A side of a relation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Side {
    /// What is named: `x`, `f(x)`, `\angle ABC`, `Area`. An expression too where it is one.
    Name(String, Option<Expr>),
    /// Any other value.
    Value(Value),
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// `=`
    Equal,
    /// Not equal.
    Unequal,
    /// `<`
    Less,
    /// Less or equal.
    LessEqual,
    /// `>`
    Greater,
    /// Greater or equal.
    GreaterEqual,
    /// Approximately equal.
    About,
    /// Member of a set.
    In,
    /// Any other, by its name: congruent, parallel, divides.
    Other(&'static str),
}

impl Value {
    /// An expression without a unit.
    pub fn plain(expr: Expr) -> Value {
        Value::Scalar(Scalar { expr, unit: None, base: None })
    }

    /// The expression of a scalar without a unit.
    pub fn into_expr(self) -> Option<Expr> {
        match self {
            Value::Scalar(Scalar { expr, unit: None, .. }) => Some(expr),
            Value::Scalar(Scalar { expr, unit: Some(unit), .. }) => unit.is_number().then(|| unit.times(expr)),
            _ => None,
        }
    }

    /// What kind of thing it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Scalar(scalar) if scalar.expr.number().is_some() => "a number",
            Value::Scalar(_) => "an expression",
            Value::Tuple(_) => "a tuple or interval",
            Value::Ratio(_) => "a ratio or time",
            Value::List(_) => "a list",
            Value::Set(_) => "a set",
            Value::Combined(..) => "a combination of sets",
            Value::Builder(..) => "a set",
            Value::Relation(relation) if relation.signs == [Sign::Equal] => "an equation",
            Value::Relation(_) => "a relation",
            Value::Matrix(_) => "a matrix",
            Value::Choice(..) => "a choice",
            Value::Text(_) => "a text",
        }
    }
}
