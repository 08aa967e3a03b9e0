//! The gated activation, `silu(gate) * up` with `silu(x) = x / (1 + e^-x)` (arXiv:2002.05202).

use dfdx::prelude::{Cpu, Device, HasShape, PutTape, SplitTape, Tape, TensorFromVec};
use rayon::prelude::*;

use super::raw::slice;
use super::{Matrix, vectorised};
use crate::real::Real;

pub(super) fn stock<E: Real, D: Device<E>, T: Tape<E, D>>(
    gate: Matrix<E, D, T>,
    up: Matrix<E, D, T>,
) -> Matrix<E, D, T> {
    let copy = gate.retaped::<T>();
    copy.sigmoid() * gate * up
}

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(gate: Matrix<E, Cpu, T>, up: Matrix<E, Cpu, T>) -> Matrix<E, Cpu, T> {
    let ((gate, tape), (up, other)) = (gate.split_tape(), up.split_tape());
    let mut tape = tape.merge(other);
    let mut out = slice(&gate).to_vec();
    out.par_chunks_mut(CHUNK).zip(slice(&up).par_chunks(CHUNK)).for_each(|(out, up)| forward(out, up));
    let out = gate.device().tensor_from_vec(out, *gate.shape());
    if T::OWNS_TAPE {
        let ghost = out.ghost();
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&ghost)?);
            let mut d_gate = std::mem::take(&mut **g.get_or_alloc_mut(&gate)?);
            let d_up = &mut **g.get_or_alloc_mut(&up)?;
            let inputs = slice(&gate).par_chunks(CHUNK).zip(slice(&up).par_chunks(CHUNK));
            let slopes = d_gate.par_chunks_mut(CHUNK).zip(d_up.par_chunks_mut(CHUNK));
            let d_out = d_out.par_chunks(CHUNK);
            inputs.zip(slopes).zip(d_out).for_each(|((inputs, slopes), d_out)| backward(inputs, slopes, d_out));
            **g.get_or_alloc_mut(&gate)? = d_gate;
            Ok(())
        });
    }
    out.put_tape(tape)
}

/// Numbers per task.
const CHUNK: usize = 1 << 14;

/// `gate` is replaced by the result.
fn forward<E: Real>(gate: &mut [E], up: &[E]) {
    vectorised(
        #[inline(always)]
        || {
            for (x, up) in gate.iter_mut().zip(up) {
                *x = *x / (E::ONE + (-*x).exp()) * *up;
            }
        },
    );
}

/// `silu'(x) = s (1 + x (1 - s))` with `s` the sigmoid of `x`.
fn backward<E: Real>((gate, up): (&[E], &[E]), (d_gate, d_up): (&mut [E], &mut [E]), d_out: &[E]) {
    vectorised(
        #[inline(always)]
        || {
            let inputs = gate.iter().zip(up).zip(d_out);
            for (((x, up), d), (d_x, d_up)) in inputs.zip(d_gate.iter_mut().zip(d_up)) {
                let sigmoid = E::ONE / (E::ONE + (-*x).exp());
                *d_x += *d * *up * sigmoid * (E::ONE + *x * (E::ONE - sigmoid));
                *d_up += *d * *x * sigmoid;
            }
        },
    );
}
