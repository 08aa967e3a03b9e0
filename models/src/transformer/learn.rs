//! Signals, gradients and steps.

use std::sync::Arc;

use dfdx::prelude::{NoneTape, OwnedTape, Tape};

use super::ops::{Causal, Rotary};
use super::pack::Packed;
use super::{Matrix, Ops, Transformer};
use crate::check;
use crate::contract::Backbone;
use crate::data::{Sequence, Signals, Step, Want};
use crate::error::Result;
use crate::optim::{self, Decay, Update};
use crate::real::Real;

impl<E: Real, D: Ops<E>> Backbone for Transformer<E, D> {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        self.check(batch, want)?;
        let packed = Packed::new(batch, want);
        let hidden = self.forward::<NoneTape>(&packed);
        Ok(self.signals(&hidden, &packed, want).0)
    }

    fn backward(
        &mut self,
        batch: &[Sequence<'_>],
        want: &Want,
        loss: &mut dyn FnMut(&Signals) -> Signals,
    ) -> Result<()> {
        self.check(batch, want)?;
        let packed = Packed::new(batch, want);
        let hidden = self.forward::<OwnedTape<E, D>>(&packed);
        let (signals, outputs) = self.signals(&hidden.retaped(), &packed, want);
        let cotangents = loss(&signals);
        check::cotangents(&signals, &cotangents)?;
        let slopes = self.slopes(outputs, &packed, &cotangents);
        let shape = (packed.tokens.len(), self.config.hidden_size);
        let d_hidden = self.device.tensor_from_vec(slopes.hidden, shape);
        let mut gradients = D::pull_back(hidden, d_hidden);
        let trunk = self.trunk_len();
        for (sum, weight) in self.gradient.iter_mut().zip(&self.weights[..trunk]) {
            accumulate(sum, D::gradient(&mut gradients, weight));
        }
        let head = self.head_index();
        accumulate(&mut self.gradient[head], slopes.weight);
        Ok(())
    }

    fn step(&mut self, rate: f64) -> Result<Step> {
        optim::check_rate(rate)?;
        let named = self.parameters.iter().zip(&self.gradient);
        let squares = named.map(|(p, gradient)| optim::squared_norm(&p.name, gradient));
        let gradient_norm = squares.sum::<Result<f64>>()?.sqrt();
        self.steps += 1;
        let update = Update::new(self.optimiser, rate, gradient_norm, self.steps);
        let states = self.gradient.iter_mut().zip(&mut self.moments).zip(&self.parameters);
        for (weight, ((gradient, moments), parameter)) in self.weights.iter_mut().zip(states) {
            let decay = if parameter.shape.len() == 1 { Decay::No } else { Decay::Yes };
            let mut gradient = std::mem::take(gradient);
            gradient.resize(parameter.shape.iter().product(), E::ZERO);
            D::update(weight, |numbers| update.apply(decay, numbers, &gradient, moments));
        }
        Ok(Step { gradient_norm })
    }
}

impl<E: Real, D: Ops<E>> Transformer<E, D> {
    fn check(&self, batch: &[Sequence<'_>], want: &Want) -> Result<()> {
        check::batch(batch, want, self.config.vocab_size)?;
        self.check_signals(want)
    }

    fn forward<T: Tape<E, D>>(&self, packed: &Packed) -> Matrix<E, D, T> {
        let how = Arc::new(Causal {
            starts: packed.starts.clone(),
            heads: self.config.num_attention_heads,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim(),
            epsilon: self.config.rms_norm_eps,
            rotary: Rotary::new(packed.longest(), self.config.head_dim(), self.config.rope_theta),
        });
        self.trunk(&packed.tokens, &how)
    }
}

fn accumulate<E: Real>(sum: &mut Vec<E>, more: Vec<E>) {
    if sum.is_empty() {
        *sum = more;
    } else {
        sum.iter_mut().zip(more).for_each(|(sum, x)| *sum += x);
    }
}
