//! The losses of the Tinker API: a sum over tokens, each with its value and its derivative by the log-probability.
//!
//! Source: <https://tinker-docs.thinkingmachines.ai/losses>. `A` is the advantage of a token, `q` its log-probability under what
//! drew it, `w` a factor that is 1 unless said.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Loss {
    /// `-w logp`; `w` may have any sign.
    CrossEntropy,
    /// `-w exp(logp - q) A`.
    ImportanceSampling,
    /// `-w min(r A, clip(r) A)` with `r = exp(logp - q)`.
    Ppo(Thresholds),
    /// `-w clip(r) A logp`, where no gradient flows through `clip(r)`.
    Cispo(Thresholds),
}

/// Between them the ratio is not clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Thresholds {
    low: f64,
    high: f64,
}

/// What a loss reads of a token beside its log-probability.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    pub(super) weight: f64,
    pub(super) drawn_logp: f64,
    pub(super) advantage: f64,
}

/// The share of one token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) value: f64,
    /// By the log-probability.
    pub(super) slope: f64,
}

impl Loss {
    /// The loss of this name, with its settings.
    pub(super) fn named(name: &str, config: Option<&BTreeMap<String, Value>>) -> Result<Loss, String> {
        let thresholds = || Thresholds::of(config);
        let plain = |loss: Loss| match config.and_then(|config| config.keys().next()) {
            Some(key) => Err(format!("loss_fn_config: {name} has no setting {key}")),
            None => Ok(loss),
        };
        match name {
            "cross_entropy" => plain(Loss::CrossEntropy),
            "importance_sampling" => plain(Loss::ImportanceSampling),
            "ppo" => Ok(Loss::Ppo(thresholds()?)),
            "cispo" => Ok(Loss::Cispo(thresholds()?)),
            _ => Err(format!(
                "loss_fn: {name:?} is not known here: choose cross_entropy, importance_sampling, ppo or cispo"
            )),
        }
    }

    /// Inputs that must be there for each token, beside `target_tokens`.
    pub(super) fn needs(self) -> &'static [&'static str] {
        match self {
            Loss::CrossEntropy => &["weights"],
            _ => &["logprobs", "advantages"],
        }
    }

    /// Inputs that may be there too; both are factors.
    pub(super) fn takes(self) -> &'static [&'static str] {
        match self {
            Loss::CrossEntropy => &["mask"],
            _ => &["weights", "mask"],
        }
    }

    /// The share of a token with this log-probability.
    pub(super) fn share(self, logp: f64, given: Given) -> Share {
        let Given { weight, drawn_logp, advantage } = given;
        let ratio = (logp - drawn_logp).exp();
        let (objective, slope) = match self {
            Loss::CrossEntropy => (logp, 1.0),
            Loss::ImportanceSampling => (ratio * advantage, ratio * advantage),
            Loss::Ppo(thresholds) => {
                let (free, clipped) = (ratio * advantage, thresholds.clip(ratio) * advantage);
                if free <= clipped { (free, free) } else { (clipped, 0.0) }
            }
            Loss::Cispo(thresholds) => {
                let factor = thresholds.clip(ratio) * advantage;
                (factor * logp, factor)
            }
        };
        // A token that does not count may have any numbers.
        if weight == 0.0 {
            return Share { value: 0.0, slope: 0.0 };
        }
        Share { value: -weight * objective, slope: -weight * slope }
    }
}

impl Thresholds {
    fn of(config: Option<&BTreeMap<String, Value>>) -> Result<Thresholds, String> {
        let mut thresholds = Thresholds { low: 0.8, high: 1.2 };
        for (key, value) in config.into_iter().flatten() {
            let number = value.as_f64().filter(|number| number.is_finite() && *number >= 0.0);
            let number =
                number.ok_or_else(|| format!("loss_fn_config: {key}: {value} is not a number of at least 0"))?;
            match key.as_str() {
                "clip_low_threshold" => thresholds.low = number,
                "clip_high_threshold" => thresholds.high = number,
                _ => {
                    let known = "clip_low_threshold and clip_high_threshold";
                    return Err(format!("loss_fn_config: there is no setting {key}, only {known}"));
                }
            }
        }
        match thresholds.low <= thresholds.high {
            true => Ok(thresholds),
            false => Err("loss_fn_config: clip_low_threshold is above clip_high_threshold".to_owned()),
        }
    }

    fn clip(self, ratio: f64) -> f64 {
        ratio.clamp(self.low, self.high)
    }
}
