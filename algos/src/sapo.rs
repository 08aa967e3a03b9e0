//! SAPO (arXiv 2511.20347): GRPO with a smooth gate on the ratio in place of the clip.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Scale, ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::{IllegalSetting, Inert, POSITIVE, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean gate(ratio)·A` with `gate(r) = 4/τ·σ(τ·(r - 1))` (eq. 5 and 6) and GRPO's advantage; `τ` depends on the sign of `A`.
///
/// The slope of the gate is 1 at a ratio of 1 and falls to 0 on both sides, the faster the larger `τ` is.
///
/// With the default settings:
///
/// ```text
/// A = (R - mean_group(R))/(sqrt(sum_group((R - mean_group(R))²)/max(trajectories_per_group - 1, 1)) + ε)
/// with ε = 1e-4
///
/// positive = 1[A > 0]
/// τ        = τ_pos·positive + τ_neg·(1 - positive)
/// ratio    = exp(logπ - logπ_old)
/// gate     = 4/τ·σ(τ·(ratio - 1))
/// loss     = -mean_batch(mean_trajectory(gate·A))
/// with τ_pos = 1, τ_neg = 1.05
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sapo {
    /// `τ` of tokens with a positive advantage. Greater than 0.
    pub tau_positive: Coefficient,
    /// `τ` of all other tokens. Greater than 0.
    pub tau_negative: Coefficient,
    /// What a group's centred rewards are divided by.
    pub scale: Scale,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

impl Default for Sapo {
    fn default() -> Self {
        Sapo {
            tau_positive: Coefficient::Constant(1.0),
            tau_negative: Coefficient::Constant(1.05),
            scale: Scale::GRPO,
            epochs: 1,
            minibatches: 4,
        }
    }
}

impl Sapo {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let positive = x.advantage().above(0.0).named("positive");
        let tau =
            x.setting("τ_pos", self.tau_positive) * positive + x.setting("τ_neg", self.tau_negative) * (1.0 - positive);
        let gate = (4.0 / tau.named("τ") * (tau * (ratio(x) - 1.0)).sigmoid()).named("gate");
        -Average::Trajectory.of(gate * x.advantage())
    }
}

impl Algorithm for Sapo {
    fn name(&self) -> &str {
        "sapo"
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
        self.tau_positive.check("tau_positive", POSITIVE)?;
        self.tau_negative.check("tau_negative", POSITIVE)?;
        self.scale.check("scale")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        Inert::with_one_update(self.passes(), &["tau_positive", "tau_negative"])
    }
}
