//! The attention half of a layer, `x + o(attend(q(n), k(n), v(n)))` with `n` the normalised `x`: causal, with rotary
//! positions, grouped queries and, where a family has them, norms of each query and key, over sequences laid end to end.
//!
//! A *part* is one sequence and one key head, with the query heads that share it; parts are computed independently.

mod enter;
mod kernel;
mod rotary;

use std::ops::Range;
use std::sync::Arc;

use dfdx::prelude::{Cpu, CpuError, Gradients, HasShape, PutTape, SplitTape, Tape};
use rayon::prelude::*;

pub(crate) use kernel::{softmax, softmax_rows};
pub(crate) use rotary::Rotary;

use enter::{Enter, EnterSums};

use super::gradients::take;
use super::outer_products::{Factor, OuterProducts};
use super::panels::Panels;
use super::product::{Columns, Left, Onto, Readable, padded};
use super::raw::{matrix, slice};
use super::rms_norm::Norm;
use super::{Matrix, Numerics, add_up, filled_up, rows_at_once};
use crate::architecture::AttentionWeights;
use crate::buffers::{Buffer, Scratch};
use crate::real::Real;
use crate::vectors::copy;

/// Which rows attend to which: those of the same sequence that are not later.
#[derive(Clone, Debug)]
pub struct Causal<E> {
    /// First row of each sequence, and after the last one the number of rows.
    pub starts: Vec<usize>,
    /// Query heads.
    pub heads: usize,
    /// Key heads; each serves `heads / kv_heads` consecutive query heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Cosines and sines of the positions.
    pub rotary: Rotary<E>,
    /// How its normalisations and products are computed.
    pub numerics: Numerics,
}

/// `1 / sqrt(head_dim)`: the score of a query and a key is their dot product times this.
pub(crate) fn scale<E: Real>(head_dim: usize) -> E {
    E::of((head_dim as f64).sqrt().recip())
}

impl<E: Real> Causal<E> {
    pub(crate) fn scale(&self) -> E {
        scale(self.head_dim)
    }

    /// Query heads that share a key head.
    pub(crate) fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Every part: the rows of its sequence, and its key head.
    fn parts(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        self.starts.windows(2).flat_map(|pair| (0..self.kv_heads).map(move |head| (pair[0]..pair[1], head)))
    }

    /// One slice for each part, with `width` numbers for each of its rows.
    fn split<'a, F>(&self, mut rows: &'a mut [F], width: usize) -> Vec<&'a mut [F]> {
        let cut = |(range, _): (Range<usize>, usize)| {
            let (first, rest) = std::mem::take(&mut rows).split_at_mut(range.len() * width);
            rows = rest;
            first
        };
        self.parts().map(cut).collect()
    }

    /// A part's columns of rows of `stride`, where each key head has `width` columns.
    fn columns<'a, F>(
        &self,
        rows: &'a [F],
        stride: usize,
        (range, head): &(Range<usize>, usize),
        width: usize,
    ) -> kernel::Rows<'a, F> {
        kernel::Rows { numbers: &rows[range.start * stride + head * width..], stride }
    }

    fn inputs<'a>(
        &self,
        qkv: &'a [E],
        part: &(Range<usize>, usize),
        norms: Option<[Norm<'a, E>; 2]>,
    ) -> kernel::Inputs<'a, E> {
        let [at_k, at_v, all] = self.offsets();
        let columns = |at, width| self.columns(&qkv[at..], all, part, width);
        let (dim, wide) = (self.head_dim, self.group() * self.head_dim);
        let (q, k, v) = (columns(0, wide), columns(at_k, dim), columns(at_v, dim));
        kernel::Inputs { rows: part.0.len(), q, k, v, norms }
    }

    /// Where keys and values start in a row of queries, keys and values, each padded, and the length of the row.
    fn offsets(&self) -> [usize; 3] {
        let (wide, narrow) = (padded(self.heads * self.head_dim), padded(self.kv_heads * self.head_dim));
        [wide, wide + narrow, wide + 2 * narrow]
    }

    /// Copies numbers that are stored by parts, `width` for each key head, to rows from `first` on. A row of `out` has
    /// `out.1` numbers; those from `out.2` on are written, with zeros as padding after them.
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

