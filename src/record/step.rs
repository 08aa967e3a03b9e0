//! What is recorded of a step.

use std::collections::BTreeMap;

use oreal_algos::{Column, Experience, Loss};
use oreal_toy_envs::Verdict;
use serde::{Deserialize, Deserializer, Serialize};

use crate::evaluate::PassRate;
use crate::rescored::Rescored;
use crate::rollout::{Group, Trajectory};
use crate::sentinels::{Probed, RewardModel};
use crate::train::{Done, Seconds};

/// A line of `metrics.jsonl`. Rates and means of the batch are over its graded trajectories; those of the loss are over the
/// step's updates; those of signals are over the tokens of the first update, before any weight has moved, and absent without
/// an update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepRecord {
    /// Counted from 0.
    pub step: usize,
    /// Mean outcome reward.
    pub reward: f64,
    /// Share of completions judged right.
    pub pass_rate: f64,
    /// Share of completions cut at the token limit.
    pub truncated: f64,
    /// Share of completions not in the form the environment asks for.
    pub unparsable: f64,
    /// Share of groups with both right and wrong answers.
    pub mixed_groups: f64,
    /// Graded trajectories.
    pub trajectories: usize,
    /// Graded trajectories of the largest group.
    pub group_size: usize,
    /// Completions that could not be graded: no evidence, never trained on.
    pub ungraded: usize,
    /// Completions that the sampler failed to draw.
    pub failed: usize,
    /// Problems drawn in place of others of which nothing was selected. All that was drawn counts in the rates above.
    #[serde(default)]
    pub resampled: usize,
    /// Version of the policy's weights that the oldest completion was drawn from: how often the policy had moved.
    pub version: Option<u64>,
    /// How often the policy had moved since then; absent where it had not.
    pub behind: Option<u64>,
    /// Trajectories learnt from.
    pub kept: usize,
    /// Mean tokens of a completion, end token included.
    pub length: f64,
    /// The objective's value.
    pub loss: Option<f64>,
    /// Mean of every named node of the formula.
    #[serde(deserialize_with = "finite")]
    pub terms: BTreeMap<String, f64>,
    /// Gradient norm of each role before clipping, mean over the step's updates.
    pub gradient_norm: BTreeMap<String, f64>,
    /// Learning rate of each role.
    pub rate: BTreeMap<String, f64>,
    /// Divergence of the policy from the reference, nats a token, estimated by k3; absent without a reference.
    pub kl_to_reference: Option<f64>,
    /// Mean entropy of the policy, nats a token.
    pub entropy: Option<f64>,
    /// Mean of the policy's probability over the sampler's at the first update: 1 when both agree.
    pub first_update_ratio: Option<f64>,
    /// Mean distance of the policy's log-probabilities from the sampler's at the first update, nats a token.
    pub sampler_apart: Option<f64>,
    /// The same on a few completions of the policy's current weights, drawn by an inference server; absent in other steps.
    pub rescored: Option<Rescored>,
    /// How well the reward model tells right from wrong; absent without one.
    pub reward_model: Option<RewardModel>,
    /// What a look at the models found, in the steps that have one.
    pub probed: Option<Probed>,
    /// Pass rate on held-out problems after the step, where it was evaluated.
    pub held_out: Option<PassRate>,
    /// Optimiser steps.
    pub updates: usize,
    /// Tokens of completions in the batches of all of them: a token counts once for each update.
    pub trained_tokens: usize,
    /// Wall time of each stage.
    pub seconds: Seconds,
}

impl StepRecord {
    /// Of a step.
    pub fn new(done: &Done) -> StepRecord {
        let Done { step, version, groups, lost, resampled, rescored, kept, learnt, seconds, .. } = done;
        let all: Vec<&Trajectory> = groups.iter().flat_map(|group| &group.trajectories).collect();
        let share = |verdict| mean(all.iter().map(|t| f64::from(t.verdict == verdict)));
        let first = learnt.first.as_ref();
        let oldest = all.iter().map(|t| t.completion.version).min();
        StepRecord {
            step: *step,
            reward: mean(all.iter().map(|t| t.verdict.reward())),
            pass_rate: share(Verdict::Right),
            truncated: mean(all.iter().map(|t| f64::from(t.completion.ending == oreal_models::Ending::Truncated))),
            unparsable: share(Verdict::Unparsable),
            mixed_groups: mean(groups.iter().map(|group| f64::from(mixed(group)))),
            trajectories: all.len(),
            group_size: groups.iter().map(|group| group.trajectories.len()).max().unwrap_or_default(),
            ungraded: lost.ungraded,
            failed: lost.failed,
            resampled: *resampled,
            version: oldest,
            behind: oldest.map(|oldest| version.saturating_sub(oldest)).filter(|&behind| behind > 0),
            kept: kept.iter().filter(|&&kept| kept).count(),
            length: mean(all.iter().map(|t| t.completion.tokens.len() as f64)),
            loss: first.map(|_| mean(learnt.losses.iter().map(|loss| loss.value))),
            terms: terms(&learnt.losses),
            gradient_norm: learnt
                .roles
                .iter()
                .filter_map(|&(role, norm, _)| Some((role.name().to_owned(), norm?)))
                .collect(),
            rate: learnt.roles.iter().map(|&(role, _, rate)| (role.name().to_owned(), rate)).collect(),
            kl_to_reference: first.and_then(divergence),
            entropy: first.and_then(|first| Some(mean(first.column(Column::ENTROPY)?.iter().copied()))),
            first_update_ratio: first.and_then(|first| {
                let columns = pairs(first, Column::LOGP, Column::SAMPLED_LOGP)?;
                Some(mean(columns.map(|(new, sampled)| (new - sampled).exp())))
            }),
            sampler_apart: first.and_then(|first| {
                let columns = pairs(first, Column::LOGP, Column::SAMPLED_LOGP)?;
                Some(mean(columns.map(|(new, sampled)| (new - sampled).abs())))
            }),
            rescored: *rescored,
            reward_model: first.and_then(RewardModel::of),
            probed: learnt.probed.clone(),
            held_out: None,
            updates: learnt.losses.len(),
            trained_tokens: learnt.tokens,
            seconds: *seconds,
        }
    }
}

/// The entries that are numbers: JSON has no others.
fn finite<'de, D: Deserializer<'de>>(terms: D) -> std::result::Result<BTreeMap<String, f64>, D::Error> {
    let terms: BTreeMap<String, Option<f64>> = BTreeMap::deserialize(terms)?;
    Ok(terms.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// Each named node's mean over the updates.
fn terms(losses: &[Loss]) -> BTreeMap<String, f64> {
    let names = losses.iter().take(1).flat_map(|loss| loss.metrics.keys());
    let of = |name: &String| mean(losses.iter().filter_map(|loss| loss.metrics.get(name).copied()));
    names.map(|name| (name.clone(), of(name))).collect()
}

fn divergence(x: &Experience) -> Option<f64> {
    let difference = pairs(x, Column::REF_LOGP, Column::LOGP)?.map(|(reference, new)| reference - new);
    Some(mean(difference.map(|d| d.exp() - d - 1.0)))
}

fn pairs(x: &Experience, a: Column, b: Column) -> Option<impl Iterator<Item = (f64, f64)>> {
    Some(x.column(a)?.iter().copied().zip(x.column(b)?.iter().copied()))
}

/// Whether a group has both right and wrong answers.
pub(super) fn mixed(group: &Group) -> bool {
    let right = |t: &Trajectory| t.verdict == Verdict::Right;
    group.trajectories.iter().any(right) && !group.trajectories.iter().all(right)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}
