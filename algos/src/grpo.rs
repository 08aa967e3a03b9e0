//! GRPO (arXiv 2402.03300) and what is called so: DAPO (2503.14476) and Dr. GRPO (2503.20783) are settings of it.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Kl, RatioGuard, clipped, group_normalised, guarded_ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Group, Live, Token};
use crate::selection::{Select, Selection};
use crate::settings::{IllegalSetting, Inert, POSITIVE, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean( min(ratio·A, clip(ratio)·A) - beta·kl )` with `A = (r - mean) / (std + epsilon)` in each group.
///
/// The ratio is that of the policy to the policy before the step. It differs from 1, and clipping can act, from the second
/// update of a step on: with more than one epoch or minibatch. DeepSeekMath (section 4.1) made a single update per step; that
/// is `minibatches = 1`.
///
/// With the default settings:
///
/// ```text
/// A = (R - mean_group(R))/(sqrt(sum_group((R - mean_group(R))²)/max(trajectories_per_group - 1, 1)) + ε)
/// with ε = 1e-4
///
/// ratio = exp(logπ - logπ_old)
/// kl    = exp(-(logπ - logπ_ref)) + logπ - logπ_ref - 1
/// loss  = -mean_batch(mean_trajectory(min(ratio·A, clip(ratio, 1 - ε_low, 1 + ε_high)·A) - β·kl))
/// with ε_low = 0.2, ε_high = 0.2, β = 0.04
/// logged
/// outside = 1[ratio > 1 + ε_high] + 1[ratio < 1 - ε_low]
/// clipped = 1[A > 0]·1[ratio > 1 + ε_high] + 1[A < 0]·1[ratio < 1 - ε_low]
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grpo {
    /// The ratio is clipped to `[1 - clip_low, 1 + clip_high]`. At least 0.
    pub clip_low: Coefficient,
    /// See `clip_low`. At least 0.
    pub clip_high: Coefficient,
    /// Bound on log-ratios.
    pub ratio_guard: RatioGuard,
    /// Weight of the divergence from the reference, at least 0; at 0 there is no reference.
    pub beta: Coefficient,
    /// The estimator of the divergence.
    pub kl: Kl,
    /// What a group's centred rewards are divided by.
    pub scale: Scale,
    /// What the sum over tokens is divided by.
    pub average: Average,
    /// Which trajectories are learnt from.
    pub selection: Selection,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

/// What a group's centred rewards are divided by. Both give 0 to a group of one and to a group whose rewards are all the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scale {
    /// Nothing.
    One,
    /// Standard deviation (of `n - degrees_of_freedom`) plus `epsilon`.
    Deviation {
        /// 1 for the unbiased estimate of the variance, 0 for the variance of the group itself.
        degrees_of_freedom: f64,
        /// Greater than 0.
        epsilon: Coefficient,
    },
}

impl Default for Grpo {
    fn default() -> Self {
        Grpo {
            clip_low: Coefficient::Constant(0.2),
            clip_high: Coefficient::Constant(0.2),
            ratio_guard: RatioGuard::Off,
            beta: Coefficient::Constant(0.04),
            kl: Kl::K3,
            scale: Scale::Deviation { degrees_of_freedom: 1.0, epsilon: Coefficient::Constant(1e-4) },
            average: Average::Trajectory,
            selection: Selection::All,
            epochs: 1,
            minibatches: 2,
        }
    }
}

impl Grpo {
    /// Higher upper clip, token mean, no divergence, mixed groups only.
    ///
    /// ```text
    /// A = (R - mean_group(R))/(sqrt(sum_group((R - mean_group(R))²)/max(trajectories_per_group - 1, 1)) + ε)
    /// with ε = 1e-4
    ///
    /// ratio = exp(logπ - logπ_old)
    /// loss  = -mean_batch(min(ratio·A, clip(ratio, 1 - ε_low, 1 + ε_high)·A))
    /// with ε_low = 0.2, ε_high = 0.28
    /// logged
    /// outside = 1[ratio > 1 + ε_high] + 1[ratio < 1 - ε_low]
    /// clipped = 1[A > 0]·1[ratio > 1 + ε_high] + 1[A < 0]·1[ratio < 1 - ε_low]
    /// ```
    pub fn dapo() -> Self {
        let (clip_high, beta) = (Coefficient::Constant(0.28), Coefficient::ZERO);
        let (average, selection) = (Average::Token, Selection::Mixed);
        Grpo { clip_high, beta, average, selection, minibatches: 4, ..Grpo::default() }
    }

    /// No division by the deviation nor by the length, no divergence.
    ///
    /// ```text
    /// A = R - mean_group(R)
    ///
    /// ratio = exp(logπ - logπ_old)
    /// loss  = -mean_batch(sum_trajectory(min(ratio·A, clip(ratio, 1 - ε_low, 1 + ε_high)·A)))/L
    /// with ε_low = 0.2, ε_high = 0.2, L = 16
    /// logged
    /// outside = 1[ratio > 1 + ε_high] + 1[ratio < 1 - ε_low]
    /// clipped = 1[A > 0]·1[ratio > 1 + ε_high] + 1[A < 0]·1[ratio < 1 - ε_low]
    /// ```
    pub fn dr_grpo() -> Self {
        let average = Average::Constant(Coefficient::Constant(16.0));
        Grpo { beta: Coefficient::ZERO, scale: Scale::One, average, ..Grpo::default() }
    }

    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let (low, high) = (x.setting("ε_low", self.clip_low), x.setting("ε_high", self.clip_high));
        let surrogate = clipped(guarded_ratio(x, self.ratio_guard), x.advantage(), low, high);
        let kl = self.kl.penalty(x, x.ref_logp(), self.ratio_guard).named("kl");
        -self.average.of(surrogate - x.setting("β", self.beta) * kl)
    }
}

