//! Gradients and optimiser steps as tensor operations, on the device of the weights.

use dfdx::prelude::{Device, Gradients, HasShape, SgdConfig, Storage, TryAdd, TryDiv, TryMul, TrySub};

use crate::optim::Factors;
use crate::real::Real;
use crate::transformer::ops::Matrix;

/// Adds the gradient of a weight to `sum`, as an SGD step at learning rate -1: dfdx's `Gradients::get` panics when
/// there is no memory for a copy.
pub(super) fn accumulate<E: Real, D: Device<E>>(
    sum: &mut Matrix<E, D>,
    gradients: &mut Gradients<E, D>,
    weight: &Matrix<E, D>,
) -> Result<(), D::Err> {
    let (rows, columns) = *weight.shape();
    let mut momentum = Storage::<E>::try_alloc_len(weight.device(), rows * columns)?;
    let ascent = SgdConfig { lr: -1.0, momentum: None, weight_decay: None };
    ascent.try_update(sum, &mut momentum, gradients.get_or_alloc_mut(weight)?)
}

pub(super) fn step<E: Real, D: Device<E>>(
    factors: &Factors,
    weight: &mut Matrix<E, D>,
    gradient: &Matrix<E, D>,
    [first, second]: &mut [Matrix<E, D>; 2],
) -> Result<(), D::Err> {
    let of = E::of;
    match *factors {
        Factors::Sgd { rate } => *weight = weight.clone().try_sub(gradient.clone().try_mul(of(rate))?)?,
        Factors::AdamW { scale, keep, take, shrink, rate, unbias, epsilon } => {
            let gradient = gradient.clone().try_mul(of(scale))?;
            let more = gradient.clone().try_mul(of(take[0]))?;
            *first = first.clone().try_mul(of(keep[0]))?.try_add(more)?;
            let more = gradient.try_square()?.try_mul(of(take[1]))?;
            *second = second.clone().try_mul(of(keep[1]))?.try_add(more)?;
            let root = second.clone().try_mul(of(unbias))?.try_sqrt()?.try_add(of(epsilon))?;
            let change = first.clone().try_mul(of(rate))?.try_div(root)?;
            *weight = weight.clone().try_mul(of(shrink))?.try_sub(change)?;
        }
    }
    Ok(())
}
