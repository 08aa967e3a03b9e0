//! Sums, and the start of the way back.

use dfdx::prelude::{Backward, Cpu, Gradients, HasShape, OwnedTape, PutTape, SplitTape, Tape, TensorFromVec};

use super::raw::slice;
use super::{Matrix, vectorised};
use crate::real::Real;

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(x: Matrix<E, Cpu, T>, y: Matrix<E, Cpu, T>) -> Matrix<E, Cpu, T> {
    let ((x, tape), (y, other)) = (x.split_tape(), y.split_tape());
    let mut tape = tape.merge(other);
    let mut out = slice(&x).to_vec();
    add(&mut out, slice(&y));
    let out = x.device().tensor_from_vec(out, *x.shape());
    if T::OWNS_TAPE {
        let (out, x, y) = (out.ghost(), x.ghost(), y.ghost());
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&out)?);
            add(g.get_or_alloc_mut(&y)?, &d_out);
            add(g.get_or_alloc_mut(&x)?, &d_out);
            Ok(())
        });
    }
    out.put_tape(tape)
}

/// Gradients of everything on the tape of `x`, given the cotangent of `x`.
pub(super) fn seed<E: Real>(x: Matrix<E, Cpu, OwnedTape<E, Cpu>>, cotangent: Vec<E>) -> Gradients<E, Cpu> {
    let (x, mut tape) = x.split_tape();
    let start = x.device().tensor_from_vec(vec![E::ZERO], ());
    tape.add_backward_op(move |g| {
        **g.get_or_alloc_mut(&x)? = cotangent;
        Ok(())
    });
    start.put_tape(tape).backward()
}

/// Moves the gradient of a weight out, zero where nothing reached it.
pub(super) fn take<E: Real>(gradients: &mut Gradients<E, Cpu>, weight: &Matrix<E, Cpu>) -> Vec<E> {
    let buffer = gradients.get_or_alloc_mut(weight).expect("memory for a gradient");
    std::mem::take(&mut **buffer)
}

fn add<E: Real>(sum: &mut [E], x: &[E]) {
    vectorised(
        #[inline(always)]
        || sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += *x),
    );
}
