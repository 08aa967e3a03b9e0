//! How cotangents travel: the loss of a server that has their gradient.

use std::ops::Range;

use oreal_models::Token;
use serde::{Deserialize, Serialize};

use crate::tinker::wire::{Datum, LossInputs, ModelInput, Tensor};

/// The loss whose gradient is the sum of `cotangent * grad logp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// `cross_entropy`, the sum of `-logp * weight`, with weights `-cotangent`.
    #[default]
    CrossEntropy,
    /// `importance_sampling`, `-exp(logp - logprob) * advantage`, at a ratio of one. For servers that divide a sequence by the sum
    /// of its weights and take a mean over sequences: the weights are 1, and the advantages `-cotangent * tokens * sequences`.
    ImportanceSampling,
}

/// Cotangents of the log-probabilities of one row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Contribution {
    pub(super) input: Vec<Token>,
    pub(super) targets: Vec<Token>,
    pub(super) chosen: Range<usize>,
    /// As many as there are chosen positions.
    pub(super) cotangents: Vec<f64>,
    /// As they were read, for every token of the input.
    pub(super) logps: Vec<f64>,
}

impl Carrier {
    /// What a server calls it.
    pub fn loss(self) -> &'static str {
        match self {
            Carrier::CrossEntropy => "cross_entropy",
            Carrier::ImportanceSampling => "importance_sampling",
        }
    }

    /// Everything that is sent before a step.
    pub(super) fn data(self, gradient: &[Contribution]) -> Vec<Datum> {
        gradient.iter().map(|contribution| self.datum(contribution, gradient.len())).collect()
    }

    fn datum(self, contribution: &Contribution, sequences: usize) -> Datum {
        let Contribution { input, targets, chosen, cotangents, logps } = contribution;
        let spread = |values: &mut dyn Iterator<Item = f64>| {
            let mut all = vec![0.0; input.len()];
            all[chosen.clone()].iter_mut().zip(values).for_each(|(place, value)| *place = value);
            Some(Tensor::floats(all))
        };
        let target_tokens = Some(Tensor::tokens(targets.iter().copied()));
        let loss_fn_inputs = match self {
            Carrier::CrossEntropy => {
                let weights = spread(&mut cotangents.iter().map(|cotangent| -cotangent));
                LossInputs { target_tokens, weights, ..LossInputs::default() }
            }
            Carrier::ImportanceSampling => {
                let scale = -((chosen.len() * sequences) as f64);
                LossInputs {
                    target_tokens,
                    weights: spread(&mut chosen.clone().map(|_| 1.0)),
                    logprobs: Some(Tensor::floats(logps.clone())),
                    advantages: spread(&mut cotangents.iter().map(|cotangent| scale * cotangent)),
                    mask: None,
                }
            }
        };
        Datum { model_input: ModelInput::of(input.clone()), loss_fn_inputs }
    }
}
