//! Attention composed of dfdx's own operations: sequences are padded to the longest, and padding is masked.

use std::sync::Arc;

use dfdx::prelude::{Axes4, Axis, BroadcastTo, Device, GatherTo, HasShape, PermuteTo, ReshapeTo, Tape, TryMatMul};

use super::Causal;
use crate::real::Real;
use crate::transformer::ops::Matrix;

type Four = (usize, usize, usize, usize);
type Five = (usize, usize, usize, usize, usize);

pub(in super::super) fn stock<E: Real, D: Device<E>, T: Tape<E, D>>(
    [q, k, v]: [Matrix<E, D, T>; 3],
    how: &Arc<Causal<E>>,
) -> Matrix<E, D, T> {
    let (heads, kv_heads, dim) = (how.heads, how.kv_heads, how.head_dim);
    let device = q.device().clone();
    let (padded, packed) = indices(how);
    let batch = how.starts.len() - 1;
    let length = padded.len() / batch;
    let pad = |x: Matrix<E, D, T>, heads: usize| {
        let padded = device.tensor_from_vec(padded.clone(), (padded.len(),));
        x.gather(padded).reshape_like(&(batch, length, heads, dim))
    };
    let grouped = |a, b| (batch, kv_heads, heads / kv_heads, a, b);
    let q = pad(rotate(q, how, heads), heads).permute::<Four, Axes4<0, 2, 1, 3>>();
    let q = q.reshape_like(&(batch * heads, length, dim));
    let k = pad(rotate(k, how, kv_heads), kv_heads).permute::<Four, Axes4<0, 2, 3, 1>>();
    let k = k.broadcast_like::<Five, Axis<2>>(&grouped(dim, length));
    let k = k.reshape_like(&(batch * heads, dim, length));
    let v = pad(v, kv_heads).permute::<Four, Axes4<0, 2, 1, 3>>();
    let v = v.broadcast_like::<Five, Axis<2>>(&grouped(length, dim));
    let v = v.reshape_like(&(batch * heads, length, dim));
    let scores = q.matmul(k) * how.scale();
    let later = |i: usize| if i % length > i / length { E::of(-1e9) } else { E::ZERO };
    let mask = device.tensor_from_vec((0..length * length).map(later).collect(), (length, length));
    let mask = mask.broadcast_like::<_, Axis<0>>(scores.shape());
    let out = (scores + mask).softmax::<Axis<2>>().matmul(v);
    let out = out.reshape_like(&(batch, heads, length, dim)).permute::<Four, Axes4<0, 2, 1, 3>>();
    let rows = packed.len();
    out.reshape_like(&(batch * length, heads * dim)).gather(device.tensor_from_vec(packed, (rows,)))
}

/// `x cos + rotate_half(x) sin`, where the half turn is a product with a signed permutation.
fn rotate<E: Real, D: Device<E>, T: Tape<E, D>>(x: Matrix<E, D, T>, how: &Causal<E>, heads: usize) -> Matrix<E, D, T> {
    let (device, shape, dim) = (x.device().clone(), *x.shape(), how.head_dim);
    let flat = (shape.0 * heads, dim);
    let positions = how.starts.windows(2).flat_map(|pair| 0..pair[1] - pair[0]);
    let angles = positions.flat_map(|p| (0..heads * 2).map(move |_| how.rotary.angles(p)));
    let (cosines, sines): (Vec<&[E]>, Vec<&[E]>) = angles.unzip();
    let mut turn = vec![E::ZERO; dim * dim];
    for i in 0..dim / 2 {
        turn[(i + dim / 2) * dim + i] = -E::ONE;
        turn[i * dim + i + dim / 2] = E::ONE;
    }
    let x = x.reshape_like(&flat);
    let turned = x.retaped::<T>().matmul(device.tensor_from_vec(turn, (dim, dim)));
    let cosines = device.tensor_from_vec(cosines.concat(), flat);
    let sines = device.tensor_from_vec(sines.concat(), flat);
    (x * cosines + turned * sines).reshape_like(&shape)
}

/// Where each padded row comes from (row 0 for padding, which nothing attends to), and where each real row went.
fn indices<E>(how: &Causal<E>) -> (Vec<usize>, Vec<usize>) {
    let lengths: Vec<usize> = how.starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let (mut padded, mut packed) = (Vec::new(), Vec::new());
    for (sequence, &length) in lengths.iter().enumerate() {
        let start = how.starts[sequence];
        padded.extend((0..longest).map(|t| if t < length { start + t } else { 0 }));
        packed.extend((0..length).map(|t| sequence * longest + t));
    }
    (padded, packed)
}
