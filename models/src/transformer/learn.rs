//! Signals, gradients and steps.

use std::sync::Arc;

use dfdx::prelude::{NoneTape, OwnedTape, Tape};

use super::hardware::Hardware;
use super::ops::{Causal, Rotary};
use super::{Backend, Matrix, Ops, Transformer, check_signals, lengths};
use crate::architecture::Packed;
use crate::check;
use crate::contract::Pass;
use crate::data::{Sequence, Signals, Want};
use crate::error::Result;
use crate::optim::{self, Dimensions, Optimiser, OptimiserStep};
use crate::real::Real;

/// A forward pass with its tape.
pub(super) struct TransformerPass<'a, E: Real, O: Ops<E>> {
    model: &'a mut Transformer<E, O>,
    packed: Packed,
    want: Want,
    /// Hidden states of the rows that the head reads.
    hidden: Matrix<E, O::Device, OwnedTape<E, O::Device>>,
    outputs: O::Outputs,
}

impl<E: Real, O: Backend<E>> Pass for TransformerPass<'_, E, O> {
    fn backward(self: Box<Self>, cotangents: &Signals) -> Result<()> {
        let Self { model, packed, want, hidden, outputs } = *self;
        let signals: Vec<_> = want.signals.iter().map(|&signal| (signal, packed.tokens_read())).collect();
        check::cotangents(&signals, cotangents)?;
        let (how, head) = (model.readout(&packed, &want), model.head_index());
        let cotangents = packed.cotangents(cotangents);
        let [d_hidden, d_head] = O::readout_back(outputs, &hidden.retaped(), &model.weights[head], &how, &cotangents)?;
        let mut gradients = O::pull_back(hidden, d_hidden)?;
        for i in 0..model.trunk_len() {
            let slope = O::gradient(&mut gradients, &model.weights[i])?;
            model.accumulate(i, slope)?;
        }
        model.accumulate(head, d_head)
    }
}

impl<E: Real, O: Backend<E>> Transformer<E, O> {
    pub(super) fn signals(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        self.check(batch, want)?;
        if let Some(signals) = O::read(self, batch, want) {
            return Ok(signals);
        }
        let mut all = Signals(want.signals.iter().map(|&signal| (signal, Vec::new())).collect());
        for part in parts(batch, self.device.free()?, |part| O::needs(self, &lengths(part))) {
            let packed = Packed::new(part, want);
            let hidden = self.hidden::<NoneTape>(&packed)?;
            let (rows, _) = O::readout(&hidden, &self.weights[self.head_index()], &self.readout(&packed, want))?;
            for (signal, column) in packed.signals(&rows, want).0 {
                all.0.entry(signal).or_default().extend(column);
            }
        }
        Ok(all)
    }

    pub(super) fn pass(&mut self, batch: &[Sequence<'_>], want: &Want) -> Result<(Signals, TransformerPass<'_, E, O>)> {
        self.check(batch, want)?;
        let packed = Packed::new(batch, want);
        let hidden = self.hidden::<OwnedTape<E, O::Device>>(&packed)?;
        let head = &self.weights[self.head_index()];
        let (rows, outputs) = O::readout(&hidden.retaped(), head, &self.readout(&packed, want))?;
        let signals = packed.signals(&rows, want);
        Ok((signals, TransformerPass { model: self, packed, want: want.clone(), hidden, outputs }))
    }

    /// Sum of squares of the accumulated gradient.
    pub(super) fn squares(&self) -> Result<f64> {
        let named = self.parameters.iter().zip(&self.gradient);
        let squares = named.map(|(p, gradient)| match gradient {
            Some(gradient) => optim::finite(|| p.name.clone(), O::squares(gradient)?),
            None => Ok(0.0),
        });
        optim::finite(|| "all weights".into(), squares.sum::<Result<f64>>()?)
    }

    pub(super) fn descend(&mut self, rate: f64, gradient_norm: Option<f64>) -> Result<()> {
        let gradient_norm = optim::check_step(rate, gradient_norm)?;
        let update = OptimiserStep::new(self.optimiser, rate, gradient_norm, self.steps + 1);
        for (i, parameter) in self.parameters.iter().enumerate() {
            let dimensions = if parameter.shape.len() == 1 { Dimensions::Vector } else { Dimensions::Matrix };
            let weight = &mut self.weights[i];
            let zeros = || O::zeros(&self.device, parameter.matrix());
            let gradient = self.gradient[i].take().map_or_else(zeros, Ok)?;
            if self.moments[i].is_none() {
                self.moments[i] = Some([zeros()?, zeros()?]);
            }
            if let Some(moments) = &mut self.moments[i] {
                O::step(&update, dimensions, weight, &gradient, moments)?;
            }
        }
        self.steps += 1;
        Ok(())
    }

    pub(super) fn idle(&self) -> Result<Vec<String>> {
        if !matches!(self.optimiser, Optimiser::AdamW { .. }) {
            return Ok(Vec::new());
        }
        let mut idle = Vec::new();
        for (parameter, moments) in self.parameters.iter().zip(&self.moments) {
            if let Some([_, square]) = moments
                && O::squares(square)? == 0.0
            {
                idle.push(parameter.name.clone());
            }
        }
        Ok(idle)
    }

    fn check(&self, batch: &[Sequence<'_>], want: &Want) -> Result<()> {
        check::batch(batch, want, self.config.vocab_size)?;
        check_signals(self.head, want)
    }

    /// Hidden states of the rows that the head reads.
    fn hidden<T: Tape<E, O::Device>>(&self, packed: &Packed) -> Result<Matrix<E, O::Device, T>> {
        let how = Arc::new(Causal {
            starts: packed.starts.clone(),
            heads: self.config.num_attention_heads,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim(),
            numerics: self.numerics(),
            rotary: Rotary::new(packed.longest(), &self.config.rotary_frequencies()),
        });
        O::rows(self.trunk(&packed.tokens, &how)?, &packed.read)
    }

    fn accumulate(&mut self, weight: usize, slope: Matrix<E, O::Device>) -> Result<()> {
        match &mut self.gradient[weight] {
            Some(sum) => O::add_to(sum, slope),
            none => {
                *none = Some(slope);
                Ok(())
            }
        }
    }
}

/// Splits a batch into as few runs of sequences as fit in the free memory. A sequence that does not fit is tried alone.
fn parts<'a, 'b>(
    batch: &'a [Sequence<'b>],
    free: Option<usize>,
    needs: impl Fn(&[Sequence<'_>]) -> usize,
) -> Vec<&'a [Sequence<'b>]> {
    let Some(free) = free else { return vec![batch] };
    let (mut parts, mut rest) = (Vec::new(), batch);
    while !rest.is_empty() {
        let fitting = (1..=rest.len()).take_while(|&count| needs(&rest[..count]) <= free).last();
        let (part, more) = rest.split_at(fitting.unwrap_or(1));
        parts.push(part);
        rest = more;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fit_or_stand_alone() {
        let long = [1; 9];
        let sequence = |length: usize| Sequence { prompt: &long[..length - 1], completion: &long[..1] };
        let batch = [3, 3, 3, 9, 2, 4].map(sequence);
        let tokens = |part: &[Sequence<'_>]| lengths(part).iter().sum::<usize>();
        let split = |free| parts(&batch, free, tokens).into_iter().map(tokens).collect::<Vec<_>>();
        assert_eq!(split(None), [24]);
        assert_eq!(split(Some(6)), [6, 3, 9, 6]);
        assert_eq!(split(Some(100)), [24]);
        assert_eq!(split(Some(0)), [3, 3, 3, 9, 2, 4]);
    }
}
