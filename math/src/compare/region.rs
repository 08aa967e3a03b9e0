//! Sets of real numbers: intervals, their unions, and what inequalities say.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::compare::Finding;
use crate::compare::expression::{Work, order};
use crate::compare::relation::value_of;
use crate::expr::{Constant, Expr, Function};
use crate::parse::REALS;
use crate::step::Step;
use crate::value::{Combination, Relation, Side, Sign, Tuple, Value};

/// Most intervals of a set.
const LONGEST: usize = 64;

/// Intervals in ascending order that do not touch.
pub(super) type Region = Vec<Interval>;

/// Numbers between two ends.
#[derive(Clone, Debug)]
pub(super) struct Interval {
    low: End,
    high: End,
}

/// An end of an interval. Infinite ends are open.
#[derive(Clone, Debug)]
struct End {
    value: Option<Expr>,
    closed: bool,
}

const INFINITE: End = End { value: None, closed: false };

/// The set that a value is.
pub(super) fn of(value: &Value, work: &mut Work) -> Option<Region> {
    match value {
        Value::Tuple(tuple) => interval(tuple, work),
        Value::Set(items) => items.iter().try_fold(Vec::new(), |region, item| {
            let end = End { value: Some(item.clone().into_expr()?), closed: true };
            union(region, vec![Interval { low: end.clone(), high: end }], work)
        }),
        Value::Scalar(scalar) => match &scalar.expr {
            Expr::Symbol(name) if name == REALS => Some(all()),
            _ => None,
        },
        Value::Combined(how, parts) => combined(*how, parts, work),
        Value::Builder(variable, conditions) => {
            let own =
                |condition: &Value| matches!(condition, Value::Relation(relation) if of_variable(relation, variable));
            if !conditions.iter().all(own) {
                return None;
            }
            let both = all_of(conditions, work)?;
            if both.is_empty() { any_of(conditions, work) } else { Some(both) }
        }
        // Between conditions that exclude each other `,` and `and` mean `or`; between others they may mean either.
        Value::List(conditions) if are_conditions(value) => {
            let both = all_of(conditions, work)?;
            if both.is_empty() { any_of(conditions, work) } else { None }
        }
        Value::Relation(relation) => solutions(relation, work),
        _ => None,
    }
}

/// Whether a value is the set of all real numbers.
pub(super) fn is_all(value: &Value) -> bool {
    matches!(value, Value::Scalar(scalar) if matches!(&scalar.expr, Expr::Symbol(name) if name == REALS))
}

/// Whether a value is a list of inequalities in the same variable.
pub(super) fn are_conditions(value: &Value) -> bool {
    let Value::List(items) = value else { return false };
    let inequality = |item: &Value| match item {
        Value::Relation(relation) if !relation.signs.contains(&Sign::Equal) => variable_of(relation),
        _ => None,
    };
    let variables: Vec<Option<String>> = items.iter().map(inequality).collect();
    variables.iter().all(|variable| variable.is_some() && Some(variable) == variables.first())
}

/// The numbers for which all conditions hold.
fn all_of(conditions: &[Value], work: &mut Work) -> Option<Region> {
    conditions.iter().try_fold(all(), |region, condition| {
        let next = of(condition, work)?;
        intersection(&region, &next, work)
    })
}

/// The numbers for which one of the conditions holds.
fn any_of(conditions: &[Value], work: &mut Work) -> Option<Region> {
    conditions.iter().try_fold(Vec::new(), |region, condition| {
        let next = of(condition, work)?;
        union(region, next, work)
    })
}

/// Whether both sets hold the same numbers.
pub(super) fn compare(gold: &Region, answer: &Region, work: &mut Work) -> Finding {
    let unknown = || Finding::Unknown(Step::Certified, "ends of intervals whose order cannot be told".into());
    if gold.len() != answer.len() {
        return Finding::Different(Step::Kind, "another set of numbers".into());
    }
    for (a, b) in gold.iter().zip(answer) {
        let (Some(low), Some(high)) = (ends(&a.low, &b.low, work), ends(&a.high, &b.high, work)) else {
            return unknown();
        };
        if low != Ordering::Equal || high != Ordering::Equal {
            return Finding::Different(Step::Certified, "other ends of intervals".into());
        }
        if a.low.closed != b.low.closed || a.high.closed != b.high.closed {
            return Finding::Different(Step::Kind, "an end that belongs to one of the sets only".into());
        }
    }
    Finding::Equal(Step::Certified)
}

