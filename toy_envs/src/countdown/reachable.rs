//! Every target that a few numbers can hit.

use std::collections::BTreeMap;

/// Targets and the values on the way to them are whole numbers from 1 to this.
pub(crate) const LARGEST_TARGET: u64 = 999;

/// Each target with an expression that uses every number once: the shortest there is, and of those the first in the order of
/// text. Work grows as the square of the factorial of how many numbers there are.
pub(crate) fn reachable(numbers: &[u64]) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    let pieces = numbers.iter().map(|&value| Piece { value, text: value.to_string(), form: Form::Number }).collect();
    combine(pieces, &mut found);
    found
}

#[derive(Clone)]
struct Piece {
    value: u64,
    text: String,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Sum,
    Product,
    Number,
}

/// Replaces two pieces by one, in every way, until one is left.
fn combine(pieces: Vec<Piece>, found: &mut BTreeMap<u64, String>) {
    if let [piece] = &pieces[..] {
        keep_shortest(found, piece);
        return;
    }
    for second in 1..pieces.len() {
        for first in 0..second {
            for joined in joined(&pieces[first], &pieces[second]) {
                let others = pieces.iter().enumerate().filter(|(place, _)| ![first, second].contains(place));
                combine(others.map(|(_, piece)| piece.clone()).chain([joined]).collect(), found);
            }
        }
    }
}

fn keep_shortest(found: &mut BTreeMap<u64, String>, piece: &Piece) {
    let rank = |text: &str| (text.len(), text.to_owned());
    let best = found.entry(piece.value).or_insert_with(|| piece.text.clone());
    if rank(&piece.text) < rank(best) {
        *best = piece.text.clone();
    }
}

/// Sum, product, difference and quotient, those of them that are legal values.
fn joined(a: &Piece, b: &Piece) -> Vec<Piece> {
    let (low, high) = if a.value < b.value { (a, b) } else { (b, a) };
    let quotient = if high.value.is_multiple_of(low.value) { high.value.checked_div(low.value) } else { None };
    let values = [
        ('+', a, b, a.value.checked_add(b.value)),
        ('*', a, b, a.value.checked_mul(b.value)),
        ('-', high, low, Some(high.value - low.value)),
        ('/', high, low, quotient),
    ];
    let legal = values.into_iter().filter_map(|(sign, left, right, value)| Some((sign, left, right, value?)));
    let legal = legal.filter(|&(.., value)| (1..=LARGEST_TARGET).contains(&value));
    legal.map(|(sign, left, right, value)| write(sign, left, right, value)).collect()
}

/// With parentheses only where they change the value.
fn write(sign: char, left: &Piece, right: &Piece, value: u64) -> Piece {
    let in_parentheses = |piece: &Piece, forms: &[Form]| match forms.contains(&piece.form) {
        true => format!("({})", piece.text),
        false => piece.text.clone(),
    };
    let (form, around_left, around_right): (_, &[Form], &[Form]) = match sign {
        '+' => (Form::Sum, &[], &[]),
        '-' => (Form::Sum, &[], &[Form::Sum]),
        '*' => (Form::Product, &[Form::Sum], &[Form::Sum]),
        _ => (Form::Product, &[Form::Sum], &[Form::Sum, Form::Product]),
    };
    let (left, right) = (in_parentheses(left, around_left), in_parentheses(right, around_right));
    Piece { value, text: format!("{left}{sign}{right}"), form }
}

#[cfg(test)]
mod tests {
    use super::super::expression::read;
    use super::super::ratio::Ratio;
    use super::*;

    #[test]
    fn targets_of_two_numbers() {
        let found = |numbers: &[u64]| reachable(numbers).into_iter().collect::<Vec<_>>();
        let expected = [(2, "6/3"), (3, "6-3"), (9, "3+6"), (18, "3*6")];
        assert_eq!(found(&[3, 6]), expected.map(|(target, text)| (target, text.to_owned())));
    }

    #[test]
    fn expressions_have_the_numbers_and_the_value_they_are_for() {
        for numbers in [[2, 3, 7, 8], [1, 1, 1, 1], [9, 9, 10, 99]] {
            for (target, text) in reachable(&numbers) {
                let expression = read(&text).unwrap();
                assert_eq!(expression.value, Ratio::whole(target.into()), "{text}");
                let mut used: Vec<u64> = expression.numbers.iter().map(|number| number.parse().unwrap()).collect();
                used.sort();
                assert_eq!(used, numbers, "{text}");
            }
        }
    }

    #[test]
    fn odd_numbers_are_no_trouble() {
        assert!(reachable(&[]).is_empty());
        assert_eq!(reachable(&[0, 5]).into_iter().collect::<Vec<_>>(), [(5, "0+5".to_owned())]);
        assert!(reachable(&[u64::MAX, u64::MAX]).contains_key(&1));
    }
}
