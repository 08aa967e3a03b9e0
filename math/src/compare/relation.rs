//! Equations and inequalities.

use std::collections::BTreeSet;

use num_rational::BigRational;
use num_traits::{One, Zero};

use crate::certified::{Point, Value as Number};
use crate::compare::collection::renamed;
use crate::compare::{Finding, Work, compare as values};
use crate::expr::Expr;
use crate::step::Step;
use crate::value::{Relation, Scalar, Side, Sign, Value};

/// Why the same values do not decide.
const NAMES: &str = "the same value for another name";

/// A relation beside the gold answer's.
pub(super) fn compare(gold: &Relation, answer: &Relation, work: &mut Work) -> Finding {
    let (gold, answer) = (ascending(gold), ascending(answer));
    if gold.signs == [Sign::Equal] && answer.signs == [Sign::Equal] {
        return equations(&gold, &answer, work);
    }
    if let (Some(a), Some(b)) = (named_values(&gold), named_values(&answer)) {
        return compared(&a, &b, work);
    }
    let unknown = || Finding::Unknown(Step::Kind, "relations of another form".into());
    if gold.signs != answer.signs {
        return unknown();
    }
    let same = gold.sides.iter().zip(&answer.sides);
    let found = same.fold(Finding::Equal(Step::Text), |found, (a, b)| found.and(|| sides(a, b, work)));
    match found {
        Finding::Different(..) => unknown(),
        other => other,
    }
}

/// With `>` turned around.
fn ascending(relation: &Relation) -> Relation {
    let descends = |sign: &Sign| matches!(sign, Sign::Greater | Sign::GreaterEqual);
    if !relation.signs.iter().any(descends) {
        return relation.clone();
    }
    let turned = |sign: &Sign| match sign {
        Sign::Greater => Sign::Less,
        Sign::GreaterEqual => Sign::LessEqual,
        Sign::Less => Sign::Greater,
        Sign::LessEqual => Sign::GreaterEqual,
        other => *other,
    };
    Relation {
        sides: relation.sides.iter().rev().cloned().collect(),
        signs: relation.signs.iter().rev().map(turned).collect(),
    }
}

fn sides(gold: &Side, answer: &Side, work: &mut Work) -> Finding {
    match (gold, answer) {
        (Side::Name(a, _), Side::Name(b, _)) if a == b => Finding::Equal(Step::Text),
        (a, b) => values(&value_of(a), &value_of(b), work),
    }
}

/// A side as a value; a name without an expression is a text.
pub(super) fn value_of(side: &Side) -> Value {
    match side {
        Side::Name(_, Some(expr)) => Value::plain(expr.clone()),
        Side::Name(name, None) => Value::Text(name.to_lowercase()),
        Side::Value(value) => value.clone(),
    }
}

/// The values that a relation gives to what it names: `x = 3`, `f(x) = 2x`, `x in [0, 1]`, `S = 2 * 3 = 6`, `3 = x`,
/// `(x, y) = (1, 2)`. In `S = n(n + 1)/2 = 15` the formula says where the number comes from.
pub(super) fn named_values(relation: &Relation) -> Option<Vec<Value>> {
    let (first, rest) = relation.sides.split_first()?;
    let naming = |sign: &Sign| matches!(sign, Sign::Equal | Sign::In | Sign::About);
    if !relation.signs.iter().all(naming) {
        return None;
    }
    match (first, rest) {
        (first, rest) if is_name(first) => {
            let mut values: Vec<Value> = rest.iter().map(value_of).collect();
            let last = values.pop();
            values.retain(|value| !matches!(value, Value::Scalar(scalar) if !scalar.expr.is_numeric()));
            values.extend(last);
            Some(values)
        }
        (Side::Value(value), [Side::Name(..)]) if relation.signs == [Sign::Equal] => Some(vec![value.clone()]),
        _ => None,
    }
}

/// A name, or a tuple of variables in the order of the alphabet.
fn is_name(side: &Side) -> bool {
    let variable = |item: &Value| match item {
        Value::Scalar(Scalar { expr: Expr::Symbol(name), .. }) => Some(name.clone()),
        _ => None,
    };
    match side {
        Side::Name(..) => true,
        Side::Value(Value::Tuple(tuple)) => {
            let names: Option<Vec<String>> = tuple.items.iter().map(variable).collect();
            names.is_some_and(|names| names.is_sorted())
        }
        Side::Value(_) => false,
    }
}

