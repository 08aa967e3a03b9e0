//! PPO (arXiv 1707.06347) with a critic of its own, as used on language models.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::estimators::{Average, Kl, clipped, gae, ratio, whitened};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Frozen, Token};
use crate::terms::Data;

/// `-mean min(ratio·A, clip(ratio)·A) + value_weight·(V - target)²/2 - entropy_weight·H + loss_beta·kl`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ppo {
    /// The ratio is clipped to `[1 - clip, 1 + clip]`.
    pub clip: f64,
    /// The critic's value moves at most this far from the old one before its loss stops pulling.
    pub value_clip: f64,
    pub value_weight: f64,
    pub entropy_weight: f64,
    pub discount: f64,
    pub lambda: f64,
    pub whitening: Whitening,
    /// Weight of the divergence (k1) taken off the reward of each token.
    pub reward_beta: f64,
    /// Weight of the divergence added to the loss, estimated by `kl`. With both weights at 0 there is no reference.
    pub loss_beta: f64,
    pub kl: Kl,
    pub average: Average,
    pub epochs: usize,
    pub minibatches: usize,
}

/// Whether advantages are shifted and scaled to zero mean and unit variance over the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whitening {
    None,
    Batch,
}

impl Default for Ppo {
    fn default() -> Self {
        Ppo {
            clip: 0.2,
            value_clip: 0.2,
            value_weight: 0.5,
            entropy_weight: 0.0,
            discount: 1.0,
            lambda: 0.95,
            whitening: Whitening::Batch,
            reward_beta: 0.01,
            loss_beta: 0.0,
            kl: Kl::K3,
            average: Average::Token,
            epochs: 2,
            minibatches: 2,
        }
    }
}

impl Ppo {
    /// The outcome on the last token, less the divergence where it is part of the reward.
    fn advantage<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let outcome = x.reward() * x.last_token();
        let divergence = Kl::K1.estimate(x.old_logp(), x.ref_logp());
        gae(outcome - self.reward_beta * divergence, x.old_value(), self.discount, self.lambda).named("gae")
    }
}

impl Algorithm for Ppo {
    fn name(&self) -> &str {
        "ppo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        match self.whitening {
            Whitening::None => self.advantage(x),
            Whitening::Batch => whitened(self.advantage(x), 1e-8),
        }
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let surrogate = clipped(ratio(x), x.advantage(), self.clip, self.clip);
            let target = self.advantage(*x) + x.old_value();
            let near = x.old_value() + (x.value() - x.old_value()).clip(-self.value_clip, self.value_clip);
            let value_loss = 0.5 * (x.value() - target).square().max((near - target).square());
            let critic = self.value_weight * value_loss.named("value_loss");
            let bonus = self.entropy_weight * x.entropy();
            let kl = self.loss_beta * self.kl.estimate(x.logp(), x.ref_logp()).named("kl");
            self.average.of(critic - surrogate - bonus + kl)
        })
    }

    fn passes(&self) -> Passes {
        Passes { epochs: self.epochs, minibatches: self.minibatches }
    }
}
