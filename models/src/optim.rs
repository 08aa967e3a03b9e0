//! Optimisers and the learning-rate schedule.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::real::Real;

/// How a step turns the accumulated gradient into a change of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimiser {
    /// Adam with decoupled weight decay (arXiv:1711.05101). Norms and biases are not decayed.
    AdamW {
        #[serde(default = "defaults::beta1")]
        beta1: f64,
        #[serde(default = "defaults::beta2")]
        beta2: f64,
        #[serde(default = "defaults::epsilon")]
        epsilon: f64,
        #[serde(default = "defaults::weight_decay")]
        weight_decay: f64,
        #[serde(default)]
        clip: Clip,
    },
    /// Plain gradient descent, for experiments that are computed exactly.
    Sgd {
        #[serde(default)]
        clip: Clip,
    },
}

/// Longest gradient a step follows; a longer one is scaled down to it. Written as a number, or as `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Clip {
    /// Euclidean norm of the whole gradient.
    Norm(f64),
    Off,
}

/// Linear warm-up to `peak`, then a cosine down to `floor * peak` at step `total`, which is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Highest learning rate.
    pub peak: f64,
    /// Steps of warm-up; the peak is reached at the last of them.
    pub warmup: u64,
    /// Steps of the whole run.
    pub total: u64,
    /// Share of the peak that is left at the end; 1 is a constant rate after warm-up.
    pub floor: f64,
}

impl Optimiser {
    /// Gradient descent, not clipped.
    pub const EXACT: Self = Self::Sgd { clip: Clip::Off };

    /// Refuses hyperparameters that cannot take a step.
    pub fn validate(&self) -> Result<()> {
        let Self::AdamW { beta1, beta2, epsilon, weight_decay, .. } = *self else { return Ok(()) };
        let wrong = |key, problem: String| Err(Error::setting("optimiser", key, problem));
        for (key, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return wrong(key, format!("{beta} is not in [0, 1)"));
            }
        }
        if !(epsilon.is_finite() && epsilon > 0.0) {
            return wrong("epsilon", format!("{epsilon} is not a positive number"));
        }
        if !(weight_decay.is_finite() && weight_decay >= 0.0) {
            return wrong("weight_decay", format!("{weight_decay} is not 0 or more"));
        }
        Ok(())
    }

    fn clip(&self) -> Clip {
        match *self {
            Self::AdamW { clip, .. } | Self::Sgd { clip } => clip,
        }
    }
}

impl Default for Optimiser {
    fn default() -> Self {
        Self::AdamW {
            beta1: defaults::beta1(),
            beta2: defaults::beta2(),
            epsilon: defaults::epsilon(),
            weight_decay: defaults::weight_decay(),
            clip: Clip::default(),
        }
    }
}

impl Default for Clip {
    fn default() -> Self {
        Self::Norm(1.0)
    }
}

impl Schedule {
    /// Refuses what is not a learning rate.
    pub fn validate(&self) -> Result<()> {
        if !(self.peak.is_finite() && self.peak >= 0.0) {
            return Err(Error::setting("schedule", "peak", format!("{} is not 0 or more", self.peak)));
        }
        if !(0.0..=1.0).contains(&self.floor) {
            return Err(Error::setting("schedule", "floor", format!("{} is not a share, in [0, 1]", self.floor)));
        }
        Ok(())
    }

    /// Learning rate of the step with this number, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / span).min(1.0);
        let cosine = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}

/// Running moments of one parameter; empty until the first step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments<E>([Vec<E>; 2]);

impl<E: Real> Moments<E> {
    /// Of a parameter with so many numbers.
    pub(crate) fn of(&mut self, numbers: usize) -> [&mut [E]; 2] {
        self.0.each_mut().map(|moment| {
            moment.resize(numbers, E::ZERO);
            moment.as_mut_slice()
        })
    }
}

/// Whether weight decay applies to a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    Yes,
    No,
}

/// One step of all parameters.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    rule: Optimiser,
    rate: f64,
    /// What the gradient is multiplied by, to clip it.
    scale: f64,
    /// `1 - beta^t` of both moments.
    corrections: [f64; 2],
}

/// What one parameter's numbers `x` and its gradient's `g` are multiplied by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factors {
    /// `x - rate g`.
    Sgd { rate: f64 },
    /// With `g' = scale g`, `m = keep[0] m + take[0] g'` and `v = keep[1] v + take[1] g'²`:
    /// `shrink x - rate m / (sqrt(unbias v) + epsilon)`.
    AdamW { scale: f64, keep: [f64; 2], take: [f64; 2], shrink: f64, rate: f64, unbias: f64, epsilon: f64 },
}

