//! Root-mean-square normalisation (arXiv:1910.07467), `x / sqrt(mean(x²) + epsilon) * w`, row by row.

use dfdx::prelude::{Cpu, HasShape, PutTape, SplitTape, Tape};
use rayon::prelude::*;

use super::gradients::take;
use super::raw::{matrix, slice};
use super::{Matrix, add_up, rows_at_once};
use crate::real::Real;
use crate::reduce::sum;
use crate::vectors::vectorised;

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    weight: &Matrix<E, Cpu>,
    epsilon: f64,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let (rows, width) = *x.shape();
    let at_once = rows_at_once(rows);
    let norm = Norm::new(slice(weight), epsilon);
    let mut out = vec![E::ZERO; rows * width];
    let tasks = out.par_chunks_mut(at_once * width).zip(slice(&x).par_chunks(at_once * width));
    tasks.for_each(|(out, x)| norm.forward((out, width), (x, width)));
    let out = matrix(x.device(), out, (rows, width));
    if T::OWNS_TAPE {
        let (ghost, weight) = (out.ghost(), weight.clone());
        tape.add_backward_op(move |g| {
            let (d_out, mut d_x) = (take(g.get_or_alloc_mut(&ghost))?, take(g.get_or_alloc_mut(&x))?);
            let norm = Norm::new(slice(&weight), epsilon);
            let inputs = slice(&x).par_chunks(at_once * width).zip(d_out.par_chunks(at_once * width));
            let parts = d_x.par_chunks_mut(at_once * width).zip(inputs).map(|(d_x, (x, d_out))| {
                let mut d_weight = vec![E::ZERO; width];
                norm.backward(d_x, &mut d_weight, x, (d_out, width));
                d_weight
            });
            let parts: Vec<Vec<E>> = parts.collect();
            parts.iter().try_for_each(|part| g.get_or_alloc_mut(&weight).map(|sum| add_up(sum, part)))?;
            **g.get_or_alloc_mut(&x)? = d_x;
            Ok(())
        });
    }
    out.put_tape(tape)
}

/// The operation on slices.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'a, E> {
    weight: &'a [E],
    epsilon: E,
}

impl<'a, E: Real> Norm<'a, E> {
    pub(crate) fn new(weight: &'a [E], epsilon: f64) -> Self {
        Self { weight, epsilon: E::of(epsilon) }
    }

    /// Length of a row.
    pub(crate) fn width(&self) -> usize {
        self.weight.len()
    }

    /// One row, in place.
    #[inline(always)]
    pub(crate) fn apply(&self, row: &mut [E]) {
        let scale = self.inverse_rms(row);
        row.iter_mut().zip(self.weight).for_each(|(x, w)| *x = *x * scale * *w);
    }

    /// From rows of stride `x.1` to rows of stride `out.1`.
    pub(crate) fn forward(&self, out: (&mut [E], usize), x: (&[E], usize)) {
        vectorised(
            #[inline(always)]
            || {
                for (out, x) in out.0.chunks_exact_mut(out.1).zip(x.0.chunks_exact(x.1)) {
                    let x = &x[..self.weight.len()];
                    let scale = self.inverse_rms(x);
                    for ((out, x), w) in out.iter_mut().zip(x).zip(self.weight) {
                        *out = *x * scale * *w;
                    }
                }
            },
        );
    }

    /// Adds to the gradients of `x`, which is not padded, and of the weight. With `s` the scale and
    /// `u = d w`: `dx = s u - x s³ mean(u x)`, and `dw` is the sum of `d x s`.
    pub(crate) fn backward(&self, d_x: &mut [E], d_weight: &mut [E], x: &[E], d_out: (&[E], usize)) {
        vectorised(
            #[inline(always)]
            || {
                let (w, width) = (self.weight, self.weight.len());
                let rows = x.chunks_exact(width).zip(d_out.0.chunks_exact(d_out.1));
                for (d_x, (x, d)) in d_x.chunks_exact_mut(width).zip(rows) {
                    let d = &d[..width];
                    let scale = self.inverse_rms(x);
                    let along = sum(width, |i| d[i] * w[i] * x[i]) / E::of(width as f64) * scale * scale;
                    let columns = d_x.iter_mut().zip(&mut *d_weight).zip(x.iter().zip(d).zip(w));
                    for ((d_x, d_w), ((x, d), w)) in columns {
                        *d_x += scale * (*d * *w - *x * along);
                        *d_w += *d * *x * scale;
                    }
                }
            },
        );
    }

    #[inline(always)]
    fn inverse_rms(&self, x: &[E]) -> E {
        let mean = sum(x.len(), |i| x[i] * x[i]) / E::of(x.len() as f64);
        E::ONE / (mean + self.epsilon).sqrt()
    }
}
