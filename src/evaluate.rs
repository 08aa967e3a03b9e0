//! Pass rate on held-out problems, with an interval.

use std::fmt;

use oreal_models::{Model, Sampler};
use oreal_toy_envs::{Split, Verdict};
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

use crate::config::{Evaluation, Part};
use crate::error::Result;
use crate::rollout::Rollout;
use crate::run::problems;
use crate::statistics::student_quantile;
use crate::streams::{EVALUATION, Purpose};

/// Share of right completions among those that could be graded, with a 95% interval for the rate over all problems.
///
/// Problems are the independent draws, not completions: those of one problem are alike. With one completion for each problem
/// the interval is that of Clopper and Pearson (1934); with several it is that of Korn and Graubard (1998), which is the same with
/// the number of completions that would be as informative if they were independent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassRate {
    /// Completions judged right.
    pub right: usize,
    /// Completions that could be graded.
    pub completions: usize,
    /// Problems they are of.
    pub problems: usize,
    /// Completions that could not be graded or failed to be drawn; they count neither as right nor as wrong.
    pub ungraded: usize,
    /// `right / completions`.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl PassRate {
    /// From the right and the graded completions of each problem, and the number of those that could not be graded.
    /// Problems without a graded completion are left out.
    pub fn new(counts: &[(usize, usize)], ungraded: usize) -> PassRate {
        let counts: Vec<(usize, usize)> = counts.iter().copied().filter(|(_, graded)| *graded > 0).collect();
        let (right, completions) = counts.iter().fold((0, 0), |(r, n), (right, graded)| (r + right, n + graded));
        let rate = right as f64 / (completions as f64).max(1.0);
        let (low, high) = clopper_pearson(rate, effective(&counts, rate));
        PassRate { right, completions, problems: counts.len(), ungraded, rate, low, high }
    }
}

/// Independent completions that say as much about the rate as these do: `p(1-p)` over the variance of `p` between problems,
/// adjusted for the degrees of freedom of that variance (Korn and Graubard 1998, section 3). Where all completions are right,
/// or none, the variance is not known: one for each problem.
fn effective(counts: &[(usize, usize)], rate: f64) -> f64 {
    let (problems, completions) = (counts.len() as f64, counts.iter().map(|(_, n)| *n as f64).sum::<f64>());
    if problems == completions || rate == 0.0 || rate == 1.0 || problems < 2.0 {
        return problems;
    }
    let squares: f64 = counts.iter().map(|&(right, graded)| (right as f64 - rate * graded as f64).powi(2)).sum();
    let variance = problems / (problems - 1.0) * squares / (completions * completions);
    let adjusted = (student_quantile(completions - 1.0) / student_quantile(problems - 1.0)).powi(2);
    (rate * (1.0 - rate) / variance * adjusted).min(completions)
}

/// The interval of Clopper and Pearson (1934) for a rate among `n` independent draws; `n` need not be whole.
pub(crate) fn clopper_pearson(rate: f64, n: f64) -> (f64, f64) {
    let k = rate * n;
    let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(p));
    (quantile(k, n - k + 1.0, 0.025).unwrap_or(0.0), quantile(k + 1.0, n - k, 0.975).unwrap_or(1.0))
}

impl fmt::Display for PassRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |x: f64| 100.0 * x;
        f.pad(&format!("{:.1}% [{:.1}, {:.1}]", percent(self.rate), percent(self.low), percent(self.high)))
    }
}

/// Completions of held-out problems. The same problems and the same random numbers every time.
pub fn evaluate(
    rollout: &Rollout<'_>,
    policy: &dyn Model,
    sampler: &mut dyn Sampler,
    how: &Evaluation,
) -> Result<PassRate> {
    let (first, count) = how.part.of(rollout.env.count(Split::HeldOut));
    let available = count.min(how.completions as u64).max(1) as usize;
    let problems = problems(rollout.env, Split::HeldOut, 0, Purpose::Evaluation, first as usize, available);
    let each = how.completions.div_ceil(problems.len());
    let mut sampling = rollout.sampling.clone();
    (sampling.temperature, sampling.top_p, sampling.top_k) = (how.temperature, 1.0, 0);
    let exam = Rollout { env: rollout.env, renderer: rollout.renderer, sampling, seed: rollout.seed };
    let (groups, _) = exam.groups(policy, sampler, EVALUATION, problems, each)?;
    let (mut counts, mut ungraded) = (Vec::with_capacity(groups.len()), 0);
    for group in &groups {
        let count = |verdict| group.trajectories.iter().filter(|t| t.verdict == verdict).count();
        let undecided = count(Verdict::Ungraded);
        counts.push((count(Verdict::Right), group.trajectories.len() - undecided));
        ungraded += undecided + group.failures.len();
    }
    Ok(PassRate::new(&counts, ungraded))
}