/// The attention of a layer.
pub(super) fn fused<E: Readable, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    weights: AttentionWeights<&Matrix<E, Cpu>>,
    how: &Arc<Causal<E>>,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let (out, kept) = forward(&x, &weights, how);
    let out = matrix(x.device(), out, *x.shape());
    if T::OWNS_TAPE {
        let (ghost, how, weights) = (out.ghost(), how.clone(), weights.map(Clone::clone));
        tape.add_backward_op(move |g| {
            let d_out = take(g.get_or_alloc_mut(&ghost))?;
            backward(g, (&x, d_out), &weights.each_ref(), &how, kept)
        });
    }
    out.put_tape(tape)
}

/// What the backward pass needs of the forward pass. Probabilities are not kept but recomputed.
struct Kept<E: Real> {
    /// Queries, keys and values of each row side by side, each padded.
    qkv: Buffer<E>,
    /// The output of each head, by parts.
    mixed: Buffer<E>,
    /// `log sum exp` of the scores of each query, by parts.
    log_sums: Buffer<E>,
}

fn forward<E: Readable>(
    x: &Matrix<E, Cpu>,
    weights: &AttentionWeights<&Matrix<E, Cpu>>,
    how: &Causal<E>,
) -> (Vec<E>, Kept<E>) {
    let AttentionWeights { norm, q, k, v, biases, head_norms: _, o } = weights;
    let (rows, hidden) = *x.shape();
    let at_once = rows_at_once(rows);
    let (stride, [at_k, _, all]) = (padded(hidden), how.offsets());
    let (parts, width) = (how.parts().collect::<Vec<_>>(), how.group() * how.head_dim);
    let [mut qkv, mut mixed, mut log_sums] =
        [all, how.heads * how.head_dim, how.heads].map(|width| E::buffers().take(rows * width));
    let mut out = slice(x).to_vec();
    let norm = Norm::new(slice(norm), how.numerics.epsilon);
    let enter = Panels::transposed(&[slice(q), slice(k), slice(v)], hidden, how.numerics.unit);
    let leave = Panels::transposed(&[slice(o)], how.heads * how.head_dim, how.numerics.unit);
    let bias = biases.map(|biases| biases.into_iter().flat_map(|bias| filled_up(slice(bias))).collect::<Vec<E>>());
    let norms = head_norms(weights, how.numerics.epsilon);
    qkv.par_chunks_mut(at_once * all).zip(out.par_chunks(at_once * hidden)).for_each(|(qkv, x)| {
        let mut read = E::buffers().take(x.len() / hidden * stride);
        norm.forward((&mut read, stride), (x, hidden));
        let start = start_from(bias.as_deref(), qkv);
        enter.apply(qkv, start, Left::rows(&read, stride));
    });
    let outputs = how.split(&mut mixed, width).into_par_iter().zip(how.split(&mut log_sums, how.group()));
    outputs.zip(&parts).for_each_init(Scratch::new, |scratch, (out, part)| {
        kernel::forward(how, &how.inputs(&qkv, part, norms), out, scratch);
    });
    out.par_chunks_mut(at_once * hidden).enumerate().for_each(|(i, out)| {
        let mut read = E::buffers().take(out.len() / hidden * at_k);
        how.gather((&mut read, at_k, 0), i * at_once, &mixed, width);
        leave.add_to(Columns::all(out, hidden), Left::rows(&read, at_k));
    });
    (out, Kept { qkv, mixed, log_sums })
}

/// Writes the biases to every row, if there are any; what a matmul then has to begin with.
pub(crate) fn start_from<E: Real>(bias: Option<&[E]>, rows: &mut [E]) -> Onto {
    let Some(bias) = bias else { return Onto::Zero };
    rows.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
    Onto::Out
}

/// The normalisations of queries and of keys.
fn head_norms<'a, E: Real>(weights: &AttentionWeights<&'a Matrix<E, Cpu>>, epsilon: f64) -> Option<[Norm<'a, E>; 2]> {
    weights.head_norms.map(|norms| norms.map(|norm| Norm::new(slice(norm), epsilon)))
}

