//! What every model promises: draw completions, report signals, take cotangents, step.

use std::path::Path;

use crate::data::{Completion, Head, Key, Sampling, Sequence, Signals, Step, Token, Want};
use crate::error::Result;
use crate::optim::Optimiser;

/// Draws completions.
pub trait Sampler {
    /// One completion per prompt; `keys` runs beside `prompts`. A group is a prompt repeated with different keys.
    fn sample(&mut self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> Result<Vec<Completion>>;
}

/// Reports signals and learns from their cotangents.
pub trait Backbone {
    /// Signals of a batch, without gradient.
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals>;
    /// Forward, hand the signals to `loss`, send back the cotangents it returns (same signals, same lengths).
    /// Gradients accumulate until [`Backbone::step`].
    fn backward(
        &mut self,
        batch: &[Sequence<'_>],
        want: &Want,
        loss: &mut dyn FnMut(&Signals) -> Signals,
    ) -> Result<()>;
    /// One optimiser step at this learning rate with the gradient accumulated so far, which is then cleared.
    fn step(&mut self, rate: f64) -> Result<Step>;
}

/// A model that can play any role: policy, reference, critic, reward model.
pub trait Model: Sampler + Backbone {
    /// A new model with a copy of this one's trunk, the asked head (copied when it is the same one, at zero otherwise)
    /// and a fresh optimiser.
    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>>;
    /// Number of trainable numbers.
    fn parameters(&self) -> usize;
    /// Bytes that its device has left; none where the host gives what is asked for.
    fn free(&self) -> Result<Option<usize>> {
        Ok(None)
    }
    /// Bytes that differentiating this batch takes of its device, if anything more than there is.
    fn needs(&self, _batch: &[Sequence<'_>]) -> usize {
        0
    }
    /// Writes the weights (safetensors), whole or not at all.
    fn save(&self, path: &Path) -> Result<()>;
}
