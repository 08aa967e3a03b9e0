//! How many seeds would show a difference.

use statrs::distribution::{Chi, Continuous, ContinuousCDF, Normal};

use super::student_quantile;

/// Probability with which a difference should be seen.
const POWER: f64 = 0.8;

/// Pairs from which on the t distribution counts as normal.
const MANY: usize = 2000;

/// The power of the paired t-test at level 0.05, two-sided: the probability that `pairs` pairs show a difference whose mean
/// is `effect` standard deviations. It is `∫ [Φ(δ - t·s) + Φ(-δ - t·s)] p(s) ds` over the distribution of the estimated
/// deviation `s`, in units of the true one, with `δ = effect·√pairs` and the critical value `t`. 0 for fewer than two pairs.
pub fn power(effect: f64, pairs: usize) -> f64 {
    let (shift, normal) = (effect.abs() * (pairs as f64).sqrt(), Normal::standard());
    let beyond = |critical: f64| normal.cdf(shift - critical) + normal.cdf(-shift - critical);
    if pairs < 2 {
        return 0.0;
    }
    let freedom = pairs as u64 - 1;
    match (pairs < MANY, Chi::new(freedom)) {
        (true, Ok(chi)) => {
            let critical = student_quantile(freedom as f64);
            let root = (freedom as f64).sqrt();
            // With one degree of freedom the density at 0 is not 0.
            let at = |s: f64| beyond(critical * s / root) * chi.pdf(s.max(1e-12));
            // The deviation of a chi variable is at most 0.71.
            simpson(at, (root - 8.0).max(0.0), root + 8.0)
        }
        _ => beyond(student_quantile(f64::INFINITY)),
    }
}

/// The integral of a smooth function by Simpson's rule on 400 intervals.
fn simpson(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    const INTERVALS: usize = 400;
    let width = (to - from) / INTERVALS as f64;
    let weight = |i: usize| if i == 0 || i == INTERVALS { 1.0 } else { 2.0 + 2.0 * (i % 2) as f64 };
    (0..=INTERVALS).map(|i| weight(i) * f(from + width * i as f64)).sum::<f64>() * width / 3.0
}

/// The smallest number of pairs that shows a difference with power 0.8 in the paired t-test at level 0.05, two-sided, where the
/// differences of pairs have this standard deviation. `None` where no number does: a difference of 0, or numbers that are not
/// finite; and where it is above a billion.
pub fn pairs_needed(difference: f64, deviation: f64) -> Option<usize> {
    const MOST: usize = 1_000_000_000;
    let effect = (difference / deviation).abs();
    if difference == 0.0 || effect.is_nan() {
        return None;
    }
    if effect.is_infinite() {
        return Some(2);
    }
    let enough = |pairs: usize| power(effect, pairs) >= POWER;
    let (mut low, mut high) = (1, 2);
    while !enough(high) {
        (low, high) = (high, 2 * high);
        if low > MOST {
            return None;
        }
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}
