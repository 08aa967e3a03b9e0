//! Reads arithmetic expressions, exactly.
//!
//! ```text
//! sum     = product (("+" | "-") product)*
//! product = atom (("*" | "/") atom)*
//! atom    = numeral | "(" sum ")"
//! ```

use super::ratio::{Ratio, Undefined};
use crate::numeral;

/// What an expression says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression<'a> {
    pub value: Result<Ratio, Undefined>,
    /// As written, from left to right.
    pub numbers: Vec<&'a str>,
}

/// The whole text as one expression; none where it is not.
pub(crate) fn read(text: &str) -> Option<Expression<'_>> {
    let mut reader = Reader { rest: text, numbers: Vec::new(), depth: 0 };
    let value = reader.sum()?;
    reader.rest.is_empty().then_some(Expression { value, numbers: reader.numbers })
}

/// Deeper nesting of parentheses is no expression; it would otherwise be as deep in calls.
const DEEPEST: usize = 32;

type Value = Result<Ratio, Undefined>;
type Operation = fn(Ratio, Ratio) -> Value;

struct Reader<'a> {
    rest: &'a str,
    numbers: Vec<&'a str>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn sum(&mut self) -> Option<Value> {
        self.row([('+', Ratio::add), ('-', Ratio::subtract)], Self::product)
    }

    fn product(&mut self) -> Option<Value> {
        self.row([('*', Ratio::multiply), ('/', Ratio::divide)], Self::atom)
    }

    /// One or more parts with signs between them, from left to right.
    fn row(&mut self, signs: [(char, Operation); 2], part: fn(&mut Self) -> Option<Value>) -> Option<Value> {
        let mut value = part(self)?;
        while let Some((_, operation)) = signs.iter().find(|(sign, _)| self.take(*sign)) {
            let right = part(self)?;
            value = value.and_then(|left| operation(left, right?));
        }
        Some(value)
    }

    fn atom(&mut self) -> Option<Value> {
        if self.take('(') {
            self.depth += 1;
            let value = if self.depth > DEEPEST { None } else { self.sum() };
            self.depth -= 1;
            return if self.take(')') { value } else { None };
        }
        let length = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(length);
        if !numeral::is_numeral(number) {
            return None;
        }
        self.rest = rest;
        self.numbers.push(number);
        Some(number.parse().map_or(Err(Undefined), Ratio::whole))
    }

    fn take(&mut self, sign: char) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By brute force: an expression is two expressions around its last outermost sign of lowest rank, or one in parentheses,
    /// or a numeral.
    fn by_splitting(text: &str) -> Option<Value> {
        let bytes = text.as_bytes();
        let outermost = |&place: &usize| {
            let count = |part: &[u8], sign| part.iter().filter(|&&byte| byte == sign).count();
            count(&bytes[..place], b'(') == count(&bytes[..place], b')')
        };
        for signs in [b"+-", b"*/"] {
            let Some(place) = (0..bytes.len()).rev().filter(outermost).find(|&place| signs.contains(&bytes[place]))
            else {
                continue;
            };
            let (left, right) = (by_splitting(&text[..place])?, by_splitting(&text[place + 1..])?);
            return Some(left.and_then(|left| match bytes[place] {
                b'+' => left.add(right?),
                b'-' => left.subtract(right?),
                b'*' => left.multiply(right?),
                _ => left.divide(right?),
            }));
        }
        if let Some(inner) = text.strip_prefix('(') {
            return by_splitting(inner.strip_suffix(')')?);
        }
        numeral::value(text).map(|number| Ratio::whole(number.into()))
    }

    #[test]
    fn agrees_with_brute_force_on_every_short_text() {
        let mut texts = vec![String::new()];
        let (mut read_well, mut all) = (0, 0);
        for _ in 0..7 {
            for text in &texts {
                let value = read(text).map(|expression| expression.value);
                assert_eq!(value, by_splitting(text), "{text:?}");
                read_well += usize::from(value.is_some());
                all += 1;
            }
            texts = texts.iter().flat_map(|text| "30+-*/()".chars().map(move |next| format!("{text}{next}"))).collect();
        }
        assert!(read_well > 1000 && all > 8 * read_well, "{read_well} of {all}");
    }

    #[test]
    fn long_and_deep_texts_are_no_trouble() {
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(read(&nested(DEEPEST)).is_some());
        assert!(read(&nested(DEEPEST + 1)).is_none());
        assert!(read(&"(".repeat(1_000_000)).is_none());
        assert_eq!(read(&format!("1{}", "+1".repeat(100_000))).unwrap().value, Ratio::whole(100_001));
        assert_eq!(read(&format!("9{}", "*9".repeat(100))).unwrap().value, Err(Undefined));
        assert_eq!(read(&"9".repeat(1000)).unwrap().value, Err(Undefined));
        assert!(["1+é", "٣", "1 + 1", "-1", "1 "].iter().all(|text| read(text).is_none()));
    }
}