impl Algorithm for Grpo {
    fn name(&self) -> &str {
        "grpo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        match self.scale {
            Scale::One => (x.reward() - x.reward().mean::<Group>()).spread(),
            Scale::Deviation { degrees_of_freedom, epsilon } => {
                group_normalised(x, x.reward(), degrees_of_freedom, x.setting("ε", epsilon)).spread()
            }
        }
    }

    fn select(&self) -> Select {
        self.selection.into()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn passes(&self) -> Passes {
        Passes { epochs: self.epochs, minibatches: self.minibatches }
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.clip_low.check("clip_low", 0.0..)?;
        self.clip_high.check("clip_high", 0.0..)?;
        self.ratio_guard.check("ratio_guard")?;
        self.beta.check("beta", 0.0..)?;
        self.scale.check("scale")?;
        self.average.check("average")?;
        self.selection.check("selection")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        let mut inert = Vec::new();
        if self.passes().is_once() {
            inert.extend(["clip_low", "clip_high"].map(Inert::with_one_update));
        }
        let exp_of_kl = !self.beta.is_zero() && self.kl.takes_exp();
        if self.passes().is_once() && self.ratio_guard != RatioGuard::Off && !exp_of_kl {
            inert.push(Inert::with_one_update("ratio_guard"));
        }
        if self.beta.is_zero() && self.kl != Grpo::default().kl {
            inert.push(Inert::new("kl", "`beta` is 0"));
        }
        inert
    }
}

impl Scale {
    fn check(self, key: &str) -> Result<(), IllegalSetting> {
        let Scale::Deviation { degrees_of_freedom, epsilon } = self else { return Ok(()) };
        if ![0.0, 1.0].contains(&degrees_of_freedom) {
            let problem = format!("must be 0 or 1, not {degrees_of_freedom}");
            return Err(IllegalSetting::new(&format!("{key}.deviation.degrees_of_freedom"), problem));
        }
        epsilon.check(&format!("{key}.deviation.epsilon"), POSITIVE)
    }
}
