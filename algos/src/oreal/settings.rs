//! The choices that OREAL's loss is made of.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use super::Oreal;
use crate::algorithm::Algorithm;
use crate::coefficient::Coefficient;
use crate::estimators::{Kl, RatioGuard};
use crate::selection::Selection;
use crate::settings::{IllegalSetting, Inert, at_least_one};

/// Reward of right and wrong answers, before shaping. A reward `r` that takes the place of the outcome
/// ([`crate::Data::with_reward`]) is coded the same way: as `2r - 1`, or as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardCoding {
    /// 1 and -1.
    Signed,
    /// 1 and 0.
    Binary,
}

/// The advantage made of a group's rewards. In a group of one, [`Shaping::Rloo`] and [`Shaping::Grpo`] give 0, and
/// [`Shaping::FailureRate`] gives 0 to a right answer and -1 to a wrong one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shaping {
    /// The reward less the mean of the others.
    Rloo,
    /// The reward less the mean, divided by the unbiased standard deviation plus 1e-8.
    Grpo,
    /// The failure rate of the group, with the sign of the outcome: the paper's `(1-p)R`.
    FailureRate,
}

/// What the loss of a right answer is multiplied by, besides its token weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positives {
    /// Its advantage.
    Advantage,
    /// 1: behaviour cloning.
    Plain,
}

/// The quantity that is lowered for wrong answers. On-policy both have the same gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negatives {
    /// `exp(logπ - sg(logπ))`
    Ratio,
    /// `logπ - logπ_old`
    LogRatio,
}

/// How the reward model's confidence `c` in (0, 1) becomes a weight on right (`c`) and wrong (`1-c`) answers' tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenWeights {
    /// 1 everywhere: OREAL without a token-level reward model.
    Uniform,
    /// `clip((c - τ)/(1 - τ), 0, 1)` with the same threshold τ for right and wrong answers, as the released code has it. At
    /// least 0 and less than 1.
    Threshold(Coefficient),
    /// The same with a threshold for each.
    Thresholds {
        /// τ of right answers, at least 0 and less than 1.
        right: Coefficient,
        /// τ of wrong answers, at least 0 and less than 1.
        wrong: Coefficient,
    },
    /// The given share of a completion's tokens with the highest confidence, scaled from 0 to 1 (all 1 where they are the
    /// same); 0 on the rest. Greater than 0 and at most 1.
    TopShare(Coefficient),
}

/// Which prefix scores a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// The one before it.
    Before,
    /// The one that ends with it.
    After,
}

/// Which scores a token's weight is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean of its own and all earlier ones.
    RunningMean,
    /// Its own.
    Own,
}

/// What the right, the wrong and all token losses are divided by, each for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normaliser {
    /// The number of tokens.
    Tokens,
    /// The number of trajectories.
    Trajectories,
}

/// The policy that the divergence is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The policy before training.
    Reference,
    /// The policy before this step: with one update a step the divergence has no gradient.
    Old,
}

impl TokenWeights {
    pub(super) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        match self {
            TokenWeights::Uniform => Ok(()),
            TokenWeights::Threshold(tau) => tau.check(&format!("{key}.threshold"), 0.0..1.0),
            TokenWeights::Thresholds { right, wrong } => {
                right.check(&format!("{key}.thresholds.right"), 0.0..1.0)?;
                wrong.check(&format!("{key}.thresholds.wrong"), 0.0..1.0)
            }
            TokenWeights::TopShare(share) => {
                share.check(&format!("{key}.top_share"), (Bound::Excluded(0.0), Bound::Included(1.0)))
            }
        }
    }
}

impl Oreal {
    /// Refuses settings that make no sense.
    pub(super) fn check(&self) -> Result<(), IllegalSetting> {
        self.eta.check("eta", 0.0..)?;
        self.token_weights.check("token_weights")?;
        self.beta.check("beta", 0.0..)?;
        self.ratio_guard.check("ratio_guard")?;
        self.selection.check("selection")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    /// Settings without an effect.
    pub(super) fn without_effect(&self) -> Vec<Inert> {
        let default = Oreal::default();
        let uniform = self.token_weights == TokenWeights::Uniform;
        let only_right = matches!(self.selection, Selection::Right { .. });
        let guarded = self.ratio_guard != RatioGuard::Off;
        let still = self.passes().is_once() && self.anchor == Anchor::Old && self.kl != Kl::K1;
        let settings = [
            (uniform && self.alignment != default.alignment, "alignment", UNIFORM),
            (uniform && self.pooling != default.pooling, "pooling", UNIFORM),
            (only_right, "eta", ONLY_RIGHT),
            (only_right && self.negatives != default.negatives, "negatives", ONLY_RIGHT),
            (self.eta.is_zero() && self.negatives != default.negatives, "negatives", "`eta` is 0"),
            (self.beta.is_zero() && self.kl != default.kl, "kl", "`beta` is 0"),
            (self.beta.is_zero() && self.anchor != default.anchor, "anchor", "`beta` is 0"),
            (guarded && self.beta.is_zero(), "ratio_guard", "`beta` is 0"),
            (guarded && !self.kl.takes_exp(), "ratio_guard", "`kl` does not take `exp` of a log-ratio"),
            (
                self.shaping == Shaping::FailureRate && self.reward != default.reward,
                "reward",
                "`shaping` is failure_rate",
            ),
            (still && !self.beta.is_zero(), "beta", STILL),
        ];
        settings.into_iter().filter(|(inert, ..)| *inert).map(|(_, key, reason)| Inert::new(key, reason)).collect()
    }
}

const UNIFORM: &str = "`token_weights` is uniform";
const ONLY_RIGHT: &str = "`selection` keeps no wrong answers";
const STILL: &str = "with one update per step the policy is its `anchor` (old), where the divergence has no gradient; raise \
                     `epochs` or `minibatches`";
