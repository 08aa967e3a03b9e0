//! Whether two values are equal, from exact to approximate.

mod collection;
mod expression;
mod region;
mod relation;
mod scalar;
mod text;

pub(crate) use expression::Work;

use crate::expr::{Constant, Expr};
use crate::step::Step;
use crate::value::{Relation, Sign, Value};

/// What a comparison found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Finding {
    /// They are equal.
    Equal(Step),
    /// They differ, and how.
    Different(Step, String),
    /// The rules cannot tell, and why.
    Unknown(Step, String),
}

impl Finding {
    pub(crate) fn is_equal(&self) -> bool {
        matches!(self, Finding::Equal(_))
    }

    fn kinds(gold: &Value, answer: &Value) -> Finding {
        Finding::Different(Step::Kind, format!("{}, where the gold answer is {}", answer.kind(), gold.kind()))
    }

    /// Equal if both are. What differs outweighs what is unknown, and that outweighs what is equal; of two steps the later
    /// one decided.
    fn and(self, other: impl FnOnce() -> Finding) -> Finding {
        match self {
            Finding::Different(..) => self,
            Finding::Unknown(..) => match other() {
                different @ Finding::Different(..) => different,
                _ => self,
            },
            Finding::Equal(step) => match other() {
                Finding::Equal(later) => Finding::Equal(step.max(later)),
                other => other,
            },
        }
    }

    /// Equal if one of them is.
    fn or(self, other: impl FnOnce() -> Finding) -> Finding {
        match self {
            Finding::Equal(_) => self,
            Finding::Unknown(..) => match other() {
                equal @ Finding::Equal(_) => equal,
                _ => self,
            },
            Finding::Different(..) => match other() {
                Finding::Different(..) => self,
                other => other,
            },
        }
    }

    /// What is unknown is left to another comparison, if that knows.
    fn settled_by(self, other: impl FnOnce() -> Finding) -> Finding {
        match self {
            Finding::Unknown(..) => match other() {
                Finding::Unknown(..) => self,
                known => known,
            },
            known => known,
        }
    }

    /// What is equal only under a doubtful reading is unknown.
    pub(crate) fn doubted(self, why: &str) -> Finding {
        match self {
            Finding::Equal(step) => Finding::Unknown(step, why.to_owned()),
            other => other,
        }
    }
}

/// Compares an answer with the gold answer.
pub(crate) fn compare(gold: &Value, answer: &Value, work: &mut Work) -> Finding {
    if let Err(too_much) = work.spend() {
        return too_much;
    }
    match (gold, answer) {
        (Value::Choice(a, content), Value::Choice(b, other)) => {
            choices(*a, content.as_deref(), *b, other.as_deref(), work)
        }
        (Value::Choice(letter, content), other) => {
            choice(*letter, content.as_deref(), other, |a, b| compare(a, b, work))
        }
        (other, Value::Choice(letter, content)) => {
            choice(*letter, content.as_deref(), other, |a, b| compare(b, a, work))
        }
        (Value::Text(gold), _) => text::compare(gold, answer),
        (_, Value::Text(words)) => text::unexpected(gold, words),
        (Value::Relation(a), Value::Relation(b)) => {
            let same = relation::compare(a, b, work);
            match (region::variable_of(a), region::variable_of(b)) {
                (Some(x), Some(y)) if x == y => same.settled_by(|| regions(gold, answer, work)),
                (Some(_), Some(_)) => {
                    same.settled_by(|| regions(gold, answer, work).doubted("the same values of another variable"))
                }
                _ => same,
            }
        }
        (Value::Relation(relation), other) => match relation::named_values(relation) {
            Some(values) => all(&values, |value| compare(value, other, work)),
            None => regions(gold, answer, work),
        },
        (other, Value::Relation(relation)) => stated(other, relation, answer, work),
        (Value::Scalar(a), Value::Scalar(b)) => scalar::compare(a, b, work),
        // `7/2 or 3.5`: one value, written several times.
        (Value::Scalar(_), Value::List(items)) => match all(items, |item| compare(gold, item, work)) {
            Finding::Equal(step) => Finding::Equal(step),
            _ => Finding::kinds(gold, answer),
        },
        (Value::Combined(..) | Value::Builder(..), _) | (_, Value::Combined(..) | Value::Builder(..)) => {
            collection::same_form(gold, answer, work).settled_by(|| regions(gold, answer, work))
        }
        _ if region::is_all(gold) || region::is_all(answer) => regions(gold, answer, work),
        _ if region::are_conditions(gold) || region::are_conditions(answer) => {
            collection::compare(gold, answer, work).or(|| regions(gold, answer, work))
        }
        _ => collection::compare(gold, answer, work),
    }
}