impl Update {
    /// `step` is counted from 1.
    pub(crate) fn new(rule: Optimiser, rate: f64, gradient_norm: f64, step: u64) -> Self {
        let scale = match rule.clip() {
            Clip::Norm(longest) if gradient_norm > longest => longest / gradient_norm,
            _ => 1.0,
        };
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let corrections = match rule {
            Optimiser::AdamW { beta1, beta2, .. } => [correction(beta1), correction(beta2)],
            Optimiser::Sgd { .. } => [1.0; 2],
        };
        Self { rule, rate, scale, corrections }
    }

    pub(crate) fn factors(&self, decay: Decay) -> Factors {
        let Optimiser::AdamW { beta1, beta2, epsilon, weight_decay, .. } = self.rule else {
            return Factors::Sgd { rate: self.rate * self.scale };
        };
        let shrink = match decay {
            Decay::Yes => 1.0 - self.rate * weight_decay,
            Decay::No => 1.0,
        };
        Factors::AdamW {
            scale: self.scale,
            keep: [beta1, beta2],
            take: [1.0 - beta1, 1.0 - beta2],
            shrink,
            rate: self.rate / self.corrections[0],
            unbias: 1.0 / self.corrections[1],
            epsilon,
        }
    }

    /// Changes one parameter in place, and its two moments.
    pub(crate) fn apply<E: Real>(
        &self,
        decay: Decay,
        values: &mut [E],
        gradient: &[E],
        [first, second]: [&mut [E]; 2],
    ) {
        let factors = self.factors(decay);
        values
            .par_chunks_mut(CHUNK)
            .zip(gradient.par_chunks(CHUNK))
            .zip(first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK)))
            .for_each(|((values, gradient), moments)| factors.apply(values, gradient, moments));
    }
}

impl Factors {
    fn apply<E: Real>(&self, values: &mut [E], gradient: &[E], (first, second): (&mut [E], &mut [E])) {
        match *self {
            Self::Sgd { rate } => {
                let rate = E::of(rate);
                values.iter_mut().zip(gradient).for_each(|(x, g)| *x -= rate * *g);
            }
            Self::AdamW { scale, keep, take, shrink, rate, unbias, epsilon } => {
                let [scale, shrink, rate, unbias, epsilon] = [scale, shrink, rate, unbias, epsilon].map(E::of);
                let (keep, take) = (keep.map(E::of), take.map(E::of));
                let moments = first.iter_mut().zip(second);
                for ((x, g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
                    let g = *g * scale;
                    *m = keep[0] * *m + take[0] * g;
                    *v = keep[1] * *v + take[1] * g * g;
                    *x = shrink * *x - rate * *m / ((*v * unbias).sqrt() + epsilon);
                }
            }
        }
    }
}

/// A step with an infinite rate would leave nothing of the weights.
pub(crate) fn check_rate(rate: f64) -> Result<()> {
    if rate.is_finite() && rate >= 0.0 {
        return Ok(());
    }
    Err(Error::setting("step", "rate", format!("{rate} is not 0 or more; the loss is what is minimised")))
}

/// Sum of squares in a fixed order, whatever the number of threads.
pub(crate) fn squares<E: Real>(gradient: &[E]) -> f64 {
    let squares = |chunk: &[E]| chunk.iter().map(|g| g.wide() * g.wide()).sum::<f64>();
    let parts: Vec<f64> = gradient.par_chunks(CHUNK).map(squares).collect();
    parts.iter().sum()
}

/// Refuses sums of squares that are not finite; the error names the parameter.
pub(crate) fn finite(name: &str, squares: f64) -> Result<f64> {
    if squares.is_finite() { Ok(squares) } else { Err(Error::NotFinite { what: format!("the gradient of {name}") }) }
}

const CHUNK: usize = 1 << 14;

mod defaults {
    pub(super) fn beta1() -> f64 {
        0.9
    }

    pub(super) fn beta2() -> f64 {
        0.999
    }

    pub(super) fn epsilon() -> f64 {
        1e-8
    }

    pub(super) fn weight_decay() -> f64 {
        0.01
    }
}

/// [`Clip`] in a configuration file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Norm(f64),
    Word(String),
}

impl TryFrom<Written> for Clip {
    type Error = String;

    fn try_from(written: Written) -> std::result::Result<Self, String> {
        match written {
            Written::Norm(norm) if norm > 0.0 && norm.is_finite() => Ok(Self::Norm(norm)),
            Written::Norm(norm) => Err(format!("clip {norm} is not a positive number; write \"off\" for none")),
            Written::Word(word) if word == "off" => Ok(Self::Off),
            Written::Word(word) => Err(format!("clip {word:?} is neither a number nor \"off\"")),
        }
    }
}

impl From<Clip> for Written {
    fn from(clip: Clip) -> Self {
        match clip {
            Clip::Norm(norm) => Self::Norm(norm),
            Clip::Off => Self::Word("off".into()),
        }
    }
}

#[cfg(test)]
mod tests;
