//! The one bootstrap of this crate: resamples that do not depend on the number of threads, and their quantiles.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::Estimate;
use crate::streams::{Purpose, stream};

/// Resamples of a bootstrap.
pub const RESAMPLES: usize = 10_000;

/// Resamples that share a random stream.
const BLOCK: usize = 100;

/// The mean; 0 without values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

/// The values of a statistic on [`RESAMPLES`] resamples, in increasing order. `statistic` draws its resample from the
/// generator it is given, with [`draw`]. The same at any number of threads.
pub(crate) fn resampled(seed: u64, statistic: impl Fn(&mut ChaCha8Rng) -> f64 + Sync) -> Vec<f64> {
    let block = |block: usize| {
        let mut rng = stream(seed, Purpose::Bootstrap, block);
        (0..BLOCK).map(|_| statistic(&mut rng)).collect::<Vec<f64>>()
    };
    let mut values: Vec<f64> = (0..RESAMPLES / BLOCK).into_par_iter().flat_map_iter(block).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// A place below `count`, each with the same probability.
pub(crate) fn draw(rng: &mut impl Rng, count: usize) -> usize {
    // The high half of a product is uniform but for 2^-32 times the count.
    ((u64::from(rng.random::<u32>()) * count as u64) >> 32) as usize
}

/// A resample of each list, with as many values as the list has.
pub(super) fn resample(strata: &[Vec<f64>], rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    strata.iter().map(|values| values.iter().map(|_| values[draw(rng, values.len())]).collect()).collect()
}

/// The percentile interval of a statistic, from its values on resamples in increasing order.
pub(super) fn percentile(value: f64, resamples: &[f64]) -> Estimate {
    Estimate { value, low: quantile(resamples, 0.025), high: quantile(resamples, 0.975) }
}

/// The value below which so large a share of the values lies, which are in increasing order; linear between them.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}
