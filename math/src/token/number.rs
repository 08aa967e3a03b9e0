//! Numbers: digits in groups, decimals, repeating decimals, scientific notation.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Pow};

use crate::expr::Number;
use crate::limits::BITS;

/// What a comma between digits of plain text means, as in `100,200`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commas {
    /// It groups digits, where the groups have three.
    Group,
    /// It separates two numbers.
    Separate,
}

/// A number as it stands in the text, without its sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Literal<'a> {
    /// Digits, the marks between groups of digits, and a point.
    digits: &'a str,
    /// Digits that repeat without end.
    repeating: &'a str,
    /// The power of ten behind an `e`.
    exponent: i32,
    /// Whether a comma of plain text groups its digits, so that it could also be two numbers.
    pub commas: bool,
}

impl PartialEq for Literal<'_> {
    fn eq(&self, other: &Self) -> bool {
        let digits = |literal: &Self| literal.digits.bytes().filter(is_digit_or_point).collect::<Vec<_>>();
        (self.repeating, self.exponent) == (other.repeating, other.exponent) && digits(self) == digits(other)
    }
}

impl Eq for Literal<'_> {}

fn is_digit_or_point(byte: &u8) -> bool {
    byte.is_ascii_digit() || *byte == b'.'
}

/// The marks that group digits in LaTeX.
const MARKS: [&str; 8] = ["{,}", ",\\!\\,", ",\\! ", ",\\!", "\\,", "\\ ", "\\!", "\\;"];

/// The number at the start of a text, and its bytes.
pub(crate) fn scan(text: &str, commas: Commas) -> Option<(Literal<'_>, usize)> {
    let whole = count_digits(text);
    let (whole_end, grouped) = groups(text, whole, commas);
    let mut end = whole_end;
    if text[end..].starts_with('.') {
        let digits = count_digits(&text[end + 1..]);
        let repeats = digits == 0 && repetition(&text[end + 1..]).is_some();
        // `3.` in the middle of a formula is 3; at the end the point is that of the sentence.
        let ends = whole_end > 0 && text[end + 1..].starts_with(['/', ')', '*', '^']);
        if digits > 0 || repeats || ends {
            end += 1 + digits;
        }
    }
    if end == 0 {
        return None;
    }
    let point = text[whole_end..end].starts_with('.');
    let (repeating, after) = match repetition(&text[end..]) {
        // `0.(3)` only right behind the point, for `0.5(3)` is a product.
        Some((digits, bytes)) if point && (!text[end..].starts_with('(') || text[..end].ends_with('.')) => {
            (digits, end + bytes)
        }
        _ => match dots(&text[whole_end..]).filter(|_| point) {
            Some((digits, kept, bytes)) => {
                end = whole_end + kept;
                (digits, whole_end + bytes)
            }
            None => ("", end),
        },
    };
    let (exponent, bytes) = exponent(&text[after..]).filter(|_| repeating.is_empty()).unwrap_or((0, 0));
    Some((Literal { digits: &text[..end], repeating, exponent, commas: grouped }, after + bytes))
}

fn count_digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// Passes groups of three digits behind the first `end` digits; whether a plain comma was among the marks.
fn groups(text: &str, mut end: usize, commas: Commas) -> (usize, bool) {
    let mut plain = false;
    if end == 0 || end > 3 {
        return (end, false);
    }
    loop {
        let rest = &text[end..];
        let latex = MARKS.iter().find(|mark| rest.starts_with(**mark)).map(|mark| mark.len());
        // A group with a leading zero is no number of its own, so its comma can only group.
        let zero = rest.as_bytes().get(1) == Some(&b'0');
        let comma = (rest.starts_with(',') && (commas == Commas::Group || zero) && !text.starts_with('0')).then_some(1);
        let space = (rest.starts_with(' ') && count_digits(&rest[1..]) == 3).then_some(1);
        let Some(mark) = latex.or(comma).or(space) else { break };
        let gap = rest[mark..].bytes().take_while(|b| *b == b' ').count() * usize::from(latex.is_some());
        if count_digits(&rest[mark + gap..]) != 3 {
            break;
        }
        plain |= latex.is_none();
        end += mark + gap + 3;
    }
    (end, plain)
}

