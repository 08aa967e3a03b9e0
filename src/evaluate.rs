//! Pass rate on held-out problems, with an interval.

use std::fmt;

use oreal_models::Sampler;
use oreal_toy_envs::Verdict;
use serde::Serialize;
use statrs::distribution::{Beta, ContinuousCDF};

use crate::config::Evaluation;
use crate::error::Result;
use crate::rollout::Rollout;
use crate::streams::EVALUATION;

/// Share of right completions, and the interval that covers the true one with at least 95% confidence (Clopper and Pearson
/// 1934; problems that differ in difficulty only make it wider than needed).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PassRate {
    pub right: usize,
    pub completions: usize,
    pub rate: f64,
    pub low: f64,
    pub high: f64,
}

impl PassRate {
    /// From counts.
    pub fn new(right: usize, completions: usize) -> PassRate {
        let (k, n) = (right as f64, completions as f64);
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(p));
        let low = quantile(k, n - k + 1.0, 0.025).unwrap_or(0.0);
        let high = quantile(k + 1.0, n - k, 0.975).unwrap_or(1.0);
        PassRate { right, completions, rate: k / n.max(1.0), low, high }
    }
}

impl fmt::Display for PassRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |x: f64| 100.0 * x;
        f.pad(&format!("{:5.1}% [{:.1}, {:.1}]", percent(self.rate), percent(self.low), percent(self.high)))
    }
}

/// Completions of the held-out problems. The same problems and the same random numbers every time.
pub fn evaluate(rollout: &Rollout<'_>, policy: &mut dyn Sampler, how: &Evaluation) -> Result<PassRate> {
    let problems = rollout.env.held_out(how.completions);
    let each = how.completions.div_ceil(problems.len().max(1));
    let mut sampling = rollout.sampling.clone();
    (sampling.temperature, sampling.top_p, sampling.top_k) = (how.temperature, 1.0, 0);
    let exam = Rollout { env: rollout.env, tokenizer: rollout.tokenizer, sampling, seed: rollout.seed };
    let (groups, _) = exam.groups(policy, EVALUATION, problems, each)?;
    let verdicts = || groups.iter().flat_map(|group| &group.trajectories).map(|t| t.verdict);
    let right = verdicts().filter(|&verdict| verdict == Verdict::Right).count();
    Ok(PassRate::new(right, verdicts().count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.binomtest(k, n).proportion_ci(0.95, 'exact')`
    #[test]
    fn interval_is_that_of_clopper_and_pearson() {
        for (right, low, high) in [(0, 0.0, 0.30849710), (3, 0.06673951, 0.65245285), (10, 0.69150290, 1.0)] {
            let interval = PassRate::new(right, 10);
            assert!((interval.low - low).abs() < 1e-6 && (interval.high - high).abs() < 1e-6, "{interval:?}");
        }
    }
}