/// What an equation names.
pub(super) fn name_of(value: &Value) -> Option<&str> {
    match value {
        Value::Relation(Relation { sides, signs }) if signs == &[Sign::Equal] => match sides.first() {
            Some(Side::Name(name, _)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// The values of a chain of equal numbers, such as `2 + 3 = 5`.
pub(super) fn equal_numbers(relation: &Relation) -> Option<Vec<Value>> {
    let numbers = |side: &Side| match side {
        Side::Value(Value::Scalar(scalar)) => scalar.expr.is_numeric(),
        _ => false,
    };
    let chain = relation.signs.iter().all(|sign| matches!(sign, Sign::Equal | Sign::About));
    (chain && relation.sides.iter().all(numbers)).then(|| relation.sides.iter().map(value_of).collect())
}

/// The last value of an equation between expressions, such as `x + y = 5`.
pub(super) fn stated_value(relation: &Relation) -> Option<Value> {
    let chain = relation.signs.iter().all(|sign| *sign == Sign::Equal);
    relation.sides.last().filter(|_| chain).map(value_of)
}

/// Two equations: the same up to a factor, or the same value for the same name.
fn equations(gold: &Relation, answer: &Relation, work: &mut Work) -> Finding {
    let same = multiples(gold, answer, work);
    if same.is_equal() {
        return same;
    }
    let ([a, _], [b, _]) = (&gold.sides[..], &answer.sides[..]) else { return same };
    let (Some(left), Some(mut right)) = (named_values(gold), named_values(answer)) else { return same };
    // `f(t) = 2t` beside `f(x) = 2x`.
    let (Side::Name(a, _), Side::Name(b, _)) = (a, b) else { return compared(&left, &right, work).doubted(NAMES) };
    let same_function = match (applied(a), applied(b)) {
        (Some((f, x)), Some((g, t))) if f == g && !right.iter().any(|value| mentions(value, x)) => {
            right = right.iter().map(|value| renamed(value, t, x)).collect();
            true
        }
        _ => false,
    };
    let found = compared(&left, &right, work);
    if same_function || names_one(a, b) || names_one(b, a) { found } else { found.doubted(NAMES) }
}

fn compared(gold: &[Value], answer: &[Value], work: &mut Work) -> Finding {
    gold.iter().zip(answer).fold(Finding::Equal(Step::Text), |found, (a, b)| found.and(|| values(a, b, work)))
}

/// The function and the variable in `f(x)`.
fn applied(name: &str) -> Option<(&str, &str)> {
    let (function, rest) = name.split_once('(')?;
    let variable = rest.strip_suffix(')')?;
    variable.chars().all(char::is_alphabetic).then_some((function, variable))
}

fn mentions(value: &Value, symbol: &str) -> bool {
    match value {
        Value::Scalar(scalar) => scalar.expr.any(&mut |part| matches!(part, Expr::Symbol(name) if name == symbol)),
        _ => true,
    }
}

/// Whether two names are of one thing: `f` and `f(x)`; and `f(x) = 2x` is written `y = 2x` too.
fn names_one(a: &str, b: &str) -> bool {
    a == b || b.split_once('(').is_some_and(|(head, _)| head == a || a == "y")
}

/// Whether one equation is a multiple of the other. If not, a solution of one that does not solve the other shows that they
/// differ.
fn multiples(gold: &Relation, answer: &Relation, work: &mut Work) -> Finding {
    let unknown = || Finding::Unknown(Step::NormalForm, "equations that are not multiples of each other".into());
    let (Some(a), Some(b)) = (difference(gold), difference(answer)) else { return unknown() };
    match work.are_multiples(&a, &b) {
        Some(true) => Finding::Equal(Step::NormalForm),
        _ if solves_only_one(&a, &b, work) || solves_only_one(&b, &a, work) => {
            Finding::Different(Step::Certified, "an equation with other solutions".into())
        }
        _ => unknown(),
    }
}

/// Left side minus right side.
fn difference(relation: &Relation) -> Option<Expr> {
    match &relation.sides[..] {
        [left, right] => Some(value_of(left).into_expr()?.minus(value_of(right).into_expr()?)),
        _ => None,
    }
}

/// Whether a solution of `a = 0`, found in a symbol that occurs linearly, certainly does not solve `b = 0`.
fn solves_only_one(a: &Expr, b: &Expr, work: &mut Work) -> bool {
    let mut symbols = BTreeSet::new();
    a.symbols(&mut symbols);
    b.symbols(&mut symbols);
    let Some(unknown) = symbols.iter().find(|symbol| work.linear_in(a, symbol).is_some()) else { return false };
    let others = symbols.iter().enumerate().map(|(i, symbol)| {
        ((*symbol).to_owned(), BigRational::new((7 * i as i64 + 11).into(), (3 * i as i64 + 5).into()))
    });
    let mut point = Point { symbols: others.collect(), ..Point::default() };
    let mut at = |expr: &Expr, value: BigRational| {
        point.symbols.insert((*unknown).to_owned(), value);
        work.evaluate(expr, &point, 128)
    };
    // a = s u + c, so u = -c / s with c = a(0) and s = a(1) - a(0).
    let (Ok(zero), Ok(one)) = (at(a, BigRational::zero()), at(a, BigRational::one())) else { return false };
    let (Number::Exact(c), Number::Exact(sum)) = (zero, one) else { return false };
    let slope = sum - &c;
    !slope.is_zero() && at(b, -c / slope).is_ok_and(|value| value.is_certainly_nonzero())
}
