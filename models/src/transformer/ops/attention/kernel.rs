//! Attention of one sequence and one key head, with the query heads that share it, as small matmuls.
//!
//! Keys and values are stored as rows or transposed, as each matmul needs them, padded to whole SIMD vectors. Queries
//! are taken in strips, so that little is computed above the diagonal of the causal mask.

use super::Causal;
use crate::buffers::Scratch;
use crate::real::Real;
use crate::reduce::{maximum, sum};
use crate::transformer::ops::product::{Columns, Left, Onto, Right, padded, product};
use crate::transformer::ops::rms_norm::Norm;
use crate::vectors::{copy, vectorised};

/// Queries whose scores are computed together.
const STRIP: usize = 12;

/// Queries that the backward pass takes together.
const BLOCK: usize = 4 * STRIP;

/// The columns of one head in the rows of one sequence.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a, E> {
    pub(super) numbers: &'a [E],
    pub(super) stride: usize,
}

impl<'a, E> Rows<'a, E> {
    fn get(&self, row: usize, offset: usize, width: usize) -> &'a [E] {
        &self.numbers[row * self.stride + offset..][..width]
    }
}

/// Inputs of one sequence and one key head, before the normalisations and the rotary positions.
pub(super) struct Inputs<'a, E> {
    /// Length of the sequence.
    pub(super) rows: usize,
    pub(super) q: Rows<'a, E>,
    pub(super) k: Rows<'a, E>,
    pub(super) v: Rows<'a, E>,
    /// Of queries and of keys.
    pub(super) norms: Option<[Norm<'a, E>; 2]>,
}

impl<'a, E: Real> Inputs<'a, E> {
    fn each_norm(&self) -> [Option<Norm<'a, E>>; 2] {
        self.norms.map_or([None; 2], |norms| norms.map(Some))
    }
}

/// `out` is `[rows, group * head_dim]`, and `log_sums`, `log sum exp` of the scores, `[rows, group]`.
pub(super) fn forward<E: Real>(
    how: &Causal<E>,
    x: &Inputs<'_, E>,
    (out, log_sums): (&mut [E], &mut [E]),
    scratch: &mut Scratch<E>,
) {
    vectorised(
        #[inline(always)]
        || {
            let (dim, group, rows) = (how.head_dim, how.group(), x.rows);
            let (wide, long) = (padded(dim), padded(rows));
            let [q, keys, values, scores, mixed] =
                scratch.cut([rows * wide, dim * long, rows * wide, STRIP * long, STRIP * wide]);
            let mut shares = [E::ZERO; STRIP];
            let [q_norm, k_norm] = x.each_norm();
            rotated(how, q, (x.k, 0), k_norm);
            transpose(keys, q, (dim, wide));
            spread(values, x.v, 0, dim);
            for head in 0..group {
                rotated(how, q, (x.q, head * dim), q_norm);
                for first in (0..rows).step_by(STRIP) {
                    let end = (first + STRIP).min(rows);
                    let to = Columns::new(scores, long, (end - first, padded(end)));
                    product(to, Onto::Zero, Left::rows(&q[first * wide..], wide), Right::rows(keys, long), dim);
                    for (i, scores) in scores.chunks_exact_mut(long).take(end - first).enumerate() {
                        let row = first + i;
                        (log_sums[row * group + head], shares[i]) = softmax(&mut scores[..=row], how.scale());
                        scores[row + 1..end].fill(E::ZERO);
                    }
                    let to = Columns::new(mixed, wide, (end - first, wide));
                    product(to, Onto::Zero, Left::rows(scores, long), Right::rows(values, wide), end);
                    for (i, mixed) in mixed.chunks_exact(wide).take(end - first).enumerate() {
                        let out = &mut out[((first + i) * group + head) * dim..][..dim];
                        out.iter_mut().zip(mixed).for_each(|(out, x)| *out = *x * shares[i]);
                    }
                }
            }
        },
    );
}

/// What the backward pass reads besides the inputs.
pub(super) struct Seen<'a, E> {
    pub(super) d_out: Rows<'a, E>,
    /// `[rows, group]`
    pub(super) log_sums: &'a [E],
}

