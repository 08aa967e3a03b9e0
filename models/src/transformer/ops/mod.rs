//! The operations a transformer is made of, in two ways: [`Fused`] for the CPU, and [`Stock`], composed of dfdx's own, for
//! any of its devices.

mod attention;
mod embedding;
mod feed_forward;
mod fused;
mod gradients;
mod head;
mod panels;
mod product;
mod raw;
mod rms_norm;
pub(super) mod stock;
mod swiglu;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use dfdx::prelude::{Device, Gradients, NoneTape, OwnedTape, Tape, Tensor};

pub(crate) use attention::{Causal, Rotary, scale, softmax_rows};
pub use fused::Fused;
pub(crate) use panels::Panels;
pub(crate) use product::{Left, Out, Right, Start, padded, product};
pub(crate) use rms_norm::Norm;
pub use stock::Stock;
pub(crate) use swiglu::forward as gated;

use super::Transformer;
use super::decode::Queue;
use super::hardware::Hardware;
use crate::data::{Completion, Token};
use crate::error::Result;
use crate::head::Row;
use crate::optim::{Decay, Update};
use crate::real::Real;
use crate::vectors::vectorised;

/// Rows of numbers: one per token for activations, `[out, in]` for weights, `[1, n]` for norms and biases.
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;

/// A way to run a transformer with numbers of type `E`.
///
/// Activations carry the tape; weights never do, and are known to the gradients by their identity.
pub trait Ops<E: Real>: Clone + Debug + 'static {
    /// Where weights and activations are.
    type Device: Device<E> + Hardware;
    /// What the head keeps for the way back.
    type Outputs;

    /// Row `tokens[i]` of the table, for each `i`.
    fn embedding<T: Tape<E, Self::Device>>(
        table: &Matrix<E, Self::Device>,
        tokens: &[Token],
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// `x + o(attend(q(n), k(n), v(n)))` with `n` the normalised `x`. The weights are norm, q and its bias, k and its bias,
    /// v and its bias, and o.
    fn attention<T: Tape<E, Self::Device>>(
        x: Matrix<E, Self::Device, T>,
        weights: [&Matrix<E, Self::Device>; 8],
        how: &Arc<Causal<E>>,
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// `x + down(silu(gate(n)) * up(n))` with `n` the normalised `x`. The weights are norm, gate, up and down.
    fn feed_forward<T: Tape<E, Self::Device>>(
        x: Matrix<E, Self::Device, T>,
        weights: [&Matrix<E, Self::Device>; 4],
        epsilon: f64,
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// `x / sqrt(mean(x²) + epsilon) * w`, row by row.
    fn rms_norm<T: Tape<E, Self::Device>>(
        x: Matrix<E, Self::Device, T>,
        weight: &Matrix<E, Self::Device>,
        epsilon: f64,
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// These rows of `x`, each at most once.
    fn rows<T: Tape<E, Self::Device>>(
        x: Matrix<E, Self::Device, T>,
        rows: &[usize],
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// What a head says of each row of hidden states.
    fn readout(
        x: &Matrix<E, Self::Device>,
        weight: &Matrix<E, Self::Device>,
        how: &Readout<'_>,
    ) -> Result<(Vec<Row>, Self::Outputs)>;

    /// The way back of [`Ops::readout`]: slopes of the hidden states and of the weight.
    fn readout_back(
        outputs: Self::Outputs,
        x: &Matrix<E, Self::Device>,
        weight: &Matrix<E, Self::Device>,
        how: &Readout<'_>,
        cotangents: &[Row],
    ) -> Result<[Matrix<E, Self::Device>; 2]>;

    /// The numbers in row-major order.
    fn host(x: &Matrix<E, Self::Device>) -> Cow<'_, [E]>;

    /// Changes the numbers in row-major order.
    fn edit(x: &mut Matrix<E, Self::Device>, change: impl FnOnce(&mut [E])) -> Result<()>;

    /// Runs the tape of `x` back from its cotangent.
    fn pull_back(
        x: Matrix<E, Self::Device, OwnedTape<E, Self::Device>>,
        cotangent: Matrix<E, Self::Device>,
    ) -> Result<Gradients<E, Self::Device>>;

    /// Takes the gradient of a weight out.
    fn gradient(
        gradients: &mut Gradients<E, Self::Device>,
        weight: &Matrix<E, Self::Device>,
    ) -> Result<Matrix<E, Self::Device>>;

    /// `sum += x`.
    fn add_to(sum: &mut Matrix<E, Self::Device>, x: Matrix<E, Self::Device>) -> Result<()>;

    /// Sum of squares; it is not finite when a number is not.
    fn squares(x: &Matrix<E, Self::Device>) -> Result<f64>;

    /// One optimiser step of one weight, whose two moments come last.
    fn step(
        update: &Update,
        decay: Decay,
        weight: &mut Matrix<E, Self::Device>,
        gradient: &Matrix<E, Self::Device>,
        moments: &mut [Matrix<E, Self::Device>; 2],
    ) -> Result<()>;

    /// Draws all completions of a queue; each with the number of its prompt.
    fn draw(model: &Transformer<E, Self>, queue: &Queue<'_>) -> Result<Vec<(usize, Completion)>>;

    /// Bytes that a backward pass takes beside weights and gradient, for sequences of these lengths. Zero where the host
    /// gives what is asked for.
    fn needs(model: &Transformer<E, Self>, lengths: &[usize]) -> usize;
}

/// What a head makes of a row of hidden states.
#[derive(Clone, Copy, Debug)]
pub struct Readout<'a> {
    pub(super) kind: Kind<'a>,
    /// Most outputs that exist at once.
    pub(super) at_once: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    /// One number, reported as a log-probability with no entropy.
    Scalar,
    /// Logits, of which each row's target has a log-probability.
    Vocabulary { targets: &'a [Token], temperature: f64 },
}

impl Readout<'_> {
    /// How many rows go through the head together.
    fn rows(&self, outputs: usize) -> usize {
        (self.at_once / outputs).max(1)
    }
}

/// Rows that go through an operation together. Sums over rows are taken in parts of as many, in order.
const ROWS: usize = 128;

/// As far as the shorter of the two goes.
fn add_up<E: Real>(sum: &mut [E], x: &[E]) {
    vectorised(
        #[inline(always)]
        || sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += *x),
    );
}

/// With padding.
pub(crate) fn filled_up<E: Real>(numbers: &[E]) -> Vec<E> {
    let mut out = numbers.to_vec();
    out.resize(padded(numbers.len()), E::ZERO);
    out
}

#[cfg(test)]
mod tests;
