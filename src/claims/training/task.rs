//! The task and the settings of all training runs.

use std::ops::Range;
use std::sync::Arc;

use oreal_algos::{Algorithm, Reinforce, Role};
use oreal_models::{Clip, Optimiser};
use oreal_toy_envs::Chain;

use crate::config::ModelSettings;
use crate::error::Result;
use crate::experiment::{Experiment, WarmedUp};

/// Sizes of an empirical check.
#[derive(Clone)]
pub struct Size {
    /// Seeds, one training run of each algorithm per seed.
    pub seeds: Range<u64>,
    /// Warm-up steps: imitation from random weights.
    pub warm_up: usize,
    /// Steps that update the policy.
    pub steps: usize,
    /// Problems per step.
    pub prompts: usize,
    /// Completions of an evaluation, over all held-out problems.
    pub completions: usize,
}

/// The size at which claims are checked.
pub const FULL: Size = Size { seeds: 0..5, warm_up: 600, steps: 200, prompts: 16, completions: 2000 };
/// Fewer seeds, for controls.
pub const FEWER: Size = Size { seeds: 0..3, ..FULL };

/// Running sums of three digits, with a transformer small enough to train from many seeds. The learning rate is
/// constant and the gradient is not clipped, so AdamW's step does not depend on the scale of the loss. Steps in which
/// the policy is frozen are added to `size.steps`. The settings were chosen on seeds from 1000 on, which no claim uses.
pub fn experiment(size: &Size, seed: u64, algorithm: Box<dyn Algorithm>) -> Experiment {
    let steps = size.steps + algorithm.frozen_steps(Role::POLICY);
    Experiment::of(Arc::new(Chain::default()), Arc::from(algorithm)).with(|s| {
        s.seed = seed;
        s.model = ModelSettings::Transformer {
            family: Default::default(),
            num_hidden_layers: 2,
            hidden_size: 32,
            num_attention_heads: 2,
            num_key_value_heads: 2,
            intermediate_size: 64,
            train_products: Default::default(),
            engine: None,
        };
        (s.warm_up.steps, s.warm_up.batch, s.warm_up.error_rate, s.warm_up.rate) = (size.warm_up, 64, 0.4, 5e-3);
        (s.train.steps, s.train.prompts, s.train.rollouts) = (steps, size.prompts, 8);
        (s.rates.warmup, s.rates.floor) = (0, 1.0);
        s.rates.roles.extend(
            [(Role::POLICY, 5e-4), (Role::REWARD_MODEL, 2e-3)].map(|(role, rate)| (role.name().to_owned(), rate)),
        );
        s.evaluation.completions = size.completions;
        if let Optimiser::AdamW { clip, .. } = &mut s.optimiser {
            *clip = Clip::Off;
        }
    })
}

/// The initial policy of a seed.
pub fn start(size: &Size, seed: u64) -> Result<WarmedUp> {
    experiment(size, seed, Box::new(Reinforce::default())).warm_up(&mut |_| {})
}

/// Pass rate on held-out problems after training; then calls `done`.
pub fn trained(
    size: &Size,
    seed: u64,
    start: &WarmedUp,
    algorithm: Box<dyn Algorithm>,
    done: &dyn Fn(),
) -> Result<f64> {
    let report = experiment(size, seed, algorithm).train(start, &mut |_| {})?;
    done();
    Ok(report.after.rate)
}
