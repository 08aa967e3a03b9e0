//! Whether a run of one algorithm ends above a run of another.

use super::Estimate;
use super::bootstrap::{mean, percentile, resample, resampled};

/// The probability that a run of `x` scores higher than a run of `y` on the same task, a tie counting half; the mean over
/// tasks (Agarwal et al. 2021, section 4.3). On each task it is Mann and Whitney's U over the number of pairs of runs. `x` and
/// `y` have the same tasks, and none is without runs.
pub fn probability_of_improvement(x: &[Vec<f64>], y: &[Vec<f64>]) -> f64 {
    let score = |a: f64, b: f64| if a == b { 0.5 } else { f64::from(a > b) };
    let task = |(x, y): (&Vec<f64>, &Vec<f64>)| {
        let wins: f64 = x.iter().map(|&a| y.iter().map(|&b| score(a, b)).sum::<f64>()).sum();
        wins / (x.len() * y.len()) as f64
    };
    mean(&x.iter().zip(y).map(task).collect::<Vec<f64>>())
}

/// [`probability_of_improvement`] with the percentile interval of a bootstrap that resamples the runs of each task and of each
/// algorithm on their own, as rliable does. Runs of the same seed are alike, which makes this interval rather too wide.
pub fn improvement(x: &[Vec<f64>], y: &[Vec<f64>], seed: u64) -> Estimate {
    let again = resampled(seed, |rng| {
        let x = resample(x, rng);
        probability_of_improvement(&x, &resample(y, rng))
    });
    percentile(probability_of_improvement(x, y), &again)
}
