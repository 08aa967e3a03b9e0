//! What algorithms share: baselines, advantages, divergences, surrogates. Each is an expression.

use serde::{Deserialize, Serialize};

use crate::expr::Expr;
use crate::rank::{Batch, Flow, Frozen, Group, Live, Rank, Token, Trajectory};
use crate::terms::{Data, Terms};

type PerToken<'g, F> = Expr<'g, Token, F>;
type PerTrajectory<'g, F> = Expr<'g, Trajectory, F>;

/// Reward less the mean of the others in its group: `r_i - mean_{j≠i} r_j`. Unbiased; zero in a group of one.
pub fn leave_one_out<'g>(x: Data<'g>, reward: PerTrajectory<'g, Frozen>) -> PerTrajectory<'g, Frozen> {
    let n = x.count::<Trajectory, Group>();
    (reward - reward.mean::<Group>()) * (n / (n - 1.0).at_least(1.0))
}

/// Standard deviation of each group, dividing by `n - degrees_of_freedom` (at least 1).
pub fn group_deviation<'g>(
    x: Data<'g>,
    reward: PerTrajectory<'g, Frozen>,
    degrees_of_freedom: f64,
) -> Expr<'g, Group, Frozen> {
    let n = x.count::<Trajectory, Group>();
    let squares = (reward - reward.mean::<Group>()).square().sum::<Group>();
    (squares / (n - degrees_of_freedom).at_least(1.0)).sqrt()
}

/// Reward less its group's mean, divided by its group's deviation plus `epsilon`: GRPO's advantage (arXiv 2402.03300).
pub fn group_normalised<'g>(
    x: Data<'g>,
    reward: PerTrajectory<'g, Frozen>,
    degrees_of_freedom: f64,
    epsilon: f64,
) -> PerTrajectory<'g, Frozen> {
    (reward - reward.mean::<Group>()) / (group_deviation(x, reward, degrees_of_freedom) + epsilon)
}

/// Generalised advantage estimation (arXiv 1506.02438, eq. 16) along each trajectory, whose end is the end of the
/// episode: `A_t = δ_t + γλ A_{t+1}` with `δ_t = r_t + γ V_{t+1} - V_t` and `V` zero after the last token.
pub fn gae<'g>(
    reward: PerToken<'g, Frozen>,
    value: PerToken<'g, Frozen>,
    discount: f64,
    lambda: f64,
) -> PerToken<'g, Frozen> {
    (reward + discount * value.next() - value).discounted(discount * lambda)
}

/// Zero mean and unit variance over the tokens of the batch; `epsilon` is added to the standard deviation.
pub fn whitened<'g>(credit: PerToken<'g, Frozen>, epsilon: f64) -> PerToken<'g, Frozen> {
    let centred = credit - credit.mean::<Batch>();
    centred / (centred.square().mean::<Batch>().sqrt() + epsilon)
}

/// `π/π_old` of each token.
pub fn ratio(x: Terms<'_>) -> PerToken<'_, Live> {
    (x.logp() - x.old_logp()).exp().named("ratio")
}

/// The pessimistic clipped surrogate (arXiv 1707.06347, eq. 7), to be maximised:
/// `min(ratio·A, clip(ratio, 1 - low, 1 + high)·A)`.
pub fn clipped<'g>(
    ratio: PerToken<'g, Live>,
    advantage: PerToken<'g, Frozen>,
    low: f64,
    high: f64,
) -> PerToken<'g, Live> {
    let outside = (ratio - 1.0).above(high) + (1.0 - ratio).above(low);
    outside.named("clipped");
    (ratio * advantage).min(ratio.clip(1.0 - low, 1.0 + high) * advantage)
}

/// Binary cross-entropy of `σ(logit)` against a target in [0, 1].
pub fn cross_entropy<'g, R: Rank, F: Flow>(logit: Expr<'g, R, F>, target: Expr<'g, R, Frozen>) -> Expr<'g, R, F> {
    logit.softplus() - logit * target
}

/// An estimator of the divergence between policy and reference from the log-ratio of sampled tokens. As a loss they
/// have three different gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kl {
    /// `logπ - logπ_ref`. Estimates KL(π‖ref), but as a loss its expected gradient is zero on-policy: for rewards only.
    K1,
    /// `½ (logπ - logπ_ref)²`. As a loss its expected gradient is that of KL(π‖ref).
    K2,
    /// `e^-d + d - 1` with `d = logπ - logπ_ref`. Estimates KL(π‖ref), but its expected gradient is that of KL(ref‖π).
    K3,
}

impl Kl {
    /// The estimate, one number per token.
    pub fn estimate<'g, F: Flow>(self, logp: PerToken<'g, F>, ref_logp: PerToken<'g, Frozen>) -> PerToken<'g, F> {
        let difference = logp - ref_logp;
        match self {
            Kl::K1 => difference,
            Kl::K2 => 0.5 * difference.square(),
            Kl::K3 => (-difference).exp() + difference - 1.0,
        }
    }
}

/// What a sum of token losses is divided by. It decides what a long answer weighs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// Mean over the tokens of each trajectory, then over trajectories: every trajectory counts the same.
    Trajectory,
    /// Mean over all tokens: every token counts the same.
    Token,
    /// Sum over the tokens of each trajectory divided by a number, then mean over trajectories.
    Constant(f64),
}

impl Average {
    pub fn of<'g, F: Flow>(self, x: PerToken<'g, F>) -> Expr<'g, Batch, F> {
        match self {
            Average::Trajectory => x.mean::<Trajectory>().mean::<Batch>(),
            Average::Token => x.mean::<Batch>(),
            Average::Constant(length) => x.sum::<Trajectory>().mean::<Batch>() / length,
        }
    }
}
