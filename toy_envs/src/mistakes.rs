//! The ways an imperfect teacher errs.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// Whether to err this time. Rates up to 0, and those that are not a number, mean never; rates from 1 on mean always.
pub(crate) fn errs(error_rate: f64, rng: &mut dyn Rng) -> bool {
    rng.random::<f64>() < error_rate
}

/// Whether a mistake is one of form: one in eight is.
pub(crate) fn is_of_form(rng: &mut dyn Rng) -> bool {
    rng.random_range(0..8) == 0
}

/// A numeral of the same length with one digit off by one.
pub(crate) fn slip(numeral: &str, rng: &mut dyn Rng) -> String {
    let mut slips = Vec::new();
    for (place, digit) in numeral.bytes().enumerate().filter(|(_, digit)| digit.is_ascii_digit()) {
        let lowest = if place == 0 && numeral.len() > 1 { b'1' } else { b'0' };
        if digit > lowest {
            slips.push((place, digit - 1));
        }
        if digit < b'9' {
            slips.push((place, digit + 1));
        }
    }
    let Some(&(place, digit)) = slips.choose(rng) else {
        return String::new();
    };
    format!("{}{}{}", &numeral[..place], char::from(digit), &numeral[place + 1..])
}

/// The text with one character replaced by the mark.
pub(crate) fn smudge(text: &str, mark: char, rng: &mut dyn Rng) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return mark.into();
    }
    let place = rng.random_range(0..characters.len());
    characters[place] = mark;
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;

    use super::*;
    use crate::numeral;

    #[test]
    fn a_slip_is_another_numeral_of_the_same_length() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for number in 0..1200_u64 {
            let right = number.to_string();
            let slipped = slip(&right, &mut rng);
            assert!(numeral::is_numeral(&slipped), "{right} -> {slipped}");
            let changes: Vec<_> = right.bytes().zip(slipped.bytes()).filter(|(a, b)| a != b).collect();
            assert_eq!((changes.len(), slipped.len()), (1, right.len()), "{right} -> {slipped}");
            assert_eq!(changes[0].0.abs_diff(changes[0].1), 1, "{right} -> {slipped}");
        }
    }

    #[test]
    fn odd_texts_and_rates_are_no_trouble() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        assert_eq!(slip("", &mut rng), "");
        assert_eq!(slip("é", &mut rng), "");
        assert!(["é1", "é3"].contains(&slip("é2", &mut rng).as_str()));
        assert_eq!(smudge("", '=', &mut rng), "=");
        assert!(!errs(f64::NAN, &mut rng) && !errs(-3.0, &mut rng) && errs(7.0, &mut rng));
    }
}
