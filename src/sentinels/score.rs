//! How well a reward model tells right from wrong.

use std::cmp::Ordering;
use std::ops::Range;

use oreal_algos::{Column, Experience, Level};
use serde::{Deserialize, Serialize};

/// Scores, as logits, beyond which a sigmoid's slope is below a ten-thousandth.
pub(super) const SATURATED: f64 = 9.2;

/// The scores of a step's first update against the verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardModel {
    /// Area under the ROC curve of the mean score of a trajectory: the probability that a right one has the higher score
    /// than a wrong one, ties counted half. `None` where all are right or all are wrong.
    pub area: Option<f64>,
    /// Share of tokens whose score is saturated as a logit.
    pub saturated: f64,
}

impl RewardModel {
    /// Of a batch with its signals; `None` where no reward model scores it.
    pub(crate) fn of(batch: &Experience) -> Option<RewardModel> {
        let scores = [Column::SCORE_AFTER, Column::SCORE].into_iter().find_map(|column| batch.column(column))?;
        let rewards = batch.column(Column::REWARD)?;
        let mean = |range: Range<usize>| scores[range.clone()].iter().sum::<f64>() / range.len().max(1) as f64;
        let means = batch.layout().spans(Level::Token, Level::Trajectory).into_iter().map(mean);
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        means.zip(rewards).for_each(|(mean, reward)| if *reward > 0.5 { right.push(mean) } else { wrong.push(mean) });
        let saturated =
            scores.iter().filter(|score| score.abs() > SATURATED).count() as f64 / scores.len().max(1) as f64;
        Some(RewardModel { area: area(&right, &wrong), saturated })
    }
}

fn area(right: &[f64], wrong: &[f64]) -> Option<f64> {
    let wins = |a: f64, b: f64| match a.total_cmp(&b) {
        Ordering::Greater => 1.0,
        Ordering::Equal => 0.5,
        Ordering::Less => 0.0,
    };
    let sum: f64 = right.iter().flat_map(|a| wrong.iter().map(move |b| wins(*a, *b))).sum();
    let pairs = right.len() * wrong.len();
    (pairs > 0).then(|| sum / pairs as f64)
}
