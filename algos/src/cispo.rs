//! CISPO (arXiv 2506.13585, MiniMax-M1): a policy gradient whose importance weights are clipped, and no token's gradient.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Scale, ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::{IllegalSetting, Inert, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean sg(clip(ratio))·A·logπ` over all tokens (eq. 4 and 5) with GRPO's advantage.
///
/// The paper clips from above only and gives no number. The default is the cap of 5 that ScaleRL (arXiv 2510.13786) used.
///
/// With the default settings:
///
/// ```text
/// A = (R - mean_group(R))/(sqrt(sum_group((R - mean_group(R))²)/max(trajectories_per_group - 1, 1)) + ε)
/// with ε = 1e-4
///
/// ratio  = exp(logπ - logπ_old)
/// weight = sg(clip(ratio, 1 - ε_low, 1 + ε_high))
/// loss   = -mean_batch(weight·A·logπ)
/// with ε_low = 1, ε_high = 4
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cispo {
    /// The weight is clipped to `[1 - clip_low, 1 + clip_high]`. Between 0 and 1; at 1 there is no lower bound.
    pub clip_low: Coefficient,
    /// See `clip_low`. At least 0.
    pub clip_high: Coefficient,
    /// What a group's centred rewards are divided by.
    pub scale: Scale,
    /// What the sum over tokens is divided by.
    pub average: Average,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

impl Default for Cispo {
    fn default() -> Self {
        Cispo {
            clip_low: Coefficient::Constant(1.0),
            clip_high: Coefficient::Constant(4.0),
            scale: Scale::GRPO,
            average: Average::Token,
            epochs: 1,
            minibatches: 4,
        }
    }
}

impl Cispo {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let (low, high) = (x.setting("ε_low", self.clip_low), x.setting("ε_high", self.clip_high));
        let weight = ratio(x).clip(1.0 - low, 1.0 + high).detach().named("weight");
        -self.average.of(weight * x.advantage() * x.logp())
    }
}

impl Algorithm for Cispo {
    fn name(&self) -> &str {
        "cispo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        self.scale.centred(x, x.reward()).spread()
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
        self.clip_low.check("clip_low", 0.0..=1.0)?;
        self.clip_high.check("clip_high", 0.0..)?;
        self.scale.check("scale")?;
        self.average.check("average")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        Inert::with_one_update(self.passes(), &["clip_low", "clip_high"])
    }
}
