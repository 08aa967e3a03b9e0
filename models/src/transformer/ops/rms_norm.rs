//! Root-mean-square normalisation (arXiv:1910.07467).

use dfdx::prelude::{
    Axis, BroadcastTo, Cpu, Device, HasShape, MeanTo, PutTape, ReshapeTo, SplitTape, Tape, TensorFromVec,
};
use rayon::prelude::*;

use super::raw::slice;
use super::{Matrix, sum, vectorised};
use crate::real::Real;

pub(super) fn stock<E: Real, D: Device<E>, T: Tape<E, D>>(
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

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    weight: &Matrix<E, Cpu>,
    epsilon: f64,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let (rows, width) = *x.shape();
    let epsilon = E::of(epsilon);
    let mut out = vec![E::ZERO; rows * width];
    let w = slice(weight);
    let inputs = slice(&x).par_chunks(ROWS * width);
    out.par_chunks_mut(ROWS * width).zip(inputs).for_each(|(out, x)| forward(out, x, w, epsilon));
    let out = x.device().tensor_from_vec(out, (rows, width));
    if T::OWNS_TAPE {
        let (ghost, weight) = (out.ghost(), weight.clone());
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&ghost)?);
            let d_x = &mut **g.get_or_alloc_mut(&x)?;
            let w = slice(&weight);
            let inputs = slice(&x).par_chunks(ROWS * width).zip(d_out.par_chunks(ROWS * width));
            let parts: Vec<Vec<E>> = d_x
                .par_chunks_mut(ROWS * width)
                .zip(inputs)
                .map(|(d_x, (x, d_out))| backward(d_x, x, d_out, w, epsilon))
                .collect();
            let d_w = &mut **g.get_or_alloc_mut(&weight)?;
            for part in &parts {
                d_w.iter_mut().zip(part).for_each(|(sum, d)| *sum += *d);
            }
            Ok(())
        });
    }
    out.put_tape(tape)
}

/// Rows per task; fixed, so that the sum over tasks has a fixed order.
const ROWS: usize = 128;

fn forward<E: Real>(out: &mut [E], x: &[E], w: &[E], epsilon: E) {
    vectorised(
        #[inline(always)]
        || {
            let width = w.len();
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let scale = inverse_rms(x, epsilon);
                for ((out, x), w) in out.iter_mut().zip(x).zip(w) {
                    *out = *x * scale * *w;
                }
            }
        },
    );
}

/// With `s` the scale and `u = d w`: `dx = s u - x s³ mean(u x)`. Returns the gradient of the weight, `sum of d x s`.
fn backward<E: Real>(d_x: &mut [E], x: &[E], d_out: &[E], w: &[E], epsilon: E) -> Vec<E> {
    vectorised(
        #[inline(always)]
        || {
            let width = w.len();
            let mut d_w = vec![E::ZERO; width];
            let rows = x.chunks_exact(width).zip(d_out.chunks_exact(width));
            for (d_x, (x, d)) in d_x.chunks_exact_mut(width).zip(rows) {
                let scale = inverse_rms(x, epsilon);
                let along = sum(width, |i| d[i] * w[i] * x[i]) / E::of(width as f64) * scale * scale;
                for i in 0..width {
                    d_x[i] += scale * (d[i] * w[i] - x[i] * along);
                    d_w[i] += d[i] * x[i] * scale;
                }
            }
            d_w
        },
    )
}

#[inline(always)]
fn inverse_rms<E: Real>(x: &[E], epsilon: E) -> E {
    let mean = sum(x.len(), |i| x[i] * x[i]) / E::of(x.len() as f64);
    E::ONE / (mean + epsilon).sqrt()
}
