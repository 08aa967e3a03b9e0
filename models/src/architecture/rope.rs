//! Frequencies of rotary positions, and their scaling for longer contexts, as transformers has them.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// How the rotary frequencies `theta^(-2 i / head_dim)` are changed: `rope_scaling` or `rope_parameters` in Hugging
/// Face's `config.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rope_type", rename_all = "lowercase", deny_unknown_fields)]
pub enum RopeScaling {
    /// Not at all.
    #[default]
    Default,
    /// All are divided by a factor (arXiv:2306.15595).
    Linear {
        /// At least 1.
        factor: f64,
    },
    /// Llama 3.1: low frequencies are divided by a factor, high ones stay, and those between are interpolated.
    Llama3 {
        /// At least 1.
        factor: f64,
        /// Frequencies with fewer turns than this in the original context are low.
        low_freq_factor: f64,
        /// Frequencies with more turns than this in the original context are high.
        high_freq_factor: f64,
        /// Length of the original context, in tokens.
        original_max_position_embeddings: u32,
    },
}

impl RopeScaling {
    /// What is wrong with its numbers.
    pub(super) fn problem(&self) -> Option<String> {
        let factor = |factor: f64| {
            (!(factor.is_finite() && factor >= 1.0)).then(|| format!("factor {factor} is not a number of 1 or more"))
        };
        match *self {
            Self::Default => None,
            Self::Linear { factor: by } => factor(by),
            Self::Llama3 { factor: by, low_freq_factor: low, high_freq_factor: high, .. } => factor(by).or_else(|| {
                (!(0.0 < low && low < high && high.is_finite()))
                    .then(|| format!("low_freq_factor {low} and high_freq_factor {high} are not 0 < low < high"))
            }),
        }
    }

    /// The angle per position of dimension `i`, in radians, for each `i < head_dim / 2`.
    pub(super) fn frequencies(&self, head_dim: usize, theta: f64) -> Vec<f64> {
        let frequency = |i: usize| theta.powf(-2.0 * i as f64 / head_dim as f64);
        (0..head_dim / 2).map(|i| self.scaled(frequency(i))).collect()
    }

    fn scaled(&self, frequency: f64) -> f64 {
        match *self {
            Self::Default => frequency,
            Self::Linear { factor } => frequency / factor,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                let turns = f64::from(original_max_position_embeddings) * frequency / TAU;
                let kept = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                (1.0 - kept) * frequency / factor + kept * frequency
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ROPE_INIT_FUNCTIONS["llama3"]` of transformers for Llama 3.2 1B (theta 500000, width 64).
    #[test]
    fn llama3_is_that_of_transformers() {
        let scaling = RopeScaling::Llama3 {
            factor: 32.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings: 8192,
        };
        let found = scaling.frequencies(64, 500_000.0);
        let expected = [
            (0, 1.0),
            (14, 0.003_211_446),
            (15, 0.001_290_548),
            (16, 0.000_429_556_7),
            (17, 9.708_286e-5),
            (31, 9.418_306e-8),
        ];
        for (i, expected) in expected {
            let error = (found[i] / expected - 1.0).abs();
            assert!(error < 1e-6, "frequency {i}: {} for {expected}", found[i]);
        }
    }

    #[test]
    fn factors_must_be_in_order() {
        let llama = |low, high| RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position_embeddings: 8192,
        };
        assert_eq!(llama(1.0, 4.0).problem(), None);
        for (wrong, message) in [
            (RopeScaling::Linear { factor: 0.5 }, "factor 0.5"),
            (RopeScaling::Linear { factor: f64::NAN }, "factor NaN"),
            (llama(4.0, 1.0), "low_freq_factor 4"),
            (llama(0.0, 4.0), "low_freq_factor 0"),
        ] {
            let found = wrong.problem().unwrap();
            assert!(found.contains(message), "{found}");
        }
    }
}
