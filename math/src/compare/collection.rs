//! Tuples, lists, sets and matrices.

use crate::compare::relation::name_of;
use crate::compare::{Finding, Work, compare as values, regions};
use crate::expr::{Constant, Expr};
use crate::step::Step;
use crate::value::{Relation, Side, Tuple, Value};

/// Most values of a list.
const LONGEST: usize = 200;

/// Values of which at least one is a tuple, list, set or matrix.
pub(super) fn compare(gold: &Value, answer: &Value, work: &mut Work) -> Finding {
    match (gold, answer) {
        (Value::Tuple(a), Value::Tuple(b)) => tuples(a, b, work),
        (Value::Tuple(tuple), Value::List(items)) => without_brackets(tuple, items, gold, answer, work),
        (Value::List(items), Value::Tuple(tuple)) => without_brackets(tuple, items, answer, gold, work),
        (Value::Tuple(tuple), Value::Matrix(rows)) | (Value::Matrix(rows), Value::Tuple(tuple)) => {
            vector(tuple, rows, gold, answer, work)
        }
        (Value::Matrix(a), Value::Matrix(b)) => matrices(a, b, work),
        (Value::List(a), Value::List(b)) => match by_name(a, b) {
            Some(b) => in_order(a, b, work),
            None => in_any_order(a, b, work),
        },
        (Value::Set(a), Value::Set(b)) => in_any_order(&distinct(a, work), &distinct(b, work), work),
        (Value::Set(a), Value::List(b)) => in_any_order(&distinct(a, work), &distinct(b, work), work),
        (Value::List(a), Value::Set(b)) => in_any_order(&distinct(a, work), &distinct(b, work), work),
        (Value::Set(items), other @ Value::Scalar(_)) => match &items[..] {
            [one] => values(one, other, work),
            _ => count(items.len(), 1),
        },
        (other @ Value::Scalar(_), Value::Set(items)) => match &items[..] {
            [one] => values(other, one, work),
            _ => count(1, items.len()),
        },
        (Value::Set(items), Value::Tuple(tuple)) | (Value::Tuple(tuple), Value::Set(items)) if tuple.open == '(' => {
            in_any_order(items, &tuple.items, work).doubted("a set beside a tuple or interval")
        }
        (Value::Set(_), Value::Tuple(_)) | (Value::Tuple(_), Value::Set(_)) => regions(gold, answer, work),
        (Value::Ratio(a), Value::Ratio(b)) => ratios(a, b, work),
        (Value::Ratio(ratio), Value::Scalar(_)) => match quotient(ratio) {
            Some(quotient) => values(&quotient, answer, work),
            None => Finding::kinds(gold, answer),
        },
        (Value::Scalar(_), Value::Ratio(ratio)) => match quotient(ratio) {
            Some(quotient) => values(gold, &quotient, work),
            None => Finding::kinds(gold, answer),
        },
        (Value::Tuple(_) | Value::Matrix(_), Value::Scalar(scalar))
        | (Value::Scalar(scalar), Value::Tuple(_) | Value::Matrix(_))
            if scalar.expr.any(&mut |part| matches!(part, Expr::Symbol(name) if name == "j")) =>
        {
            Finding::Unknown(Step::Kind, "a vector may be written with unit vectors i, j, k".into())
        }
        _ => Finding::kinds(gold, answer),
    }
}

/// Values of the same form, part by part.
pub(super) fn same_form(gold: &Value, answer: &Value, work: &mut Work) -> Finding {
    let unknown = || Finding::Unknown(Step::Kind, format!("{} beside {}", answer.kind(), gold.kind()));
    match (gold, answer) {
        (Value::Combined(how, a), Value::Combined(other, b)) if how == other => match in_any_order(a, b, work) {
            equal @ Finding::Equal(_) => equal,
            _ => unknown(),
        },
        (Value::Builder(x, a), Value::Builder(y, b)) if a.len() == b.len() => {
            let renamed: Vec<Value> = b.iter().map(|condition| renamed(condition, y, x)).collect();
            match in_any_order(a, &renamed, work) {
                equal @ Finding::Equal(_) => equal,
                _ => unknown(),
            }
        }
        _ => unknown(),
    }
}

fn count(gold: usize, answer: usize) -> Finding {
    let noun = if answer == 1 { "value" } else { "values" };
    Finding::Different(Step::Kind, format!("{answer} {noun}, where the gold answer has {gold}"))
}

fn tuples(a: &Tuple, b: &Tuple, work: &mut Work) -> Finding {
    if a.items.len() != b.items.len() {
        return count(a.items.len(), b.items.len());
    }
    // Two values in brackets may be an interval, whose brackets matter.
    let vector = a.open == '<' || b.open == '<';
    if a.items.len() == 2 && !vector && (a.open, a.close) != (b.open, b.close) {
        return Finding::Different(Step::Kind, "other brackets".into());
    }
    in_order(&a.items, &b.items, work)
}

/// Ratios are equal when their quotients are. What may be times of a day are equal only as they are written.
fn ratios(a: &[Value], b: &[Value], work: &mut Work) -> Finding {
    if a.len() != b.len() {
        return count(a.len(), b.len());
    }
    let written = in_order(a, b, work);
    match (quotient(a), quotient(b)) {
        (Some(a), Some(b)) if !written.is_equal() => {
            values(&a, &b, work).doubted("equal as ratios, though not as times")
        }
        _ => written,
    }
}

fn quotient(ratio: &[Value]) -> Option<Value> {
    let [above, below] = ratio else { return None };
    let (above, below) = (above.clone().into_expr()?, below.clone().into_expr()?);
    Some(Value::plain(Expr::Quotient(Box::new(above), Box::new(below))))
}

