//! The operations as compositions of dfdx's own, for any of its devices.

use std::sync::Arc;

use dfdx::prelude::{
    Axes2, Axis, BroadcastTo, Device, GatherTo, HasShape, MeanTo, PermuteTo, ReshapeTo, Tape, TryMatMul,
};

use super::attention::stock as attend;
use super::{Causal, Matrix};
use crate::data::Token;
use crate::real::Real;

pub(super) fn embedding<E: Real, D: Device<E>, T: Tape<E, D>>(
    table: &Matrix<E, D>,
    tokens: &[Token],
) -> Matrix<E, D, T> {
    let indices: Vec<usize> = tokens.iter().map(|&token| token as usize).collect();
    let shape = (indices.len(),);
    table.retaped::<T>().gather(table.device().tensor_from_vec(indices, shape))
}

pub(super) fn attention<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    [norm, q, q_bias, k, k_bias, v, v_bias, o]: [&Matrix<E, D>; 8],
    how: &Arc<Causal<E>>,
) -> Matrix<E, D, T> {
    let read = rms_norm(x.retaped::<T>(), norm, how.epsilon);
    let query = linear(read.retaped::<T>(), q, Some(q_bias));
    let key = linear(read.retaped::<T>(), k, Some(k_bias));
    let value = linear(read, v, Some(v_bias));
    x + linear(attend([query, key, value], how), o, None)
}

pub(super) fn feed_forward<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    [norm, gate, up, down]: [&Matrix<E, D>; 4],
    epsilon: f64,
) -> Matrix<E, D, T> {
    let read = rms_norm(x.retaped::<T>(), norm, epsilon);
    let gate = linear(read.retaped::<T>(), gate, None);
    let open = gate.retaped::<T>().sigmoid() * gate;
    x + linear(open * linear(read, up, None), down, None)
}

pub(super) fn rms_norm<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    epsilon: f64,
) -> Matrix<E, D, T> {
    let shape = *x.shape();
    let copy = x.retaped::<T>();
    let mean = copy.square().mean::<(usize,), Axis<1>>();
    let scale = (mean + E::of(epsilon)).sqrt().recip();
    let weight = weight.retaped::<T>().reshape_like(&(shape.1,));
    x * scale.broadcast_like::<_, Axis<1>>(&shape) * weight.broadcast_like::<_, Axis<0>>(&shape)
}

/// `x Wᵀ + b`.
pub(super) fn linear<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    bias: Option<&Matrix<E, D>>,
) -> Matrix<E, D, T> {
    let (outputs, _) = *weight.shape();
    let y = x.matmul(weight.retaped::<T>().permute::<(usize, usize), Axes2<1, 0>>());
    let Some(bias) = bias else { return y };
    let bias = bias.retaped::<T>().reshape_like(&(outputs,));
    let bias = bias.broadcast_like::<_, Axis<0>>(y.shape());
    y + bias
}

pub(super) fn project<E: Real, D: Device<E>>(x: &[E], weight: &Matrix<E, D>) -> Vec<E> {
    let (_, inputs) = *weight.shape();
    let x: Matrix<E, D> = weight.device().tensor_from_vec(x.to_vec(), (x.len() / inputs, inputs));
    linear(x, weight, None).as_vec()
}

pub(super) fn project_back<E: Real, D: Device<E>>(
    d_out: &[E],
    x: &[E],
    weight: &Matrix<E, D>,
    d_weight: &mut [E],
) -> Vec<E> {
    let ((outputs, inputs), device) = (*weight.shape(), weight.device());
    let rows = x.len() / inputs;
    let d_out = device.tensor_from_vec(d_out.to_vec(), (rows, outputs));
    let x = device.tensor_from_vec(x.to_vec(), (rows, inputs));
    let d_x = d_out.clone().matmul(weight.clone());
    let d = d_out.permute::<(usize, usize), Axes2<1, 0>>().matmul(x);
    d_weight.iter_mut().zip(d.as_vec()).for_each(|(sum, d)| *sum += d);
    d_x.as_vec()
}