/// `\overline{3}` and the like: the digits that repeat, and the bytes of the whole.
fn repetition(text: &str) -> Option<(&str, usize)> {
    let command = ["\\overline{", "\\bar{", "\\dot{", "("].iter().find(|command| text.starts_with(**command))?;
    let inside = &text[command.len()..];
    let digits = count_digits(inside);
    let closed = inside[digits..].starts_with(if *command == "(" { ')' } else { '}' });
    (digits > 0 && closed).then(|| (&inside[..digits], command.len() + digits + 1))
}

/// `.1666...`: the digits that repeat, how much of the text stands before them, and the bytes of the whole. The shortest
/// block that fills the end of the digits at least twice, and at least three digits, is taken to repeat.
fn dots(text: &str) -> Option<(&str, usize, usize)> {
    let digits = count_digits(text.get(1..)?);
    let end = 1 + digits;
    let mark = ["...", "\\ldots", "\\dots", "\\cdots", "…"].iter().find(|mark| text[end..].starts_with(**mark))?;
    for length in 1..=digits / 2 {
        let block = &text[end - length..end];
        let mut start = end;
        while start > length && &text[start - length..start] == block && start - length >= 1 {
            start -= length;
        }
        if end - start >= 2 * length && end - start >= 3 {
            return Some((block, start, end + mark.len()));
        }
    }
    None
}

/// `e-5`: the power of ten, and its bytes.
fn exponent(text: &str) -> Option<(i32, usize)> {
    let after = text.strip_prefix(['e', 'E'])?;
    let sign = usize::from(after.starts_with(['+', '-']));
    let digits = count_digits(&after[sign..]);
    let bytes = 1 + sign + digits;
    if digits == 0 || digits > 6 || text[bytes..].starts_with(['.', '^']) {
        return None;
    }
    after[..sign + digits].parse().ok().map(|exponent| (exponent, bytes))
}

impl Literal<'_> {
    /// Whether it is digits only.
    pub fn is_integer(&self) -> bool {
        self.exponent == 0 && self.repeating.is_empty() && !self.digits.contains('.')
    }

    /// The digits as they stand, without marks between groups.
    pub fn digits(&self) -> String {
        self.digits.chars().filter(char::is_ascii_digit).collect()
    }

    /// Writes it without the marks between groups of digits.
    pub fn write(&self, text: &mut String) {
        text.extend(self.digits.bytes().filter(is_digit_or_point).map(char::from));
        if !self.repeating.is_empty() {
            text.extend(["(", self.repeating, ")"]);
        }
        if self.exponent != 0 {
            text.extend(["e", &self.exponent.to_string()]);
        }
    }

    /// Its first digit, and the others; `None` for one digit and for what is not digits only.
    pub fn split(&self) -> Option<(Self, Self)> {
        let plain = self.is_integer() && self.digits.len() > 1 && self.digits.bytes().all(|b| b.is_ascii_digit());
        let (first, rest) = self.digits.split_at_checked(1).filter(|_| plain)?;
        Some((Literal { digits: first, ..*self }, Literal { digits: rest, ..*self }))
    }

    /// Its value; `None` for one with more digits than are computed with.
    pub fn value(&self) -> Option<Number> {
        let digits = self.digits();
        if 3 * (digits.len() as u64 + u64::from(self.exponent.unsigned_abs())) > BITS {
            return None;
        }
        let decimals = self.digits.split_once('.').map_or(0, |(_, d)| count_digits(d)) as i32;
        let mut value = BigRational::from_integer(digits.parse().unwrap_or_default());
        if !self.repeating.is_empty() {
            let all = BigInt::from(10).pow(self.repeating.len() as u32) - BigInt::one();
            value += BigRational::new(self.repeating.parse().unwrap_or_default(), all);
        }
        value *= power_of_ten(self.exponent - decimals);
        let rounded = (decimals > 0 || self.exponent != 0) && self.repeating.is_empty();
        Some(Number { value, place: rounded.then_some(self.exponent - decimals) })
    }
}

/// `10^exponent`.
pub(crate) fn power_of_ten(exponent: i32) -> BigRational {
    BigRational::from_integer(10.into()).pow(exponent)
}
