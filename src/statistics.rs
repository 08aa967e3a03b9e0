//! Statistics of an outcome over several runs: is one algorithm better than another, and how sure is that?
//!
//! Scores are lists of runs, one list for each task; with one task there is one list. Runs are the independent draws, so
//! what is resampled is runs, within each task. [`Aggregate`] makes one number of them, with an interval by a stratified
//! bootstrap, and [`improvement`] compares two algorithms, both as the package rliable does (Agarwal et al. 2021,
//! arXiv 2108.13264). [`Paired`] compares runs of the same seeds, which share what the seed decides; [`holm`] corrects
//! p-values where there are many comparisons, and [`pairs_needed`] says how many seeds would show a difference.

mod aggregate;
mod bootstrap;
mod curve;
mod holm;
mod improvement;
mod paired;
mod power;
mod student;

use serde::{Deserialize, Serialize};

pub use aggregate::Aggregate;
pub use bootstrap::{RESAMPLES, mean};
pub(crate) use bootstrap::{draw, quantile, resampled};
pub use curve::area_under;
pub use holm::holm;
pub use improvement::{improvement, probability_of_improvement};
pub use paired::{Paired, sign_test, wilcoxon};
pub use power::{pairs_needed, power};
pub(crate) use student::{interval, student_quantile};

/// A number with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}
