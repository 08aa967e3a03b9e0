//! Answers in words.

use crate::compare::Finding;
use crate::expr::Expr;
use crate::step::Step;
use crate::value::Value;

/// Words that change nothing.
const ARTICLES: [&str; 4] = ["a", "an", "the", "is"];

/// An answer beside a gold answer in words.
pub(super) fn compare(gold: &str, answer: &Value) -> Finding {
    if is_empty_set(answer) {
        return Finding::Unknown(Step::Kind, "the empty set beside words".into());
    }
    let Value::Text(answer) = answer else {
        return Finding::Different(Step::Kind, format!("{}, where the gold answer is a text", answer.kind()));
    };
    let (gold, answer) = (words(gold), words(answer));
    if gold == answer {
        return Finding::Equal(Step::Text);
    }
    let all_in = |some: &[&str], others: &[&str]| some.iter().all(|word| others.contains(word));
    if all_in(&gold, &answer) || all_in(&answer, &gold) {
        return Finding::Unknown(Step::Text, "words that the gold answer shares in part".into());
    }
    // A time has digits, and words of one letter say as little as symbols.
    let exact =
        |words: &[&str]| words.len() == 1 || words.iter().any(|word| word.contains(|c: char| c.is_ascii_digit()));
    if exact(&gold) && exact(&answer) {
        return Finding::Different(Step::Text, "other words".into());
    }
    if gold.iter().any(|word| answer.contains(word)) {
        return Finding::Unknown(Step::Text, "words that the gold answer shares in part".into());
    }
    Finding::Different(Step::Text, "other words".into())
}

/// Words where the gold answer is something else.
pub(super) fn unexpected(gold: &Value, words: &str) -> Finding {
    match gold {
        // A name of several letters, such as that of a figure, is read as a product.
        Value::Scalar(scalar) if is_name(&scalar.expr) && words.split(' ').count() <= 3 => {
            Finding::Unknown(Step::Kind, format!("words, where the gold answer is {}", gold.kind()))
        }
        // `no solution`
        gold if is_empty_set(gold) => Finding::Unknown(Step::Kind, "words beside the empty set".into()),
        // `no more than 5`
        _ if words.contains(|c: char| c.is_ascii_digit()) => {
            Finding::Unknown(Step::Kind, format!("words, where the gold answer is {}", gold.kind()))
        }
        _ => Finding::Different(Step::Kind, format!("words, where the gold answer is {}", gold.kind())),
    }
}

fn is_empty_set(value: &Value) -> bool {
    matches!(value, Value::Set(items) if items.is_empty())
}

fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Symbol(_) => true,
        Expr::Product(factors) => factors.iter().all(|factor| matches!(factor, Expr::Symbol(_))),
        _ => false,
    }
}

fn words(text: &str) -> Vec<&str> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let kept: Vec<&str> = all.iter().copied().filter(|word| !ARTICLES.contains(word)).collect();
    if kept.is_empty() { all } else { kept }
}
