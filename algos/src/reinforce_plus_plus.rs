//! REINFORCE++ (arXiv 2501.03262): PPO without a critic; advantages are normalised over the whole batch.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Divergence, Kl, RatioGuard, Whitening, clipped, ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Group, Live, Token};
use crate::settings::{IllegalSetting, Inert, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean min(ratio·A, clip(ratio)·A)` with `A_t = r - β·(KL_t + .. + KL_T)` to the last token `T`, normalised over the tokens of
/// the batch.
///
/// With the default settings:
///
/// ```text
/// return = discounted(R·1[last] - β_R·(logπ_old - logπ_ref), 1)
/// A      = (return - mean_batch(return))/(sqrt(mean_batch((return - mean_batch(return))²)) + ε)
/// with β_R = 0.001, ε = 1e-8
///
/// ratio = exp(logπ - logπ_old)
/// loss  = -mean_batch(min(ratio·A, clip(ratio, 1 - ε, 1 + ε)·A))
/// with ε = 0.2
/// logged
/// outside = 1[ratio > 1 + ε] + 1[ratio < 1 - ε]
/// clipped = 1[A > 0]·1[ratio > 1 + ε] + 1[A < 0]·1[ratio < 1 - ε]
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReinforcePlusPlus {
    /// What is subtracted from the reward before it is normalised.
    pub baseline: GroupBaseline,
    /// The ratio is clipped to `[1 - clip, 1 + clip]`. At least 0.
    pub clip: Coefficient,
    /// Weight of the divergence (k1) taken off the reward of each token, at least 0.
    pub reward_beta: Coefficient,
    /// Weight of the divergence added to the loss, estimated by `kl`, at least 0. With both weights at 0 there is no reference.
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

/// What is subtracted from the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBaseline {
    /// Nothing: one completion of each problem is enough.
    None,
    /// The mean reward of its group.
    Group,
}

impl Default for ReinforcePlusPlus {
    fn default() -> Self {
        ReinforcePlusPlus {
            baseline: GroupBaseline::None,
            clip: Coefficient::Constant(0.2),
            reward_beta: Coefficient::Constant(1e-3),
            loss_beta: Coefficient::ZERO,
            kl: Kl::K3,
            average: Average::Token,
            epochs: 1,
            minibatches: 4,
        }
    }
}

impl ReinforcePlusPlus {
    /// REINFORCE++ w/ baseline: the mean of the group as baseline, and the divergence (k2) in the loss.
    ///
    /// ```text
    /// return = discounted((R - mean_group(R))·1[last], 1)
    /// A      = (return - mean_batch(return))/(sqrt(mean_batch((return - mean_batch(return))²)) + ε)
    /// with ε = 1e-8
    ///
    /// kl    = 0.5·(logπ - logπ_ref)²
    /// ratio = exp(logπ - logπ_old)
    /// loss  = -mean_batch(min(ratio·A, clip(ratio, 1 - ε, 1 + ε)·A) - β·kl)
    /// with ε = 0.2, β = 0.001
    /// logged
    /// outside = 1[ratio > 1 + ε] + 1[ratio < 1 - ε]
    /// clipped = 1[A > 0]·1[ratio > 1 + ε] + 1[A < 0]·1[ratio < 1 - ε]
    /// ```
    pub fn baseline() -> Self {
        let (reward_beta, loss_beta) = (Coefficient::ZERO, Coefficient::Constant(1e-3));
        ReinforcePlusPlus { baseline: GroupBaseline::Group, reward_beta, loss_beta, kl: Kl::K2, ..Self::default() }
    }

    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let clip = x.setting("ε", self.clip);
        let kl = self.kl.penalty(x, x.ref_logp(), RatioGuard::Off).named("kl");
        -self.average.of(clipped(ratio(x), x.advantage(), clip, clip) - x.setting("β", self.loss_beta) * kl)
    }
}

impl Algorithm for ReinforcePlusPlus {
    fn name(&self) -> &str {
        "reinforce_plus_plus"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let outcome = match self.baseline {
            GroupBaseline::None => x.reward(),
            GroupBaseline::Group => x.reward() - x.reward().mean::<Group>(),
        };
        let divergence = Kl::K1.estimate(x.old_logp(), x.ref_logp());
        let reward = outcome * x.last_token() - x.setting("β_R", self.reward_beta) * divergence;
        Whitening::Batch.of(x, reward.discounted(1.0).named("return"))
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
        self.reward_beta.check("reward_beta", 0.0..)?;
        self.loss_beta.check("loss_beta", 0.0..)?;
        self.average.check("average")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        let (key, guard) = ("loss_beta", RatioGuard::Off);
        Divergence { key, weight: self.loss_beta, kl: self.kl, guard }.inert(self.passes(), &["clip"])
    }
}
