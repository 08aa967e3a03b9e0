//! What algorithms share: baselines, advantages, divergences, surrogates. Each is an expression.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::algorithm::Passes;
use crate::coefficient::Coefficient;
use crate::expr::{Expr, Number};
use crate::rank::{Batch, Flow, Frozen, Group, Live, Rank, Token, Trajectory};
use crate::settings::{IllegalSetting, Inert, POSITIVE};
use crate::terms::{Data, Terms};

type PerToken<'g, F> = Expr<'g, Token, F>;
type PerTrajectory<'g, F> = Expr<'g, Trajectory, F>;

/// Reward less the mean of the others in its group: `r_i - mean_{j≠i} r_j`. Unbiased. In a group of one there are no others:
/// the advantage is 0, and nothing is learnt from it.
pub fn leave_one_out<'g>(x: Data<'g>, reward: PerTrajectory<'g, Frozen>) -> PerTrajectory<'g, Frozen> {
    let n = x.count::<Trajectory, Group>();
    (reward - reward.mean::<Group>()) * (n / (n - 1.0).at_least(1.0))
}

/// Standard deviation of each group, dividing by `n - degrees_of_freedom` (at least 1, so that it is 0 in a group of one).
pub fn group_deviation<'g>(
    x: Data<'g>,
    reward: PerTrajectory<'g, Frozen>,
    degrees_of_freedom: f64,
) -> Expr<'g, Group, Frozen> {
    let n = x.count::<Trajectory, Group>();
    let squares = (reward - reward.mean::<Group>()).square().sum::<Group>();
    (squares / (n - degrees_of_freedom).at_least(1.0)).sqrt()
}

/// Reward less its group's mean, divided by its group's deviation plus `epsilon`: GRPO's advantage (arXiv 2402.03300). It is 0
/// in a group of one, and in a group whose rewards are all the same.
pub fn group_normalised<'g>(
    x: Data<'g>,
    reward: PerTrajectory<'g, Frozen>,
    degrees_of_freedom: f64,
    epsilon: impl Number<'g>,
) -> PerTrajectory<'g, Frozen> {
    let deviation = group_deviation(x, reward, degrees_of_freedom);
    (reward - reward.mean::<Group>()) / (deviation + reward.number(epsilon))
}

/// Generalised advantage estimation (arXiv 1506.02438, eq. 16) along each trajectory, whose end is the end of the
/// episode: `A_t = δ_t + γλ A_{t+1}` with `δ_t = r_t + γ V_{t+1} - V_t` and `V` zero after the last token.
pub fn gae<'g>(
    reward: PerToken<'g, Frozen>,
    value: PerToken<'g, Frozen>,
    discount: impl Number<'g>,
    lambda: impl Number<'g>,
) -> PerToken<'g, Frozen> {
    let (discount, lambda) = (value.number(discount), value.number(lambda));
    (reward + discount * value.next() - value).discounted(discount * lambda)
}

/// Zero mean and unit variance over the tokens of the batch; `epsilon` is added to the standard deviation.
pub fn whitened<'g>(credit: PerToken<'g, Frozen>, epsilon: impl Number<'g>) -> PerToken<'g, Frozen> {
    let centred = credit - credit.mean::<Batch>();
    centred / (centred.square().mean::<Batch>().sqrt() + credit.number(epsilon))
}

/// Divided by the standard deviation over the tokens of the batch plus `epsilon`; the mean stays where it is.
pub fn scaled<'g>(credit: PerToken<'g, Frozen>, epsilon: impl Number<'g>) -> PerToken<'g, Frozen> {
    let centred = credit - credit.mean::<Batch>();
    credit / (centred.square().mean::<Batch>().sqrt() + credit.number(epsilon))
}

/// How advantages are scaled over the tokens of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whitening {
    /// Not at all.
    None,
    /// To zero mean and unit variance.
    Batch,
    /// Divided by the standard deviation; the mean stays where it is.
    KeepMean,
}

impl Whitening {
    /// The credit, so scaled, with 1e-8 added to the deviation.
    pub fn of<'g>(self, x: Data<'g>, credit: PerToken<'g, Frozen>) -> PerToken<'g, Frozen> {
        match self {
            Whitening::None => credit,
            Whitening::Batch => whitened(credit, x.setting("ε", WHITENING_EPSILON)),
            Whitening::KeepMean => scaled(credit, x.setting("ε", WHITENING_EPSILON)),
        }
    }
}

const WHITENING_EPSILON: f64 = 1e-8;

/// A bound on a log-ratio before `exp` is taken of it, so that it cannot overflow. Beyond the bound there is no gradient.
/// The papers have none; verl clamps at 20.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioGuard {
    /// None.
    #[default]
    Off,
    /// The log-ratio is clipped to `[-bound, bound]`.
    Bound(Coefficient),
}

