//! The attention of a layer, `x + o(attend(q(n), k(n), v(n)))` with `n` the normalised `x`: causal, with rotary positions
//! and grouped queries, over sequences laid end to end.

mod kernel;
mod rotary;

use std::ops::Range;
use std::sync::Arc;

use dfdx::prelude::{Cpu, HasShape, PutTape, SplitTape, Tape, TensorFromVec};
use rayon::prelude::*;

pub(crate) use kernel::softmax_rows;
pub(crate) use rotary::Rotary;

use super::gradients::take;
use super::panels::{Factor, Panels, add_transposed_product};
use super::product::{Left, Start, padded};
use super::raw::slice;
use super::rms_norm::Norm;
use super::{Matrix, ROWS, add_up, filled_up};
use crate::buffers::Scratch;
use crate::real::Real;
use crate::vectors::copy;

/// Which rows attend to which: those of the same sequence that are not later.
#[derive(Clone, Debug)]
pub struct Causal<E> {
    /// First row of each sequence, and after the last one the number of rows.
    pub starts: Vec<usize>,
    pub heads: usize,
    /// Each serves `heads / kv_heads` heads in a row.
    pub kv_heads: usize,
    pub head_dim: usize,
    pub rotary: Rotary<E>,
    /// Of the normalisation before.
    pub epsilon: f64,
}

/// Score of a query and a key is their product times this.
pub(crate) fn scale<E: Real>(head_dim: usize) -> E {
    E::of((head_dim as f64).sqrt().recip())
}

impl<E: Real> Causal<E> {
    pub(crate) fn scale(&self) -> E {
        scale(self.head_dim)
    }

    /// Queries that share a head of keys and values.
    pub(crate) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Every sequence and head of keys.
    fn parts(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        self.starts.windows(2).flat_map(|pair| (0..self.kv_heads).map(move |head| (pair[0]..pair[1], head)))
    }

    /// One slice per part, with `width` numbers a row: a part's own rows, one after the other.
    fn split<'a, F>(&self, mut rows: &'a mut [F], width: usize) -> Vec<&'a mut [F]> {
        let cut = |(range, _): (Range<usize>, usize)| {
            let (first, rest) = std::mem::take(&mut rows).split_at_mut(range.len() * width);
            rows = rest;
            first
        };
        self.parts().map(cut).collect()
    }

    /// What a part reads of rows of `stride`, in which each head of keys has `width` columns.
    fn columns<'a, F>(
        &self,
        rows: &'a [F],
        stride: usize,
        (range, head): &(Range<usize>, usize),
        width: usize,
    ) -> kernel::Rows<'a, F> {
        kernel::Rows { numbers: &rows[range.start * stride + head * width..], stride }
    }

    fn inputs<'a>(&self, qkv: &'a [E], part: &(Range<usize>, usize)) -> kernel::Inputs<'a, E> {
        let [at_k, at_v, all] = self.offsets();
        let columns = |at, width| self.columns(&qkv[at..], all, part, width);
        let (dim, wide) = (self.head_dim, self.group() * self.head_dim);
        kernel::Inputs { rows: part.0.len(), q: columns(0, wide), k: columns(at_k, dim), v: columns(at_v, dim) }
    }

    /// Where keys and values start in a row of queries, keys and values, each padded, and the length of the row.
    fn offsets(&self) -> [usize; 3] {
        let (wide, narrow) = (padded(self.heads * self.head_dim), padded(self.kv_heads * self.head_dim));
        [wide, wide + narrow, wide + 2 * narrow]
    }

    /// Rows from `first` on, out of numbers that lie by parts with `width` a head of keys. A row of `out` has `out.1`
    /// numbers, of which those from `out.2` on are written, and padding behind them.
    fn gather(&self, out: (&mut [E], usize, usize), first: usize, by_part: &[E], width: usize) {
        let (out, stride, out_at) = out;
        let mut sequence = self.starts.partition_point(|start| *start <= first) - 1;
        for (row, out) in (first..).zip(out.chunks_exact_mut(stride)) {
            while self.starts[sequence + 1] <= row {
                sequence += 1;
            }
            let (start, end) = (self.starts[sequence], self.starts[sequence + 1]);
            let heads = by_part[start * self.kv_heads * width..].chunks_exact((end - start) * width);
            let (out, padding) = out[out_at..][..padded(self.kv_heads * width)].split_at_mut(self.kv_heads * width);
            for (out, head) in out.chunks_exact_mut(width).zip(heads) {
                copy(out, &head[(row - start) * width..][..width]);
            }
            padding.fill(E::ZERO);
        }
    }
}

