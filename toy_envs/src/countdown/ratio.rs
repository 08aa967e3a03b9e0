//! Exact rational numbers with checked operations.

/// A fraction in lowest terms, with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    numerator: i128,
    denominator: i128,
}

/// The result of a division by zero, or of an operation that overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undefined;

impl Ratio {
    pub(crate) fn whole(number: i128) -> Result<Self, Undefined> {
        Self::new(Some(number), Some(1))
    }

    pub(crate) fn add(self, other: Self) -> Result<Self, Undefined> {
        let (left, right) = self.crossed(other);
        Self::new(left.zip(right).and_then(|(a, b)| a.checked_add(b)), self.denominator.checked_mul(other.denominator))
    }

    pub(crate) fn subtract(self, other: Self) -> Result<Self, Undefined> {
        let (left, right) = self.crossed(other);
        Self::new(left.zip(right).and_then(|(a, b)| a.checked_sub(b)), self.denominator.checked_mul(other.denominator))
    }

    pub(crate) fn multiply(self, other: Self) -> Result<Self, Undefined> {
        Self::new(self.numerator.checked_mul(other.numerator), self.denominator.checked_mul(other.denominator))
    }

    pub(crate) fn divide(self, other: Self) -> Result<Self, Undefined> {
        let (left, right) = self.crossed(other);
        Self::new(left, right)
    }

    /// Both numerators over the product of the denominators.
    fn crossed(self, other: Self) -> (Option<i128>, Option<i128>) {
        (self.numerator.checked_mul(other.denominator), other.numerator.checked_mul(self.denominator))
    }

    fn new(numerator: Option<i128>, denominator: Option<i128>) -> Result<Self, Undefined> {
        let (numerator, denominator) = numerator.zip(denominator).ok_or(Undefined)?;
        let divisor = greatest_common_divisor(numerator.unsigned_abs(), denominator.unsigned_abs());
        let divisor = i128::try_from(divisor).map_err(|_| Undefined)?;
        if denominator == 0 {
            return Err(Undefined);
        }
        let sign = denominator.signum();
        let part = |number: i128| (number / divisor).checked_mul(sign).ok_or(Undefined);
        Ok(Self { numerator: part(numerator)?, denominator: part(denominator)? })
    }
}

fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ratio(numerator: i128, denominator: i128) -> Result<Ratio, Undefined> {
        Ratio::new(Some(numerator), Some(denominator))
    }

    proptest! {
        #[test]
        fn operations_are_those_of_fractions(a in -99_i128..99, b in 1_i128..99, c in -99_i128..99, d in 1_i128..99) {
            let (left, right) = (ratio(a, b).unwrap(), ratio(c, d).unwrap());
            prop_assert_eq!(left.add(right), ratio(a * d + c * b, b * d));
            prop_assert_eq!(left.subtract(right), ratio(a * d - c * b, b * d));
            prop_assert_eq!(left.multiply(right), ratio(a * c, b * d));
            prop_assert_eq!(left.divide(right), ratio(a * d, b * c));
        }

        #[test]
        fn any_numbers_give_a_legal_ratio_or_undefined(a: i128, b: i128, c: i128, d: i128) {
            let (Ok(left), Ok(right)) = (ratio(a, b), ratio(c, d)) else { return Ok(()) };
            let results = [left.add(right), left.subtract(right), left.multiply(right), left.divide(right)];
            prop_assert!(results.iter().flatten().all(|result| result.denominator > 0));
        }
    }

    #[test]
    fn extremes_do_not_panic() {
        let ends = [i128::MIN, i128::MIN + 1, -1, 0, 1, i128::MAX];
        for (a, b) in ends.iter().flat_map(|&a| ends.map(|b| (a, b))) {
            assert_eq!(ratio(a, 0), Err(Undefined));
            if let (Ok(left), Ok(right)) = (ratio(a, b), ratio(b, a)) {
                assert!(
                    left.multiply(right).is_ok_and(|one| one == ratio(1, 1).unwrap())
                        || left.multiply(right) == Err(Undefined)
                );
            }
        }
    }
}
