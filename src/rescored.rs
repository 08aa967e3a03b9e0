//! A few completions of a sampler elsewhere, scored again by the policy here.

use oreal_models::{Model, Sequence, Signal, Want};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rollout::{Group, Trajectory};

/// Completions that are scored again in a step, each of another group.
const FEW: usize = 4;

/// How far the sampler's log-probabilities are from the policy's, on completions of the policy's current weights. What is there
/// beyond rounding comes from stale weights, another tokenizer or sampling, or other numerics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescored {
    /// Completions that were scored again.
    pub completions: usize,
    /// Mean distance, nats a token.
    pub mean: f64,
    /// Largest distance, nats.
    pub largest: f64,
}

impl Rescored {
    /// Of the first completion of each of the first groups, by the policy that they were asked of; `None` where none is of this
    /// version of its weights.
    pub(crate) fn read(
        policy: &dyn Model,
        temperature: f64,
        version: u64,
        groups: &[Group],
    ) -> Result<Option<Rescored>> {
        let current = |group| {
            let Group { prompt, trajectories, .. }: &Group = group;
            let found = trajectories.iter().find(|trajectory| trajectory.completion.version == version)?;
            Some((prompt, found))
        };
        let few: Vec<(&Vec<_>, &Trajectory)> = groups.iter().filter_map(current).take(FEW).collect();
        if few.is_empty() {
            return Ok(None);
        }
        let sequence = |(prompt, t): &(&'_ Vec<_>, &Trajectory)| (prompt.to_vec(), t.completion.tokens.clone());
        let owned: Vec<(Vec<_>, Vec<_>)> = few.iter().map(sequence).collect();
        let batch: Vec<Sequence<'_>> =
            owned.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
        let want = Want { signals: vec![Signal::Logp], temperature };
        let read = policy.read(&batch, &want).map_err(Error::model("policy"))?;
        let here = read.0.get(&Signal::Logp).into_iter().flatten();
        let there = few.iter().flat_map(|(_, t)| t.completion.sampled_logp.iter().flatten());
        let apart: Vec<f64> = here.zip(there).map(|(here, there)| (here - there).abs()).collect();
        let mean = apart.iter().sum::<f64>() / apart.len().max(1) as f64;
        Ok(Some(Rescored { completions: few.len(), mean, largest: apart.into_iter().fold(0.0, f64::max) }))
    }
}
