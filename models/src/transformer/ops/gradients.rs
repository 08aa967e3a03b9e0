//! Gradients as vectors, and the start of the way back.

use std::ops::DerefMut;

use dfdx::prelude::{Backward, Cpu, CpuError, Gradients, HasShape, OwnedTape, PutTape, SplitTape, Tape, TensorFromVec};

use super::{Matrix, raw};
use crate::error::Result;
use crate::real::Real;
use crate::transformer::hardware::Hardware;

/// Moves a gradient out.
pub(super) fn take<E, V: DerefMut<Target = Vec<E>>>(
    gradient: std::result::Result<&mut V, CpuError>,
) -> std::result::Result<Vec<E>, CpuError> {
    gradient.map(|vector| std::mem::take(&mut **vector))
}

/// Of a weight, zero where nothing reached it.
pub(super) fn of<E: Real>(gradients: &mut Gradients<E, Cpu>, weight: &Matrix<E, Cpu>) -> Matrix<E, Cpu> {
    let numbers = take(gradients.get_or_alloc_mut(weight)).expect("memory for a gradient");
    weight.device().tensor_from_vec(numbers, *weight.shape())
}

/// Gradients of everything on the tape of `x`, given the cotangent of `x`.
pub(super) fn seed<E: Real>(
    x: Matrix<E, Cpu, OwnedTape<E, Cpu>>,
    cotangent: &Matrix<E, Cpu>,
) -> Result<Gradients<E, Cpu>> {
    let (x, mut tape) = x.split_tape();
    let cotangent = raw::slice(cotangent).to_vec();
    let start = x.device().tensor_from_vec(vec![E::ZERO], ());
    tape.add_backward_op(move |g| {
        **g.get_or_alloc_mut(&x)? = cotangent;
        Ok(())
    });
    start.put_tape(tape).try_backward().map_err(Cpu::error)
}