/// Queries, keys and values of each row side by side, each padded; then what attention makes of them, by parts.
///
/// Kept for the way back are those, and the logarithm of each softmax denominator; probabilities are computed again.
pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    [norm, q, q_bias, k, k_bias, v, v_bias, o]: [&Matrix<E, Cpu>; 8],
    how: &Arc<Causal<E>>,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let (rows, hidden) = *x.shape();
    let (stride, [at_k, at_v, all]) = (padded(hidden), how.offsets());
    let (parts, group, dim) = (how.parts().collect::<Vec<_>>(), how.group(), how.head_dim);
    let (mut qkv, mut mixed) = (E::buffers().take(rows * all), E::buffers().take(rows * how.heads * dim));
    let mut log_sums = E::buffers().take(rows * how.heads);
    let mut out = slice(&x).to_vec();
    {
        let norm = Norm::new(slice(norm), how.epsilon);
        let enter = Panels::transposed(&[slice(q), slice(k), slice(v)], hidden);
        let leave = Panels::transposed(&[slice(o)], how.heads * dim);
        let bias: Vec<E> = [q_bias, k_bias, v_bias].into_iter().flat_map(|bias| filled_up(slice(bias))).collect();
        qkv.par_chunks_mut(ROWS * all).zip(out.par_chunks(ROWS * hidden)).for_each(|(qkv, x)| {
            let mut read = E::buffers().take(x.len() / hidden * stride);
            norm.forward((&mut read, stride), (x, hidden));
            qkv.chunks_exact_mut(all).for_each(|row| row.copy_from_slice(&bias));
            enter.apply(qkv, Start::Out, Left::rows(&read, stride));
        });
        let outputs = how.split(&mut mixed, group * dim).into_par_iter().zip(how.split(&mut log_sums, group));
        outputs.zip(&parts).for_each_init(Scratch::new, |scratch, (out, part)| {
            kernel::forward(how, &how.inputs(&qkv, part), out, scratch);
        });
        out.par_chunks_mut(ROWS * hidden).enumerate().for_each(|(i, out)| {
            let mut read = E::buffers().take(out.len() / hidden * at_k);
            how.gather((&mut read, at_k, 0), i * ROWS, &mixed, group * dim);
            leave.add_to(out, hidden, Left::rows(&read, at_k));
        });
    }
    let out = x.device().tensor_from_vec(out, (rows, hidden));
    if !T::OWNS_TAPE {
        return out.put_tape(tape);
    }
    let (ghost, how) = (out.ghost(), how.clone());
    let [norm, q, q_bias, k, k_bias, v, v_bias, o] = [norm, q, q_bias, k, k_bias, v, v_bias, o].map(Clone::clone);
    tape.add_backward_op(move |g| {
        let (d_out, mut d_x) = (take(g.get_or_alloc_mut(&ghost))?, take(g.get_or_alloc_mut(&x))?);
        let [mut d_qkv, mut d_mixed, mut by_row, mut read] =
            [all, at_k, at_k, stride].map(|width| E::buffers().take(rows * width));
        let leave = Panels::stacked(&[slice(&o)], how.heads * dim);
        let tasks = d_mixed.par_chunks_mut(ROWS * at_k).zip(by_row.par_chunks_mut(ROWS * at_k));
        tasks.zip(d_out.par_chunks(ROWS * hidden)).enumerate().for_each(|(i, ((d_mixed, by_row), d_out))| {
            leave.apply(d_mixed, Start::Zero, Left::rows(d_out, hidden));
            how.gather((by_row, at_k, 0), i * ROWS, &mixed, group * dim);
        });

        let widths = [group * dim, dim, dim];
        let mut by_part = widths.map(|width| E::buffers().take(rows * how.kv_heads * width));
        let [d_q, d_k, d_v] = &mut by_part;
        let slopes = how.split(d_q, widths[0]).into_par_iter().zip(how.split(d_k, dim)).zip(how.split(d_v, dim));
        let tasks = slopes.zip(how.split(&mut log_sums, group)).zip(&parts);
        tasks.for_each_init(Scratch::new, |scratch, ((((d_q, d_k), d_v), log_sums), part)| {
            let d_out = how.columns(&d_mixed, at_k, part, group * dim);
            let seen = kernel::Seen { d_out, log_sums };
            kernel::backward(&how, &how.inputs(&qkv, part), &seen, [d_q, d_k, d_v], scratch);
        });

        let rule = Norm::new(slice(&norm), how.epsilon);
        let enter = Panels::stacked(&[slice(&q), slice(&k), slice(&v)], hidden);
        let slopes = d_x.par_chunks_mut(ROWS * hidden).zip(d_out.par_chunks(ROWS * hidden));
        let inputs = slice(&x).par_chunks(ROWS * hidden);
        let tasks = d_qkv.par_chunks_mut(ROWS * all).zip(read.par_chunks_mut(ROWS * stride)).zip(slopes.zip(inputs));
        let sums = tasks.enumerate().map(|(i, ((d_qkv, read), ((d_x, d_out), x)))| {
            for (part, (at, width)) in by_part.iter().zip([0, at_k, at_v].into_iter().zip(widths)) {
                how.gather((&mut *d_qkv, all, at), i * ROWS, part, width);
            }
            rule.forward((&mut *read, stride), (x, hidden));
            let mut d_read = E::buffers().take(read.len());
            enter.apply(&mut d_read, Start::Zero, Left::rows(d_qkv, all));
            add_up(d_x, d_out);
            let (mut d_norm, mut d_bias) = (vec![E::ZERO; hidden], vec![E::ZERO; all]);
            rule.backward(d_x, &mut d_norm, x, (&d_read, stride));
            d_qkv.chunks_exact(all).for_each(|row| add_up(&mut d_bias, row));
            (d_norm, d_bias)
        });
        let sums: Vec<(Vec<E>, Vec<E>)> = sums.collect();
        for (d_norm, d_bias) in &sums {
            add_up(g.get_or_alloc_mut(&norm)?, d_norm);
            for (bias, at) in [(&q_bias, 0), (&k_bias, at_k), (&v_bias, at_v)] {
                add_up(g.get_or_alloc_mut(bias)?, &d_bias[at..]);
            }
        }
        let right = Factor { numbers: &read, stride, first: 0 };
        for (weight, first) in [(&q, 0), (&k, at_k), (&v, at_v)] {
            let left = Factor { numbers: &d_qkv, stride: all, first };
            add_transposed_product(g.get_or_alloc_mut(weight)?, hidden, left, right);
        }
        let left = Factor { numbers: &d_out, stride: hidden, first: 0 };
        let right = Factor { numbers: &by_row, stride: at_k, first: 0 };
        add_transposed_product(g.get_or_alloc_mut(&o)?, how.heads * dim, left, right);
        **g.get_or_alloc_mut(&x)? = d_x;
        Ok(())
    });
    out.put_tape(tape)
}
