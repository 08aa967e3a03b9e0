//! The CPU's own way: each half of a layer is one operation on the tape.

use std::borrow::Cow;
use std::sync::Arc;

use dfdx::prelude::{Cpu, Device, Gradients, OwnedTape, Tape};

use super::head::Outputs;
use super::{Causal, Matrix, Ops, Readout, add_up, attention, embedding, feed_forward, gradients, head, raw, rms_norm};
use crate::data::{Completion, Token};
use crate::error::Result;
use crate::head::Row;
use crate::optim::{self, Decay, Update};
use crate::real::Real;
use crate::transformer::Transformer;
use crate::transformer::decode::{Queue, draw};

/// On the CPU, with a derivative written beside each value.
#[derive(Clone, Copy, Debug)]
pub struct Fused;

impl<E: Real> Ops<E> for Fused
where
    Cpu: Device<E>,
{
    type Device = Cpu;
    type Outputs = Outputs<E>;

    fn embedding<T: Tape<E, Cpu>>(table: &Matrix<E, Cpu>, tokens: &[Token]) -> Result<Matrix<E, Cpu, T>> {
        Ok(embedding::fused(table, tokens))
    }

    fn attention<T: Tape<E, Cpu>>(
        x: Matrix<E, Cpu, T>,
        weights: [&Matrix<E, Cpu>; 8],
        how: &Arc<Causal<E>>,
    ) -> Result<Matrix<E, Cpu, T>> {
        Ok(attention::fused(x, weights, how))
    }

    fn feed_forward<T: Tape<E, Cpu>>(
        x: Matrix<E, Cpu, T>,
        weights: [&Matrix<E, Cpu>; 4],
        epsilon: f64,
    ) -> Result<Matrix<E, Cpu, T>> {
        Ok(feed_forward::fused(x, weights, epsilon))
    }

    fn rms_norm<T: Tape<E, Cpu>>(
        x: Matrix<E, Cpu, T>,
        weight: &Matrix<E, Cpu>,
        epsilon: f64,
    ) -> Result<Matrix<E, Cpu, T>> {
        Ok(rms_norm::fused(x, weight, epsilon))
    }

    fn rows<T: Tape<E, Cpu>>(x: Matrix<E, Cpu, T>, rows: &[usize]) -> Result<Matrix<E, Cpu, T>> {
        Ok(embedding::rows(x, rows))
    }

    fn readout(x: &Matrix<E, Cpu>, weight: &Matrix<E, Cpu>, how: &Readout<'_>) -> Result<(Vec<Row>, Self::Outputs)> {
        Ok(head::readout(raw::slice(x), weight, how))
    }

    fn readout_back(
        outputs: Self::Outputs,
        x: &Matrix<E, Cpu>,
        weight: &Matrix<E, Cpu>,
        how: &Readout<'_>,
        cotangents: &[Row],
    ) -> Result<[Matrix<E, Cpu>; 2]> {
        Ok(head::readout_back(outputs, x, weight, how, cotangents))
    }

    fn host(x: &Matrix<E, Cpu>) -> Cow<'_, [E]> {
        Cow::Borrowed(raw::slice(x))
    }

    fn edit(x: &mut Matrix<E, Cpu>, change: impl FnOnce(&mut [E])) -> Result<()> {
        change(raw::slice_mut(x));
        Ok(())
    }

    fn pull_back(x: Matrix<E, Cpu, OwnedTape<E, Cpu>>, cotangent: Matrix<E, Cpu>) -> Result<Gradients<E, Cpu>> {
        gradients::seed(x, &cotangent)
    }

    fn gradient(gradients: &mut Gradients<E, Cpu>, weight: &Matrix<E, Cpu>) -> Result<Matrix<E, Cpu>> {
        Ok(gradients::of(gradients, weight))
    }

    fn add_to(sum: &mut Matrix<E, Cpu>, x: Matrix<E, Cpu>) -> Result<()> {
        add_up(raw::slice_mut(sum), raw::slice(&x));
        Ok(())
    }

    fn squares(x: &Matrix<E, Cpu>) -> Result<f64> {
        Ok(optim::squares(raw::slice(x)))
    }

    fn step(
        update: &Update,
        decay: Decay,
        weight: &mut Matrix<E, Cpu>,
        gradient: &Matrix<E, Cpu>,
        moments: &mut [Matrix<E, Cpu>; 2],
    ) -> Result<()> {
        update.apply(decay, raw::slice_mut(weight), raw::slice(gradient), moments.each_mut().map(raw::slice_mut));
        Ok(())
    }

    fn draw(model: &Transformer<E, Self>, queue: &Queue<'_>) -> Result<Vec<(usize, Completion)>> {
        draw(model, queue)
    }

    fn needs(_: &Transformer<E, Self>, _: &[usize]) -> usize {
        0
    }
}
