//! A transformer that does not learn.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::decode::{drawn, signals, workers};
use super::ops::Unit;
use super::read_only::{Numbers, ReadOnly};
use super::{Fused, Hardware, Transformer, check_signals, memory};
use crate::architecture::checkpoint::{self, Source};
use crate::architecture::{Checkpoint, Config, Parameter, Precision, Saving};
use crate::check;
use crate::contract::{Model, Pass};
use crate::data::{Completion, Head, Request, Sampling, Sequence, Signals, Want};
use crate::error::{Error, Result};
use crate::mapped::Piece;
use crate::optim::Optimiser;
use crate::products::Products;
use crate::state::ModelState;
use crate::transformer::Cpu;

/// A transformer that is read and drawn from, but does not learn, on the CPU: a reference, a judge, a policy that is
/// evaluated.
///
/// Weights in bf16 stay in their files, which are mapped into memory and must not be changed meanwhile; those of other
/// types are held in `f32`. With [`Products::F32`] it computes what a [`Transformer`] in `f32` with the same weights
/// computes.
#[derive(Clone, Debug)]
pub struct Frozen {
    checkpoint: Arc<Checkpoint>,
    head: Head,
    parameters: Arc<Vec<Parameter>>,
    /// In the order of `parameters`.
    weights: Arc<Vec<Weight>>,
    unit: Option<Unit>,
}

/// The numbers of a weight.
#[derive(Debug)]
enum Weight {
    /// bf16, as they lie in their file.
    Half(Piece),
    /// Of another type there.
    Wide(Vec<f32>),
}

impl Weight {
    fn numbers(&self) -> Numbers<'_, f32> {
        match self {
            Weight::Half(piece) => Numbers::Half(piece.as_chunks().0),
            Weight::Wide(wide) => Numbers::Wide(Cow::Borrowed(wide)),
        }
    }
}

impl Frozen {
    /// Reads a checkpoint: see [`Checkpoint::open`]. A scalar head that the checkpoint does not have is zero; a
    /// vocabulary head must be there.
    ///
    /// # Errors
    /// As [`Transformer::load`]; and [`Error::Setting`] for [`Products::Bf16`] on a processor without them.
    pub fn open(path: &Path, head: Head, products: Products) -> Result<Self> {
        let unit = Unit::of(products, "products")?;
        let checkpoint = Checkpoint::open(path)?;
        let parameters = checkpoint.config().parameters(head);
        let weights = parameters.par_iter().map(|parameter| match checkpoint.half(parameter)? {
            Some(piece) => Ok(Weight::Half(piece)),
            None => checkpoint.read(parameter).map(Weight::Wide),
        });
        let weights = Arc::new(weights.collect::<Result<_>>()?);
        Ok(Self { head, parameters: Arc::new(parameters), weights, unit, checkpoint: Arc::new(checkpoint) })
    }

    /// Its sizes.
    pub fn config(&self) -> &Config {
        self.checkpoint.config()
    }

    /// Its head.
    pub fn head(&self) -> Head {
        self.head
    }

    /// A model that learns, in `f32`, from the same weights: see [`Model::fork`].
    ///
    /// # Errors
    /// [`Error::Setting`] when the settings of the optimiser are wrong or the weights do not fit in memory.
    pub fn forked(&self, head: Head, optimiser: &Optimiser) -> Result<Transformer<f32, Fused>> {
        optimiser.validate()?;
        memory::check(self.config(), head, size_of::<f32>())?;
        let own = self.read_only();
        let parameters = self.config().parameters(head);
        let trunk = self.config().trunk_len();
        let values = parameters.iter().enumerate().map(|(i, parameter)| match own.weights.get(i) {
            Some(weight) if i < trunk || head == self.head => Ok(weight.wide().into_owned()),
            _ => Ok(vec![0.0; parameter.count()]),
        });
        let config = self.config().clone();
        let mut fork = Transformer::assemble(Cpu::open(0)?, config, head, values, optimiser)?;
        fork.entries = Some(Arc::new(self.checkpoint.entries().clone()));
        Ok(fork)
    }

    fn read_only(&self) -> ReadOnly<'_, f32> {
        let weights = self.weights.iter().map(Weight::numbers).collect();
        ReadOnly { config: self.config(), head: self.head, weights, unit: self.unit }
    }

    fn kind(&self) -> Result<String> {
        let config = serde_json::to_string(self.config()).map_err(|p| Error::State { problem: p.to_string() })?;
        Ok(format!("transformer that does not learn {config}"))
    }
}

impl Model for Frozen {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        check::batch(batch, want, self.config().vocab_size)?;
        check_signals(self.head, want)?;
        Ok(signals(&self.read_only(), batch, want))
    }

    fn forward(&mut self, _: &[Sequence<'_>], _: &Want) -> Result<(Signals, Box<dyn Pass + '_>)> {
        Err(Error::DoesNotLearn)
    }

    fn gradient_norm(&self) -> Result<Option<f64>> {
        Ok(Some(0.0))
    }

    fn discard(&mut self) {}

    fn step(&mut self, _: f64, _: Option<f64>) -> Result<()> {
        Err(Error::DoesNotLearn)
    }

    fn draw(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>> {
        let model = self.read_only();
        drawn((self.config(), self.head), requests, how, size_of::<f32>(), |queue| workers::draw(&model, queue))
    }

    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.forked(head, optimiser)?))
    }

    fn parameters(&self) -> usize {
        self.parameters.iter().map(Parameter::count).sum()
    }

    fn save(&self, path: &Path) -> Result<()> {
        let is_half = self.weights.iter().all(|weight| matches!(weight, Weight::Half(_)));
        let precision = if is_half { Precision::Bf16 } else { Precision::Full };
        self.save_as(path, &Saving { precision, ..Saving::default() })
    }

    fn save_as(&self, path: &Path, how: &Saving) -> Result<()> {
        let (config, entries) = (self.config(), Some(self.checkpoint.entries()));
        let source = Source { config, entries, head: self.head, parameters: &self.parameters };
        let own = self.read_only();
        checkpoint::write(path, how, &source, |i| own.weights[i].wide())
    }

    /// No weights: they are in the files.
    fn state(&self) -> Result<ModelState> {
        Ok(ModelState::new(&self.kind()?, 0, [].into()))
    }

    fn restore(&mut self, state: &ModelState) -> Result<()> {
        state.open(&self.kind()?)?.finish()
    }
}
