//! GRPO (arXiv 2402.03300) and what is called so: DAPO (2503.14476) and Dr. GRPO (2503.20783) are settings of it.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Divergence, DualClip, Kl, RatioGuard, Scale, Whitening, clipped, guarded_ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::overlong::Overlong;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::selection::{Select, Selection};
use crate::settings::{IllegalSetting, Inert, at_least_one};
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
    /// Bound on the ratio of tokens with a negative advantage.
    pub dual_clip: DualClip,
    /// Bound on log-ratios.
    pub ratio_guard: RatioGuard,
    /// Weight of the divergence from the reference, at least 0; at 0 there is no reference.
    pub beta: Coefficient,
    /// The estimator of the divergence.
    pub kl: Kl,
    /// What a group's centred rewards are divided by.
    pub scale: Scale,
    /// Whether advantages are scaled over the batch, too.
    pub whitening: Whitening,
    /// What the sum over tokens is divided by.
    pub average: Average,
    /// What is taken off the reward of long completions.
    pub overlong: Overlong,
    /// Which trajectories are learnt from.
    pub selection: Selection,
    /// How often a step may draw more problems, in place of those of whose completions nothing is selected. At most 1000.
    pub resample: usize,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

impl Default for Grpo {
    fn default() -> Self {
        Grpo {
            clip_low: Coefficient::Constant(0.2),
            clip_high: Coefficient::Constant(0.2),
            dual_clip: DualClip::Off,
            ratio_guard: RatioGuard::Off,
            beta: Coefficient::Constant(0.04),
            kl: Kl::K3,
            scale: Scale::GRPO,
            whitening: Whitening::None,
            average: Average::Trajectory,
            overlong: Overlong::Off,
            selection: Selection::All,
            resample: 0,
            epochs: 1,
            minibatches: 2,
        }
    }
}

impl Grpo {
    /// Higher upper clip, token mean, no divergence, mixed groups only, for which more problems are drawn, and less reward for overlong
    /// completions.
    ///
    /// ```text
    /// reward = R + clip((L_max - L_cache - tokens_per_trajectory)/L_cache, -1, 0)
    /// A      = (reward - mean_group(reward))/(sqrt(sum_group((reward - mean_group(reward))²)/max(trajectories_per_group - 1, 1)) + ε)
    /// with L_max = 16, L_cache = 4, ε = 1e-4
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
        let overlong = Overlong::Soft { length: Coefficient::Constant(16.0), cache: Coefficient::Constant(4.0) };
        Grpo { clip_high, beta, average, overlong, selection, resample: 3, minibatches: 4, ..Grpo::default() }
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
        let surrogate = self.dual_clip.bounded(x, surrogate);
        let kl = self.kl.penalty(x, x.ref_logp(), self.ratio_guard).named("kl");
        -self.average.of(surrogate - x.setting("β", self.beta) * kl)
    }
}

impl Algorithm for Grpo {
    fn name(&self) -> &str {
        "grpo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        self.whitening.of(x, self.scale.centred(x, self.overlong.reward(x)).spread())
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

    fn resamples(&self) -> usize {
        self.resample
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.clip_low.check("clip_low", 0.0..)?;
        self.clip_high.check("clip_high", 0.0..)?;
        self.dual_clip.check("dual_clip")?;
        self.ratio_guard.check("ratio_guard")?;
        self.beta.check("beta", 0.0..)?;
        self.scale.check("scale")?;
        self.average.check("average")?;
        self.overlong.check("overlong")?;
        self.selection.check("selection")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        let mut bounds = vec!["clip_low", "clip_high"];
        bounds.extend((self.dual_clip != DualClip::Off).then_some("dual_clip"));
        let divergence = Divergence { key: "beta", weight: self.beta, kl: self.kl, guard: self.ratio_guard };
        let mut inert = divergence.inert(self.passes(), &bounds);
        if self.resample > 0 && self.selection == Selection::All {
            inert.push(Inert::new("resample", "`selection` keeps something of every group"));
        }
        inert
    }
}
