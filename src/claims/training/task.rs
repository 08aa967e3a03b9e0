//! The task that everything is trained on.

use std::ops::Range;

use oreal_algos::{Algorithm, Reinforce, Role};
use oreal_models::{Clip, Optimiser};
use oreal_toy_envs::Chain;

use crate::config::Architecture;
use crate::error::Result;
use crate::experiment::{Experiment, Start};

/// How much of everything.
#[derive(Clone)]
pub struct Size {
    pub seeds: Range<u64>,
    /// Steps of a policy that starts from scratch.
    pub warm_up: usize,
    /// Steps in which the policy learns, and problems of each.
    pub steps: usize,
    pub prompts: usize,
    /// For an examination, of all held-out problems together.
    pub completions: usize,
}

pub const FULL: Size = Size { seeds: 0..5, warm_up: 600, steps: 200, prompts: 16, completions: 2000 };
pub const FEWER: Size = Size { seeds: 0..3, ..FULL };

/// Running sums of three digits by a transformer that is small enough for many seeds. The rate is constant and the gradient
/// is not clipped, so that AdamW's step does not depend on the scale of the loss; steps in which the policy is frozen come
/// on top. All of it was chosen on seeds from 1000 on, which no claim uses.
pub fn experiment(size: &Size, seed: u64, algorithm: Box<dyn Algorithm>) -> Experiment {
    let steps = size.steps + algorithm.frozen_steps(Role::Policy);
    Experiment::boxed(Box::new(Chain::default()), algorithm).with(|s| {
        s.seed = seed;
        s.model = Architecture::Transformer {
            num_hidden_layers: 2,
            hidden_size: 32,
            num_attention_heads: 2,
            num_key_value_heads: 2,
            intermediate_size: 64,
        };
        (s.warm_up.steps, s.warm_up.batch, s.warm_up.error_rate, s.warm_up.rate) = (size.warm_up, 64, 0.4, 5e-3);
        (s.train.steps, s.train.prompts, s.train.rollouts) = (steps, size.prompts, 8);
        (s.rates.policy, s.rates.reward_model, s.rates.warmup, s.rates.floor) = (5e-4, 2e-3, 0, 1.0);
        s.evaluation.completions = size.completions;
        if let Optimiser::AdamW { clip, .. } = &mut s.optimiser {
            *clip = Clip::Off;
        }
    })
}

pub fn start(size: &Size, seed: u64) -> Result<Start> {
    experiment(size, seed, Box::new(Reinforce::default())).start(&mut |_| {})
}

/// Pass rate on held-out problems after training, which is then done.
pub fn trained(size: &Size, seed: u64, start: &Start, algorithm: Box<dyn Algorithm>, done: &dyn Fn()) -> Result<f64> {
    let report = experiment(size, seed, algorithm).train(start, &mut |_| {})?;
    done();
    Ok(report.after.rate)
}
