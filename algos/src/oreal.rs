//! OREAL (arXiv 2502.06781): clone right answers, push wrong ones down, both weighed token by token by a reward model
//! that is trained in the same formula.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::{Kl, cross_entropy, group_normalised, leave_one_out};
use crate::experience::Role;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Group, Live, Token, Trajectory};
use crate::selection::{Select, Selection};
use crate::terms::{Data, Terms};

/// `positive - eta·negative + beta·kl + reward_model_loss`. Every difference between the paper and the released code
/// is a setting; the default is the released code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Oreal {
    pub reward: RewardCoding,
    pub shaping: Shaping,
    pub positives: Positives,
    /// Weight of wrong answers against right ones.
    pub eta: f64,
    pub negatives: Negatives,
    pub token_weights: TokenWeights,
    pub alignment: Alignment,
    pub pooling: Pooling,
    pub normaliser: Normaliser,
    /// Weight of the divergence from the anchor; at 0 there is none.
    pub beta: f64,
    pub kl: Kl,
    pub anchor: Anchor,
    pub selection: Selection,
    /// For so many first steps only the reward model learns.
    pub frozen_steps: usize,
}

/// Reward of right and wrong answers, before shaping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardCoding {
    /// 1 and -1.
    Signed,
    /// 1 and 0.
    Binary,
}

/// The advantage made of a group's rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shaping {
    /// Less the mean of the others.
    Rloo,
    /// Less the mean, divided by the unbiased standard deviation plus 1e-8.
    Grpo,
    /// The failure rate of the group, with the sign of the outcome: the paper's `(1-p)R`.
    FailureRate,
}

/// What weighs a right answer besides its token weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positives {
    /// Its advantage.
    Advantage,
    /// Nothing: behaviour cloning.
    Plain,
}

/// The quantity that wrong answers lower. Both have the same gradient on-policy.
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
#[serde(rename_all = "snake_case")]
pub enum TokenWeights {
    /// 1 everywhere: OREAL without a token-level reward model.
    Uniform,
    /// `clip((c - τ)/(1 - τ), 0, 1)`
    Threshold(f64),
    /// The given share of a completion's tokens with the highest confidence, scaled from 0 to 1 (all 1 where they are the
    /// same); 0 on the rest.
    TopShare(f64),
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
    Tokens,
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

impl Default for Oreal {
    fn default() -> Self {
        Oreal {
            reward: RewardCoding::Signed,
            shaping: Shaping::Rloo,
            positives: Positives::Advantage,
            eta: 0.5,
            negatives: Negatives::Ratio,
            token_weights: TokenWeights::Threshold(0.5),
            alignment: Alignment::Before,
            pooling: Pooling::RunningMean,
            normaliser: Normaliser::Tokens,
            beta: 0.01,
            kl: Kl::K3,
            anchor: Anchor::Reference,
            selection: Selection::Pair,
            frozen_steps: 10,
        }
    }
}

impl Oreal {
    /// As the paper states it (eq. 6, 9-12); it gives eta no value, and 1 adds none.
    pub fn paper() -> Self {
        Oreal {
            reward: RewardCoding::Binary,
            shaping: Shaping::FailureRate,
            positives: Positives::Plain,
            eta: 1.0,
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
    pub fn outcome() -> Self {
        Oreal { token_weights: TokenWeights::Uniform, selection: Selection::All, frozen_steps: 0, ..Oreal::default() }
    }

    fn score<'g>(&self, x: Terms<'g>) -> Expr<'g, Token, Live> {
        match self.alignment {
            Alignment::Before => x.score(),
            Alignment::After => x.score_after(),
        }
    }

    /// Weights on the tokens of right and of wrong answers.
    fn weights<'g>(&self, x: Terms<'g>) -> [Expr<'g, Token, Frozen>; 2] {
        let score = match self.pooling {
            Pooling::RunningMean => self.score(x).running_mean(),
            Pooling::Own => self.score(x),
        };
        let confidence = score.sigmoid().detach().named("confidence");
        [confidence, 1.0 - confidence].map(|c| match self.token_weights {
            TokenWeights::Uniform => x.number(1.0),
            TokenWeights::Threshold(tau) => ((c - tau) / (1.0 - tau)).clip(0.0, 1.0),
            TokenWeights::TopShare(share) => c.per_trajectory("top_share", move |c| top_share(c, share)),
        })
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
        let reward = match self.reward {
            RewardCoding::Signed => 2.0 * x.right() - 1.0,
            RewardCoding::Binary => x.right(),
        };
        let advantage = match self.shaping {
            Shaping::Rloo => leave_one_out(x, reward),
            Shaping::Grpo => group_normalised(x, reward, 1.0, 1e-8),
            Shaping::FailureRate => (1.0 - x.right().mean::<Group>()) * (2.0 * x.right() - 1.0),
        };
        advantage.spread()
    }

    fn select(&self) -> Select {
        self.selection.into()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let right = x.right().named("right");
            let wrong = 1.0 - right;
            let [towards, away] = self.weights(x);
            let gain = match self.positives {
                Positives::Advantage => x.advantage(),
                Positives::Plain => x.number(1.0),
            };
            let ratio = match self.negatives {
                Negatives::Ratio => (x.logp() - x.logp().detach()).exp(),
                Negatives::LogRatio => x.logp() - x.old_logp(),
            };
            let anchor = match self.anchor {
                Anchor::Reference => x.ref_logp(),
                Anchor::Old => x.old_logp(),
            };
            let positive = self.average(-(gain * towards * x.logp()), right).named("positive");
            let negative = self.average(ratio * x.advantage() * away, wrong).named("negative");
            let kl = self.average(self.kl.estimate(x.logp(), anchor), x.number(1.0)).named("kl");
            let policy = positive - self.eta * negative + self.beta * kl;
            match self.token_weights {
                TokenWeights::Uniform => policy,
                _ => {
                    let logit = self.score(x).mean::<Trajectory>();
                    policy + cross_entropy(logit, right).mean::<Batch>().named("reward_model_loss")
                }
            }
        })
    }

    fn frozen_steps(&self, role: Role) -> usize {
        if role == Role::Policy { self.frozen_steps } else { 0 }
    }
}

/// The highest `share` of the values (rounded down, at least one of them; earlier ones first among equals) scaled from 0 to
/// 1, and 0 on the rest. Where all the highest are the same, each weighs 1.
fn top_share(c: &[f64], share: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..c.len()).collect();
    order.sort_by(|&a, &b| c[b].total_cmp(&c[a]));
    order.truncate(((share * c.len() as f64) as usize).clamp(1, c.len()));
    let (high, low) = (c[order[0]], c[order[order.len() - 1]]);
    let mut weights = vec![0.0; c.len()];
    for i in order {
        weights[i] = if high > low { (c[i] - low) / (high - low) } else { 1.0 };
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `topk_rescale` of the released code answers.
    #[test]
    fn top_share_is_that_of_the_released_code() {
        assert_eq!(top_share(&[0.8, 0.3], 0.5), [1.0, 0.0]);
        assert_eq!(top_share(&[0.5, 0.5, 0.5], 0.7), [1.0, 1.0, 0.0]);
        assert_eq!(top_share(&[0.1, 0.9, 0.5, 0.7], 0.75), [0.0, 1.0, 0.0, 0.4999999999999999]);
        assert_eq!(top_share(&[0.4], 0.2), [1.0]);
    }
}
