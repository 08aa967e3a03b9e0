//! Signals, gradients and steps.

use std::sync::Arc;

use dfdx::prelude::{HasShape, NoneTape, OwnedTape, Tape, ZerosTensor};

use super::hardware::Hardware;
use super::ops::{Causal, Rotary};
use super::pack::Packed;
use super::{Matrix, Ops, Transformer, lengths, output};
use crate::check;
use crate::contract::Backbone;
use crate::data::{Sequence, Signals, Step, Want};
use crate::error::Result;
use crate::optim::{self, Decay, Update};
use crate::real::Real;

impl<E: Real, O: Ops<E>> Backbone for Transformer<E, O> {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        self.check(batch, want)?;
        let mut all = Signals(want.signals.iter().map(|&signal| (signal, Vec::new())).collect());
        for part in parts(batch, self.device.free()?, |part| O::needs(self, &lengths(part))) {
            let packed = Packed::new(part, want);
            let hidden = self.forward::<NoneTape>(&packed)?;
            let (rows, _) = O::readout(&hidden, &self.weights[self.head_index()], &self.readout(&packed, want))?;
            for (signal, column) in output::signals(&rows, &packed, want).0 {
                all.0.entry(signal).or_default().extend(column);
            }
        }
        Ok(all)
    }

    fn backward(
        &mut self,
        batch: &[Sequence<'_>],
        want: &Want,
        loss: &mut dyn FnMut(&Signals) -> Signals,
    ) -> Result<()> {
        self.check(batch, want)?;
        let packed = Packed::new(batch, want);
        let (how, head) = (self.readout(&packed, want), self.head_index());
        let hidden = self.forward::<OwnedTape<E, O::Device>>(&packed)?;
        let (rows, outputs) = O::readout(&hidden.retaped(), &self.weights[head], &how)?;
        let signals = output::signals(&rows, &packed, want);
        let cotangents = loss(&signals);
        check::cotangents(&signals, &cotangents)?;
        let cotangents = output::cotangents(&cotangents, &packed);
        let [d_hidden, d_head] = O::readout_back(outputs, &hidden.retaped(), &self.weights[head], &how, &cotangents)?;
        let mut gradients = O::pull_back(hidden, d_hidden)?;
        for i in 0..self.trunk_len() {
            let slope = O::gradient(&mut gradients, &self.weights[i])?;
            self.accumulate(i, slope)?;
        }
        self.accumulate(head, d_head)
    }

    fn step(&mut self, rate: f64) -> Result<Step> {
        optim::check_rate(rate)?;
        let named = self.parameters.iter().zip(&self.gradient);
        let squares = named.map(|(p, gradient)| match gradient {
            Some(gradient) => optim::finite(&p.name, O::squares(gradient)?),
            None => Ok(0.0),
        });
        let gradient_norm = squares.sum::<Result<f64>>()?.sqrt();
        let update = Update::new(self.optimiser, rate, gradient_norm, self.steps + 1);
        for (i, parameter) in self.parameters.iter().enumerate() {
            let decay = if parameter.shape.len() == 1 { Decay::No } else { Decay::Yes };
            let weight = &mut self.weights[i];
            let zeros = || self.device.try_zeros_like(weight.shape()).map_err(O::Device::error);
            let gradient = self.gradient[i].take().map_or_else(zeros, Ok)?;
            if self.moments[i].is_none() {
                self.moments[i] = Some([zeros()?, zeros()?]);
            }
            if let Some(moments) = &mut self.moments[i] {
                O::step(&update, decay, weight, &gradient, moments)?;
            }
        }
        self.steps += 1;
        Ok(Step { gradient_norm })
    }
}

impl<E: Real, O: Ops<E>> Transformer<E, O> {
    fn check(&self, batch: &[Sequence<'_>], want: &Want) -> Result<()> {
        check::batch(batch, want, self.config.vocab_size)?;
        self.check_signals(want)
    }

    /// Hidden states of the rows that the head reads.
    fn forward<T: Tape<E, O::Device>>(&self, packed: &Packed) -> Result<Matrix<E, O::Device, T>> {
        let how = Arc::new(Causal {
            starts: packed.starts.clone(),
            heads: self.config.num_attention_heads,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim(),
            epsilon: self.config.rms_norm_eps,
            rotary: Rotary::new(packed.longest(), self.config.head_dim(), self.config.rope_theta),
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

/// As few runs of sequences as fit into the memory that is free; one that does not fit is tried alone.
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
