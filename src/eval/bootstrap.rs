//! Intervals for the mean over problems.
//!
//! Problems are the independent draws, so what is resampled is problems, each with all its completions.
//!
//! The bootstrap interval is BCa (Efron 1987): the percentile interval, corrected for bias and skewness. Rates near 0 or 1 are
//! skewed, and there the plain percentile interval holds the true rate too seldom: with 30 problems of 4 completions and a rate
//! of 5 % it did in 89 % of 2,000 simulated benchmarks, BCa in 95 %; at rates around one half both did in 95 %.
//!
//! Where each value is 0 or 1, the exact interval of Clopper and Pearson (1934) needs no resampling. It also stands in where
//! all values are equal, because resamples of such values say nothing about others.

use rand::Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::evaluate::clopper_pearson;
pub use crate::statistics::{RESAMPLES, mean};
use crate::statistics::{draw, quantile, resampled};

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How it was made.
    pub method: Method,
}

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Exact, for a share of independent draws (Clopper and Pearson 1934).
    ClopperPearson,
    /// Bootstrap over problems, corrected for bias and skewness (Efron 1987).
    Bca,
}

impl Interval {
    /// For the mean of values from 0 to 1, one for each problem. Without values it is from 0 to 1.
    pub fn of_rate(values: &[f64], seed: u64) -> Interval {
        let binary = values.iter().all(|&value| value == 0.0 || value == 1.0);
        if binary || all_equal(values) {
            let (low, high) = match values.len() {
                0 => (0.0, 1.0),
                problems => clopper_pearson(mean(values), problems as f64),
            };
            return Interval { low, high, method: Method::ClopperPearson };
        }
        bca(values, &resampled_means(values, seed))
    }

    /// For the mean of differences from -1 to 1, one for each problem, with the resampled means that it was made of, in order.
    pub fn of_difference(values: &[f64], seed: u64) -> (Interval, Vec<f64>) {
        let means = resampled_means(values, seed);
        if !all_equal(values) {
            return (bca(values, &means), means);
        }
        // At most the share `other` of all problems has another difference, and that lies between -1 and 1.
        let (common, other) = (mean(values), clopper_pearson(0.0, values.len() as f64).1);
        let other = if values.is_empty() { 1.0 } else { other };
        let [low, high] = [-1.0, 1.0].map(|end| common * (1.0 - other) + end * other);
        (Interval { low, high, method: Method::ClopperPearson }, means)
    }
}

fn all_equal(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// The means of [`RESAMPLES`] resamples with replacement, in increasing order. The same at any number of threads.
fn resampled_means(values: &[f64], seed: u64) -> Vec<f64> {
    if values.is_empty() {
        return Vec::new();
    }
    resampled(seed, |rng| resampled_mean(values, rng))
}

fn resampled_mean(values: &[f64], rng: &mut impl Rng) -> f64 {
    values.iter().map(|_| values[draw(rng, values.len())]).sum::<f64>() / values.len() as f64
}

/// Efron (1987), sections 3 and 4, with the acceleration of a mean. `means` are in increasing order.
fn bca(values: &[f64], means: &[f64]) -> Interval {
    let center = mean(values);
    let below = means.partition_point(|&other| other < center - ROUNDING);
    let equal = means.partition_point(|&other| other <= center + ROUNDING) - below;
    let resamples = means.len() as f64;
    let share = ((below as f64 + 0.5 * equal as f64) / resamples).clamp(1.0 / resamples, 1.0 - 1.0 / resamples);
    let bias = Normal::standard().inverse_cdf(share);
    let moment = |power| values.iter().map(|value| (value - center).powi(power)).sum::<f64>();
    let acceleration = moment(3) / (6.0 * moment(2).powf(1.5));
    let end = |z: f64| {
        let shifted = bias + z;
        quantile(means, Normal::standard().cdf(bias + shifted / (1.0 - acceleration * shifted)))
    };
    Interval { low: end(-TWO_SIDED), high: end(TWO_SIDED), method: Method::Bca }
}

/// Equal means of different orders of summation differ by less.
pub(super) const ROUNDING: f64 = 1e-12;

/// The 97.5 % quantile of the standard normal distribution.
const TWO_SIDED: f64 = 1.959_963_984_540_054;