fn in_order<'v>(
    a: impl IntoIterator<Item = &'v Value>,
    b: impl IntoIterator<Item = &'v Value>,
    work: &mut Work,
) -> Finding {
    a.into_iter().zip(b).fold(Finding::Equal(Step::Text), |found, (a, b)| found.and(|| values(a, b, work)))
}

/// A tuple beside the same values without brackets. Of two values the tuple may be an interval.
fn without_brackets(tuple: &Tuple, items: &[Value], whole: &Value, other: &Value, work: &mut Work) -> Finding {
    if is_interval(tuple) || tuple.items.len() != items.len() {
        return Finding::kinds(whole, other);
    }
    let same = in_order(&tuple.items, items, work);
    match same {
        Finding::Equal(_) if tuple.items.len() > 2 => same,
        Finding::Equal(_) => same.doubted("the same values without brackets"),
        _ => in_any_order(&tuple.items, items, work).doubted("the same values without brackets, in another order"),
    }
}

/// Whether a tuple can only be an interval.
fn is_interval(tuple: &Tuple) -> bool {
    let infinite = |item: &Value| match item {
        Value::Scalar(scalar) => scalar.expr.any(&mut |part| *part == Expr::Constant(Constant::Infinity)),
        _ => false,
    };
    (tuple.open, tuple.close) == ('(', ']')
        || (tuple.open, tuple.close) == ('[', ')')
        || tuple.items.iter().any(infinite)
}

/// A tuple beside a matrix of one column or row.
fn vector(tuple: &Tuple, rows: &[Vec<Expr>], gold: &Value, answer: &Value, work: &mut Work) -> Finding {
    if rows.len() > 1 && rows[0].len() > 1 {
        return Finding::kinds(gold, answer);
    }
    let entries: Vec<Value> = rows.iter().flatten().cloned().map(Value::plain).collect();
    if entries.len() != tuple.items.len() {
        return Finding::kinds(gold, answer);
    }
    in_order(&tuple.items, &entries, work)
}

fn matrices(a: &[Vec<Expr>], b: &[Vec<Expr>], work: &mut Work) -> Finding {
    let shape = |rows: &[Vec<Expr>]| (rows.len(), rows.first().map_or(0, Vec::len));
    let entries = |rows: &[Vec<Expr>]| -> Vec<Value> { rows.iter().flatten().cloned().map(Value::plain).collect() };
    let ((height, width), (tall, wide)) = (shape(a), shape(b));
    if (height, width) == (tall, wide) {
        return in_order(&entries(a), &entries(b), work);
    }
    let problem = format!("a {tall} by {wide} matrix, where the gold answer is {height} by {width}");
    if (height, width) == (wide, tall) && height.min(width) == 1 {
        return in_order(&entries(a), &entries(b), work).doubted("a column beside a row");
    }
    Finding::Different(Step::Kind, problem)
}

/// The equations of an answer in the order of the gold answer's, where both give one value to each of the same names.
fn by_name<'v>(gold: &[Value], answer: &'v [Value]) -> Option<Vec<&'v Value>> {
    let named = |name: &str| {
        let mut same = answer.iter().filter(|value| name_of(value) == Some(name));
        same.next().filter(|_| same.next().is_none())
    };
    let found: Option<Vec<&Value>> = gold.iter().map(|value| named(name_of(value)?)).collect();
    found.filter(|found| found.len() == answer.len() && gold.len() <= LONGEST)
}

/// Each value of one equals a value of the other.
fn in_any_order(gold: &[Value], answer: &[Value], work: &mut Work) -> Finding {
    if gold.len() != answer.len() {
        return count(gold.len(), answer.len());
    }
    if gold.len() > LONGEST {
        return Finding::Unknown(Step::Kind, format!("a list of {} values", gold.len()));
    }
    let mut rest: Vec<&Value> = answer.iter().collect();
    let mut found = Finding::Equal(Step::Text);
    for value in gold {
        found = found.and(|| {
            let mut unknown = None;
            for i in 0..rest.len() {
                match values(value, rest[i], work) {
                    equal @ Finding::Equal(_) => {
                        rest.swap_remove(i);
                        return equal;
                    }
                    other @ Finding::Unknown(..) => unknown = Some(other),
                    Finding::Different(..) => {}
                }
            }
            unknown.unwrap_or_else(|| Finding::Different(Step::Kind, "a value of the gold answer is missing".into()))
        });
        if matches!(found, Finding::Different(..)) {
            break;
        }
    }
    found
}

/// Without values that occur twice.
fn distinct(items: &[Value], work: &mut Work) -> Vec<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items.iter().take(LONGEST + 1) {
        if !kept.iter().any(|other| values(other, item, work).is_equal()) {
            kept.push(item.clone());
        }
    }
    kept
}

/// With another name for a variable.
pub(super) fn renamed(value: &Value, from: &str, to: &str) -> Value {
    let expr = |expr: &Expr| expr.renamed(from, to);
    match value {
        Value::Scalar(scalar) => Value::plain(expr(&scalar.expr)),
        Value::Relation(Relation { sides, signs }) => {
            let side = |side: &Side| match side {
                Side::Name(name, symbol) if name == from => Side::Name(to.to_owned(), symbol.as_ref().map(expr)),
                Side::Name(..) => side.clone(),
                Side::Value(value) => Side::Value(renamed(value, from, to)),
            };
            Value::Relation(Relation { sides: sides.iter().map(side).collect(), signs: signs.clone() })
        }
        other => other.clone(),
    }
}