fn all() -> Region {
    vec![Interval { low: INFINITE, high: INFINITE }]
}

fn interval(tuple: &Tuple, work: &mut Work) -> Option<Region> {
    let [low, high] = &tuple.items[..] else { return None };
    let end = |item: &Value, closed: bool| {
        let expr = item.clone().into_expr()?;
        let infinite = expr.any(&mut |part| *part == Expr::Constant(Constant::Infinity));
        Some(if infinite { INFINITE } else { End { value: Some(expr), closed } })
    };
    let (low, high) = (end(low, tuple.open == '[')?, end(high, tuple.close == ']')?);
    let ascending = match (&low.value, &high.value) {
        (Some(a), Some(b)) => order(a, b, work)? == Ordering::Less,
        _ => true,
    };
    (ascending && matches!(tuple.open, '(' | '[')).then(|| vec![Interval { low, high }])
}

fn combined(how: Combination, parts: &[Value], work: &mut Work) -> Option<Region> {
    let (first, rest) = parts.split_first()?;
    let first = of(first, work)?;
    rest.iter().try_fold(first, |region, part| {
        let other = of(part, work)?;
        match how {
            Combination::Union => union(region, other, work),
            Combination::Intersection => intersection(&region, &other, work),
            Combination::Difference => intersection(&region, &complement(&other), work),
        }
    })
}

/// Whether a relation is about this variable only.
fn of_variable(relation: &Relation, variable: &str) -> bool {
    variable_of(relation).is_some_and(|found| found == variable)
}

/// The only symbol of a relation.
pub(super) fn variable_of(relation: &Relation) -> Option<String> {
    let sides: Vec<Expr> = relation.sides.iter().filter_map(|side| value_of(side).into_expr()).collect();
    let mut symbols = BTreeSet::new();
    sides.iter().for_each(|side| side.symbols(&mut symbols));
    symbols.remove(REALS);
    let mut symbols = symbols.into_iter();
    symbols.next().filter(|_| symbols.next().is_none()).map(str::to_owned)
}

/// The numbers for which a relation in one variable holds.
fn solutions(relation: &Relation, work: &mut Work) -> Option<Region> {
    let variable = variable_of(relation)?;
    relation.signs.iter().zip(relation.sides.windows(2)).try_fold(all(), |region, (sign, pair)| {
        let [left, right] = pair else { return None };
        let next = match sign {
            Sign::In if matches!(left, Side::Name(name, _) if *name == variable) => of(&value_of(right), work)?,
            _ => solved(&value_of(left).into_expr()?, *sign, &value_of(right).into_expr()?, &variable, work)?,
        };
        intersection(&region, &next, work)
    })
}

/// The solutions of one comparison that is linear in its variable, or compares the absolute value of what is.
fn solved(left: &Expr, sign: Sign, right: &Expr, variable: &str, work: &mut Work) -> Option<Region> {
    match left {
        Expr::Call(Function::Abs, inside) if right.is_numeric() => {
            let inside = inside.first()?;
            let below = solved_linear(inside, sign, right, variable, work)?;
            let above = solved_linear(inside, turned(sign), &right.clone().negated(), variable, work)?;
            match sign {
                Sign::Less | Sign::LessEqual => intersection(&below, &above, work),
                Sign::Greater | Sign::GreaterEqual => union(below, above, work),
                _ => None,
            }
        }
        _ => solved_linear(left, sign, right, variable, work),
    }
}

