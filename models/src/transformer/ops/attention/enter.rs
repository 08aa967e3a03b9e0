//! The way back through the normalisation and the projections to queries, keys and values.

use rayon::prelude::*;

use super::Causal;
use crate::buffers::Buffer;
use crate::transformer::ops::panels::Panels;
use crate::transformer::ops::product::{Left, Onto, Readable, padded};
use crate::transformer::ops::rms_norm::Norm;
use crate::transformer::ops::{add_up, rows_at_once};

/// The normalisation, the projections, and the normalisations of queries and keys.
pub(super) struct Enter<'a, E> {
    pub(super) norm: Norm<'a, E>,
    /// With what they were applied to: rows of queries, keys and values.
    pub(super) head_norms: Option<([Norm<'a, E>; 2], &'a [E])>,
    pub(super) x: &'a [E],
    pub(super) panels: &'a [&'a [E]; 3],
}

/// What a chunk of rows adds to the gradients of norms and biases.
pub(super) struct EnterSums<E> {
    pub(super) norm: Vec<E>,
    pub(super) bias: Vec<E>,
    pub(super) head_norms: [Vec<E>; 2],
}

impl<E: Readable> Enter<'_, E> {
    /// Adds to the gradient of the input. Returns that of queries, keys and values as rows, the normalised input, and
    /// the sums of each chunk of rows.
    pub(super) fn backward(
        &self,
        how: &Causal<E>,
        by_part: &[Buffer<E>; 3],
        d_x: &mut [E],
        d_out: &[E],
    ) -> (Buffer<E>, Buffer<E>, Vec<EnterSums<E>>) {
        let (hidden, [at_k, at_v, all]) = (self.norm.width(), how.offsets());
        let (stride, rows) = (padded(hidden), self.x.len() / hidden);
        let at_once = rows_at_once(rows);
        let widths = [how.group() * how.head_dim, how.head_dim, how.head_dim];
        let [mut d_qkv, mut read] = [all, stride].map(|width| E::buffers().take(rows * width));
        let panels = Panels::stacked(self.panels, hidden, how.numerics.unit);
        let slopes = d_x.par_chunks_mut(at_once * hidden).zip(d_out.par_chunks(at_once * hidden));
        let inputs = self.x.par_chunks(at_once * hidden);
        let tasks =
            d_qkv.par_chunks_mut(at_once * all).zip(read.par_chunks_mut(at_once * stride)).zip(slopes.zip(inputs));
        let sums = tasks.enumerate().map(|(i, ((d_qkv, read), ((d_x, d_out), x)))| {
            for (part, (at, width)) in by_part.iter().zip([0, at_k, at_v].into_iter().zip(widths)) {
                how.gather((&mut *d_qkv, all, at), i * at_once, part, width);
            }
            let d_head_norms = self.through_head_norms(how, i * at_once, d_qkv);
            self.norm.forward((&mut *read, stride), (x, hidden));
            let mut d_read = E::buffers().take(read.len());
            panels.apply(&mut d_read, Onto::Zero, Left::rows(d_qkv, all));
            add_up(d_x, d_out);
            let (mut d_norm, mut d_bias) = (vec![E::ZERO; hidden], vec![E::ZERO; all]);
            self.norm.backward(d_x, &mut d_norm, x, (&d_read, stride));
            d_qkv.chunks_exact(all).for_each(|row| add_up(&mut d_bias, row));
            EnterSums { norm: d_norm, bias: d_bias, head_norms: d_head_norms }
        });
        let sums = sums.collect();
        (d_qkv, read, sums)
    }

    /// Replaces the gradients of normalised queries and keys, in rows from `first` on, by those before the
    /// normalisation. Returns the gradients of the two weights.
    fn through_head_norms(&self, how: &Causal<E>, first: usize, d_qkv: &mut [E]) -> [Vec<E>; 2] {
        let Some((norms, qkv)) = self.head_norms else { return Default::default() };
        let ([at_k, _, all], dim) = (how.offsets(), how.head_dim);
        let mut d_weights = [(); 2].map(|()| vec![E::ZERO; dim]);
        let mut d_out = vec![E::ZERO; how.heads * dim];
        for (d_row, row) in d_qkv.chunks_exact_mut(all).zip(qkv[first * all..].chunks_exact(all)) {
            let columns = [(0, how.heads * dim), (at_k, how.kv_heads * dim)];
            for ((norm, d_weight), (at, width)) in norms.iter().zip(&mut d_weights).zip(columns) {
                let (d, x) = (&mut d_row[at..][..width], &row[at..][..width]);
                d_out[..width].copy_from_slice(d);
                d.fill(E::ZERO);
                norm.backward(d, d_weight, x, (&d_out[..width], dim));
            }
        }
        d_weights
    }
}
