//! The two halves of a layer, and what they are made of.

use std::sync::Arc;

use dfdx::prelude::{
    Axes2, Axis, BroadcastTo, Device, GatherTo, HasShape, MeanTo, PermuteTo, ReshapeTo, Tape, TryAdd, TryMatMul, TryMul,
};

use super::attention::attend;
use super::recomputed::Block;
use crate::real::Real;
use crate::transformer::ops::{Causal, Matrix};

/// `x + o(attend(q(n), k(n), v(n)))`.
#[derive(Clone)]
pub(super) struct Attention<E>(pub(super) Arc<Causal<E>>);

impl<E: Real, D: Device<E>> Block<E, D, 8> for Attention<E> {
    fn run<T: Tape<E, D>>(
        &self,
        x: Matrix<E, D, T>,
        [norm, q, q_bias, k, k_bias, v, v_bias, o]: [&Matrix<E, D>; 8],
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let read = rms_norm(x.retaped::<T>(), norm, self.0.epsilon)?;
        let query = linear(read.retaped::<T>(), q, Some(q_bias))?;
        let key = linear(read.retaped::<T>(), k, Some(k_bias))?;
        let value = linear(read, v, Some(v_bias))?;
        x.try_add(linear(attend([query, key, value], &self.0)?, o, None)?)
    }
}

/// `x + down(silu(gate(n)) * up(n))`.
#[derive(Clone)]
pub(super) struct FeedForward {
    pub(super) epsilon: f64,
}

impl<E: Real, D: Device<E>> Block<E, D, 4> for FeedForward {
    fn run<T: Tape<E, D>>(&self, x: Matrix<E, D, T>, weights: [&Matrix<E, D>; 4]) -> Result<Matrix<E, D, T>, D::Err> {
        feed_forward(x, weights, self.epsilon)
    }
}

pub(in crate::transformer) fn feed_forward<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    [norm, gate, up, down]: [&Matrix<E, D>; 4],
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let read = rms_norm(x.retaped::<T>(), norm, epsilon)?;
    let gate = linear(read.retaped::<T>(), gate, None)?;
    let open = gate.retaped::<T>().try_sigmoid()?.try_mul(gate)?;
    x.try_add(linear(open.try_mul(linear(read, up, None)?)?, down, None)?)
}

pub(in crate::transformer) fn rms_norm<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *x.shape();
    let mean = x.retaped::<T>().try_square()?.try_mean::<(usize,), Axis<1>>()?;
    let scale = mean.try_add(E::of(epsilon))?.try_sqrt()?.try_recip()?;
    let weight = weight.retaped::<T>().try_reshape_like(&(shape.1,))?;
    let scale = scale.try_broadcast_like::<_, Axis<1>>(&shape)?;
    x.try_mul(scale)?.try_mul(weight.try_broadcast_like::<_, Axis<0>>(&shape)?)
}

/// `x Wᵀ + b`.
pub(in crate::transformer) fn linear<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    bias: Option<&Matrix<E, D>>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let (outputs, _) = *weight.shape();
    let y = x.try_matmul(weight.retaped::<T>().try_permute::<(usize, usize), Axes2<1, 0>>()?)?;
    let Some(bias) = bias else { return Ok(y) };
    let bias = bias.retaped::<T>().try_reshape_like(&(outputs,))?;
    let bias = bias.try_broadcast_like::<_, Axis<0>>(y.shape())?;
    y.try_add(bias)
}

/// The rows of `x` with these numbers.
pub(in crate::transformer) fn gather<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    rows: Vec<usize>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = (rows.len(),);
    let rows = x.device().try_tensor_from_vec(rows, shape)?;
    x.try_gather(rows)
}
