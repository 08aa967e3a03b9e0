//! PPO (arXiv 1707.06347) with a critic of its own, as used on language models.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Divergence, Kl, RatioGuard, Whitening, clipped, gae, guarded_ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::{IllegalSetting, Inert, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean min(ratio·A, clip(ratio)·A) + value_weight·(V - target)²/2 - entropy_weight·H + loss_beta·kl`
///
/// With the default settings:
///
/// ```text
/// gae = discounted(R·1[last] - β_R·(logπ_old - logπ_ref) + γ·next(V_old) - V_old, γ·λ)
/// A   = (gae - mean_batch(gae))/(sqrt(mean_batch((gae - mean_batch(gae))²)) + ε)
/// with β_R = 0.01, γ = 1, λ = 0.95, ε = 1e-8
///
/// ratio      = exp(logπ - logπ_old)
/// gae        = discounted(R·1[last] - β_R·(logπ_old - logπ_ref) + γ·next(V_old) - V_old, γ·λ)
/// value_loss = 0.5·max((V - (gae + V_old))², (V_old + clip(V - V_old, -ε_V, ε_V) - (gae + V_old))²)
/// loss       = mean_batch(c_V·value_loss - min(ratio·A, clip(ratio, 1 - ε, 1 + ε)·A))
/// with ε = 0.2, β_R = 0.01, γ = 1, λ = 0.95, ε_V = 0.2, c_V = 0.5
/// logged
/// outside = 1[ratio > 1 + ε] + 1[ratio < 1 - ε]
/// clipped = 1[A > 0]·1[ratio > 1 + ε] + 1[A < 0]·1[ratio < 1 - ε]
/// kl      = exp(-(logπ - logπ_ref)) + logπ - logπ_ref - 1
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ppo {
    /// The ratio is clipped to `[1 - clip, 1 + clip]`. At least 0.
    pub clip: Coefficient,
    /// Bound on log-ratios.
    pub ratio_guard: RatioGuard,
    /// How far the critic's value may move from the old one before its loss has no gradient. At least 0.
    pub value_clip: Coefficient,
    /// Weight of the critic's loss, at least 0. At 0 the critic does not learn.
    pub value_weight: Coefficient,
    /// Weight of the entropy bonus.
    pub entropy_weight: Coefficient,
    /// γ, between 0 and 1.
    pub discount: Coefficient,
    /// λ of generalised advantage estimation, between 0 and 1.
    pub lambda: Coefficient,
    /// Whether advantages are scaled over the batch.
    pub whitening: Whitening,
    /// Weight of the divergence (k1) taken off the reward of each token, at least 0.
    pub reward_beta: Coefficient,
    /// Weight of the divergence added to the loss, estimated by `kl`, at least 0. With both weights at 0 there is no
    /// reference.
    pub loss_beta: Coefficient,
    /// The estimator of the divergence in the loss.
    pub kl: Kl,
    /// What the sum over tokens is divided by.
    pub average: Average,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

impl Default for Ppo {
    fn default() -> Self {
        Ppo {
            clip: Coefficient::Constant(0.2),
            ratio_guard: RatioGuard::Off,
            value_clip: Coefficient::Constant(0.2),
            value_weight: Coefficient::Constant(0.5),
            entropy_weight: Coefficient::ZERO,
            discount: Coefficient::Constant(1.0),
            lambda: Coefficient::Constant(0.95),
            whitening: Whitening::Batch,
            reward_beta: Coefficient::Constant(0.01),
            loss_beta: Coefficient::ZERO,
            kl: Kl::K3,
            average: Average::Token,
            epochs: 2,
            minibatches: 2,
        }
    }
}

impl Ppo {
    /// The reward on the last token, less the divergence where it is part of the reward.
    fn advantage<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let outcome = x.reward() * x.last_token();
        let divergence = Kl::K1.estimate(x.old_logp(), x.ref_logp());
        let reward = outcome - x.setting("β_R", self.reward_beta) * divergence;
        gae(reward, x.old_value(), x.setting("γ", self.discount), x.setting("λ", self.lambda)).named("gae")
    }

    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let clip = x.setting("ε", self.clip);
        let surrogate = clipped(guarded_ratio(x, self.ratio_guard), x.advantage(), clip, clip);
        let target = self.advantage(*x) + x.old_value();
        let value_clip = x.setting("ε_V", self.value_clip);
        let near = x.old_value() + (x.value() - x.old_value()).clip(-value_clip, value_clip);
        let value_loss = 0.5 * (x.value() - target).square().max((near - target).square());
        let critic = x.setting("c_V", self.value_weight) * value_loss.named("value_loss");
        let bonus = x.setting("c_H", self.entropy_weight) * x.entropy();
        let kl = self.kl.penalty(x, x.ref_logp(), self.ratio_guard).named("kl");
        self.average.of(critic - surrogate - bonus + x.setting("β", self.loss_beta) * kl)
    }
}

impl Algorithm for Ppo {
    fn name(&self) -> &str {
        "ppo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        self.whitening.of(x, self.advantage(x))
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
        self.clip.check("clip", 0.0..)?;
        self.ratio_guard.check("ratio_guard")?;
        self.value_clip.check("value_clip", 0.0..)?;
        self.value_weight.check("value_weight", 0.0..)?;
        self.entropy_weight.check("entropy_weight", ..)?;
        self.discount.check("discount", 0.0..=1.0)?;
        self.lambda.check("lambda", 0.0..=1.0)?;
        self.reward_beta.check("reward_beta", 0.0..)?;
        self.loss_beta.check("loss_beta", 0.0..)?;
        self.average.check("average")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        let divergence = Divergence { key: "loss_beta", weight: self.loss_beta, kl: self.kl, guard: self.ratio_guard };
        let mut inert = divergence.inert(self.passes(), &["clip", "value_clip"]);
        if self.value_weight.is_zero() {
            inert.push(Inert::new("value_clip", "`value_weight` is 0"));
        }
        inert
    }
}
