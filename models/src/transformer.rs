//! The engine for models of an [`architecture`](crate::architecture): dfdx's tensors and tape, sizes chosen at run time.
//!
//! A model is generic over its numbers ([`Real`]) and over the [`Backend`] that computes it: [`Fused`] or [`Stock`].

mod decode;
mod frozen;
mod hardware;
mod learn;
mod memory;
mod ops;
mod read_only;
mod readout;
mod state;

use std::path::Path;
use std::sync::Arc;

use dfdx::prelude::{Device, Tape};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

pub use crate::architecture::Config;
pub use decode::Decode;
pub use dfdx::prelude::Cpu;
#[cfg(feature = "dfdx-cuda")]
pub use dfdx::prelude::Cuda;
pub use frozen::Frozen;
pub use hardware::Hardware;
pub use memory::Memory;
#[doc(hidden)]
pub use ops::Linear;
pub use ops::{Fused, Matrix, Ops, Stock};

use crate::architecture::checkpoint::{self, Entries, Source};
use crate::architecture::{Checkpoint, LayerWeights, Parameter, Saving};
use crate::contract::{Model, Pass};
use crate::data::{Completion, Head, Request, Sampling, Sequence, Signal, Signals, Token, Want};
use crate::error::{Error, Result};
use crate::optim::Optimiser;
use crate::products::Products;
use crate::real::Real;
use crate::state::ModelState;
pub(crate) use ops::Unit;
use ops::{Causal, Numerics, Readable};

/// A way to run a transformer: its arithmetic, drawing from it, and what it takes of a device's memory.
pub trait Backend<E: Real>: Ops<E> + Decode<E> + Memory<E> {}

impl<E: Real, O: Ops<E> + Decode<E> + Memory<E>> Backend<E> for O {}

/// Running means of a weight's gradient and of its square.
type MomentPair<E, D> = [Matrix<E, D>; 2];

