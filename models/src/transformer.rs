//! The Qwen2 transformer on dfdx, with sizes chosen at run time (arXiv:2407.10671).
//!
//! Sequences are laid end to end: each row of an activation is one token of one sequence, there is no padding, and only
//! attention knows where a sequence starts. So nothing can leak from one sequence into another.

mod config;
mod decode;
mod learn;
mod ops;
mod output;
mod pack;
mod stored;

use std::path::Path;
use std::sync::Arc;

use dfdx::prelude::Tape;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

pub use config::Config;
pub use dfdx::prelude::Cpu;
pub use ops::{Matrix, Ops};

use crate::contract::Model;
use crate::data::{Head, Signal, Token, Want};
use crate::error::{Error, Result};
use crate::optim::{Moments, Optimiser};
use crate::real::Real;
use config::{PER_LAYER, Parameter, Start};
use ops::Causal;

/// Token embedding, then layers of causal attention and gated units with normalisation before each, then a head.
#[derive(Clone, Debug)]
pub struct Transformer<E: Real = f32, D: Ops<E> = Cpu> {
    config: Config,
    head: Head,
    device: D,
    parameters: Vec<Parameter>,
    /// In the order of `parameters`, as are the two lists below.
    weights: Vec<Matrix<E, D>>,
    /// Empty until something was accumulated.
    gradient: Vec<Vec<E>>,
    moments: Vec<Moments<E>>,
    optimiser: Optimiser,
    steps: u64,
    logits_at_once: usize,
}

impl<E: Real, D: Ops<E>> Transformer<E, D> {
    /// A fresh model; the same seed gives the same weights.
    pub fn new(config: Config, head: Head, optimiser: &Optimiser, seed: u64) -> Result<Self> {
        config.validate()?;
        optimiser.validate()?;
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let parameters = config.parameters(head);
        let values = parameters.iter().map(|p| start(p, &mut stream)).collect();
        Ok(Self::assemble(config, head, values, optimiser))
    }

    /// Reads a folder or a file that [`Model::save`] wrote, or a Qwen2 checkpoint of Hugging Face.
    ///
    /// The head is the scalar one where there is a `score.weight`.
    pub fn load(path: &Path, optimiser: &Optimiser) -> Result<Self> {
        optimiser.validate()?;
        let (config, head, values) = stored::read(path)?;
        Ok(Self::assemble(config, head, values, optimiser))
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
        named.map(|(p, w)| (p.name.as_str(), D::host(w).into_owned()))
    }

    /// Adds to one entry of one weight, in row-major order: for derivatives by differences.
    ///
    /// # Panics
    /// When there is no such weight or entry.
    pub fn nudge(&mut self, name: &str, entry: usize, change: f64) {
        let which = self.parameters.iter().position(|p| p.name == name);
        let which = which.unwrap_or_else(|| panic!("no weight is called {name}"));
        D::update(&mut self.weights[which], |numbers| numbers[entry] += E::of(change));
    }

    /// Gradient accumulated since the last step, of the weights it reached.
    pub fn gradient(&self) -> impl Iterator<Item = (&str, &[E])> {
        let all = self.parameters.iter().zip(&self.gradient);
        all.filter(|(_, g)| !g.is_empty()).map(|(p, g)| (p.name.as_str(), g.as_slice()))
    }

    fn assemble(config: Config, head: Head, values: Vec<Vec<E>>, optimiser: &Optimiser) -> Self {
        let device = D::default();
        let parameters = config.parameters(head);
        let tensor = |(p, values): (&Parameter, Vec<E>)| device.tensor_from_vec(values, p.matrix());
        let weights: Vec<_> = parameters.iter().zip(values).map(tensor).collect();
        let count = weights.len();
        Self {
            config,
            head,
            parameters,
            weights,
            gradient: vec![Vec::new(); count],
            moments: vec![Moments::default(); count],
            optimiser: *optimiser,
            steps: 0,
            logits_at_once: output::LOGITS,
            device,
        }
    }

    /// As [`Model::fork`], without forgetting the type.
    pub fn forked(&self, head: Head, optimiser: &Optimiser) -> Self {
        let mut fork = self.clone();
        if head != self.head {
            let parameters = self.config.parameters(head);
            let trunk = self.trunk_len();
            fork.weights.truncate(trunk);
            let zeros =
                |p: &Parameter| self.device.tensor_from_vec(vec![E::ZERO; p.shape.iter().product()], p.matrix());
            fork.weights.extend(parameters[trunk..].iter().map(zeros));
            fork.parameters = parameters;
            fork.head = head;
        }
        fork.gradient = vec![Vec::new(); fork.weights.len()];
        fork.moments = vec![Moments::default(); fork.weights.len()];
        fork.optimiser = *optimiser;
        fork.steps = 0;
        fork
    }

    /// Last hidden states, normalised: one row per token.
    fn trunk<T: Tape<E, D>>(&self, tokens: &[Token], how: &Arc<Causal<E>>) -> Matrix<E, D, T> {
        let epsilon = self.config.rms_norm_eps;
        let mut x = D::embedding::<T>(&self.weights[0], tokens);
        for layer in 0..self.config.num_hidden_layers {
            let [norm1, q, q_bias, k, k_bias, v, v_bias, o, norm2, gate, up, down] = self.layer(layer);
            x = D::attention(x, [norm1, q, q_bias, k, k_bias, v, v_bias, o], how);
            x = D::feed_forward(x, [norm2, gate, up, down], epsilon);
        }
        D::rms_norm(x, &self.weights[self.trunk_len() - 1], epsilon)
    }

    fn layer(&self, layer: usize) -> [&Matrix<E, D>; PER_LAYER] {
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

impl<E: Real, D: Ops<E>> Model for Transformer<E, D> {
    fn fork(&self, head: Head, optimiser: &Optimiser) -> Box<dyn Model> {
        Box::new(self.forked(head, optimiser))
    }

    fn parameters(&self) -> usize {
        self.parameters.iter().map(|p| p.shape.iter().product::<usize>()).sum()
    }

    fn save(&self, path: &Path) -> Result<()> {
        let numbers = self.weights.iter().map(D::host).collect();
        stored::write(path, &self.config, &self.parameters, numbers)
    }
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
