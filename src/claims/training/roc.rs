//! The area under the ROC curve of a reading that should be higher at marked tokens.

/// A reading at a token. Only tokens of the same stratum are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Tokens of different strata are not compared.
    pub stratum: usize,
    /// Whether the token belongs to the positive class.
    pub marked: bool,
    /// The reading.
    pub value: f64,
}

/// Area under the ROC curve: the share of pairs of a marked and an unmarked token of the same stratum in which the
/// marked one has the higher value; ties count half. 1/2 if there is no pair.
pub fn area(readings: &[Reading]) -> f64 {
    let (mut won, mut pairs) = (0.0, 0.0);
    for marked in readings.iter().filter(|reading| reading.marked) {
        for other in readings.iter().filter(|other| !other.marked && other.stratum == marked.stratum) {
            won += f64::from(marked.value > other.value) + 0.5 * f64::from(marked.value == other.value);
            pairs += 1.0;
        }
    }
    if pairs > 0.0 { won / pairs } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(marked: &[(usize, f64)], others: &[(usize, f64)]) -> f64 {
        let reading = |marked| move |&(stratum, value): &(usize, f64)| Reading { stratum, marked, value };
        area(&marked.iter().map(reading(true)).chain(others.iter().map(reading(false))).collect::<Vec<_>>())
    }

    #[test]
    fn area_counts_pairs() {
        assert_eq!(of(&[(0, 2.0), (0, 3.0)], &[(0, 1.0), (0, 0.0)]), 1.0);
        assert_eq!(of(&[(0, 0.0)], &[(0, 1.0), (0, 2.0)]), 0.0);
        assert_eq!(of(&[(0, 1.0), (0, 3.0)], &[(0, 2.0), (0, 0.0)]), 0.75);
        assert_eq!(of(&[(0, 1.0), (0, 1.0)], &[(0, 1.0)]), 0.5, "ties count half");
        assert_eq!(of(&[(0, 1.0)], &[(0, 1.0), (0, 0.0)]), 0.75);
        assert_eq!(of(&[(0, -0.0)], &[(0, 0.0)]), 0.5, "zeros of both signs are equal");
    }

    #[test]
    fn strata_are_not_compared_with_each_other() {
        assert_eq!(of(&[(0, 1.0), (1, 9.0)], &[(0, 2.0), (1, 8.0)]), 0.5);
        assert_eq!(of(&[(0, 1.0)], &[(1, 2.0)]), 0.5, "no pair");
        assert_eq!(of(&[], &[(0, 2.0)]), 0.5);
    }
}
