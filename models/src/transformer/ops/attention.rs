//! Causal attention with rotary positions and grouped queries, over sequences laid end to end.

mod kernel;
mod rotary;
mod stock;

use std::sync::Arc;

use dfdx::prelude::{Cpu, HasShape, PutTape, SplitTape, Tape, TensorFromVec};
use rayon::prelude::*;

pub(crate) use kernel::attend_row;
pub(crate) use rotary::Rotary;
pub(super) use stock::stock;

use super::Matrix;
use super::raw::slice;
use crate::real::Real;

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
}

impl<E: Real> Causal<E> {
    /// Score of a query and a key is their product times this.
    pub(crate) fn scale(&self) -> E {
        E::of((self.head_dim as f64).sqrt().recip())
    }

    fn widths(&self) -> (usize, usize) {
        (self.heads * self.head_dim, self.kv_heads * self.head_dim)
    }

    /// One slice per sequence.
    fn split<'a, F: Send>(&self, mut rows: &'a mut [F], width: usize) -> Vec<&'a mut [F]> {
        let cut = |pair: &[usize]| {
            let (first, rest) = std::mem::take(&mut rows).split_at_mut((pair[1] - pair[0]) * width);
            rows = rest;
            first
        };
        self.starts.windows(2).map(cut).collect()
    }

    fn rows<'a, F>(&self, rows: &'a [F], sequence: usize, width: usize) -> &'a [F] {
        &rows[self.starts[sequence] * width..self.starts[sequence + 1] * width]
    }
}

/// Keeps the rotated queries and keys, and the logarithm of each softmax denominator; probabilities are computed again
/// on the way back.
pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(
    [q, k, v]: [Matrix<E, Cpu, T>; 3],
    how: &Arc<Causal<E>>,
) -> Matrix<E, Cpu, T> {
    let ((q, tape), (k, k_tape), (v, v_tape)) = (q.split_tape(), k.split_tape(), v.split_tape());
    let mut tape = tape.merge(k_tape).merge(v_tape);
    let (shape, (wide, narrow)) = (*q.shape(), how.widths());
    let (mut rotated_q, mut rotated_k) = (slice(&q).to_vec(), slice(&k).to_vec());
    let mut log_sums = vec![E::ZERO; shape.0 * how.heads];
    let mut out = vec![E::ZERO; shape.0 * wide];
    let outputs = how.split(&mut out, wide).into_par_iter().zip(how.split(&mut log_sums, how.heads));
    let inputs = how.split(&mut rotated_q, wide).into_par_iter().zip(how.split(&mut rotated_k, narrow));
    let values = slice(&v);
    outputs.zip(inputs).enumerate().for_each(|(s, ((out, log_sums), (q, k)))| {
        kernel::forward(how, [q, k], how.rows(values, s, narrow), out, log_sums);
    });
    let out = q.device().tensor_from_vec(out, shape);
    if T::OWNS_TAPE {
        let (ghost, q, k, how) = (out.ghost(), q.ghost(), k.ghost(), how.clone());
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&ghost)?);
            let mut d_q = std::mem::take(&mut **g.get_or_alloc_mut(&q)?);
            let mut d_k = std::mem::take(&mut **g.get_or_alloc_mut(&k)?);
            let d_v = &mut **g.get_or_alloc_mut(&v)?;
            let slopes = how.split(&mut d_q, wide).into_par_iter().zip(how.split(&mut d_k, narrow));
            slopes.zip(how.split(d_v, narrow)).enumerate().for_each(|(s, ((d_q, d_k), d_v))| {
                let seen = kernel::Seen {
                    q: how.rows(&rotated_q, s, wide),
                    k: how.rows(&rotated_k, s, narrow),
                    v: how.rows(slice(&v), s, narrow),
                    log_sums: how.rows(&log_sums, s, how.heads),
                };
                kernel::backward(&how, &seen, how.rows(&d_out, s, wide), [d_q, d_k, d_v]);
            });
            **g.get_or_alloc_mut(&q)? = d_q;
            **g.get_or_alloc_mut(&k)? = d_k;
            Ok(())
        });
    }
    out.put_tape(tape)
}
