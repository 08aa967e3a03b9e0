//! Student's t distribution.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The same quantile of the normal distribution.
const NORMAL: f64 = 1.959_963_984_540_054;

/// Degrees of freedom from which on the two differ by less than 1e-7.
const MANY: f64 = 1e8;

/// The 97.5 % quantile with so many degrees of freedom, at least 1; NaN for fewer. It is found by bisection of the distribution
/// function: the inverse of statrs 0.19 does not return where there are very many.
pub(crate) fn student_quantile(freedom: f64) -> f64 {
    if freedom > MANY {
        return NORMAL;
    }
    let Ok(student) = StudentsT::new(0.0, 1.0, freedom) else { return f64::NAN };
    if freedom < 1.0 {
        return f64::NAN;
    }
    // With one degree of freedom it is 12.706, with infinitely many 1.960.
    let (mut low, mut high) = (1.9, 13.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if student.cdf(middle) < 0.975 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Mean and two-sided 95 % interval of Student's t. The interval of a single number is infinite.
pub(crate) fn interval(values: &[f64]) -> (f64, [f64; 2]) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let half = match values.len() {
        0 | 1 => f64::INFINITY,
        _ => student_quantile(n - 1.0) * (squares / (n - 1.0) / n).sqrt(),
    };
    (mean, [mean - half, mean + half])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.ppf(0.975, freedom)`
    #[test]
    fn quantiles_are_those_of_scipy() {
        let cases =
            [(1.0, 12.706204736), (2.5, 3.574654842), (4.0, 2.776445105), (30.0, 2.042272456), (1e6, 1.959966357)];
        for (freedom, expected) in cases {
            let found = student_quantile(freedom);
            assert!((found - expected).abs() < 1e-6, "{freedom}: {found}, not {expected}");
        }
        assert!(student_quantile(0.5).is_nan() && student_quantile(f64::NAN).is_nan());
        assert!((1..3000).all(|freedom| student_quantile(f64::from(freedom)).is_finite()), "and it always returns");
    }

    /// `scipy.stats.t.interval(0.95, len(x) - 1, numpy.mean(x), scipy.stats.sem(x))`
    #[test]
    fn interval_is_that_of_student() {
        let cases: [(&[f64], [f64; 2]); 2] =
            [(&[0.1, 0.3, 0.2, 0.5, -0.1], [-0.07764, 0.47764]), (&[1.0, 2.0], [-4.85310, 7.85310])];
        for (values, expected) in cases {
            let (mean, [low, high]) = interval(values);
            assert!((low - expected[0]).abs() < 1e-5 && (high - expected[1]).abs() < 1e-5, "{values:?}: {low} {high}");
            assert!((low + high - 2.0 * mean).abs() < 1e-12);
        }
        assert_eq!(interval(&[0.5]).1, [f64::NEG_INFINITY, f64::INFINITY]);
        assert_eq!(interval(&[0.5, 0.5]).1, [0.5, 0.5]);
    }
}
