//! Activation checkpointing: half a layer is one operation on the tape that keeps its input only, and is recomputed in
//! the backward pass.
//!
//! dfdx keeps every activation and its gradient until the whole backward pass is done. For one half layer at a time
//! that is little; for all layers it would exceed the memory of a device.

use std::mem::swap;

use dfdx::prelude::{Backward, Device, OwnedTape, PutTape, SplitTape, Storage, Tape};

use crate::real::Real;
use crate::transformer::ops::Matrix;

/// A composition of dfdx operations, with or without a tape.
pub(super) trait Block<E: Real, D: Device<E>>: 'static {
    fn run<T: Tape<E, D>>(&self, x: Matrix<E, D, T>) -> Result<Matrix<E, D, T>, D::Err>;

    /// The weights that it reads.
    fn weights(&self) -> Vec<&Matrix<E, D>>;
}

/// No other operation on the tape may read `x` or the weights: their gradients are written, not added.
pub(super) fn recomputed<E: Real, D: Device<E>, T: Tape<E, D>>(
    block: impl Block<E, D>,
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let (x, mut tape) = x.split_tape();
    let out = block.run(x.clone())?;
    if T::OWNS_TAPE {
        let ghost = out.ghost();
        tape.add_backward_op(move |g| {
            let again = block.run(x.retaped::<OwnedTape<E, D>>())?;
            let (again, mut inner) = again.split_tape();
            let mut d_out = Storage::<E>::try_alloc_len(x.device(), 1)?;
            swap(g.get_or_alloc_mut(&ghost)?, &mut d_out);
            inner.add_backward_op(move |g| {
                swap(g.get_or_alloc_mut(&again)?, &mut d_out);
                Ok(())
            });
            let start = x.device().try_zeros_like(&())?.put_tape(inner);
            let mut slopes = start.try_backward()?;
            for input in block.weights().into_iter().chain([&x]) {
                swap(g.get_or_alloc_mut(input)?, slopes.get_or_alloc_mut(input)?);
            }
            Ok(())
        });
    }
    Ok(out.put_tape(tape))
}
