//! The targets that a few numbers can hit.

use std::collections::BTreeMap;

/// Targets and intermediate values are whole numbers from 1 to this.
pub(crate) const LARGEST_TARGET: u64 = 999;

/// Each target that the numbers can hit, with one expression that uses every number once. Of the expressions that are tried
/// (sums and products in one order of their operands) it is the shortest, and of the shortest ones the first in the order of
/// text. The work grows as the square of the factorial of how many numbers there are.
pub(crate) fn reachable(numbers: &[u64]) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    let parts = numbers.iter().map(|&value| Part { value, text: value.to_string(), kind: Kind::Number }).collect();
    search(parts, &mut found);
    found
}

/// An expression of some of the numbers.
#[derive(Clone)]
struct Part {
    value: u64,
    text: String,
    kind: Kind,
}

/// What an expression is at its outermost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A sum or difference.
    Sum,
    /// A product or quotient.
    Product,
    Number,
}

/// Replaces two parts by one, in every way, until one is left.
fn search(parts: Vec<Part>, found: &mut BTreeMap<u64, String>) {
    if let [part] = &parts[..] {
        keep_shortest(found, part);
        return;
    }
    for second in 1..parts.len() {
        for first in 0..second {
            for combined in combinations(&parts[first], &parts[second]) {
                let others = parts.iter().enumerate().filter(|(place, _)| ![first, second].contains(place));
                search(others.map(|(_, part)| part.clone()).chain([combined]).collect(), found);
            }
        }
    }
}

fn keep_shortest(found: &mut BTreeMap<u64, String>, part: &Part) {
    let rank = |text: &str| (text.len(), text.to_owned());
    let best = found.entry(part.value).or_insert_with(|| part.text.clone());
    if rank(&part.text) < rank(best) {
        *best = part.text.clone();
    }
}

/// Sum, product, differences and quotients, those of them that are whole numbers in the range.
fn combinations(a: &Part, b: &Part) -> Vec<Part> {
    let quotient = |over: &Part, under: &Part| {
        let divides = over.value.is_multiple_of(under.value);
        if divides { over.value.checked_div(under.value) } else { None }
    };
    let values = [
        ('+', a, b, a.value.checked_add(b.value)),
        ('*', a, b, a.value.checked_mul(b.value)),
        ('-', a, b, a.value.checked_sub(b.value)),
        ('-', b, a, b.value.checked_sub(a.value)),
        ('/', a, b, quotient(a, b)),
        ('/', b, a, quotient(b, a)),
    ];
    let known = values.into_iter().filter_map(|(sign, left, right, value)| Some((sign, left, right, value?)));
    let legal = known.filter(|&(.., value)| (1..=LARGEST_TARGET).contains(&value));
    legal.map(|(sign, left, right, value)| join(sign, left, right, value)).collect()
}

/// The two parts with the sign between them, and parentheses where the value would change without.
fn join(sign: char, left: &Part, right: &Part, value: u64) -> Part {
    let in_parentheses = |part: &Part, kinds: &[Kind]| match kinds.contains(&part.kind) {
        true => format!("({})", part.text),
        false => part.text.clone(),
    };
    let (kind, around_left, around_right): (_, &[Kind], &[Kind]) = match sign {
        '+' => (Kind::Sum, &[], &[]),
        '-' => (Kind::Sum, &[], &[Kind::Sum]),
        '*' => (Kind::Product, &[Kind::Sum], &[Kind::Sum]),
        _ => (Kind::Product, &[Kind::Sum], &[Kind::Sum, Kind::Product]),
    };
    let (left, right) = (in_parentheses(left, around_left), in_parentheses(right, around_right));
    Part { value, text: format!("{left}{sign}{right}"), kind }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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

    /// The targets by another method: the values of a list are those of two of its sublists, combined.
    fn values(numbers: &[u64]) -> BTreeSet<u64> {
        if let [number] = numbers {
            return BTreeSet::from([*number]);
        }
        let chosen = |mask: usize, side: bool| -> Vec<u64> {
            let places = (0..numbers.len()).filter(|place| (mask >> place & 1 == 1) == side);
            places.map(|place| numbers[place]).collect()
        };
        let mut found = BTreeSet::new();
        for mask in 1..(1 << numbers.len()) - 1 {
            let (left, right) = (values(&chosen(mask, true)), values(&chosen(mask, false)));
            for (a, b) in left.iter().flat_map(|&a| right.iter().map(move |&b| (a, b))) {
                found.extend([a + b, a * b, a.saturating_sub(b)]);
                found.extend((a % b == 0).then_some(a / b));
            }
        }
        found.into_iter().filter(|value| (1..=LARGEST_TARGET).contains(value)).collect()
    }

    #[test]
    fn all_targets_are_found() {
        let triples = (1..=9).flat_map(|a| (a..=9).flat_map(move |b| (b..=9).map(move |c| vec![a, b, c])));
        for numbers in triples.chain([vec![2, 3, 7, 8], vec![1, 5, 5, 5], vec![25, 50, 75, 99], vec![7, 50, 70]]) {
            assert!(reachable(&numbers).keys().eq(&values(&numbers)), "{numbers:?}");
        }
    }

    #[test]
    fn expressions_are_short_and_have_no_needless_parentheses() {
        for (numbers, target, expected) in [
            (vec![2, 3, 7], 13, "7+2*3"),
            (vec![2, 3, 7], 35, "7*(2+3)"),
            (vec![2, 3, 7], 2, "7-2-3"),
            (vec![2, 5, 10], 1, "10/2/5"),
            (vec![7, 50, 70], 500, "50*70/7"),
            (vec![4, 9, 35], 7, "35/(9-4)"),
            (vec![2, 7, 9], 49, "7*(9-2)"),
            (vec![4, 5, 7], 3, "(5+7)/4"),
            (vec![2, 3, 4, 5], 1, "3*4/2-5"),
            (vec![9, 30, 70, 98], 7, "9+98-30-70"),
        ] {
            assert_eq!(reachable(&numbers)[&target], expected, "{numbers:?} > {target}");
        }
    }

    #[test]
    fn odd_numbers_are_no_trouble() {
        assert!(reachable(&[]).is_empty());
        assert_eq!(reachable(&[0, 5]).into_iter().collect::<Vec<_>>(), [(5, "0+5".to_owned())]);
        assert!(reachable(&[u64::MAX, u64::MAX]).contains_key(&1));
    }
}
