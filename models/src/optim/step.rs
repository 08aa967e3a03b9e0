//! One optimiser step on slices of numbers.

use rayon::prelude::*;

use super::{Clip, Decayed, Optimiser};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::reduce::sum;
use crate::vectors::vectorised;

/// Running moments of one parameter; empty until the first step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments<E>([Vec<E>; 2]);

impl<E: Real> Moments<E> {
    /// Both moments of a parameter with this many numbers.
    pub(crate) fn of(&mut self, numbers: usize) -> [&mut [E]; 2] {
        self.0.each_mut().map(|moment| {
            moment.resize(numbers, E::ZERO);
            moment.as_mut_slice()
        })
    }

    /// The first (0) or second (1) moment of a parameter with this many numbers.
    pub(crate) fn number(&self, order: usize, numbers: usize) -> impl Iterator<Item = E> {
        self.0[order].iter().copied().chain(std::iter::repeat(E::ZERO)).take(numbers)
    }
}

impl<E> From<[Vec<E>; 2]> for Moments<E> {
    fn from(moments: [Vec<E>; 2]) -> Self {
        Self(moments)
    }
}

/// What weight decay distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimensions {
    /// Projections and embeddings.
    Matrix,
    /// Norms and biases.
    Vector,
}

/// One optimiser step, the same for all parameters.
#[derive(Clone, Copy, Debug)]
pub struct OptimiserStep {
    rule: Optimiser,
    rate: f64,
    /// Factor of the gradient, below 1 where it is clipped.
    scale: f64,
    /// `1 - beta^t` of both moments.
    corrections: [f64; 2],
}

/// Coefficients of the update of a parameter `x` by its gradient `g`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Factors {
    /// `x - rate g`.
    Sgd { rate: f64 },
    /// With `g' = scale g`, `m = keep[0] m + take[0] g'` and `v = keep[1] v + take[1] g'²`:
    /// `shrink x - rate m / (sqrt(unbias v) + epsilon)`.
    AdamW { scale: f64, keep: [f64; 2], take: [f64; 2], shrink: f64, rate: f64, unbias: f64, epsilon: f64 },
}

impl OptimiserStep {
    /// `step` is counted from 1.
    pub(crate) fn new(rule: Optimiser, rate: f64, gradient_norm: f64, step: u64) -> Self {
        let scale = match rule.clip() {
            (Clip::Norm(longest), epsilon) if gradient_norm + epsilon > longest => longest / (gradient_norm + epsilon),
            _ => 1.0,
        };
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let corrections = match rule {
            Optimiser::AdamW { beta1, beta2, .. } => [correction(beta1), correction(beta2)],
            Optimiser::Sgd { .. } => [1.0; 2],
        };
        Self { rule, rate, scale, corrections }
    }

    pub(crate) fn factors(&self, dimensions: Dimensions) -> Factors {
        let Optimiser::AdamW { beta1, beta2, epsilon, weight_decay, decay, .. } = self.rule else {
            return Factors::Sgd { rate: self.rate * self.scale };
        };
        let shrink = match (dimensions, decay) {
            (Dimensions::Vector, Decayed::Matrices) => 1.0,
            (Dimensions::Matrix, _) | (_, Decayed::All) => 1.0 - self.rate * weight_decay,
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
        dimensions: Dimensions,
        values: &mut [E],
        gradient: &[E],
        [first, second]: [&mut [E]; 2],
    ) {
        let factors = self.factors(dimensions);
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
                vectorised(
                    #[inline(always)]
                    || {
                        let moments = first.iter_mut().zip(second);
                        for ((x, g), (m, v)) in values.iter_mut().zip(gradient).zip(moments) {
                            let g = *g * scale;
                            *m = keep[0] * *m + take[0] * g;
                            *v = keep[1] * *v + take[1] * g * g;
                            *x = shrink * *x - rate * *m / ((*v * unbias).sqrt() + epsilon);
                        }
                    },
                );
            }
        }
    }
}

/// The norm, where neither number would destroy the weights.
pub(crate) fn check_step(rate: f64, gradient_norm: Option<f64>) -> Result<f64> {
    let is_fine = |x: f64| x.is_finite() && x >= 0.0;
    if !is_fine(rate) {
        return Err(Error::setting("step", "rate", format!("{rate} is not a finite number of at least 0")));
    }
    gradient_norm.filter(|norm| is_fine(*norm)).ok_or_else(|| {
        let problem = format!("{gradient_norm:?} is not a norm: pass on what gradient_norm() returned");
        Error::setting("step", "gradient_norm", problem)
    })
}

/// Sum of squares in a fixed order, whatever the number of threads.
pub(crate) fn squares<E: Real>(gradient: &[E]) -> f64 {
    let squares = |chunk: &[E]| {
        vectorised(
            #[inline(always)]
            || sum(chunk.len(), |i| chunk[i].wide() * chunk[i].wide()),
        )
    };
    let parts: Vec<f64> = gradient.par_chunks(CHUNK).map(squares).collect();
    parts.iter().sum()
}

/// Refuses sums of squares that are not finite; the error names the parameter.
pub(crate) fn finite(name: impl FnOnce() -> String, squares: f64) -> Result<f64> {
    if squares.is_finite() {
        Ok(squares)
    } else {
        Err(Error::NotFinite { what: format!("the gradient of {}", name()) })
    }
}

const CHUNK: usize = 1 << 14;
