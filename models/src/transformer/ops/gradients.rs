//! Gradients as vectors, and the start of the way back.

use std::ops::DerefMut;

use dfdx::prelude::{Backward, Cpu, CpuError, Gradients, OwnedTape, PutTape, SplitTape, Tape, TensorFromVec};

use super::Matrix;
use crate::real::Real;

/// Moves a gradient out.
pub(super) fn take<E, V: DerefMut<Target = Vec<E>>>(gradient: Result<&mut V, CpuError>) -> Result<Vec<E>, CpuError> {
    gradient.map(|vector| std::mem::take(&mut **vector))
}

/// Of a weight, zero where nothing reached it.
pub(super) fn of<E: Real>(gradients: &mut Gradients<E, Cpu>, weight: &Matrix<E, Cpu>) -> Vec<E> {
    take(gradients.get_or_alloc_mut(weight)).expect("memory for a gradient")
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
