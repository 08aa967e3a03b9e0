//! The two halves of a layer, and what they are made of.

use std::sync::Arc;

use dfdx::prelude::{
    Axes2, Axis, BroadcastTo, Device, GatherTo, HasShape, MeanTo, PermuteTo, ReshapeTo, Tape, TryAdd, TryMatMul, TryMul,
};

use super::attention::attend;
use super::recomputed::Block;
use crate::architecture::AttentionWeights;
use crate::real::Real;
use crate::transformer::ops::{Causal, Matrix};

/// `x + o(attend(q(n), k(n), v(n)))`.
pub(super) struct Attention<E: Real, D: Device<E>> {
    pub(super) how: Arc<Causal<E>>,
    pub(super) weights: AttentionWeights<Matrix<E, D>>,
}

impl<E: Real, D: Device<E>> Block<E, D> for Attention<E, D> {
    fn run<T: Tape<E, D>>(&self, x: Matrix<E, D, T>) -> Result<Matrix<E, D, T>, D::Err> {
        let (how, weights) = (&self.how, self.weights.each_ref());
        let read = rms_norm(x.retaped::<T>(), weights.norm, how.numerics.epsilon)?;
        let [mut q, mut k, v] = project(read, &weights)?;
        if let Some([q_norm, k_norm]) = weights.head_norms {
            (q, k) = (head_norm(q, q_norm, how.numerics.epsilon)?, head_norm(k, k_norm, how.numerics.epsilon)?);
        }
        x.try_add(linear(attend([q, k, v], how)?, weights.o, None)?)
    }

    fn weights(&self) -> Vec<&Matrix<E, D>> {
        self.weights.each_ref().into_vec()
    }
}

/// `x + down(silu(gate(n)) * up(n))`.
pub(super) struct FeedForward<E: Real, D: Device<E>> {
    pub(super) epsilon: f64,
    pub(super) weights: [Matrix<E, D>; 4],
}

impl<E: Real, D: Device<E>> Block<E, D> for FeedForward<E, D> {
    fn run<T: Tape<E, D>>(&self, x: Matrix<E, D, T>) -> Result<Matrix<E, D, T>, D::Err> {
        feed_forward(x, self.weights.each_ref(), self.epsilon)
    }

    fn weights(&self) -> Vec<&Matrix<E, D>> {
        self.weights.iter().collect()
    }
}

/// Queries, keys and values of the normalised input.
pub(in crate::transformer) fn project<E: Real, D: Device<E>, T: Tape<E, D>>(
    read: Matrix<E, D, T>,
    weights: &AttentionWeights<&Matrix<E, D>>,
) -> Result<[Matrix<E, D, T>; 3], D::Err> {
    let [q_bias, k_bias, v_bias] = weights.biases.map_or([None; 3], |biases| biases.map(Some));
    let query = linear(read.retaped::<T>(), weights.q, q_bias)?;
    let key = linear(read.retaped::<T>(), weights.k, k_bias)?;
    Ok([query, key, linear(read, weights.v, v_bias)?])
}

/// [`rms_norm`] of each head of each row.
pub(in crate::transformer) fn head_norm<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let (shape, dim) = (*x.shape(), weight.shape().1);
    let heads = x.try_reshape_like(&(shape.0 * shape.1 / dim, dim))?;
    rms_norm(heads, weight, epsilon)?.try_reshape_like(&shape)
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
