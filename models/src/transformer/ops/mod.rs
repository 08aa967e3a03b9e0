//! The operations a transformer is made of. The default methods are compositions of dfdx's own and run on any of its
//! devices; a device overrides those it has a fused kernel for.

mod attention;
mod embedding;
mod few;
mod linear;
mod raw;
mod residual;
mod rms_norm;
mod swiglu;

use std::borrow::Cow;

use dfdx::prelude::{Backward, Cpu, Device, Gradients, NoneTape, OwnedTape, SumTo, Tape, Tensor};

pub(crate) use attention::{Causal, Rotary, attend_row};

use crate::data::Token;
use crate::real::Real;

/// Rows of numbers: one per token for activations, `[out, in]` for weights, `[1, n]` for norms and biases.
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;

/// What the rows of an activation are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// The tokens of whole sequences.
    Many,
    /// The next token of each sequence that is being decoded.
    Few,
}

/// A device that can run a transformer with numbers of type `E`.
///
/// Activations carry the tape; weights never do, and are known to the gradients by their identity.
pub trait Ops<E: Real>: Device<E> {
    /// Row `tokens[i]` of the table, for each `i`.
    fn embedding<T: Tape<E, Self>>(table: &Matrix<E, Self>, tokens: &[Token]) -> Matrix<E, Self, T> {
        embedding::stock(table, tokens)
    }

    /// `x Wᵀ + b`.
    fn linear<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weight: &Matrix<E, Self>,
        bias: Option<&Matrix<E, Self>>,
        _rows_are: Rows,
    ) -> Matrix<E, Self, T> {
        linear::stock(x, weight, bias)
    }

    /// `x / sqrt(mean(x²) + epsilon) * w`, row by row.
    fn rms_norm<T: Tape<E, Self>>(x: Matrix<E, Self, T>, weight: &Matrix<E, Self>, epsilon: f64) -> Matrix<E, Self, T> {
        rms_norm::stock(x, weight, epsilon)
    }

    /// Rotates queries and keys by their positions, then attends causally within each sequence.
    fn attention<T: Tape<E, Self>>(
        qkv: [Matrix<E, Self, T>; 3],
        how: &std::sync::Arc<Causal<E>>,
    ) -> Matrix<E, Self, T> {
        attention::stock(qkv, how)
    }

    /// `silu(gate) * up`.
    fn swiglu<T: Tape<E, Self>>(gate: Matrix<E, Self, T>, up: Matrix<E, Self, T>) -> Matrix<E, Self, T> {
        swiglu::stock(gate, up)
    }

    /// `x + y`.
    fn residual<T: Tape<E, Self>>(x: Matrix<E, Self, T>, y: Matrix<E, Self, T>) -> Matrix<E, Self, T> {
        x + y
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

    fn linear<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weight: &Matrix<E, Self>,
        bias: Option<&Matrix<E, Self>>,
        rows_are: Rows,
    ) -> Matrix<E, Self, T> {
        linear::fused(x, weight, bias, rows_are)
    }

    fn rms_norm<T: Tape<E, Self>>(x: Matrix<E, Self, T>, weight: &Matrix<E, Self>, epsilon: f64) -> Matrix<E, Self, T> {
        rms_norm::fused(x, weight, epsilon)
    }

    fn attention<T: Tape<E, Self>>(
        qkv: [Matrix<E, Self, T>; 3],
        how: &std::sync::Arc<Causal<E>>,
    ) -> Matrix<E, Self, T> {
        attention::fused(qkv, how)
    }

    fn swiglu<T: Tape<E, Self>>(gate: Matrix<E, Self, T>, up: Matrix<E, Self, T>) -> Matrix<E, Self, T> {
        swiglu::fused(gate, up)
    }

    fn residual<T: Tape<E, Self>>(x: Matrix<E, Self, T>, y: Matrix<E, Self, T>) -> Matrix<E, Self, T> {
        residual::fused(x, y)
    }

    fn host(x: &Matrix<E, Self>) -> Cow<'_, [E]> {
        Cow::Borrowed(raw::slice(x))
    }

    fn update(x: &mut Matrix<E, Self>, change: impl FnOnce(&mut [E])) {
        change(raw::slice_mut(x));
    }

    fn pull_back(x: Matrix<E, Self, OwnedTape<E, Self>>, cotangent: Matrix<E, Self>) -> Gradients<E, Self> {
        residual::seed(x, raw::slice(&cotangent).to_vec())
    }

    fn gradient(gradients: &mut Gradients<E, Self>, weight: &Matrix<E, Self>) -> Vec<E> {
        residual::take(gradients, weight)
    }
}

/// Runs a loop at the full vector width of the processor. Only the width changes, never a result.
#[inline(always)]
fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Sum of `term(0..length)` as sixteen partial sums, which the compiler may keep in one vector.
#[inline(always)]
fn sum<E: Real>(length: usize, term: impl Fn(usize) -> E) -> E {
    let mut lanes = [E::ZERO; 16];
    let whole = length / 16 * 16;
    for start in (0..whole).step_by(16) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(start + lane);
        }
    }
    let mut total = E::ZERO;
    for i in whole..length {
        total += term(i);
    }
    for lane in lanes {
        total += lane;
    }
    total
}

#[cfg(test)]
mod tests;
