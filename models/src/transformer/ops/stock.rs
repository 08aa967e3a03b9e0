//! The operations as compositions of dfdx's own, for any of its devices.

mod attention;
mod head;
mod layer;
mod optimiser;
mod recomputed;

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use dfdx::prelude::{Backward, Device, Gradients, HasShape, OwnedTape, SumTo, Tape, TryAdd, TryMul};

use super::{Causal, Matrix, Numerics, Ops, Readout};
use crate::architecture::AttentionWeights;
use crate::data::Token;
use crate::error::Result;
use crate::head::TokenOutput;
use crate::optim::{Dimensions, OptimiserStep};
use crate::real::Real;
use crate::transformer::hardware::Hardware;
pub(in crate::transformer) use attention::{masked, rotate};
pub(in crate::transformer) use layer::{feed_forward, gather, head_norm, linear, project, rms_norm};
use recomputed::recomputed;

/// dfdx's own operations and derivatives, on one of its devices.
#[derive(Clone, Copy, Debug)]
pub struct Stock<D>(PhantomData<D>);

impl<E: Real, D: Device<E> + Hardware> Ops<E> for Stock<D> {
    type Device = D;
    type Outputs = ();

    const LOGITS: usize = 1 << 25;

    fn embedding<T: Tape<E, D>>(table: &Matrix<E, D>, tokens: &[Token]) -> Result<Matrix<E, D, T>> {
        let tokens = tokens.iter().map(|&token| token as usize).collect();
        gather(table.retaped::<T>(), tokens).map_err(D::error)
    }

    fn attention<T: Tape<E, D>>(
        x: Matrix<E, D, T>,
        weights: AttentionWeights<&Matrix<E, D>>,
        how: &Arc<Causal<E>>,
    ) -> Result<Matrix<E, D, T>> {
        recomputed(layer::Attention { how: how.clone(), weights: weights.map(Clone::clone) }, x).map_err(D::error)
    }

    fn feed_forward<T: Tape<E, D>>(
        x: Matrix<E, D, T>,
        weights: [&Matrix<E, D>; 4],
        numerics: Numerics,
    ) -> Result<Matrix<E, D, T>> {
        recomputed(layer::FeedForward { epsilon: numerics.epsilon, weights: weights.map(Clone::clone) }, x)
            .map_err(D::error)
    }

    fn rms_norm<T: Tape<E, D>>(x: Matrix<E, D, T>, weight: &Matrix<E, D>, epsilon: f64) -> Result<Matrix<E, D, T>> {
        rms_norm(x, weight, epsilon).map_err(D::error)
    }

    fn rows<T: Tape<E, D>>(x: Matrix<E, D, T>, rows: &[usize]) -> Result<Matrix<E, D, T>> {
        gather(x, rows.to_vec()).map_err(D::error)
    }

    fn readout(x: &Matrix<E, D>, weight: &Matrix<E, D>, how: &Readout<'_>) -> Result<(Vec<TokenOutput>, ())> {
        Ok((head::readout(x, weight, how).map_err(D::error)?, ()))
    }

    fn readout_back(
        (): (),
        x: &Matrix<E, D>,
        weight: &Matrix<E, D>,
        how: &Readout<'_>,
        cotangents: &[TokenOutput],
    ) -> Result<[Matrix<E, D>; 2]> {
        head::readout_back(x, weight, how, cotangents).map_err(D::error)
    }

    fn matrix(device: &D, numbers: Vec<E>, shape: (usize, usize)) -> Result<Matrix<E, D>> {
        device.try_tensor_from_vec(numbers, shape).map_err(D::error)
    }

    fn zeros(device: &D, shape: (usize, usize)) -> Result<Matrix<E, D>> {
        device.try_zeros_like(&shape).map_err(D::error)
    }

    fn host(x: &Matrix<E, D>) -> Cow<'_, [E]> {
        Cow::Owned(x.as_vec())
    }

    fn edit(x: &mut Matrix<E, D>, change: impl FnOnce(&mut [E])) -> Result<()> {
        let mut numbers = x.as_vec();
        change(&mut numbers);
        *x = x.device().try_tensor_from_vec(numbers, *x.shape()).map_err(D::error)?;
        Ok(())
    }

    /// As the derivative of the sum of `x * cotangent`.
    fn pull_back(x: Matrix<E, D, OwnedTape<E, D>>, cotangent: Matrix<E, D>) -> Result<Gradients<E, D>> {
        let surrogate = x.try_mul(cotangent).and_then(|x| x.try_sum::<(), _>());
        surrogate.and_then(Backward::try_backward).map_err(D::error)
    }

    fn gradient(gradients: &mut Gradients<E, D>, weight: &Matrix<E, D>) -> Result<Matrix<E, D>> {
        let mut sum = weight.device().try_zeros_like(weight.shape()).map_err(D::error)?;
        optimiser::accumulate(&mut sum, gradients, weight).map_err(D::error)?;
        Ok(sum)
    }

    fn add_to(sum: &mut Matrix<E, D>, x: Matrix<E, D>) -> Result<()> {
        *sum = x.try_add(sum.clone()).map_err(D::error)?;
        Ok(())
    }

    fn squares(x: &Matrix<E, D>) -> Result<f64> {
        let sum = x.clone().try_square().and_then(|x| x.try_sum::<(), _>()).map_err(D::error)?;
        Ok(sum.as_vec().into_iter().map(Real::wide).sum())
    }

    fn step(
        update: &OptimiserStep,
        dimensions: Dimensions,
        weight: &mut Matrix<E, D>,
        gradient: &Matrix<E, D>,
        moments: &mut [Matrix<E, D>; 2],
    ) -> Result<()> {
        optimiser::step(&update.factors(dimensions), weight, gradient, moments).map_err(D::error)
    }
}