fn solved_linear(left: &Expr, sign: Sign, right: &Expr, variable: &str, work: &mut Work) -> Option<Region> {
    let is_variable = |expr: &Expr| matches!(expr, Expr::Symbol(name) if name == variable);
    let (bound, sign) = if is_variable(left) && right.is_numeric() {
        (right.clone(), sign)
    } else if is_variable(right) && left.is_numeric() {
        (left.clone(), turned(sign))
    } else {
        // a x + b compared with 0.
        let (a, b) = work.linear_in(&left.clone().minus(right.clone()), variable)?;
        let (a, b) = (a.constant()?, b.constant()?);
        let sign = if a < num_traits::Zero::zero() { turned(sign) } else { sign };
        (Expr::rational(-b / a), sign)
    };
    let end = |closed: bool| End { value: Some(bound.clone()), closed };
    let below = |closed| Interval { low: INFINITE, high: end(closed) };
    let above = |closed| Interval { low: end(closed), high: INFINITE };
    Some(match sign {
        Sign::Less => vec![below(false)],
        Sign::LessEqual => vec![below(true)],
        Sign::Greater => vec![above(false)],
        Sign::GreaterEqual => vec![above(true)],
        Sign::Equal => vec![Interval { low: end(true), high: end(true) }],
        Sign::Unequal => vec![below(false), above(false)],
        Sign::About | Sign::In | Sign::Other(_) => return None,
    })
}

fn turned(sign: Sign) -> Sign {
    match sign {
        Sign::Less => Sign::Greater,
        Sign::LessEqual => Sign::GreaterEqual,
        Sign::Greater => Sign::Less,
        Sign::GreaterEqual => Sign::LessEqual,
        other => other,
    }
}

/// The order of two ends on the same side; infinite ends are equal.
fn ends(a: &End, b: &End, work: &mut Work) -> Option<Ordering> {
    match (&a.value, &b.value) {
        (None, None) => Some(Ordering::Equal),
        (Some(a), Some(b)) => order(a, b, work),
        _ => Some(Ordering::Less),
    }
}

/// The higher of two lower ends, or with `Ordering::Less` the lower of two higher ends.
fn tighter(a: &End, b: &End, wanted: Ordering, work: &mut Work) -> Option<End> {
    Some(match (&a.value, &b.value) {
        (None, _) => b.clone(),
        (_, None) => a.clone(),
        (Some(x), Some(y)) => match order(x, y, work)? {
            Ordering::Equal => End { value: a.value.clone(), closed: a.closed && b.closed },
            found if found == wanted => a.clone(),
            _ => b.clone(),
        },
    })
}

fn intersection(a: &Region, b: &Region, work: &mut Work) -> Option<Region> {
    if a.len() * b.len() > LONGEST * LONGEST {
        return None;
    }
    let mut found = Vec::new();
    for x in a {
        for y in b {
            let low = tighter(&x.low, &y.low, Ordering::Greater, work)?;
            let high = tighter(&x.high, &y.high, Ordering::Less, work)?;
            let keeps = match (&low.value, &high.value) {
                (Some(l), Some(h)) => match order(l, h, work)? {
                    Ordering::Less => true,
                    Ordering::Equal => low.closed && high.closed,
                    Ordering::Greater => false,
                },
                _ => true,
            };
            if keeps {
                found.push(Interval { low, high });
            }
        }
    }
    // Both are ascending, so what they share is found in ascending order.
    (found.len() <= LONGEST).then_some(found)
}

fn complement(region: &Region) -> Region {
    let mut found = Vec::new();
    let mut low = Some(INFINITE);
    let opposite = |end: &End| End { value: end.value.clone(), closed: !end.closed };
    for interval in region {
        if let (Some(from), Some(_)) = (low.take(), &interval.low.value) {
            found.push(Interval { low: from, high: opposite(&interval.low) });
        }
        low = interval.high.value.is_some().then(|| opposite(&interval.high));
    }
    found.extend(low.map(|low| Interval { low, high: INFINITE }));
    found
}

/// What is in one of them: the complement of what is in neither.
fn union(a: Region, b: Region, work: &mut Work) -> Option<Region> {
    Some(complement(&intersection(&complement(&a), &complement(&b), work)?))
}
