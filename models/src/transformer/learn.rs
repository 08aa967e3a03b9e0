//! Signals, gradients and steps.

use std::sync::Arc;

use dfdx::prelude::{HasShape, NoneTape, OwnedTape, Tape, ZerosTensor};

use super::hardware::Hardware;
use super::ops::{Causal, Rotary};
use super::pack::Packed;
use super::{Matrix, Ops, Transformer, output};
use crate::check;
use crate::contract::Backbone;
use crate::data::{Sequence, Signals, Step, Want};
use crate::error::Result;
use crate::optim::{self, Decay, Update};
use crate::real::Real;

impl<E: Real, O: Ops<E>> Backbone for Transformer<E, O> {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        self.check(batch, want)?;
        let packed = Packed::new(batch, want);
        let hidden = self.forward::<NoneTape>(&packed)?;
        let (rows, _) = O::readout(&hidden, &self.weights[self.head_index()], &self.readout(&packed, want))?;
        Ok(output::signals(&rows, &packed, want))
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
