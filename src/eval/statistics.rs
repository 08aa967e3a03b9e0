//! From verdicts to rates: pass@1, pass@k and majority vote, each with an interval by problem.
//!
//! A completion that could not be graded, or failed to be drawn, is neither right nor wrong. Rates are over the others, and
//! where there are such completions, [`Rate::bounds`] says what the rate would be if all of them were wrong, and if all were
//! right.

use std::collections::BTreeMap;

use oreal_toy_envs::Verdict;
use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, mean};
use super::vote::{Vote, vote};

/// A completion with its verdict, as the statistics need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Its number among the completions of its problem, from 0.
    pub sample: usize,
    /// The verdict on it.
    pub verdict: Verdict,
    /// The answer that was found in it, if it is short enough to be one.
    pub answer: Option<String>,
    /// Its length in tokens, where it is known.
    pub tokens: Option<usize>,
}

/// What the completions of one problem came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Completions that were judged right.
    pub right: usize,
    /// Completions that were judged right or not right; truncated and unparsable ones are not right.
    pub graded: usize,
    /// Completions that could not be graded.
    pub ungraded: usize,
    /// Completions that were asked for and not drawn.
    pub failed: usize,
    /// Graded completions that were cut at the token limit.
    pub truncated: usize,
    /// Graded completions without an answer.
    pub unparsable: usize,
    /// Tokens of the completions whose length is known.
    pub tokens: usize,
    /// Completions whose length is known.
    pub counted: usize,
    /// The probability that a majority vote is right: ties are broken at random. `None` where that is not known.
    pub majority: Option<f64>,
    /// Its lowest and highest value, whatever the verdicts and completions would be that are missing.
    pub majority_bounds: [f64; 2],
}

/// A mean over problems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The mean over the problems for which the value is known; 0 without any.
    pub rate: f64,
    /// For the rate over all problems like these.
    pub interval: Interval,
    /// Problems for which the value is known.
    pub problems: usize,
    /// Lowest and highest rate of all problems, whatever the verdicts would be that are missing. Only where some are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<[f64; 2]>,
}

/// What a set of problems came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub problems: usize,
    /// Completions that were drawn.
    pub completions: usize,
    /// pass@k by k: the probability that at least one of k completions is right.
    pub pass: BTreeMap<usize, Rate>,
    /// Majority vote over all completions of a problem; absent with one completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub majority: Option<Rate>,
    /// Share of the drawn completions that were cut at the token limit.
    pub truncated: f64,
    /// Share of the drawn completions without an answer.
    pub unparsable: f64,
    /// Completions that could not be graded.
    pub ungraded: usize,
    /// Completions that were asked for and not drawn.
    pub failed: usize,
    /// Mean length in tokens of the completions whose length is known; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_tokens: Option<f64>,
}

impl Outcome {
    /// Of `asked` completions, those that were drawn in the order of their samples.
    pub fn new(asked: usize, attempts: &[Attempt]) -> Outcome {
        let count = |verdict| attempts.iter().filter(|attempt| attempt.verdict == verdict).count();
        let ungraded = count(Verdict::Ungraded);
        let lengths = attempts.iter().filter_map(|attempt| attempt.tokens);
        let failed = asked.saturating_sub(attempts.len());
        let Vote { value, bounds } = vote(attempts, failed);
        Outcome {
            right: count(Verdict::Right),
            graded: attempts.len() - ungraded,
            ungraded,
            failed,
            truncated: count(Verdict::Truncated),
            unparsable: count(Verdict::Unparsable),
            tokens: lengths.clone().sum(),
            counted: lengths.count(),
            majority: value,
            majority_bounds: bounds,
        }
    }

    /// Completions without a verdict.
    pub fn undecided(&self) -> usize {
        self.ungraded + self.failed
    }

    /// Share of right completions among the graded ones.
    pub fn share(&self) -> Option<f64> {
        (self.graded > 0).then(|| self.right as f64 / self.graded as f64)
    }

    /// The estimate of pass@k, where at least `k` completions are graded.
    fn pass(&self, k: usize) -> Option<f64> {
        (self.graded >= k).then(|| pass_at(k, self.graded, self.right))
    }
}

/// The unbiased estimate of pass@k from `right` of `n` completions (Chen et al. 2021, section 2.1): the probability that `k` of
/// the `n`, drawn without replacement, are not all wrong. It is `1 - C(n-c, k) / C(n, k)`, as a product of factors from 0 to 1.
/// `k` counts as at most `n`.
pub fn pass_at(k: usize, n: usize, right: usize) -> f64 {
    let wrong = n.saturating_sub(right);
    if wrong < k.min(n) {
        return 1.0;
    }
    // The smaller of two equal products: over the right ones, or over the drawn ones.
    let (steps, other) = if right < k { (right, k) } else { (k, right) };
    1.0 - (0..steps).map(|i| (n - other - i) as f64 / (n - i) as f64).product::<f64>()
}

/// The powers of two up to `n`.
pub fn powers_of_two(n: usize) -> Vec<usize> {
    std::iter::successors(Some(1_usize), |k| k.checked_mul(2)).take_while(|&k| k <= n).collect()
}

impl Summary {
    /// Of problems with `n` completions each; pass@k for each of `ks`. `seed` is that of the resamples.
    pub fn new(outcomes: &[&Outcome], n: usize, ks: &[usize], seed: u64) -> Summary {
        let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(|outcome| of(outcome)).sum::<usize>();
        let drawn = sum(|outcome| outcome.graded + outcome.ungraded);
        let share = |count: usize| count as f64 / (drawn as f64).max(1.0);
        let counted = sum(|outcome| outcome.counted);
        let pass = |&k: &usize| {
            let values: Vec<Option<f64>> = outcomes.iter().map(|outcome| outcome.pass(k)).collect();
            let bound = |undecided: fn(&Outcome) -> usize| {
                move |outcome: &&Outcome| pass_at(k, n, outcome.right + undecided(outcome))
            };
            let low = outcomes.iter().map(bound(|_| 0)).collect();
            let high = outcomes.iter().map(bound(Outcome::undecided)).collect();
            (k, Rate::new(&values, [low, high], seed))
        };
        let majority = || {
            let values: Vec<Option<f64>> = outcomes.iter().map(|outcome| outcome.majority).collect();
            let bounds = [0, 1].map(|end| outcomes.iter().map(|outcome| outcome.majority_bounds[end]).collect());
            Rate::new(&values, bounds, seed)
        };
        Summary {
            problems: outcomes.len(),
            completions: drawn,
            pass: ks.iter().map(pass).collect(),
            majority: (n > 1).then(majority),
            truncated: share(sum(|outcome| outcome.truncated)),
            unparsable: share(sum(|outcome| outcome.unparsable)),
            ungraded: sum(|outcome| outcome.ungraded),
            failed: sum(|outcome| outcome.failed),
            mean_tokens: (counted > 0).then(|| sum(|outcome| outcome.tokens) as f64 / counted as f64),
        }
    }

    /// pass@1.
    pub fn pass_1(&self) -> Option<&Rate> {
        self.pass.get(&1)
    }
}

impl Rate {
    /// Of a value for each problem, with its lowest and its highest possible values.
    fn new(values: &[Option<f64>], bounds: [Vec<f64>; 2], seed: u64) -> Rate {
        let known: Vec<f64> = values.iter().copied().flatten().collect();
        let rate = mean(&known);
        let bounds = bounds.map(|bound| mean(&bound));
        let open = bounds[1] - bounds[0] > 1e-12;
        Rate { rate, interval: Interval::of_rate(&known, seed), problems: known.len(), bounds: open.then_some(bounds) }
    }
}
