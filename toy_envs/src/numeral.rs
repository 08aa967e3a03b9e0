//! Decimal numerals in canonical form: digits only, and no leading zero except in "0" itself.

use crate::verdict::Verdict;

/// The verdict on a text where the numeral `right` is asked for.
pub(crate) fn verdict(written: &str, right: &str) -> Verdict {
    if !is_numeral(written) {
        Verdict::Unparsable
    } else if written == right {
        Verdict::Right
    } else {
        Verdict::Wrong
    }
}

/// Whether the text is a canonical numeral, of any length.
pub(crate) fn is_numeral(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

/// The value of a canonical numeral; `None` for another text or a number that does not fit.
pub(crate) fn value(text: &str) -> Option<u64> {
    is_numeral(text).then(|| text.parse().ok()).flatten()
}

/// The number of digits of a number.
pub(crate) fn width(number: u64) -> usize {
    number.to_string().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_numeral() {
        for number in 0..2000 {
            assert_eq!(value(&number.to_string()), Some(number));
        }
        for text in ["", "00", "01", "+1", "-1", "1 ", " 1", "1.0", "1_0", "٣", "99999999999999999999"] {
            assert_eq!(value(text), None, "{text:?}");
        }
        assert!(is_numeral("99999999999999999999"));
    }
}