/// From the gradient of the output to those of the input and of the weights.
fn backward<E: Readable>(
    g: &mut Gradients<E, Cpu>,
    (x, d_out): (&Matrix<E, Cpu>, Vec<E>),
    weights: &AttentionWeights<&Matrix<E, Cpu>>,
    how: &Causal<E>,
    mut kept: Kept<E>,
) -> Result<(), CpuError> {
    let AttentionWeights { norm, q, k, v, biases, head_norms: _, o } = *weights;
    let (rows, hidden) = *x.shape();
    let at_once = rows_at_once(rows);
    let (stride, [at_k, at_v, all]) = (padded(hidden), how.offsets());
    let mut d_x = take(g.get_or_alloc_mut(x))?;
    let [mut d_mixed, mut by_row] = [at_k; 2].map(|width| E::buffers().take(rows * width));
    let leave = Panels::stacked(&[slice(o)], how.heads * how.head_dim, how.numerics.unit);
    let tasks = d_mixed.par_chunks_mut(at_once * at_k).zip(by_row.par_chunks_mut(at_once * at_k));
    tasks.zip(d_out.par_chunks(at_once * hidden)).enumerate().for_each(|(i, ((d_mixed, by_row), d_out))| {
        leave.apply(d_mixed, Onto::Zero, Left::rows(d_out, hidden));
        how.gather((by_row, at_k, 0), i * at_once, &kept.mixed, how.group() * how.head_dim);
    });
    let head_norms = head_norms(weights, how.numerics.epsilon);
    let by_part = through_heads(how, &d_mixed, &mut kept, head_norms);
    let enter = Enter {
        norm: Norm::new(slice(norm), how.numerics.epsilon),
        head_norms: head_norms.map(|norms| (norms, &*kept.qkv)),
        x: slice(x),
        panels: &[slice(q), slice(k), slice(v)],
    };
    let (d_qkv, read, sums) = enter.backward(how, &by_part, &mut d_x, &d_out);
    for EnterSums { norm: d_norm, bias: d_bias, head_norms: d_head_norms } in &sums {
        add_up(g.get_or_alloc_mut(norm)?, d_norm);
        for (bias, at) in biases.into_iter().flatten().zip([0, at_k, at_v]) {
            add_up(g.get_or_alloc_mut(bias)?, &d_bias[at..]);
        }
        for (norm, d_norm) in weights.head_norms.into_iter().flatten().zip(d_head_norms) {
            add_up(g.get_or_alloc_mut(norm)?, d_norm);
        }
    }
    let products = OuterProducts::of(Factor { numbers: &read, stride, first: 0 }, hidden, how.numerics.unit);
    for (weight, first) in [(q, 0), (k, at_k), (v, at_v)] {
        products.add(g.get_or_alloc_mut(weight)?, Factor { numbers: &d_qkv, stride: all, first });
    }
    let left = Factor { numbers: &d_out, stride: hidden, first: 0 };
    let right = Factor { numbers: &by_row, stride: at_k, first: 0 };
    OuterProducts::of(right, how.heads * how.head_dim, how.numerics.unit).add(g.get_or_alloc_mut(o)?, left);
    **g.get_or_alloc_mut(x)? = d_x;
    Ok(())
}

/// Gradients of queries, keys and values, by parts, from that of what the heads put out.
fn through_heads<E: Real>(
    how: &Causal<E>,
    d_mixed: &[E],
    kept: &mut Kept<E>,
    norms: Option<[Norm<'_, E>; 2]>,
) -> [Buffer<E>; 3] {
    let rows = how.starts[how.starts.len() - 1];
    let parts: Vec<_> = how.parts().collect();
    let (stride, group, dim) = (how.offsets()[0], how.group(), how.head_dim);
    let widths = [group * dim, dim, dim];
    let mut by_part = widths.map(|width| E::buffers().take(rows * how.kv_heads * width));
    let [d_q, d_k, d_v] = &mut by_part;
    let slopes = how.split(d_q, widths[0]).into_par_iter().zip(how.split(d_k, dim)).zip(how.split(d_v, dim));
    let tasks = slopes.zip(how.split(&mut kept.log_sums, group)).zip(&parts);
    let qkv = &kept.qkv;
    tasks.for_each_init(Scratch::new, |scratch, ((((d_q, d_k), d_v), log_sums), part)| {
        let d_out = how.columns(d_mixed, stride, part, group * dim);
        let seen = kernel::Seen { d_out, log_sums };
        kernel::backward(how, &how.inputs(qkv, part, norms), &seen, [d_q, d_k, d_v], scratch);
    });
    by_part
}
