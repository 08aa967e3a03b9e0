//! The operations a transformer is made of. The default methods are compositions of dfdx's own and run on any of its
//! devices; a device overrides those it has a fused kernel for.

mod attention;
mod embedding;
mod feed_forward;
mod gradients;
mod head;
mod panels;
mod product;
mod raw;
mod rms_norm;
mod stock;
mod swiglu;

use std::borrow::Cow;
use std::sync::Arc;

use dfdx::prelude::{Backward, Cpu, Device, Gradients, NoneTape, OwnedTape, SumTo, Tape, Tensor};

pub(crate) use attention::{Causal, Rotary, softmax_rows};
pub(crate) use panels::Panels;
pub(crate) use product::{Left, Out, Right, Start, padded, product};
pub(crate) use rms_norm::Norm;
pub(crate) use swiglu::forward as gated;

use crate::data::Token;
use crate::real::Real;
use crate::vectors::vectorised;

/// Rows of numbers: one per token for activations, `[out, in]` for weights, `[1, n]` for norms and biases.
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;

/// A device that can run a transformer with numbers of type `E`.
///
/// Activations carry the tape; weights never do, and are known to the gradients by their identity.
pub trait Ops<E: Real>: Device<E> {
    /// Row `tokens[i]` of the table, for each `i`.
    fn embedding<T: Tape<E, Self>>(table: &Matrix<E, Self>, tokens: &[Token]) -> Matrix<E, Self, T> {
        stock::embedding(table, tokens)
    }

    /// `x + o(attend(q(n), k(n), v(n)))` with `n` the normalised `x`. The weights are norm, q and its bias, k and its bias,
    /// v and its bias, and o.
    fn attention<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weights: [&Matrix<E, Self>; 8],
        how: &Arc<Causal<E>>,
    ) -> Matrix<E, Self, T> {
        stock::attention(x, weights, how)
    }

    /// `x + down(silu(gate(n)) * up(n))` with `n` the normalised `x`. The weights are norm, gate, up and down.
    fn feed_forward<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weights: [&Matrix<E, Self>; 4],
        epsilon: f64,
    ) -> Matrix<E, Self, T> {
        stock::feed_forward(x, weights, epsilon)
    }

    /// `x / sqrt(mean(x²) + epsilon) * w`, row by row.
    fn rms_norm<T: Tape<E, Self>>(x: Matrix<E, Self, T>, weight: &Matrix<E, Self>, epsilon: f64) -> Matrix<E, Self, T> {
        stock::rms_norm(x, weight, epsilon)
    }

    /// `x Wᵀ`, without a tape and on the host, as is the next.
    fn project(x: &[E], weight: &Matrix<E, Self>) -> Vec<E> {
        stock::project(x, weight)
    }

    /// The way back of [`Ops::project`]: adds to the gradient of the weight, and returns that of `x`.
    fn project_back(d_out: &[E], x: &[E], weight: &Matrix<E, Self>, d_weight: &mut [E]) -> Vec<E> {
        stock::project_back(d_out, x, weight, d_weight)
    }

    /// The numbers in row-major order, on the host.
    fn host(x: &Matrix<E, Self>) -> Cow<'_, [E]> {
        Cow::Owned(x.as_vec())
    }

    /// Changes the numbers in row-major order.
    fn update(x: &mut Matrix<E, Self>, change: impl FnOnce(&mut [E])) {
        let (shape, device) = (*dfdx::prelude::HasShape::shape(x), x.device().clone());
        let mut numbers = x.as_vec();
        change(&mut numbers);
        *x = device.tensor_from_vec(numbers, shape);
    }

    /// Runs the tape of `x` back from its cotangent.
    fn pull_back(x: Matrix<E, Self, OwnedTape<E, Self>>, cotangent: Matrix<E, Self>) -> Gradients<E, Self> {
        (x * cotangent).sum::<(), _>().backward()
    }

    /// Gradient of a weight, on the host.
    fn gradient(gradients: &mut Gradients<E, Self>, weight: &Matrix<E, Self>) -> Vec<E> {
        gradients.get_or_alloc_mut(weight).expect("memory for a gradient");
        gradients.get(weight).as_vec()
    }
}

impl<E: Real> Ops<E> for Cpu
where
    Cpu: Device<E>,
{
    fn embedding<T: Tape<E, Self>>(table: &Matrix<E, Self>, tokens: &[Token]) -> Matrix<E, Self, T> {
        embedding::fused(table, tokens)
    }

    fn attention<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weights: [&Matrix<E, Self>; 8],
        how: &Arc<Causal<E>>,
    ) -> Matrix<E, Self, T> {
        attention::fused(x, weights, how)
    }

    fn feed_forward<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weights: [&Matrix<E, Self>; 4],
        epsilon: f64,
    ) -> Matrix<E, Self, T> {
        feed_forward::fused(x, weights, epsilon)
    }

    fn rms_norm<T: Tape<E, Self>>(x: Matrix<E, Self, T>, weight: &Matrix<E, Self>, epsilon: f64) -> Matrix<E, Self, T> {
        rms_norm::fused(x, weight, epsilon)
    }

    fn project(x: &[E], weight: &Matrix<E, Self>) -> Vec<E> {
        head::project(x, weight)
    }

    fn project_back(d_out: &[E], x: &[E], weight: &Matrix<E, Self>, d_weight: &mut [E]) -> Vec<E> {
        head::project_back(d_out, x, weight, d_weight)
    }

    fn host(x: &Matrix<E, Self>) -> Cow<'_, [E]> {
        Cow::Borrowed(raw::slice(x))
    }

    fn update(x: &mut Matrix<E, Self>, change: impl FnOnce(&mut [E])) {
        change(raw::slice_mut(x));
    }

    fn pull_back(x: Matrix<E, Self, OwnedTape<E, Self>>, cotangent: Matrix<E, Self>) -> Gradients<E, Self> {
        gradients::seed(x, raw::slice(&cotangent).to_vec())
    }

    fn gradient(gradients: &mut Gradients<E, Self>, weight: &Matrix<E, Self>) -> Vec<E> {
        gradients::of(gradients, weight)
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