impl RatioGuard {
    /// The log-ratio within the bound.
    pub fn guarded<'g, F: Flow>(self, x: Data<'g>, log_ratio: PerToken<'g, F>) -> PerToken<'g, F> {
        match self {
            RatioGuard::Off => log_ratio,
            RatioGuard::Bound(bound) => {
                let bound = x.setting("G", bound);
                log_ratio.clip(-bound, bound)
            }
        }
    }

    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        match self {
            RatioGuard::Off => Ok(()),
            RatioGuard::Bound(bound) => bound.check(&format!("{key}.bound"), POSITIVE),
        }
    }
}

/// Truncated importance sampling (IMPALA, arXiv 1802.01561; per token as verl and TRL have it), where completions were drawn by
/// another program than the one that learns: its distribution is not quite the policy's, even with the same weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerRatio {
    /// None: completions count as drawn from the policy.
    #[default]
    Off,
    /// The gradient of each token's log-probability is multiplied by `min(π_old/π_sampled, C)`.
    Truncated(Coefficient),
}

impl SamplerRatio {
    /// The terms with a log-probability of the same value and the weighted gradient. Logged are the weight (`sampler_ratio`) and
    /// the share of tokens whose ratio is cut (`sampler_ratio_cut`).
    pub fn weighted<'g>(self, x: Terms<'g>) -> Terms<'g> {
        let SamplerRatio::Truncated(bound) = self else { return x };
        let (ratio, bound) = ((x.old_logp() - x.sampled_logp()).exp(), x.setting("C", bound));
        ratio.above(bound).named("sampler_ratio_cut");
        let (weight, value) = (ratio.at_most(bound).named("sampler_ratio"), x.logp().detach());
        x.with_logp(value + weight * (x.logp() - value))
    }

    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        match self {
            SamplerRatio::Off => Ok(()),
            SamplerRatio::Truncated(bound) => bound.check(&format!("{key}.truncated"), POSITIVE),
        }
    }
}

/// `π/π_old` of each token.
pub fn ratio(x: Terms<'_>) -> PerToken<'_, Live> {
    guarded_ratio(x, RatioGuard::Off)
}

/// `π/π_old` of each token, with a bound on its logarithm.
pub fn guarded_ratio(x: Terms<'_>, guard: RatioGuard) -> PerToken<'_, Live> {
    guard.guarded(*x, x.logp() - x.old_logp()).exp().named("ratio")
}

/// The pessimistic clipped surrogate (arXiv 1707.06347, eq. 7), to be maximised:
/// `min(ratio·A, clip(ratio, 1 - low, 1 + high)·A)`.
///
/// Two shares of tokens are logged: `outside`, whose ratio is out of bounds, and `clipped`, where that stops the gradient
/// (above the upper bound with a positive advantage, below the lower one with a negative).
pub fn clipped<'g>(
    ratio: PerToken<'g, Live>,
    advantage: PerToken<'g, Frozen>,
    low: impl Number<'g>,
    high: impl Number<'g>,
) -> PerToken<'g, Live> {
    let (low, high) = (1.0 - ratio.number(low), 1.0 + ratio.number(high));
    let (above, below) = (ratio.above(high), ratio.below(low));
    (above + below).named("outside");
    (advantage.above(0.0) * above + advantage.below(0.0) * below).named("clipped");
    (ratio * advantage).min(ratio.clip(low, high) * advantage)
}

/// A second bound of the surrogate where the advantage is negative, so that a large ratio cannot make the loss large: dual-clip
/// PPO (arXiv 1912.09729, eq. 4). The papers of GRPO and its kin have none; verl bounds at 3, and TRL's `delta` is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DualClip {
    /// None.
    #[default]
    Off,
    /// There is no gradient where the ratio is above this, greater than 1, and the advantage is negative.
    At(Coefficient),
}

impl DualClip {
    /// `max(surrogate, c·A)` where the advantage `A` is negative.
    pub fn bounded<'g>(self, x: Terms<'g>, surrogate: PerToken<'g, Live>) -> PerToken<'g, Live> {
        match self {
            DualClip::Off => surrogate,
            DualClip::At(bound) => surrogate.max(x.setting("c", bound) * x.advantage().at_most(0.0)),
        }
    }

    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        match self {
            DualClip::Off => Ok(()),
            DualClip::At(bound) => bound.check(&format!("{key}.at"), (Bound::Excluded(1.0), Bound::Unbounded)),
        }
    }
}

/// Binary cross-entropy of `σ(logit)` against a target in [0, 1].
pub fn cross_entropy<'g, R: Rank, F: Flow>(logit: Expr<'g, R, F>, target: Expr<'g, R, Frozen>) -> Expr<'g, R, F> {
    logit.softplus() - logit * target
}

/// An estimator of the divergence between policy and reference from the log-ratio of sampled tokens. In a loss they have
/// different gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kl {
    /// `logπ - logπ_ref`. Estimates KL(π‖ref), but in a loss its expected gradient is zero on-policy: for rewards only.
    K1,
    /// `½ (logπ - logπ_ref)²`. In a loss its expected gradient is that of KL(π‖ref).
    K2,
    /// `e^-d + d - 1` with `d = logπ - logπ_ref`. Estimates KL(π‖ref), but in a loss its expected gradient is that of
    /// KL(ref‖π).
    K3,
    /// `π/π_old · K3`: in a loss its expected gradient is that of KL(π‖ref), also when the policy has moved since it was
    /// sampled from. The bias correction of DeepSeek-V3.2, and TRL's default.
    K3Corrected,
}

