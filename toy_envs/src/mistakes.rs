//! The mistakes of an imperfect teacher.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

/// Whether to make a mistake this time. Rates up to 0 and NaN mean never, rates from 1 on always.
pub(crate) fn errs(error_rate: f64, rng: &mut dyn Rng) -> bool {
    rng.random::<f64>() < error_rate
}

/// Whether a mistake is to be unparsable rather than wrong: one in eight is.
pub(crate) fn is_unparsable(rng: &mut dyn Rng) -> bool {
    rng.random_range(0..8) == 0
}

/// A number of as many digits, with one digit off by one. `number` is from 0 to `u64::MAX`.
pub(crate) fn digit_off_by_one(number: i128, rng: &mut dyn Rng) -> i128 {
    let mut others = Vec::new();
    let mut power = 1;
    while power <= number.max(1) {
        let digit = number / power % 10;
        let is_leading = power > 1 && number < 10 * power;
        if digit > i128::from(is_leading) {
            others.push(number - power);
        }
        if digit < 9 {
            others.push(number + power);
        }
        power *= 10;
    }
    others.choose(rng).copied().unwrap_or(number + 1)
}

/// The text with one character replaced by another; the replacement alone where the text is empty.
pub(crate) fn with_one_replaced(text: &str, replacement: char, rng: &mut dyn Rng) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    if characters.is_empty() {
        return replacement.into();
    }
    let place = rng.random_range(0..characters.len());
    characters[place] = replacement;
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use rand::rngs::ChaCha8Rng;
    use rand::{SeedableRng, TryRng};

    use super::*;

    fn off_by_one(number: i128) -> Vec<i128> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let drawn: BTreeSet<_> = (0..500).map(|_| digit_off_by_one(number, &mut rng)).collect();
        drawn.into_iter().collect()
    }

    #[test]
    fn one_digit_is_off_by_one_and_the_length_stays() {
        for (number, others) in [
            (0, vec![1]),
            (1, vec![0, 2]),
            (9, vec![8]),
            (10, vec![11, 20]),
            (19, vec![18, 29]),
            (47, vec![37, 46, 48, 57]),
            (99, vec![89, 98]),
            (100, vec![101, 110, 200]),
            (150, vec![140, 151, 160, 250]),
            (950, vec![850, 940, 951, 960]),
        ] {
            assert_eq!(off_by_one(number), others, "{number}");
        }
        let largest = i128::from(u64::MAX);
        assert!(off_by_one(largest).contains(&(largest + 10_i128.pow(19))));
    }

    #[test]
    fn one_character_is_replaced_at_any_place() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let drawn: BTreeSet<_> = (0..100).map(|_| with_one_replaced("é12", '=', &mut rng)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), ["=12", "é1=", "é=2"]);
        assert_eq!(with_one_replaced("", '=', &mut rng), "=");
    }

    /// Random numbers that are all 0.
    struct Zeros;

    impl TryRng for Zeros {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(0);
            Ok(())
        }
    }

    #[test]
    fn a_rate_of_zero_means_never_even_for_the_smallest_random_number() {
        assert!(!errs(0.0, &mut Zeros));
        assert!(errs(f64::MIN_POSITIVE, &mut Zeros));
    }

    #[test]
    fn rates_are_those_asked_for() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let share = |event: &mut dyn FnMut() -> bool| (0..8000).filter(|_| event()).count();
        assert_eq!([f64::NAN, -3.0, 0.0].map(|rate| share(&mut || errs(rate, &mut rng))), [0; 3]);
        assert_eq!([1.0, 7.0].map(|rate| share(&mut || errs(rate, &mut rng))), [8000; 2]);
        assert!((1880..2120).contains(&share(&mut || errs(0.25, &mut rng))));
        assert!((880..1120).contains(&share(&mut || is_unparsable(&mut rng))));
    }
}
