//! The Qwen2 transformer on dfdx, with sizes chosen at run time (arXiv:2407.10671).
//!
//! Sequences are laid end to end: each row of an activation is one token of one sequence, there is no padding, and only
//! attention knows where a sequence starts. So nothing can leak from one sequence into another.

mod config;
mod decode;
mod hardware;
mod learn;
mod ops;
mod output;
mod pack;
mod stored;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use dfdx::prelude::{Tape, TensorFromVec, ZerosTensor};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

pub use config::Config;
pub use dfdx::prelude::Cpu;
#[cfg(feature = "dfdx-cuda")]
pub use dfdx::prelude::Cuda;
pub use hardware::Hardware;
pub use ops::{Fused, Matrix, Ops, Stock};

use crate::contract::Model;
use crate::data::{Head, Sequence, Signal, Token, Want};
use crate::error::{Error, Result};
use crate::optim::Optimiser;
use crate::real::Real;
use config::{PER_LAYER, Parameter, Start};
use ops::Causal;

/// Running means of a weight's slopes and of their squares.
type Moments<E, D> = [Matrix<E, D>; 2];

/// Token embedding, then layers of causal attention and gated units with normalisation before each, then a head.
#[derive(Clone, Debug)]
pub struct Transformer<E: Real = f32, O: Ops<E> = Fused> {
    config: Config,
    head: Head,
    device: O::Device,
    parameters: Vec<Parameter>,
    /// In the order of `parameters`, as are the two lists below.
    weights: Vec<Matrix<E, O::Device>>,
    /// None until something was accumulated.
    gradient: Vec<Option<Matrix<E, O::Device>>>,
    /// None until the first step.
    moments: Vec<Option<Moments<E, O::Device>>>,
    optimiser: Optimiser,
    steps: u64,
    logits_at_once: usize,
}

impl<E: Real, O: Ops<E>> Transformer<E, O> {
    /// A fresh model on the first device; the same seed gives the same weights.
    pub fn new(config: Config, head: Head, optimiser: &Optimiser, seed: u64) -> Result<Self> {
        Self::new_on(O::Device::open(0)?, config, head, optimiser, seed)
    }

    /// As [`Transformer::new`], on this device.
    pub fn new_on(device: O::Device, config: Config, head: Head, optimiser: &Optimiser, seed: u64) -> Result<Self> {
        config.validate()?;
        optimiser.validate()?;
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let parameters = config.parameters(head);
        let values = parameters.iter().map(|p| start(p, &mut stream));
        Self::assemble(device, config, head, values, optimiser)
    }

    /// Reads a folder or a file that [`Model::save`] wrote, or a Qwen2 checkpoint of Hugging Face, to the first device.
    ///
    /// The head is the scalar one where there is a `score.weight`.
    pub fn load(path: &Path, optimiser: &Optimiser) -> Result<Self> {
        Self::load_on(O::Device::open(0)?, path, optimiser)
    }

