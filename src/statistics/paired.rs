//! Differences between runs of the same seed.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::bootstrap::mean;
use super::{Estimate, student_quantile};

/// How the runs of one algorithm differ from those of another with the same seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// Pairs of runs, over all tasks.
    pub pairs: usize,
    /// The mean over tasks of the mean difference, with Student's interval: exact where differences are normal, which a
    /// percentile bootstrap over few pairs is not.
    pub difference: Estimate,
    /// Standard deviation of the differences of one task. NaN with one pair of each task.
    pub deviation: f64,
    /// Two-sided p-value of the signed-rank test; see [`wilcoxon`].
    pub wilcoxon: f64,
    /// Two-sided p-value of the sign test; see [`sign_test`].
    pub sign: f64,
}

impl Paired {
    /// From the differences of the pairs of each task; `None` where a task has none.
    ///
    /// The variance of the mean over `m` tasks with `n_k` pairs and variance `s_k²` is `Σ s_k²/n_k / m²`, with the degrees of
    /// freedom of Welch (1947) and Satterthwaite (1946). With one task that is the interval of the paired t-test.
    pub fn new(differences: &[Vec<f64>]) -> Option<Paired> {
        if differences.is_empty() || differences.iter().any(Vec::is_empty) {
            return None;
        }
        let tasks = differences.len() as f64;
        let value = mean(&differences.iter().map(|task| mean(task)).collect::<Vec<f64>>());
        let parts: Vec<(f64, f64)> = differences.iter().map(|task| (variance(task), task.len() as f64)).collect();
        let total: f64 = parts.iter().map(|(variance, n)| variance / n).sum();
        let freedom = total.powi(2) / parts.iter().map(|(v, n)| (v / n).powi(2) / (n - 1.0)).sum::<f64>();
        let half = match total {
            0.0 => 0.0,
            _ => student_quantile(freedom) * total.sqrt() / tasks,
        };
        let all: Vec<f64> = differences.iter().flatten().copied().collect();
        Some(Paired {
            pairs: all.len(),
            difference: Estimate { value, low: value - half, high: value + half },
            deviation: mean(&parts.iter().map(|(variance, _)| *variance).collect::<Vec<f64>>()).sqrt(),
            wilcoxon: wilcoxon(&all),
            sign: sign_test(&all),
        })
    }
}

/// Unbiased; NaN of one value.
fn variance(values: &[f64]) -> f64 {
    let center = mean(values);
    values.iter().map(|value| (value - center).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

/// The two-sided p-value of the sign test: a fair coin, thrown for each difference that is not 0.
pub fn sign_test(differences: &[f64]) -> f64 {
    let count = |holds: fn(&f64) -> bool| differences.iter().filter(|x| holds(x)).count() as u64;
    let (above, below) = (count(|x| *x > 0.0), count(|x| *x < 0.0));
    let coin = Binomial::new(0.5, above + below).map(|coin| coin.cdf(above.min(below)));
    (2.0 * coin.unwrap_or(0.5)).min(1.0)
}

/// Most differences for which the distribution over all signs is computed.
const EXACT: usize = 60;

/// The two-sided p-value of the signed-rank test of Wilcoxon (1945). Differences of 0 are left out, equal ones share their
/// ranks. Up to 60 differences it is exact: the share of all choices of signs that give a rank sum at least as far out.
/// With more it is the normal approximation, corrected for ties and continuity. The smallest value that `n` differences can
/// have is `2^(1-n)`, so fewer than six never give one below 0.05.
pub fn wilcoxon(differences: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|x| *x != 0.0).collect();
    sorted.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = doubled_ranks(&sorted);
    let positive: usize = ranks.iter().zip(&sorted).filter(|(_, x)| **x > 0.0).map(|(rank, _)| rank).sum();
    let total: usize = ranks.iter().sum();
    let smaller = positive.min(total - positive);
    if sorted.is_empty() {
        return 1.0;
    }
    if sorted.len() <= EXACT {
        return (2.0 * rank_sums(&ranks)[..=smaller].iter().sum::<f64>()).min(1.0);
    }
    // Doubled ranks: a deviation of one rank is 2, half a rank of continuity is 1.
    let deviation = ranks.iter().map(|rank| (*rank as f64).powi(2)).sum::<f64>().sqrt() / 2.0;
    let z = (smaller as f64 - total as f64 / 2.0 + 1.0).min(0.0) / deviation;
    2.0 * Normal::standard().cdf(z)
}

/// Twice the rank of each value, counted from 1, so that shared ranks are whole numbers. Values differ where they differ by
/// more than rounding.
fn doubled_ranks(sorted: &[f64]) -> Vec<usize> {
    let (mut ranks, mut start) = (Vec::with_capacity(sorted.len()), 0);
    let same = |a: f64, b: f64| (a.abs() - b.abs()).abs() <= 1e-12 * b.abs();
    while start < sorted.len() {
        let length = sorted[start..].iter().take_while(|value| same(sorted[start], **value)).count().max(1);
        ranks.extend(std::iter::repeat_n(2 * start + length + 1, length));
        start += length;
    }
    ranks
}

/// The probability of each sum of ranks, where each rank counts with probability one half.
fn rank_sums(ranks: &[usize]) -> Vec<f64> {
    let mut shares = vec![0.0; ranks.iter().sum::<usize>() + 1];
    shares[0] = 1.0;
    for &rank in ranks {
        for sum in (0..shares.len()).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
            shares[sum] = 0.5 * (shares[sum] + with);
        }
    }
    shares
}
