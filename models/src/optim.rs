//! Optimisers and the learning-rate schedule.

mod schedule;
mod step;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub use schedule::Schedule;
pub(crate) use step::{Dimensions, Factors, Moments, OptimiserStep, check_step, finite, squares};

/// How a step turns the accumulated gradient into a change of the weights.
///
/// Written as a table with `rule = "adamw"` or `rule = "sgd"`; what is left out has the value of
/// [`Optimiser::default`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimiser {
    /// Adam with decoupled weight decay (arXiv:1711.05101, Algorithm 2).
    AdamW {
        /// Decay of the mean of the gradient, in [0, 1).
        #[serde(default = "defaults::beta1")]
        beta1: f64,
        /// Decay of the mean of the squared gradient, in [0, 1).
        #[serde(default = "defaults::beta2")]
        beta2: f64,
        /// Added to the root of that mean; at least 1e-30.
        #[serde(default = "defaults::epsilon")]
        epsilon: f64,
        /// Share of a weight that a step at learning rate 1 takes away, in [0, 1000].
        #[serde(default = "defaults::weight_decay")]
        weight_decay: f64,
        /// Which parameters are decayed.
        #[serde(default)]
        decay: Decayed,
        /// Longest gradient.
        #[serde(default)]
        clip: Clip,
        /// Added to the norm when the gradient is clipped: `clip_grad_norm_` of PyTorch adds 1e-6. 0 or more.
        #[serde(default)]
        clip_epsilon: f64,
    },
    /// Plain gradient descent, for experiments that are computed exactly.
    Sgd {
        /// Longest gradient.
        #[serde(default)]
        clip: Clip,
        /// As for AdamW.
        #[serde(default)]
        clip_epsilon: f64,
    },
}

/// Which parameters weight decay acts on. The parameters of a [`Table`](crate::Table) all count as matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decayed {
    /// Matrices only, not norms and biases: the usual choice.
    #[default]
    Matrices,
    /// Every parameter, as the released OREAL code and PyTorch's `AdamW` without parameter groups do.
    All,
}

/// Longest gradient a step follows; a longer one is scaled down to it. Written as a number, or as `"off"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Clip {
    /// Euclidean norm of the whole gradient, above 0.
    Norm(f64),
    /// The gradient is never scaled.
    Off,
}

impl Optimiser {
    /// Gradient descent, not clipped.
    pub const EXACT: Self = Self::Sgd { clip: Clip::Off, clip_epsilon: 0.0 };

    /// Refuses hyperparameters that cannot take a step. Every model calls it when it is made.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key.
    pub fn validate(&self) -> Result<()> {
        let (clip, clip_epsilon) = self.clip();
        if let Clip::Norm(norm) = clip {
            let problem = "a positive number, or \"off\"";
            within("clip", norm, norm.is_finite() && norm > 0.0, problem)?;
        }
        within("clip_epsilon", clip_epsilon, clip_epsilon.is_finite() && clip_epsilon >= 0.0, "0 or more")?;
        let Self::AdamW { beta1, beta2, epsilon, weight_decay, .. } = *self else { return Ok(()) };
        within("beta1", beta1, (0.0..1.0).contains(&beta1), "in [0, 1)")?;
        within("beta2", beta2, (0.0..1.0).contains(&beta2), "in [0, 1)")?;
        // A smaller one is 0 in single precision.
        within("epsilon", epsilon, epsilon.is_finite() && epsilon >= 1e-30, "at least 1e-30")?;
        within("weight_decay", weight_decay, (0.0..=1000.0).contains(&weight_decay), "in [0, 1000]")
    }

    /// Whether long gradients are clipped.
    pub fn clips(&self) -> bool {
        self.clip().0 != Clip::Off
    }

    fn clip(&self) -> (Clip, f64) {
        match *self {
            Self::AdamW { clip, clip_epsilon, .. } | Self::Sgd { clip, clip_epsilon } => (clip, clip_epsilon),
        }
    }
}

fn within(key: &'static str, value: f64, is_within: bool, needed: &str) -> Result<()> {
    if is_within { Ok(()) } else { Err(Error::setting("optimiser", key, format!("{value} is not {needed}"))) }
}

impl Default for Optimiser {
    fn default() -> Self {
        Self::AdamW {
            beta1: defaults::beta1(),
            beta2: defaults::beta2(),
            epsilon: defaults::epsilon(),
            weight_decay: defaults::weight_decay(),
            decay: Decayed::default(),
            clip: Clip::default(),
            clip_epsilon: 0.0,
        }
    }
}

impl Default for Clip {
    fn default() -> Self {
        Self::Norm(1.0)
    }
}

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
