//! The fused operations: each half of a layer is one operation on the tape.

use std::borrow::Cow;
use std::sync::Arc;

use dfdx::prelude::{Cpu, CpuError, Device, Gradients, OwnedTape, Tape};

use super::head::Outputs;
use super::{
    Causal, Matrix, Numerics, Ops, Readable, Readout, add_up, attention, embedding, feed_forward, gradients, head, raw,
    rms_norm,
};
use crate::architecture::AttentionWeights;
use crate::data::Token;
use crate::error::Result;
use crate::head::TokenOutput;
use crate::optim::{self, Dimensions, OptimiserStep};
use crate::process;
use crate::transformer::hardware::Hardware;

/// This crate's own kernels, each with its derivative; on the CPU.
#[derive(Clone, Copy, Debug)]
pub struct Fused;

impl<E: Readable> Ops<E> for Fused
where
    Cpu: Device<E>,
{
    type Device = Cpu;
    type Outputs = Outputs<E>;

    const LOGITS: usize = 1 << 28;

    fn embedding<T: Tape<E, Cpu>>(table: &Matrix<E, Cpu>, tokens: &[Token]) -> Result<Matrix<E, Cpu, T>> {
        Ok(embedding::fused(table, tokens))
    }

    fn attention<T: Tape<E, Cpu>>(
        x: Matrix<E, Cpu, T>,
        weights: AttentionWeights<&Matrix<E, Cpu>>,
        how: &Arc<Causal<E>>,
    ) -> Result<Matrix<E, Cpu, T>> {
        Ok(attention::fused(x, weights, how))
    }

    fn feed_forward<T: Tape<E, Cpu>>(
        x: Matrix<E, Cpu, T>,
        weights: [&Matrix<E, Cpu>; 4],
        numerics: Numerics,
    ) -> Result<Matrix<E, Cpu, T>> {
        Ok(feed_forward::fused(x, weights, numerics))
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

    fn readout(
        x: &Matrix<E, Cpu>,
        weight: &Matrix<E, Cpu>,
        how: &Readout<'_>,
    ) -> Result<(Vec<TokenOutput>, Self::Outputs)> {
        Ok(head::readout(raw::slice(x), weight, how))
    }

    fn readout_back(
        outputs: Self::Outputs,
        x: &Matrix<E, Cpu>,
        weight: &Matrix<E, Cpu>,
        how: &Readout<'_>,
        cotangents: &[TokenOutput],
    ) -> Result<[Matrix<E, Cpu>; 2]> {
        Ok(head::readout_back(outputs, x, weight, how, cotangents))
    }

    fn matrix(device: &Cpu, numbers: Vec<E>, shape: (usize, usize)) -> Result<Matrix<E, Cpu>> {
        if numbers.len() != shape.0 * shape.1 {
            return Err(Cpu::error(CpuError::WrongNumElements));
        }
        Ok(raw::matrix(device, numbers, shape))
    }

    fn zeros(device: &Cpu, shape: (usize, usize)) -> Result<Matrix<E, Cpu>> {
        Ok(raw::matrix(device, process::zeros(shape.0 * shape.1), shape))
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
        update: &OptimiserStep,
        dimensions: Dimensions,
        weight: &mut Matrix<E, Cpu>,
        gradient: &Matrix<E, Cpu>,
        moments: &mut [Matrix<E, Cpu>; 2],
    ) -> Result<()> {
        update.apply(dimensions, raw::slice_mut(weight), raw::slice(gradient), moments.each_mut().map(raw::slice_mut));
        Ok(())
    }
}
