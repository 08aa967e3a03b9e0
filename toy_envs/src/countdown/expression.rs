//! Reads arithmetic expressions, exactly.
//!
//! ```text
//! sum     = product (("+" | "-") product)*
//! product = atom (("*" | "/") atom)*
//! atom    = numeral | "(" sum ")"
//! ```

use super::ratio::{Ratio, Undefined};
use crate::numeral;

/// The value and the numbers of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression<'a> {
    pub value: Result<Ratio, Undefined>,
    /// As written, from left to right.
    pub numbers: Vec<&'a str>,
}

/// The text as one expression; `None` if it is not one.
pub(crate) fn read(text: &str) -> Option<Expression<'_>> {
    let mut reader = Reader { rest: text, numbers: Vec::new(), depth: 0 };
    let value = reader.sum()?;
    reader.rest.is_empty().then_some(Expression { value, numbers: reader.numbers })
}

/// Most parentheses inside each other. The reader is recursive, so that deeper ones could overflow the stack.
const MAX_DEPTH: usize = 32;

type Value = Result<Ratio, Undefined>;
type Operation = fn(Ratio, Ratio) -> Value;

struct Reader<'a> {
    rest: &'a str,
    numbers: Vec<&'a str>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn sum(&mut self) -> Option<Value> {
        self.left_to_right([('+', Ratio::add), ('-', Ratio::subtract)], Self::product)
    }

    fn product(&mut self) -> Option<Value> {
        self.left_to_right([('*', Ratio::multiply), ('/', Ratio::divide)], Self::atom)
    }

    /// One or more operands with signs between them, evaluated from left to right.
    fn left_to_right(
        &mut self,
        signs: [(char, Operation); 2],
        operand: fn(&mut Self) -> Option<Value>,
    ) -> Option<Value> {
        let mut value = operand(self)?;
        while let Some((_, operation)) = signs.iter().find(|(sign, _)| self.accept(*sign)) {
            let right = operand(self)?;
            value = value.and_then(|left| operation(left, right?));
        }
        Some(value)
    }

    fn atom(&mut self) -> Option<Value> {
        if self.accept('(') {
            self.depth += 1;
            let value = if self.depth > MAX_DEPTH { None } else { self.sum() };
            self.depth -= 1;
            return if self.accept(')') { value } else { None };
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

    /// Reads the sign if it is next.
    fn accept(&mut self, sign: char) -> bool {
        let rest = self.rest.strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A slow reader by another method: split at the last sign of lowest precedence outside parentheses.
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
    fn agrees_with_the_slow_reader_on_every_short_text() {
        let mut texts = vec![String::new()];
        let (mut valid, mut all) = (0, 0);
        for _ in 0..7 {
            for text in &texts {
                let value = read(text).map(|expression| expression.value);
                assert_eq!(value, by_splitting(text), "{text:?}");
                valid += usize::from(value.is_some());
                all += 1;
            }
            texts = texts.iter().flat_map(|text| "30+-*/()".chars().map(move |next| format!("{text}{next}"))).collect();
        }
        assert!(valid > 1000 && all > 8 * valid, "{valid} of {all}");
    }

    #[test]
    fn long_and_deep_texts_neither_panic_nor_overflow() {
        let nested = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_some());
        assert!(read(&nested(MAX_DEPTH + 1)).is_none());
        assert!(read(&"(".repeat(1_000_000)).is_none());
        assert_eq!(read(&format!("1{}", "+1".repeat(100_000))).unwrap().value, Ratio::whole(100_001));
        assert_eq!(read(&format!("9{}", "*9".repeat(100))).unwrap().value, Err(Undefined));
        assert_eq!(read(&"9".repeat(1000)).unwrap().value, Err(Undefined));
        assert!(["1+é", "٣", "1 + 1", "-1", "1 "].iter().all(|text| read(text).is_none()));
    }
}