    /// As [`Transformer::load`], to this device.
    pub fn load_on(device: O::Device, path: &Path, optimiser: &Optimiser) -> Result<Self> {
        optimiser.validate()?;
        let (config, head, values) = stored::read(path)?;
        Self::assemble(device, config, head, values.into_iter(), optimiser)
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn head(&self) -> Head {
        self.head
    }

    /// Name and numbers of every weight, in row-major order.
    pub fn weights(&self) -> impl Iterator<Item = (&str, Vec<E>)> {
        let named = self.parameters.iter().zip(&self.weights);
        named.map(|(p, w)| (p.name.as_str(), O::host(w).into_owned()))
    }

    /// Adds to one entry of one weight, in row-major order: for derivatives by differences.
    ///
    /// # Panics
    /// When there is no such weight or entry.
    pub fn nudge(&mut self, name: &str, entry: usize, change: f64) {
        let which = self.parameters.iter().position(|p| p.name == name);
        let which = which.unwrap_or_else(|| panic!("no weight is called {name}"));
        let change = |numbers: &mut [E]| numbers[entry] += E::of(change);
        O::edit(&mut self.weights[which], change).expect("memory for a weight that there was memory for");
    }

    /// Gradient accumulated since the last step, of the weights it reached.
    pub fn gradient(&self) -> impl Iterator<Item = (&str, Vec<E>)> {
        let all = self.parameters.iter().zip(&self.gradient);
        all.filter_map(|(p, g)| Some((p.name.as_str(), O::host(g.as_ref()?).into_owned())))
    }

    fn assemble(
        device: O::Device,
        config: Config,
        head: Head,
        values: impl Iterator<Item = Vec<E>>,
        optimiser: &Optimiser,
    ) -> Result<Self> {
        let parameters = config.parameters(head);
        let tensor = |(p, values): (&Parameter, Vec<E>)| device.try_tensor_from_vec(values, p.matrix());
        let weights = parameters.iter().zip(values).map(tensor).collect::<std::result::Result<Vec<_>, _>>();
        let weights = weights.map_err(O::Device::error)?;
        let count = weights.len();
        Ok(Self {
            config,
            head,
            parameters,
            weights,
            gradient: vec![None; count],
            moments: vec![None; count],
            optimiser: *optimiser,
            steps: 0,
            logits_at_once: output::LOGITS,
            device,
        })
    }

    /// As [`Model::fork`], without forgetting the type.
    pub fn forked(&self, head: Head, optimiser: &Optimiser) -> Result<Self> {
        let mut fork = self.clone();
        if head != self.head {
            let parameters = self.config.parameters(head);
            let trunk = self.trunk_len();
            fork.weights.truncate(trunk);
            for parameter in &parameters[trunk..] {
                fork.weights.push(self.device.try_zeros_like(&parameter.matrix()).map_err(O::Device::error)?);
            }
            fork.parameters = parameters;
            fork.head = head;
        }
        fork.gradient = vec![None; fork.weights.len()];
        fork.moments = vec![None; fork.weights.len()];
        fork.optimiser = *optimiser;
        fork.steps = 0;
        Ok(fork)
    }

    /// Last hidden states, normalised: one row per token.
    fn trunk<T: Tape<E, O::Device>>(&self, tokens: &[Token], how: &Arc<Causal<E>>) -> Result<Matrix<E, O::Device, T>> {
        let epsilon = self.config.rms_norm_eps;
        let mut x = O::embedding::<T>(&self.weights[0], tokens)?;
        for layer in 0..self.config.num_hidden_layers {
            let [norm1, q, q_bias, k, k_bias, v, v_bias, o, norm2, gate, up, down] = self.layer(layer);
            x = O::attention(x, [norm1, q, q_bias, k, k_bias, v, v_bias, o], how)?;
            x = O::feed_forward(x, [norm2, gate, up, down], epsilon)?;
        }
        O::rms_norm(x, &self.weights[self.trunk_len() - 1], epsilon)
    }

    fn layer(&self, layer: usize) -> [&Matrix<E, O::Device>; PER_LAYER] {
        std::array::from_fn(|i| &self.weights[1 + layer * PER_LAYER + i])
    }

    /// Number of weights before the head.
    fn trunk_len(&self) -> usize {
        2 + self.config.num_hidden_layers * PER_LAYER
    }

    /// Which weight the head is: the last one, or the embedding where it is tied.
    fn head_index(&self) -> usize {
        if self.weights.len() > self.trunk_len() { self.trunk_len() } else { 0 }
    }

    /// The signals that this head does not produce are errors.
    fn check_signals(&self, want: &Want) -> Result<()> {
        let made = match self.head {
            Head::Vocabulary => [Signal::Logp, Signal::Entropy],
            Head::Scalar => [Signal::Scalar, Signal::ScalarAfter],
        };
        match want.signals.iter().find(|signal| !made.contains(signal)) {
            Some(&signal) => Err(Error::Head { head: self.head, signal }),
            None => Ok(()),
        }
    }
}

impl<E: Real, O: Ops<E>> Model for Transformer<E, O> {
    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.forked(head, optimiser)?))
    }

    fn parameters(&self) -> usize {
        self.parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum()
    }

    fn free(&self) -> Result<Option<usize>> {
        self.device.free()
    }

    /// Of the pass itself, and of what the first steps add to stay: gradient, moments, and weights that until then were
    /// those of another role.
    fn needs(&self, batch: &[Sequence<'_>]) -> usize {
        let missing = |there: bool| if there { 0 } else { self.parameters() };
        let gradient = missing(self.gradient.iter().all(Option::is_some));
        let state = 3 * missing(self.moments.iter().all(Option::is_some));
        O::needs(self, &lengths(batch)) + (gradient + state) * size_of::<E>()
    }

    fn save(&self, path: &Path) -> Result<()> {
        let numbers: Vec<Cow<'_, [E]>> = self.weights.iter().map(O::host).collect();
        stored::write(path, &self.config, &self.parameters, numbers)
    }
}

/// Tokens of each sequence.
fn lengths(batch: &[Sequence<'_>]) -> Vec<usize> {
    batch.iter().map(|sequence| sequence.prompt.len() + sequence.completion.len()).collect()
}

fn start<E: Real>(parameter: &Parameter, stream: &mut ChaCha8Rng) -> Vec<E> {
    let number = |_| match parameter.start {
        Start::Zeros => E::ZERO,
        Start::Ones => E::ONE,
        Start::Normal(deviation) => E::of(deviation * normal(stream)),
    };
    (0..parameter.shape.iter().product()).map(number).collect()
}

/// Box and Muller's, the cosine half.
fn normal(stream: &mut ChaCha8Rng) -> f64 {
    let (radius, angle) = (1.0 - stream.random::<f64>(), stream.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