impl Kl {
    /// The estimate, one number per token, of tokens that were drawn from the policy itself (so that
    /// [`Kl::K3Corrected`], whose ratio is then 1, is [`Kl::K3`]).
    pub fn estimate<'g, F: Flow>(self, logp: PerToken<'g, F>, ref_logp: PerToken<'g, Frozen>) -> PerToken<'g, F> {
        self.of(logp - ref_logp, |log_ratio| log_ratio)
    }

    /// The term of a loss: the divergence of the policy from `anchor`, one number per token, with a bound on every log-ratio
    /// that `exp` is taken of.
    pub fn penalty<'g>(self, x: Terms<'g>, anchor: PerToken<'g, Frozen>, guard: RatioGuard) -> PerToken<'g, Live> {
        let k = self.of(x.logp() - anchor, |log_ratio| guard.guarded(*x, log_ratio));
        match self {
            Kl::K3Corrected => guarded_ratio(x, guard) * k,
            _ => k,
        }
    }

    /// Whether it takes `exp` of a log-ratio.
    pub(crate) fn takes_exp(self) -> bool {
        matches!(self, Kl::K3 | Kl::K3Corrected)
    }

    fn of<'g, F: Flow>(
        self,
        difference: PerToken<'g, F>,
        guarded: impl Fn(PerToken<'g, F>) -> PerToken<'g, F>,
    ) -> PerToken<'g, F> {
        match self {
            Kl::K1 => difference,
            Kl::K2 => 0.5 * difference.square(),
            Kl::K3 | Kl::K3Corrected => (-guarded(difference)).exp() + guarded(difference) - 1.0,
        }
    }
}

/// The settings of a divergence beside a clipped surrogate, which may leave others without effect.
pub(crate) struct Divergence {
    /// The key of its weight.
    pub(crate) key: &'static str,
    pub(crate) weight: Coefficient,
    pub(crate) kl: Kl,
    pub(crate) guard: RatioGuard,
}

impl Divergence {
    /// What has no effect, `bounds` being the keys of the surrogate's own settings.
    pub(crate) fn inert(&self, passes: Passes, bounds: &[&str]) -> Vec<Inert> {
        let off = self.weight.is_zero();
        let mut inert = Inert::with_one_update(passes, bounds);
        if self.guard != RatioGuard::Off && (off || !self.kl.takes_exp()) {
            inert.extend(Inert::with_one_update(passes, &["ratio_guard"]));
        }
        if off && self.kl != Kl::K3 {
            inert.push(Inert::new("kl", format!("`{}` is 0", self.key)));
        }
        inert
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
    /// Sum over the tokens of each trajectory divided by a number `L`, then mean over trajectories.
    Constant(Coefficient),
}

impl Average {
    /// Sum over the tokens of each trajectory, then mean over trajectories: [`Average::Constant`] of 1.
    pub const SUM: Average = Average::Constant(Coefficient::Constant(1.0));

    /// The mean over the batch, so divided.
    pub fn of<'g, F: Flow>(self, x: PerToken<'g, F>) -> Expr<'g, Batch, F> {
        match self {
            Average::Trajectory => x.mean::<Trajectory>().mean::<Batch>(),
            Average::Token => x.mean::<Batch>(),
            Average::Constant(length) => x.sum::<Trajectory>().mean::<Batch>().over("L", length),
        }
    }

    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        match self {
            Average::Trajectory | Average::Token => Ok(()),
            Average::Constant(length) => length.check(&format!("{key}.constant"), POSITIVE),
        }
    }
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

impl Scale {
    /// GRPO's: the unbiased deviation plus 1e-4.
    pub const GRPO: Scale = Scale::Deviation { degrees_of_freedom: 1.0, epsilon: Coefficient::Constant(1e-4) };
}

impl Scale {
    /// Reward less its group's mean, so divided.
    pub fn centred<'g>(self, x: Data<'g>, reward: PerTrajectory<'g, Frozen>) -> PerTrajectory<'g, Frozen> {
        match self {
            Scale::One => reward - reward.mean::<Group>(),
            Scale::Deviation { degrees_of_freedom, epsilon } => {
                group_normalised(x, reward, degrees_of_freedom, x.setting("ε", epsilon))
            }
        }
    }

    pub(crate) fn check(self, key: &str) -> Result<(), IllegalSetting> {
        let Scale::Deviation { degrees_of_freedom, epsilon } = self else { return Ok(()) };
        if ![0.0, 1.0].contains(&degrees_of_freedom) {
            let problem = format!("must be 0 or 1, not {degrees_of_freedom}");
            return Err(IllegalSetting::new(&format!("{key}.deviation.degrees_of_freedom"), problem));
        }
        epsilon.check(&format!("{key}.deviation.epsilon"), POSITIVE)
    }
}
