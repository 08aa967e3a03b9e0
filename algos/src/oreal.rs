//! OREAL (arXiv 2502.06781): raises the likelihood of right answers and lowers that of wrong ones, with a weight on each token
//! from a reward model that is trained by the same loss.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Kl, RatioGuard, cross_entropy, group_normalised, leave_one_out};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Group, Live, Token, Trajectory};
use crate::role::Role;
use crate::selection::{Select, Selection};
use crate::settings::{IllegalSetting, Inert};
use crate::terms::{Data, Terms};

mod settings;
mod weights;

pub use settings::{Alignment, Anchor, Negatives, Normaliser, Pooling, Positives, RewardCoding, Shaping, TokenWeights};

/// `positive - eta·negative + beta·kl + reward_model_loss`. Every difference between the paper and the released code
/// is a setting; the default is the released code.
///
/// With the default settings:
///
/// ```text
/// A = (2·1[R > 0.5] - 1 - mean_group(2·1[R > 0.5] - 1))·trajectories_per_group/max(trajectories_per_group - 1, 1)
///
/// right             = 1[R > 0.5]
/// confidence        = sg(σ(running_mean(w)))
/// positive          = sum_batch((-A·clip((confidence - τ)/(1 - τ), 0, 1)·logπ)·right)/max(sum_batch(right), 1)
/// negative          = sum_batch(exp(logπ - sg(logπ))·A·clip((1 - confidence - τ)/(1 - τ), 0, 1)·(1 - right))/max(sum_batch(1 - right), 1)
/// kl                = mean_batch(exp(-(logπ - logπ_ref)) + logπ - logπ_ref - 1)
/// reward_model_loss = mean_batch(softplus(mean_trajectory(w)) - mean_trajectory(w)·right)
/// loss              = positive - η·negative + β·kl + reward_model_loss
/// with τ = 0.5, η = 0.5, β = 0.01
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oreal {
    /// Reward of right and wrong answers, before shaping.
    pub reward: RewardCoding,
    /// The advantage made of a group's rewards.
    pub shaping: Shaping,
    /// What the loss of a right answer is multiplied by, besides its token weights.
    pub positives: Positives,
    /// Weight of wrong answers against right ones, at least 0.
    pub eta: Coefficient,
    /// The quantity that is lowered for wrong answers.
    pub negatives: Negatives,
    /// How the reward model's scores become weights.
    pub token_weights: TokenWeights,
    /// Which prefix scores a token.
    pub alignment: Alignment,
    /// Which scores a token's weight is made of.
    pub pooling: Pooling,
    /// What sums of token losses are divided by.
    pub normaliser: Normaliser,
    /// Weight of the divergence from the anchor, at least 0; at 0 there is none.
    pub beta: Coefficient,
    /// The estimator of the divergence.
    pub kl: Kl,
    /// The policy that the divergence is from.
    pub anchor: Anchor,
    /// Bound on log-ratios.
    pub ratio_guard: RatioGuard,
    /// Which trajectories are learnt from.
    pub selection: Selection,
    /// For how many first steps only the reward model learns.
    pub frozen_steps: usize,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

impl Default for Oreal {
    fn default() -> Self {
        Oreal {
            reward: RewardCoding::Signed,
            shaping: Shaping::Rloo,
            positives: Positives::Advantage,
            eta: Coefficient::Constant(0.5),
            negatives: Negatives::Ratio,
            token_weights: TokenWeights::Threshold(Coefficient::Constant(0.5)),
            alignment: Alignment::Before,
            pooling: Pooling::RunningMean,
            normaliser: Normaliser::Tokens,
            beta: Coefficient::Constant(0.01),
            kl: Kl::K3,
            anchor: Anchor::Reference,
            ratio_guard: RatioGuard::Off,
            selection: Selection::Pair,
            frozen_steps: 10,
            epochs: 1,
            minibatches: 1,
        }
    }
}

impl Oreal {
    /// The released code with token weights that fade instead of ending at a threshold, on all trajectories, from the first
    /// step. A claim stands behind each of the three changes:
    ///
    /// - The threshold lets the first token of a problem learn from right answers alone or from wrong ones alone, because
    ///   before it both have the same confidence (`first-token-threshold`). Without it right answers weigh the confidence and
    ///   wrong ones 1 less the confidence.
    /// - Of a group, a pair has a lower signal-to-noise ratio than all answers (`pairs-waste-rollouts`).
    /// - A reward model that has learnt nothing then weighs every token 0.5, as if there were none (`no-threshold-start`), so
    ///   the policy need not wait for it.
    ///
    /// ```text
    /// A = (2·1[R > 0.5] - 1 - mean_group(2·1[R > 0.5] - 1))·trajectories_per_group/max(trajectories_per_group - 1, 1)
    ///
    /// right             = 1[R > 0.5]
    /// confidence        = sg(σ(running_mean(w)))
    /// positive          = sum_batch((-A·clip((confidence - τ)/(1 - τ), 0, 1)·logπ)·right)/max(sum_batch(right), 1)
    /// negative          = sum_batch(exp(logπ - sg(logπ))·A·clip((1 - confidence - τ)/(1 - τ), 0, 1)·(1 - right))/max(sum_batch(1 - right), 1)
    /// kl                = mean_batch(exp(-(logπ - logπ_ref)) + logπ - logπ_ref - 1)
    /// reward_model_loss = mean_batch(softplus(mean_trajectory(w)) - mean_trajectory(w)·right)
    /// loss              = positive - η·negative + β·kl + reward_model_loss
    /// with τ = 0, η = 0.5, β = 0.01
    /// ```
    pub fn soft() -> Self {
        Oreal {
            token_weights: TokenWeights::Threshold(Coefficient::Constant(0.0)),
            selection: Selection::All,
            frozen_steps: 0,
            ..Oreal::default()
        }
    }

    /// As the paper states it (eq. 6, 9-12); it gives eta no value, and 1 adds none.
    ///
    /// ```text
    /// A = (1 - mean_group(1[R > 0.5]))·(2·1[R > 0.5] - 1)
    ///
    /// right             = 1[R > 0.5]
    /// confidence        = sg(σ(w⁺))
    /// positive          = sum_batch(sum_trajectory(-clip((confidence - τ)/(1 - τ), 0, 1)·logπ)·right)/max(sum_batch(right), 1)
    /// negative          = sum_batch(sum_trajectory((logπ - logπ_old)·A·clip((1 - confidence - τ)/(1 - τ), 0, 1))·(1 - right))/max(sum_batch(1 - right), 1)
    /// kl                = mean_batch(sum_trajectory(0.5·(logπ - logπ_old)²))
    /// reward_model_loss = mean_batch(softplus(mean_trajectory(w⁺)) - mean_trajectory(w⁺)·right)
    /// loss              = positive - η·negative + β·kl + reward_model_loss
    /// with τ = 0.5, η = 1, β = 0.01
    /// ```
    pub fn paper() -> Self {
        Oreal {
            reward: RewardCoding::Binary,
            shaping: Shaping::FailureRate,
            positives: Positives::Plain,
            eta: Coefficient::Constant(1.0),
            negatives: Negatives::LogRatio,
            alignment: Alignment::After,
            pooling: Pooling::Own,
            normaliser: Normaliser::Trajectories,
            kl: Kl::K2,
            anchor: Anchor::Old,
            frozen_steps: 0,
            ..Oreal::default()
        }
    }

    /// The released code without a token-level reward model: all trajectories, all tokens alike.
    ///
    /// ```text
    /// A = (2·1[R > 0.5] - 1 - mean_group(2·1[R > 0.5] - 1))·trajectories_per_group/max(trajectories_per_group - 1, 1)
    ///
    /// right    = 1[R > 0.5]
    /// positive = sum_batch((-A·logπ)·right)/max(sum_batch(right), 1)
    /// negative = sum_batch(exp(logπ - sg(logπ))·A·(1 - right))/max(sum_batch(1 - right), 1)
    /// kl       = mean_batch(exp(-(logπ - logπ_ref)) + logπ - logπ_ref - 1)
    /// loss     = positive - η·negative + β·kl
    /// with η = 0.5, β = 0.01
    /// ```
    pub fn outcome() -> Self {
        Oreal { token_weights: TokenWeights::Uniform, selection: Selection::All, frozen_steps: 0, ..Oreal::default() }
    }

    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        x.right().named("right");
        let [right, wrong] = self.weights(x);
        let policy = self.loss_weighted(x, right, wrong);
        match self.token_weights {
            TokenWeights::Uniform => policy,
            _ => policy + self.reward_model_loss(x),
        }
    }

    /// The policy's part of the loss with your own weights on the tokens of right and of wrong answers. `token_weights`,
    /// `alignment` and `pooling` are not used, and no reward model is trained.
    pub fn loss_weighted<'g>(
        &self,
        x: Terms<'g>,
        right_weights: Expr<'g, Token, Frozen>,
        wrong_weights: Expr<'g, Token, Frozen>,
    ) -> Expr<'g, Batch, Live> {
        let (positive, negative) = (self.positive(x, right_weights), self.negative(x, wrong_weights));
        positive - x.setting("η", self.eta) * negative + x.setting("β", self.beta) * self.divergence(x)
    }

    /// The term that raises right answers, with these weights on tokens.
    pub fn positive<'g>(&self, x: Terms<'g>, weights: Expr<'g, Token, Frozen>) -> Expr<'g, Batch, Live> {
        let right = x.right().named("right");
        let gain = match self.positives {
            Positives::Advantage => x.advantage(),
            Positives::Plain => x.number(1.0),
        };
        self.average(-(gain * weights * x.logp()), right).named("positive")
    }

    /// The term that lowers wrong answers, with these weights on tokens. It is subtracted from the loss: the advantage of a
    /// wrong answer is negative.
    pub fn negative<'g>(&self, x: Terms<'g>, weights: Expr<'g, Token, Frozen>) -> Expr<'g, Batch, Live> {
        let wrong = 1.0 - x.right().named("right");
        let ratio = match self.negatives {
            Negatives::Ratio => (x.logp() - x.logp().detach()).exp(),
            Negatives::LogRatio => x.logp() - x.old_logp(),
        };
        self.average(ratio * x.advantage() * weights, wrong).named("negative")
    }

    /// The divergence of the policy from the anchor.
    pub fn divergence<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let anchor = match self.anchor {
            Anchor::Reference => x.ref_logp(),
            Anchor::Old => x.old_logp(),
        };
        self.average(self.kl.penalty(x, anchor, self.ratio_guard), x.number(1.0)).named("kl")
    }

    /// The cross-entropy of the reward model's mean score of a trajectory against whether it is right.
    pub fn reward_model_loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let logit = self.score(x).mean::<Trajectory>();
        cross_entropy(logit, x.right().named("right")).mean::<Batch>().named("reward_model_loss")
    }

    fn average<'g>(&self, x: Expr<'g, Token, Live>, of: Expr<'g, Trajectory, Frozen>) -> Expr<'g, Batch, Live> {
        match self.normaliser {
            Normaliser::Tokens => x.mean_where(of.spread()),
            Normaliser::Trajectories => x.sum::<Trajectory>().mean_where(of),
        }
    }
}

impl Algorithm for Oreal {
    fn name(&self) -> &str {
        "oreal"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let outcome = x.shaped_reward().unwrap_or_else(|| x.right());
        let reward = match self.reward {
            RewardCoding::Signed => 2.0 * outcome - 1.0,
            RewardCoding::Binary => outcome,
        };
        let advantage = match self.shaping {
            Shaping::Rloo => leave_one_out(x, reward),
            Shaping::Grpo => group_normalised(x, reward, 1.0, x.setting("ε", 1e-8)),
            Shaping::FailureRate => (1.0 - x.right().mean::<Group>()) * (2.0 * x.right() - 1.0),
        };
        advantage.spread()
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

    fn frozen_steps(&self, role: Role) -> usize {
        if role == Role::POLICY { self.frozen_steps } else { 0 }
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.check()
    }

    fn inert(&self) -> Vec<Inert> {
        self.without_effect()
    }
}
