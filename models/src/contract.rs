//! What every model and every sampler promises.

use std::path::Path;

use crate::architecture::Saving;
use crate::data::{Completion, Failure, Head, Request, Sampling, Sequence, Signal, Signals, Want};
use crate::error::{Error, Result};
use crate::optim::Optimiser;
use crate::state::ModelState;

/// A model that can play any role: policy, reference, critic, reward model.
///
/// Gradients accumulate from [`Pass::backward`] until [`Model::step`] or [`Model::discard`]. A training step of one
/// model:
///
/// ```
/// use oreal_models::{Model, Sequence, Signal, Signals, Want};
///
/// /// Raises the log-probability of the completions; returns the norm of the gradient.
/// fn likelihood(model: &mut dyn Model, batch: &[Sequence<'_>], rate: f64) -> oreal_models::Result<Option<f64>> {
///     let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
///     let (signals, pass) = model.forward(batch, &want)?;
///     let slope = vec![-1.0; signals.0[&Signal::Logp].len()];
///     pass.backward(&Signals([(Signal::Logp, slope)].into()))?;
///     let norm = model.gradient_norm()?;
///     model.step(rate, norm)?;
///     Ok(norm)
/// }
/// # let mut table = oreal_models::Table::new(2, &oreal_models::Optimiser::EXACT)?;
/// # let norm = likelihood(&mut table, &[Sequence { prompt: &[0], completion: &[1] }], 2.0)?;
/// # assert!((norm.unwrap() - 0.5f64.sqrt()).abs() < 1e-15);
/// # Ok::<(), oreal_models::Error>(())
/// ```
pub trait Model: Send {
    /// Signals of a batch, without gradient.
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals>;

    /// Signals of a batch, and the pass that takes their cotangents back. Dropping the pass leaves the model unchanged.
    fn forward(&mut self, batch: &[Sequence<'_>], want: &Want) -> Result<(Signals, Box<dyn Pass + '_>)>;

    /// Euclidean norm of the accumulated gradient, before clipping; 0 when there is none. `None` where it is computed elsewhere,
    /// and not told.
    ///
    /// # Errors
    /// [`Error::NotFinite`](crate::Error::NotFinite), naming the parameter, when an entry is NaN or infinite or the
    /// squares overflow. Nothing is changed: call [`Model::discard`] to go on without this gradient.
    fn gradient_norm(&self) -> Result<Option<f64>>;

    /// Forgets the accumulated gradient.
    fn discard(&mut self);

    /// One optimiser step with the accumulated gradient, which is then forgotten. `gradient_norm` is what
    /// [`Model::gradient_norm`] returned: it decides by how much the gradient is clipped.
    fn step(&mut self, rate: f64, gradient_norm: Option<f64>) -> Result<()>;

    /// One completion per request, in order, of version 0. A completion depends on the weights, its prompt and its key
    /// only, not on the other requests.
    fn draw(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>>;

    /// A new model with a copy of this one's trunk, the asked head (copied when it is the same one, at zero otherwise)
    /// and a fresh optimiser.
    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>>;

    /// A copy of these weights, for a [`Sampler`] to draw from while this model goes on learning. A model elsewhere may do nothing
    /// else with it.
    fn snapshot(&self) -> Result<Box<dyn Model>> {
        self.fork(Head::Vocabulary, &Optimiser::EXACT)
    }

    /// Takes another optimiser for the steps that follow; moments and the number of steps stay.
    ///
    /// # Errors
    /// What [`Optimiser::validate`] refuses, and [`Error::Setting`](crate::Error::Setting) of a model that keeps the one it was made
    /// with. Nothing is changed then.
    fn set_optimiser(&mut self, _optimiser: &Optimiser) -> Result<()> {
        let problem = "this model keeps the one it was made with: fork it with another";
        Err(Error::setting("optimiser", "rule", problem))
    }

    /// As [`Model::draw`], where a completion may fail by itself.
    fn draw_each(
        &self,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<std::result::Result<Completion, Failure>>> {
        Ok(self.draw(requests, how)?.into_iter().map(Ok).collect())
    }

    /// Whether this kind of model can report a signal, given the right head.
    fn reports(&self, _signal: Signal) -> bool {
        true
    }

    /// Where it is computed and how, where that is elsewhere.
    fn place(&self) -> Option<String> {
        None
    }

    /// Number of trainable numbers; 0 where it is not known.
    fn parameters(&self) -> usize;

    /// Names of the parameters that have had no gradient in any step so far: the running mean of its square is 0. Empty
    /// before the first step, and where the optimiser keeps no such mean.
    fn idle_parameters(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Bytes of memory left on its device; `None` on the CPU, where the system allocator decides.
    fn free(&self) -> Result<Option<usize>> {
        Ok(None)
    }

    /// An upper bound of the bytes that a forward and backward pass over this batch takes of its device; 0 when the model
    /// does not count them, as on the CPU, where [`Model::free`] is `None`.
    fn needs(&self, _batch: &[Sequence<'_>]) -> usize {
        0
    }

    /// Writes the weights (safetensors) into a folder, or to a file that `path` names; each file whole or not at all.
    fn save(&self, path: &Path) -> Result<()>;

    /// As [`Model::save`], in a chosen type and in files of a chosen size. A model whose file has one form only, such as
    /// a table, is written in that.
    fn save_as(&self, path: &Path, _how: &Saving) -> Result<()> {
        self.save(path)
    }

    /// Everything that the next steps depend on: weights, optimiser moments, number of steps. An accumulated gradient
    /// is not part of it.
    fn state(&self) -> Result<ModelState>;

    /// Takes over a state of a model of the same kind and sizes, and forgets the accumulated gradient. Training
    /// continues byte for byte as it would have where the state was taken.
    ///
    /// # Errors
    /// [`Error::State`](crate::Error::State) when a tensor is missing, unknown, or of another shape or type. The model
    /// is unchanged then.
    fn restore(&mut self, state: &ModelState) -> Result<()>;
}

/// A forward pass that can be differentiated.
pub trait Pass {
    /// Accumulates the gradient of the sum of `signal * cotangent` over all signals and tokens. `cotangents` holds the
    /// same signals as the forward pass, with the same lengths.
    ///
    /// # Errors
    /// [`Error::Cotangent`](crate::Error::Cotangent) for other lengths, [`Error::NotFinite`](crate::Error::NotFinite)
    /// for NaN or an infinity: nothing is accumulated then. After any other error, such as a device out of memory, the
    /// accumulated gradient is incomplete: call [`Model::discard`].
    fn backward(self: Box<Self>, cotangents: &Signals) -> Result<()>;
}

/// Draws completions for a run: from the policy itself ([`InProcess`](crate::InProcess)), or elsewhere. The policy may be a
/// [`Model::snapshot`], and the thread another one than that of training.
pub trait Sampler: Send {
    /// The completions that are asked for from now on are those of this policy, whose weights have this version: how often they have
    /// moved. It is called before the completions of each step. A sampler elsewhere fetches the weights here, or when it is next
    /// asked for completions.
    fn moved(&mut self, policy: &dyn Model, version: u64) -> Result<()>;

    /// One result per request, in order.
    ///
    /// A completion that fails is a [`Failure`] of its own and leaves the others as they are; an error is for a sampler
    /// that cannot go on. Each completion says which version of the weights drew it.
    fn sample(
        &mut self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<std::result::Result<Completion, Failure>>>;
}
