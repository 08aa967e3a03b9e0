//! dfdx's gradients as vectors, and a backward pass that starts from a given cotangent.

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

/// Gradient of a weight; zero where it was not used.
pub(super) fn of<E: Real>(gradients: &mut Gradients<E, Cpu>, weight: &Matrix<E, Cpu>) -> Matrix<E, Cpu> {
    let numbers = take(gradients.get_or_alloc_mut(weight)).expect("memory for a gradient");
    raw::matrix(weight.device(), numbers, *weight.shape())
}

/// Runs the tape of `x` backward from its cotangent.
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