/// Gradients of normalised queries, `[rows, group * head_dim]`, and of normalised keys and values, `[rows, head_dim]`.
/// With probabilities `p` and `dp_j = d_out . v_j`: `ds_j = p_j (dp_j - sum of p dp)`.
pub(super) fn backward<E: Real>(
    how: &Causal<E>,
    x: &Inputs<'_, E>,
    seen: &Seen<'_, E>,
    [d_q, d_k, d_v]: [&mut [E]; 3],
    scratch: &mut Scratch<E>,
) {
    vectorised(
        #[inline(always)]
        || {
            let (dim, group, rows) = (how.head_dim, how.group(), x.rows);
            let (wide, long, block_rows) = (padded(dim), padded(rows), BLOCK.min(rows));
            let (across, along, square) = (rows * wide, dim * long, block_rows * long);
            let [q, k, keys, values, d_out, d_keys, d_values, p, ds, d_queries] =
                scratch.cut([across, across, along, along, across, across, across, square, square, STRIP * wide]);
            let [q_norm, k_norm] = x.each_norm();
            rotated(how, k, (x.k, 0), k_norm);
            transpose(keys, k, (dim, wide));
            spread(q, x.v, 0, dim);
            transpose(values, q, (dim, wide));
            d_keys.fill(E::ZERO);
            d_values.fill(E::ZERO);
            for head in 0..group {
                rotated(how, q, (x.q, head * dim), q_norm);
                spread(d_out, seen.d_out, head * dim, dim);
                for block in (0..rows).step_by(BLOCK) {
                    let block_end = (block + BLOCK).min(rows);
                    for first in (block..block_end).step_by(STRIP) {
                        let end = (first + STRIP).min(rows);
                        let (p, ds) = (&mut p[(first - block) * long..], &mut ds[(first - block) * long..]);
                        let size = (end - first, padded(end));
                        for (out, left, right) in [(&mut *p, &*q, &*keys), (&mut *ds, &*d_out, &*values)] {
                            let (to, left) = (Columns::new(out, long, size), Left::rows(&left[first * wide..], wide));
                            product(to, Onto::Zero, left, Right::rows(right, long), dim);
                        }
                        let strip = p.chunks_exact_mut(long).zip(ds.chunks_exact_mut(long));
                        for (row, (p, ds)) in (first..end).zip(strip) {
                            slopes(&mut p[..=row], &mut ds[..=row], seen.log_sums[row * group + head], how.scale());
                            p[row + 1..block_end].fill(E::ZERO);
                            ds[row + 1..block_end].fill(E::ZERO);
                        }
                        let to = Columns::new(d_queries, wide, (end - first, wide));
                        product(to, Onto::Zero, Left::rows(ds, long), Right::rows(k, wide), end);
                        for (row, d) in (first..end).zip(d_queries.chunks_exact_mut(wide)) {
                            how.rotary.rotate_back(&mut d[..dim], row);
                            copy(&mut d_q[(row * group + head) * dim..][..dim], &d[..dim]);
                        }
                    }
                    for (out, left, right) in [(&mut *d_keys, &*ds, &*q), (&mut *d_values, &*p, &*d_out)] {
                        let (to, right) = (Columns::new(out, wide, (block_end, wide)), &right[block * wide..]);
                        product(to, Onto::Out, Left::columns(left, long), Right::rows(right, wide), block_end - block);
                    }
                }
            }
            unpad(how, [d_k, d_v], [d_keys, d_values]);
        },
    );
}

/// Gradients of the rotated keys and of the values, without padding and rotated back.
#[inline(always)]
fn unpad<E: Real>(how: &Causal<E>, [d_k, d_v]: [&mut [E]; 2], [d_keys, d_values]: [&mut [E]; 2]) {
    let (dim, wide) = (how.head_dim, padded(how.head_dim));
    for (row, (d_key, d_value)) in d_keys.chunks_exact_mut(wide).zip(d_values.chunks_exact(wide)).enumerate() {
        how.rotary.rotate_back(&mut d_key[..dim], row);
        copy(&mut d_k[row * dim..][..dim], &d_key[..dim]);
        copy(&mut d_v[row * dim..][..dim], &d_value[..dim]);
    }
}

/// In place: scores become probabilities, `dp` becomes the gradient of the scores.
#[inline(always)]
fn slopes<E: Real>(p: &mut [E], ds: &mut [E], log_sum: E, scale: E) {
    p.iter_mut().for_each(|p| *p = (*p * scale - log_sum).exp());
    let mean = sum(p.len(), |j| p[j] * ds[j]);
    ds.iter_mut().zip(&*p).for_each(|(ds, p)| *ds = *p * (*ds - mean) * scale);
}

/// In place: scores become `exp(score - max)`. Returns `log sum exp` of the scores, and the factor that makes
/// probabilities of the exponentials.
#[inline(always)]
pub(crate) fn softmax<E: Real>(scores: &mut [E], scale: E) -> (E, E) {
    let max = maximum(scores);
    scores.iter_mut().for_each(|score| *score = ((*score - max) * scale).exp());
    let sum = sum(scores.len(), |j| scores[j]);
    (max * scale + E::of(sum.wide().ln()), E::ONE / sum)
}

/// Softmax of the first `count` scores of each row of `stride`, in place.
pub(crate) fn softmax_rows<E: Real>(scores: &mut [E], (stride, count): (usize, usize), scale: E) {
    vectorised(
        #[inline(always)]
        || {
            for scores in scores.chunks_exact_mut(stride) {
                let (_, share) = softmax(&mut scores[..count], scale);
                scores[..count].iter_mut().for_each(|p| *p *= share);
            }
        },
    );
}

/// Some columns of the rows, `[rows, padded(columns)]`.
#[inline(always)]
fn spread<E: Real>(out: &mut [E], x: Rows<'_, E>, offset: usize, columns: usize) {
    for (row, out) in out.chunks_exact_mut(padded(columns)).enumerate() {
        let (out, padding) = out.split_at_mut(columns);
        copy(out, x.get(row, offset, columns));
        padding.fill(E::ZERO);
    }
}

/// As [`spread`] for one head, each row normalised, then rotated by its position.
#[inline(always)]
fn rotated<E: Real>(how: &Causal<E>, out: &mut [E], (x, offset): (Rows<'_, E>, usize), norm: Option<Norm<'_, E>>) {
    let dim = how.head_dim;
    spread(out, x, offset, dim);
    for (position, row) in out.chunks_exact_mut(padded(dim)).enumerate() {
        if let Some(norm) = norm {
            norm.apply(&mut row[..dim]);
        }
        how.rotary.rotate(&mut row[..dim], position);
    }
}

/// The first `dim` columns of rows of `stride`, as `[dim, padded(rows)]`.
#[inline(always)]
fn transpose<E: Real>(out: &mut [E], rows: &[E], (dim, stride): (usize, usize)) {
    let count = rows.len() / stride;
    for (d, out) in out.chunks_exact_mut(padded(count)).enumerate().take(dim) {
        let (out, padding) = out.split_at_mut(count);
        out.iter_mut().zip(rows.chunks_exact(stride)).for_each(|(out, row)| *out = row[d]);
        padding.fill(E::ZERO);
    }
}