/// Token embedding, then layers of causal attention and gated units with normalisation before each, then a head.
#[derive(Clone, Debug)]
pub struct Transformer<E: Real = f32, O: Ops<E> = Fused> {
    config: Config,
    /// The `config.json` that it was read with.
    entries: Option<Arc<Entries>>,
    head: Head,
    device: O::Device,
    parameters: Vec<Parameter>,
    /// In the order of `parameters`, as are the two lists below.
    weights: Vec<Matrix<E, O::Device>>,
    /// `None` until something is accumulated.
    gradient: Vec<Option<Matrix<E, O::Device>>>,
    /// `None` until the first step.
    moments: Vec<Option<MomentPair<E, O::Device>>>,
    optimiser: Optimiser,
    steps: u64,
    logits_at_once: usize,
    /// What multiplies by weights, in bf16; `None` for the type of the numbers.
    unit: Option<Unit>,
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
        memory::check(&config, head, size_of::<E>())?;
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let parameters = config.parameters(head);
        let values = parameters.iter().map(|parameter| Ok(parameter.initial(&mut stream)));
        Self::assemble(device, config, head, values, optimiser)
    }

    /// Reads what [`Model::save`] wrote, or a checkpoint of Hugging Face, to the first device: see
    /// [`Checkpoint::open`]. A scalar head that the checkpoint does not have is zero; a vocabulary head must be there.
    pub fn load(path: &Path, head: Head, optimiser: &Optimiser) -> Result<Self> {
        Self::load_on(O::Device::open(0)?, path, head, optimiser)
    }

    /// As [`Transformer::load`], to this device.
    pub fn load_on(device: O::Device, path: &Path, head: Head, optimiser: &Optimiser) -> Result<Self> {
        optimiser.validate()?;
        let checkpoint = Checkpoint::open(path)?;
        let config = checkpoint.config().clone();
        memory::check(&config, head, size_of::<E>())?;
        let parameters = config.parameters(head);
        let weights = parameters.iter().map(|parameter| checkpoint.read(parameter));
        let mut model = Self::assemble(device, config, head, weights, optimiser)?;
        model.entries = Some(Arc::new(checkpoint.into_entries()));
        Ok(model)
    }

    /// Its sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its head.
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
    /// # Errors
    /// [`Error::State`] when there is no such weight or entry.
    pub fn nudge(&mut self, name: &str, entry: usize, change: f64) -> Result<()> {
        let which = self.parameters.iter().position(|p| p.name == name && entry < p.count());
        let missing = || Error::State { problem: format!("no entry {entry} of a weight `{name}`") };
        O::edit(&mut self.weights[which.ok_or_else(missing)?], |numbers| numbers[entry] += E::of(change))
    }

    /// Gradient accumulated since the last step, of the weights that have one.
    pub fn gradient(&self) -> impl Iterator<Item = (&str, Vec<E>)> {
        let all = self.parameters.iter().zip(&self.gradient);
        all.filter_map(|(p, g)| Some((p.name.as_str(), O::host(g.as_ref()?).into_owned())))
    }

    fn assemble(
        device: O::Device,
        config: Config,
        head: Head,
        values: impl Iterator<Item = Result<Vec<E>>>,
        optimiser: &Optimiser,
    ) -> Result<Self> {
        let parameters = config.parameters(head);
        let matrix = |(p, values): (&Parameter, Result<Vec<E>>)| O::matrix(&device, values?, p.matrix());
        let weights = parameters.iter().zip(values).map(matrix).collect::<Result<Vec<_>>>()?;
        let count = weights.len();
        Ok(Self {
            config,
            entries: None,
            head,
            parameters,
            weights,
            gradient: vec![None; count],
            moments: vec![None; count],
            optimiser: *optimiser,
            steps: 0,
            logits_at_once: O::LOGITS,
            unit: None,
            device,
        })
    }

    /// As [`Model::fork`], with its type.
    pub fn forked(&self, head: Head, optimiser: &Optimiser) -> Result<Self> {
        optimiser.validate()?;
        let mut fork = self.clone();
        if head != self.head {
            let parameters = self.config.parameters(head);
            let trunk = self.trunk_len();
            fork.weights.truncate(trunk);
            for parameter in &parameters[trunk..] {
                fork.weights.push(O::zeros(&self.device, parameter.matrix())?);
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
        let numerics = self.numerics();
        let mut x = O::embedding::<T>(&self.weights[0], tokens)?;
        for layer in 0..self.config.num_hidden_layers {
            let LayerWeights { attention, feed_forward } = self.layer(layer);
            x = O::attention(x, attention, how)?;
            x = O::feed_forward(x, feed_forward, numerics)?;
        }
        O::rms_norm(x, &self.weights[self.trunk_len() - 1], numerics.epsilon)
    }

    fn numerics(&self) -> Numerics {
        Numerics { epsilon: self.config.rms_norm_eps, unit: self.unit }
    }

    fn layer(&self, layer: usize) -> LayerWeights<&Matrix<E, O::Device>> {
        let first = 1 + layer * self.config.weights_per_layer();
        self.config.sorted(&self.weights[first..]).expect("as many weights as the sizes make parameters")
    }

    /// Number of weights before the head.
    fn trunk_len(&self) -> usize {
        self.config.trunk_len()
    }

    /// Index of the head's weight: the last one, or the embedding where it is tied.
    fn head_index(&self) -> usize {
        if self.weights.len() > self.trunk_len() { self.trunk_len() } else { 0 }
    }
}

impl<E: Readable> Transformer<E, Fused>
where
    Cpu: Device<E>,
{
    /// Chooses what is multiplied by weights from now on: in forward and backward passes, in reading and drawing. Weights,
    /// gradients, moments and everything else stay in the type of the model's numbers, and so do forks.
    ///
    /// # Errors
    /// [`Error::Setting`] for [`Products::Bf16`] on a processor without them.
    pub fn set_products(&mut self, products: Products) -> Result<()> {
        self.unit = Unit::of(products, "train_products")?;
        Ok(())
    }
}

impl<E: Real, O: Backend<E>> Model for Transformer<E, O> {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        self.signals(batch, want)
    }

    fn forward(&mut self, batch: &[Sequence<'_>], want: &Want) -> Result<(Signals, Box<dyn Pass + '_>)> {
        let (signals, pass) = self.pass(batch, want)?;
        Ok((signals, Box::new(pass)))
    }

    fn gradient_norm(&self) -> Result<Option<f64>> {
        Ok(Some(self.squares()?.sqrt()))
    }

    fn discard(&mut self) {
        self.gradient.fill(None);
    }

    fn step(&mut self, rate: f64, gradient_norm: Option<f64>) -> Result<()> {
        self.descend(rate, gradient_norm)
    }

    fn draw(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>> {
        self.drawn(requests, how)
    }

    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.forked(head, optimiser)?))
    }

    fn set_optimiser(&mut self, optimiser: &Optimiser) -> Result<()> {
        optimiser.validate()?;
        self.optimiser = *optimiser;
        Ok(())
    }

    fn parameters(&self) -> usize {
        self.parameters.iter().map(Parameter::count).sum()
    }

    fn idle_parameters(&self) -> Result<Vec<String>> {
        self.idle()
    }

    fn free(&self) -> Result<Option<usize>> {
        self.device.free()
    }

    /// For the pass itself, and for what the first step allocates: gradient, moments, and own weights where they were
    /// shared with another model.
    fn needs(&self, batch: &[Sequence<'_>]) -> usize {
        let missing = |there: bool| if there { 0 } else { self.parameters() };
        let gradient = missing(self.gradient.iter().all(Option::is_some));
        let state = 3 * missing(self.moments.iter().all(Option::is_some));
        O::needs(self, &lengths(batch)) + (gradient + state) * size_of::<E>()
    }

    fn state(&self) -> Result<ModelState> {
        state::state(self)
    }

    fn restore(&mut self, state: &ModelState) -> Result<()> {
        state::restore(self, state)
    }

    fn save(&self, path: &Path) -> Result<()> {
        self.save_as(path, &Saving::default())
    }

    fn save_as(&self, path: &Path, how: &Saving) -> Result<()> {
        let Self { config, head, parameters, .. } = self;
        let source = Source { config, entries: self.entries.as_deref(), head: *head, parameters };
        checkpoint::write(path, how, &source, |i| O::host(&self.weights[i]))
    }
}

/// Refuses signals that this head does not produce.
fn check_signals(head: Head, want: &Want) -> Result<()> {
    let made = match head {
        Head::Vocabulary => [Signal::Logp, Signal::Entropy],
        Head::Scalar => [Signal::Scalar, Signal::ScalarAfter],
    };
    match want.signals.iter().find(|signal| !made.contains(signal)) {
        Some(&signal) => Err(Error::Head { head, signal }),
        None => Ok(()),
    }
}

/// Tokens of each sequence.
fn lengths(batch: &[Sequence<'_>]) -> Vec<usize> {
    batch.iter().map(|sequence| sequence.prompt.len() + sequence.completion.len()).collect()
}
