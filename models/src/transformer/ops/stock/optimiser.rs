//! One optimiser step of one weight, where the weight is.

use dfdx::prelude::{Device, TryAdd, TryDiv, TryMul, TrySub};

use crate::optim::Factors;
use crate::real::Real;
use crate::transformer::ops::Matrix;

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
