//! The operations of a transformer, implemented twice: [`Fused`], one kernel for each half of a layer, for the CPU; and
//! [`Stock`], composed of dfdx's operations, for any of its devices.

mod attention;
mod embedding;
mod feed_forward;
mod fused;
mod gradients;
mod head;
mod linear;
mod outer_products;
mod panels;
mod product;
mod raw;
mod rms_norm;
mod send;
pub(super) mod stock;
mod swiglu;

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use dfdx::prelude::{Device, Gradients, NoneTape, OwnedTape, Tape, Tensor};

pub(crate) use attention::{Causal, Rotary, scale, softmax, softmax_rows, start_from};
pub use fused::Fused;
pub use linear::Linear;
pub(crate) use panels::Panels;
pub use product::Readable;
pub(crate) use product::{Bf16, Columns, Left, Onto, Right, Unit, Weights, padded, product};
pub(crate) use rms_norm::Norm;
pub use stock::Stock;
pub(crate) use swiglu::forward as gated;

use super::hardware::Hardware;
use crate::architecture::AttentionWeights;
use crate::data::Token;
use crate::error::Result;
use crate::head::TokenOutput;
use crate::optim::{Dimensions, OptimiserStep};
use crate::real::Real;
use crate::vectors::{LANES, vectorised};

/// Activations with one row for each token, weights of `[out, in]`, or norms and biases of `[1, n]`.
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;

/// The arithmetic of a transformer with numbers of type `E`.
///
/// Activations carry dfdx's tape. Weights do not: dfdx's gradients know them by their tensor id.
pub trait Ops<E: Real>: Clone + Debug + 'static {
    /// The device of weights and activations.
    type Device: Device<E> + Hardware;
    /// What the head keeps for the backward pass.
    type Outputs;

    /// Most logits that exist at once: fewer are computed a second time in the backward pass.
    const LOGITS: usize;

    /// Row `tokens[i]` of the table, for each `i`.
    fn embedding<T: Tape<E, Self::Device>>(
        table: &Matrix<E, Self::Device>,
        tokens: &[Token],
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// `x + o(attend(q(n), k(n), v(n)))` with `n` the normalised `x`; each query and key is normalised too where there
    /// are weights for it.
    fn attention<T: Tape<E, Self::Device>>(
        x: Matrix<E, Self::Device, T>,
        weights: AttentionWeights<&Matrix<E, Self::Device>>,
        how: &Arc<Causal<E>>,
    ) -> Result<Matrix<E, Self::Device, T>>;

    /// `x + down(silu(gate(n)) * up(n))` with `n` the normalised `x`. The weights are norm, gate, up and down.
    fn feed_forward<T: Tape<E, Self::Device>>(
        x: Matrix<E, Self::Device, T>,
        weights: [&Matrix<E, Self::Device>; 4],
        numerics: Numerics,
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

    /// Output of the head for each row of hidden states.
    fn readout(
        x: &Matrix<E, Self::Device>,
        weight: &Matrix<E, Self::Device>,
        how: &Readout<'_>,
    ) -> Result<(Vec<TokenOutput>, Self::Outputs)>;

    /// The backward pass of [`Ops::readout`]: gradients of the hidden states and of the weight.
    fn readout_back(
        outputs: Self::Outputs,
        x: &Matrix<E, Self::Device>,
        weight: &Matrix<E, Self::Device>,
        how: &Readout<'_>,
        cotangents: &[TokenOutput],
    ) -> Result<[Matrix<E, Self::Device>; 2]>;

    /// A matrix of these numbers, row-major.
    fn matrix(device: &Self::Device, numbers: Vec<E>, shape: (usize, usize)) -> Result<Matrix<E, Self::Device>>;

    /// A matrix of zeros.
    fn zeros(device: &Self::Device, shape: (usize, usize)) -> Result<Matrix<E, Self::Device>>;

    /// The numbers in row-major order.
    fn host(x: &Matrix<E, Self::Device>) -> Cow<'_, [E]>;

    /// Changes the numbers in row-major order.
    fn edit(x: &mut Matrix<E, Self::Device>, change: impl FnOnce(&mut [E])) -> Result<()>;

    /// Runs the tape of `x` backward from its cotangent.
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
        update: &OptimiserStep,
        dimensions: Dimensions,
        weight: &mut Matrix<E, Self::Device>,
        gradient: &Matrix<E, Self::Device>,
        moments: &mut [Matrix<E, Self::Device>; 2],
    ) -> Result<()>;
}

/// How the halves of a layer are computed.
#[derive(Clone, Copy, Debug)]
pub struct Numerics {
    /// Of the normalisations.
    pub(super) epsilon: f64,
    /// What multiplies by weights, in bf16; `None` for the type of the numbers.
    pub(super) unit: Option<Unit>,
}

/// What a head computes for a row of hidden states.
#[derive(Clone, Copy, Debug)]
pub struct Readout<'a> {
    pub(super) kind: Kind<'a>,
    /// As [`Numerics::unit`].
    pub(super) unit: Option<Unit>,
    /// Most logits that exist at once.
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
    /// Rows in a chunk.
    fn rows(&self, outputs: usize) -> usize {
        (self.at_once / outputs).max(1)
    }
}

/// Most rows in a chunk.
const ROWS: usize = 128;

/// Rows in a chunk of every operation on so many rows: a thread takes a chunk at a time. Sums over rows are taken within chunks first,
/// then over chunks in order.
fn rows_at_once(rows: usize) -> usize {
    rows.div_ceil(8).next_multiple_of(LANES).min(ROWS)
}

/// `sum += x`, up to the length of the shorter.
fn add_up<E: Real>(sum: &mut [E], x: &[E]) {
    vectorised(
        #[inline(always)]
        || sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += *x),
    );
}

/// A copy padded with zeros.
pub(crate) fn filled_up<E: Real>(numbers: &[E]) -> Vec<E> {
    let mut out = numbers.to_vec();
    out.resize(padded(numbers.len()), E::ZERO);
    out
}

#[cfg(test)]
mod tests;