impl Part {
    /// The first of so many held-out problems, in the order of evaluations, and how many.
    pub(crate) fn of(self, count: u64) -> (u64, u64) {
        let half = count / 2;
        match self {
            Part::All => (0, count),
            Part::Pilot => (0, half),
            Part::Final => (half, count - half),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// `scipy.stats.binomtest(k, n).proportion_ci(0.95, 'exact')`
    #[test]
    fn one_completion_a_problem_is_the_interval_of_clopper_and_pearson() {
        for (right, low, high) in [(0, 0.0, 0.30849710), (3, 0.06673951, 0.65245285), (10, 0.69150290, 1.0)] {
            let counts: Vec<_> = (0..10).map(|i| (usize::from(i < right), 1)).collect();
            let interval = PassRate::new(&counts, 0);
            assert!((interval.low - low).abs() < 1e-6 && (interval.high - high).abs() < 1e-6, "{interval:?}");
        }
    }

    /// Seven problems, each always or never right, say as much as seven completions, however many are drawn of each.
    #[test]
    fn completions_of_one_problem_are_not_independent() {
        let counts: Vec<_> = (0..7).map(|i| (if i < 3 { 70 } else { 0 }, 70)).collect();
        let clustered = PassRate::new(&counts, 0);
        let spread = |rate: &PassRate| rate.high - rate.low;
        let single = PassRate::new(&counts.iter().map(|&(right, n)| (right / 70, n / 70)).collect::<Vec<_>>(), 0);
        assert!(spread(&clustered) > 0.9 * spread(&single), "{clustered:?} beside {single:?}");
        let even: Vec<_> = (0..7).map(|i| (if i < 3 { 31 } else { 30 }, 70)).collect();
        assert!(spread(&PassRate::new(&even, 0)) < 0.5 * spread(&clustered), "alike problems say more");
    }

    #[test]
    fn problems_that_differ_are_covered() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (mut covered, runs) = (0, 400);
        for _ in 0..runs {
            // Difficulties are uniform, so the rate over all problems is one half.
            let mut count = || {
                let p: f64 = rng.random();
                ((0..10).filter(|_| rng.random::<f64>() < p).count(), 10)
            };
            let counts: Vec<_> = (0..20).map(|_| count()).collect();
            let rate = PassRate::new(&counts, 0);
            covered += usize::from((rate.low..=rate.high).contains(&0.5));
        }
        assert!(covered >= 375, "{covered} of {runs} intervals hold the rate");
    }

    #[test]
    fn the_halves_of_the_held_out_problems_are_disjoint_and_complete() {
        for env in oreal_toy_envs::BuiltIn::all() {
            let total = env.count(Split::HeldOut);
            let of = |part: Part| {
                let (first, count) = part.of(total);
                let problems = problems(&*env, Split::HeldOut, 0, Purpose::Evaluation, first as usize, count as usize);
                problems.iter().map(|problem| problem.id).collect::<BTreeSet<_>>()
            };
            if total > 10_000 {
                continue;
            }
            let (pilot, judged) = (of(Part::Pilot), of(Part::Final));
            assert!(pilot.is_disjoint(&judged), "{}", env.name());
            assert_eq!(&pilot | &judged, of(Part::All), "{}", env.name());
            assert!(pilot.len().abs_diff(judged.len()) <= 1, "{}", env.name());
        }
    }

    #[test]
    fn what_could_not_be_graded_is_apart() {
        let rate = PassRate::new(&[(1, 2), (0, 0), (2, 2)], 3);
        assert_eq!((rate.right, rate.completions, rate.problems, rate.ungraded), (3, 4, 2, 3));
        assert_eq!(rate.rate, 0.75);
        let nothing = PassRate::new(&[], 5);
        assert_eq!((nothing.rate, nothing.low, nothing.high), (0.0, 0.0, 1.0));
    }
}
