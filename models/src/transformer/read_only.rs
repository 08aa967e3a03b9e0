//! A transformer as it is read: without gradients, and with weights in whatever type they are stored.

use std::borrow::Cow;

use dfdx::prelude::{Cpu, Device};

use super::ops::{Bf16, Fused, Ops, Readable, Unit};
use super::{Config, Transformer};
use crate::architecture::LayerWeights;
use crate::data::Head;

/// The numbers of a weight.
pub(super) enum Numbers<'a, E: Readable> {
    /// In the type that is computed with.
    Wide(Cow<'a, [E]>),
    /// In bf16, as they lie in a file.
    Half(&'a [Bf16]),
}

impl<E: Readable> Numbers<'_, E> {
    /// In the type that is computed with.
    pub(super) fn wide(&self) -> Cow<'_, [E]> {
        match self {
            Self::Wide(numbers) => Cow::Borrowed(numbers),
            Self::Half(numbers) => Cow::Owned(numbers.iter().map(|x| E::widened(*x)).collect()),
        }
    }

    /// Writes one row of a matrix.
    pub(super) fn copy_row(&self, out: &mut [E], row: usize) {
        let at = row * out.len()..(row + 1) * out.len();
        match self {
            Self::Wide(numbers) => out.copy_from_slice(&numbers[at]),
            Self::Half(numbers) => out.iter_mut().zip(&numbers[at]).for_each(|(out, x)| *out = E::widened(*x)),
        }
    }

    /// How many.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Wide(numbers) => numbers.len(),
            Self::Half(numbers) => numbers.len(),
        }
    }
}

/// Sizes, head, and weights in the order of [`Config::parameters`].
pub(super) struct ReadOnly<'a, E: Readable> {
    pub(super) config: &'a Config,
    pub(super) head: Head,
    pub(super) weights: Vec<Numbers<'a, E>>,
    /// What multiplies in bf16, where that is asked for.
    pub(super) unit: Option<Unit>,
}

impl<'a, E: Readable> ReadOnly<'a, E> {
    pub(super) fn of(model: &'a Transformer<E, Fused>) -> Self
    where
        Cpu: Device<E>,
    {
        let weights = model.weights.iter().map(|weight| Numbers::Wide(Fused::host(weight))).collect();
        Self { config: &model.config, head: model.head, weights, unit: model.unit }
    }

    pub(super) fn layer(&self, layer: usize) -> LayerWeights<&Numbers<'a, E>> {
        let first = 1 + layer * self.config.weights_per_layer();
        self.config.sorted(&self.weights[first..]).expect("as many weights as the sizes make parameters")
    }

    /// Of the last normalisation.
    pub(super) fn norm(&self) -> &Numbers<'a, E> {
        &self.weights[self.config.trunk_len() - 1]
    }

    /// The head's own weight, or the embedding where it is tied.
    pub(super) fn head_weight(&self) -> &Numbers<'a, E> {
        self.weights.get(self.config.trunk_len()).unwrap_or(&self.weights[0])
    }
}
