//! Attention composed of dfdx's own operations: sequences are padded to the longest, and padding is masked.

use std::sync::Arc;

use dfdx::prelude::{
    Axes4, Axis, BroadcastTo, Device, GatherTo, HasShape, PermuteTo, ReshapeTo, Tape, Tensor, TryAdd, TryMatMul, TryMul,
};

use crate::real::Real;
use crate::transformer::ops::{Causal, Matrix, Rotary};

type Three = (usize, usize, usize);
type Four = (usize, usize, usize, usize);

pub(super) fn attend<E: Real, D: Device<E>, T: Tape<E, D>>(
    [q, k, v]: [Matrix<E, D, T>; 3],
    how: &Arc<Causal<E>>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let (heads, kv_heads, dim) = (how.heads, how.kv_heads, how.head_dim);
    let device = q.device().clone();
    let (padded, packed) = indices(how);
    let batch = how.starts.len() - 1;
    let length = padded.len() / batch;
    let positions: Vec<usize> = how.starts.windows(2).flat_map(|pair| 0..pair[1] - pair[0]).collect();
    let pad = |x: Matrix<E, D, T>, heads: usize| {
        let padded = device.try_tensor_from_vec(padded.clone(), (padded.len(),))?;
        x.try_gather(padded)?.try_reshape_like(&(batch, length, heads, dim))
    };
    // Queries that share a key head are stacked along the sequence, so that keys and values need not be repeated.
    let q = pad(rotate(q, &how.rotary, &positions, heads)?, heads)?.try_permute::<Four, Axes4<0, 2, 1, 3>>()?;
    let q = q.try_reshape_like(&(batch * kv_heads, how.group() * length, dim))?;
    let k = pad(rotate(k, &how.rotary, &positions, kv_heads)?, kv_heads)?.try_permute::<Four, Axes4<0, 2, 3, 1>>()?;
    let k = k.try_reshape_like(&(batch * kv_heads, dim, length))?;
    let v = pad(v, kv_heads)?.try_permute::<Four, Axes4<0, 2, 1, 3>>()?;
    let v = v.try_reshape_like(&(batch * kv_heads, length, dim))?;
    let mask = (0..length * length).map(|i| masked(i % length > i / length)).collect();
    let mask = device.try_tensor_from_vec(mask, (length, length))?;
    let mask =
        mask.try_broadcast_like::<Four, dfdx::prelude::Axes2<0, 1>>(&(batch * kv_heads, how.group(), length, length))?;
    let scores = q.try_matmul(k)?.try_mul(how.scale())?;
    let scores =
        scores.try_add(mask.try_reshape_like::<Three>(&(batch * kv_heads, how.group() * length, length))?)?;
    let out = scores.try_softmax::<Axis<2>>()?.try_matmul(v)?;
    let out = out.try_reshape_like(&(batch, heads, length, dim))?.try_permute::<Four, Axes4<0, 2, 1, 3>>()?;
    let rows = device.try_tensor_from_vec(packed.clone(), (packed.len(),))?;
    out.try_reshape_like(&(batch * length, heads * dim))?.try_gather(rows)
}

/// What is added to a score: a large negative number where it is masked.
pub(in crate::transformer) fn masked<E: Real>(masked: bool) -> E {
    if masked { E::of(-1e9) } else { E::ZERO }
}

/// `x cos + rotate_half(x) sin` at the position of each row, with `rotate_half` as a matmul with a signed permutation.
pub(in crate::transformer) fn rotate<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    rotary: &Rotary<E>,
    positions: &[usize],
    heads: usize,
) -> Result<Matrix<E, D, T>, D::Err> {
    let (device, shape) = (x.device().clone(), *x.shape());
    let dim = shape.1 / heads;
    let (mut cosines, mut sines) = (Vec::new(), Vec::new());
    for &position in positions {
        let (cosine, sine) = rotary.angles(position);
        for angles in [&mut cosines, &mut sines].into_iter().zip([cosine, sine]) {
            angles.0.extend_from_slice(angles.1);
            angles.0.extend_from_slice(angles.1);
        }
    }
    let by_head = |angles: Vec<E>| {
        let angles: Tensor<(usize, usize), E, D> = device.try_tensor_from_vec(angles, (shape.0, dim))?;
        let angles = angles.try_broadcast_like::<Three, Axis<1>>(&(shape.0, heads, dim))?;
        angles.try_reshape_like::<(usize, usize)>(&(shape.0 * heads, dim))
    };
    let mut turn = vec![E::ZERO; dim * dim];
    for i in 0..dim / 2 {
        turn[(i + dim / 2) * dim + i] = -E::ONE;
        turn[i * dim + i + dim / 2] = E::ONE;
    }
    let x = x.try_reshape_like(&(shape.0 * heads, dim))?;
    let turned = x.retaped::<T>().try_matmul(device.try_tensor_from_vec(turn, (dim, dim))?)?;
    x.try_mul(by_head(cosines)?)?.try_add(turned.try_mul(by_head(sines)?)?)?.try_reshape_like(&shape)
}

/// The source row of each padded row (row 0 for padding, which is masked), and the padded row of each source row.
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
