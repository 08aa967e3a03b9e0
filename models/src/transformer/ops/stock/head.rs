//! The head, a chunk of rows at a time; the backward pass recomputes the logits.

use std::ops::Range;

use dfdx::prelude::{
    Axis, Backward, Device, HasShape, PutTape, ReshapeTo, SelectTo, SumTo, Tape, Tensor, Trace, TryAdd, TryMul,
};

use super::layer::{gather, linear};
use super::optimiser::accumulate;
use crate::data::Token;
use crate::head::TokenOutput;
use crate::real::Real;
use crate::transformer::ops::{Kind, Matrix, Readout};

type Column<E, D, T> = Tensor<(usize,), E, D, T>;

pub(super) fn readout<E: Real, D: Device<E>>(
    x: &Matrix<E, D>,
    weight: &Matrix<E, D>,
    how: &Readout<'_>,
) -> Result<Vec<TokenOutput>, D::Err> {
    let mut rows = Vec::with_capacity(x.shape().0);
    for range in ranges(x, weight, how) {
        let columns = report(x.clone(), weight, how, range)?;
        let [logps, entropies] = columns.map(|column| column.as_vec().into_iter().map(Real::wide));
        rows.extend(logps.zip(entropies).map(|(logp, entropy)| TokenOutput { logp, entropy }));
    }
    Ok(rows)
}

/// Gradients of `x` and of the weight: dfdx's derivative of the sum of `output * cotangent`.
pub(super) fn readout_back<E: Real, D: Device<E>>(
    x: &Matrix<E, D>,
    weight: &Matrix<E, D>,
    how: &Readout<'_>,
    cotangents: &[TokenOutput],
) -> Result<[Matrix<E, D>; 2], D::Err> {
    let device = x.device();
    let (mut d_x, mut d_weight) = (device.try_zeros_like(x.shape())?, device.try_zeros_like(weight.shape())?);
    for range in ranges(x, weight, how) {
        let column = |of: fn(&TokenOutput) -> f64| {
            let numbers = cotangents[range.clone()].iter().map(|row| E::of(of(row))).collect();
            device.try_tensor_from_vec(numbers, (range.len(),))
        };
        let [logps, entropies] = report(x.leaky_trace(), weight, how, range.clone())?;
        let surrogate =
            logps.try_mul(column(|row| row.logp)?)?.try_add(entropies.try_mul(column(|row| row.entropy)?)?)?;
        let mut slopes = surrogate.try_sum::<(), _>()?.try_backward()?;
        for (sum, input) in [(&mut d_x, x), (&mut d_weight, weight)] {
            accumulate(sum, &mut slopes, input)?;
        }
    }
    Ok([d_x, d_weight])
}

/// Log-probability and entropy of some rows; a scalar is reported as log-probability, with entropy 0.
fn report<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    how: &Readout<'_>,
    range: Range<usize>,
) -> Result<[Column<E, D, T>; 2], D::Err> {
    let shape = (range.len(),);
    let outputs = linear(gather(x, range.clone().collect())?, weight, None)?;
    match how.kind {
        Kind::Scalar => {
            let none = outputs.device().try_zeros_like(&shape)?.put_tape(T::default());
            Ok([outputs.try_reshape_like(&shape)?, none])
        }
        Kind::Vocabulary { targets, temperature } => {
            let logps = outputs.try_mul(E::of(temperature.recip()))?.try_log_softmax::<Axis<1>>()?;
            let entropies = entropy(logps.retaped::<T>())?;
            Ok([pick(logps, &targets[range])?, entropies])
        }
    }
}

/// Entropy of each row of log-probabilities.
fn entropy<E: Real, D: Device<E>, T: Tape<E, D>>(logps: Matrix<E, D, T>) -> Result<Column<E, D, T>, D::Err> {
    let p = logps.retaped::<T>().try_exp()?;
    p.try_mul(logps)?.try_sum::<_, Axis<1>>()?.try_negate()
}

/// The log-probability of each row's target.
fn pick<E: Real, D: Device<E>, T: Tape<E, D>>(
    logps: Matrix<E, D, T>,
    targets: &[Token],
) -> Result<Column<E, D, T>, D::Err> {
    let targets = targets.iter().map(|&token| token as usize).collect();
    let targets = logps.device().try_tensor_from_vec(targets, (logps.shape().0,))?;
    logps.try_select(targets)
}

fn ranges<E: Real, D: Device<E>>(
    x: &Matrix<E, D>,
    weight: &Matrix<E, D>,
    how: &Readout<'_>,
) -> impl Iterator<Item = Range<usize>> {
    let (rows, at_once) = (x.shape().0, how.rows(weight.shape().0));
    (0..rows).step_by(at_once).map(move |first| first..rows.min(first + at_once))
}
