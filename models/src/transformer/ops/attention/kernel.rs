//! Attention within one sequence. Keys are transposed so that the scores of a query vectorise over positions.

use super::Causal;
use crate::real::Real;
use crate::transformer::ops::{sum, vectorised};

/// What one sequence keeps for the way back: rotated queries and keys, values, and `log sum exp` of the scores of each
/// row and head.
pub(super) struct Seen<'a, E> {
    pub(super) q: &'a [E],
    pub(super) k: &'a [E],
    pub(super) v: &'a [E],
    pub(super) log_sums: &'a [E],
}

/// Rotates `q` and `k` in place.
pub(super) fn forward<E: Real>(how: &Causal<E>, [q, k]: [&mut [E]; 2], v: &[E], out: &mut [E], log_sums: &mut [E]) {
    vectorised(
        #[inline(always)]
        || {
            let ((wide, narrow), dim) = (how.widths(), how.head_dim);
            let rows = k.len() / narrow;
            for (position, (q, k)) in q.chunks_exact_mut(wide).zip(k.chunks_exact_mut(narrow)).enumerate() {
                how.rotary.rotate(q, position);
                how.rotary.rotate(k, position);
            }
            let mut scores = vec![E::ZERO; rows];
            let mut keys = vec![E::ZERO; rows * dim];
            for head in 0..how.heads {
                let kv = head / (how.heads / how.kv_heads);
                if head % (how.heads / how.kv_heads) == 0 {
                    transpose(&mut keys, k, narrow, kv * dim, dim);
                }
                for row in 0..rows {
                    let at = row * wide + head * dim;
                    let scores = &mut scores[..=row];
                    let (q, out) = (&q[at..at + dim], &mut out[at..at + dim]);
                    let log_sum = attend(q, (&keys, rows), (&v[kv * dim..], narrow), scores, out, how.scale());
                    log_sums[row * how.heads + head] = log_sum;
                }
            }
        },
    );
}

/// Adds to the gradients of queries, keys and values. With probabilities `p` and `dp_j = d_out . v_j`:
/// `ds_j = p_j (dp_j - sum of p dp)`.
pub(super) fn backward<E: Real>(how: &Causal<E>, seen: &Seen<'_, E>, d_out: &[E], d_qkv: [&mut [E]; 3]) {
    vectorised(
        #[inline(always)]
        || {
            let [d_q, d_k, d_v] = d_qkv;
            let ((wide, narrow), dim) = (how.widths(), how.head_dim);
            let rows = seen.k.len() / narrow;
            let (mut p, mut ds) = (vec![E::ZERO; rows], vec![E::ZERO; rows]);
            let [mut keys, mut values, mut d_keys] = [(); 3].map(|()| vec![E::ZERO; rows * dim]);
            let mut d_query = vec![E::ZERO; dim];
            let group = how.heads / how.kv_heads;
            for head in 0..how.heads {
                let kv = head / group * dim;
                if head % group == 0 {
                    transpose(&mut keys, seen.k, narrow, kv, dim);
                    transpose(&mut values, seen.v, narrow, kv, dim);
                    d_keys.fill(E::ZERO);
                }
                for row in 0..rows {
                    let at = row * wide + head * dim;
                    let (q, d) = (&seen.q[at..at + dim], &d_out[at..at + dim]);
                    let (p, ds) = (&mut p[..=row], &mut ds[..=row]);
                    dot_columns(p, q, &keys, rows);
                    let log_sum = seen.log_sums[row * how.heads + head];
                    p.iter_mut().for_each(|p| *p = (*p * how.scale() - log_sum).exp());
                    dot_columns(ds, d, &values, rows);
                    let mean = sum(p.len(), |j| p[j] * ds[j]);
                    ds.iter_mut().zip(&*p).for_each(|(ds, p)| *ds = *p * (*ds - mean) * how.scale());
                    d_query.fill(E::ZERO);
                    for j in 0..=row {
                        let at = j * narrow + kv;
                        add_scaled(&mut d_query, ds[j], &seen.k[at..at + dim]);
                        add_scaled(&mut d_keys[j * dim..(j + 1) * dim], ds[j], q);
                        add_scaled(&mut d_v[at..at + dim], p[j], d);
                    }
                    how.rotary.add_unrotated(&mut d_q[at..at + dim], &d_query, row);
                }
                if head % group == group - 1 {
                    for (row, d) in d_keys.chunks_exact(dim).enumerate() {
                        let at = row * narrow + kv;
                        how.rotary.add_unrotated(&mut d_k[at..at + dim], d, row);
                    }
                }
            }
        },
    );
}

/// One query of one head over `scores.len()` keys and values.
///
/// `keys` is `[dim, stride]`; value `j` starts at `j * stride` of `values`. Leaves the unnormalised probabilities in
/// `scores`; returns the logarithm of their sum, the maximum put back.
pub(crate) fn attend_row<E: Real>(
    q: &[E],
    keys: (&[E], usize),
    values: (&[E], usize),
    scores: &mut [E],
    out: &mut [E],
    scale: E,
) -> E {
    vectorised(
        #[inline(always)]
        || attend(q, keys, values, scores, out, scale),
    )
}

#[inline(always)]
fn attend<E: Real>(
    q: &[E],
    (keys, key_stride): (&[E], usize),
    (values, value_stride): (&[E], usize),
    scores: &mut [E],
    out: &mut [E],
    scale: E,
) -> E {
    dot_columns(scores, q, keys, key_stride);
    let mut max = scores[0];
    for score in &*scores {
        max = max.max(*score);
    }
    scores.iter_mut().for_each(|score| *score = ((*score - max) * scale).exp());
    let sum = sum(scores.len(), |j| scores[j]);
    out.fill(E::ZERO);
    for (j, score) in scores.iter().enumerate() {
        add_scaled(out, *score, &values[j * value_stride..][..q.len()]);
    }
    out.iter_mut().for_each(|x| *x /= sum);
    max * scale + E::of(sum.wide().ln())
}

/// `out[j] = sum over d of x[d] columns[d, j]`
#[inline(always)]
fn dot_columns<E: Real>(out: &mut [E], x: &[E], columns: &[E], stride: usize) {
    out.fill(E::ZERO);
    for (x, row) in x.iter().zip(columns.chunks(stride)) {
        add_scaled(out, *x, &row[..out.len()]);
    }
}

#[inline(always)]
fn add_scaled<E: Real>(sum: &mut [E], factor: E, x: &[E]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += factor * *x);
}

/// `out[d, row] = rows[row, offset + d]`
#[inline(always)]
fn transpose<E: Real>(out: &mut [E], rows: &[E], width: usize, offset: usize, dim: usize) {
    let count = rows.len() / width;
    for (row, numbers) in rows.chunks_exact(width).enumerate() {
        for (d, x) in numbers[offset..offset + dim].iter().enumerate() {
            out[d * count + row] = *x;
        }
    }
}