/// As sets of real numbers, where both are.
fn regions(gold: &Value, answer: &Value, work: &mut Work) -> Finding {
    match (region::of(gold, work), region::of(answer, work)) {
        (Some(a), Some(b)) => region::compare(&a, &b, work),
        _ if is_set(gold) && is_set(answer) || is_interval_by_relation(gold, answer) => {
            Finding::Unknown(Step::Kind, format!("{} beside {}", answer.kind(), gold.kind()))
        }
        _ => Finding::kinds(gold, answer),
    }
}

/// Whether one may be an interval and the other inequalities that describe it.
fn is_interval_by_relation(gold: &Value, answer: &Value) -> bool {
    let order = |sign: &Sign| matches!(sign, Sign::Less | Sign::LessEqual | Sign::Greater | Sign::GreaterEqual);
    let ((Value::Tuple(tuple), other) | (other, Value::Tuple(tuple))) = (gold, answer) else { return false };
    let inequality = match other {
        Value::Relation(relation) => relation.signs.iter().any(order),
        other => region::are_conditions(other),
    };
    tuple.items.len() == 2 && inequality
}

/// Whether a value can be a set of numbers, also where the numbers cannot be told.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Set(_) | Value::Combined(..) | Value::Builder(..) => true,
        Value::Relation(relation) => region::variable_of(relation).is_some(),
        Value::List(_) => region::are_conditions(value),
        Value::Tuple(tuple) => {
            tuple.items.len() == 2
                && tuple.items.iter().any(|item| match item {
                    Value::Scalar(scalar) => scalar
                        .expr
                        .any(&mut |part| matches!(part, Expr::Symbol(_) | Expr::Constant(Constant::Infinity))),
                    _ => false,
                })
        }
        Value::Scalar(scalar) => matches!(scalar.expr, Expr::Symbol(_)),
        _ => false,
    }
}

fn choices(a: char, content: Option<&Value>, b: char, other: Option<&Value>, work: &mut Work) -> Finding {
    if a != b {
        return Finding::Different(Step::Text, format!("choice {b}, where the gold answer is choice {a}"));
    }
    match (content, other) {
        (Some(gold), Some(answer)) => match compare(gold, answer, work) {
            Finding::Different(..) => {
                Finding::Unknown(Step::Text, "the letter is right, and what stands behind it is not".into())
            }
            other => other,
        },
        _ => Finding::Equal(Step::Text),
    }
}

/// A choice beside something that is none: its letter, or what stands behind it.
fn choice(
    letter: char,
    content: Option<&Value>,
    other: &Value,
    compare: impl FnOnce(&Value, &Value) -> Finding,
) -> Finding {
    let same = match other {
        Value::Scalar(scalar) => {
            matches!(&scalar.expr, Expr::Symbol(name) if name.eq_ignore_ascii_case(&letter.to_string()))
        }
        Value::Text(text) => text.trim_matches(['(', ')', '.']).eq_ignore_ascii_case(&letter.to_string()),
        _ => false,
    };
    match content {
        _ if same => Finding::Equal(Step::Text),
        Some(content) => compare(content, other),
        None => match other {
            Value::Text(text) if text.split(' ').count() > 1 => {
                Finding::Unknown(Step::Text, "a choice beside words".into())
            }
            _ => Finding::Different(Step::Kind, format!("{} beside choice {letter}", other.kind())),
        },
    }
}

/// A relation where the gold answer is none: the values that it states.
fn stated(gold: &Value, relation: &Relation, answer: &Value, work: &mut Work) -> Finding {
    if let Some(values) = relation::named_values(relation) {
        return all(&values, |value| compare(gold, value, work));
    }
    if let Some(values) = relation::equal_numbers(relation) {
        return all(&values, |value| compare(gold, value, work));
    }
    match (gold, relation::stated_value(relation)) {
        (Value::Scalar(_) | Value::Tuple(_), Some(value)) => {
            compare(gold, &value, work).doubted("an equation between expressions, not a value")
        }
        _ => regions(gold, answer, work),
    }
}

/// Equal if all are.
fn all(values: &[Value], mut compare: impl FnMut(&Value) -> Finding) -> Finding {
    values.iter().fold(Finding::Equal(Step::Text), |found, value| found.and(|| compare(value)))
}
