//! Algorithms made of others: another loss, or the usual terms added as settings.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes, credit_of};
use crate::coefficient::Coefficient;
use crate::column::Column;
use crate::estimators::{Average, Kl, RatioGuard, SamplerRatio};
use crate::expr::Expr;
use crate::formula::{Credit, minimise, try_minimise};
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token, Trajectory};
use crate::role::Role;
use crate::selection::Select;
use crate::settings::{IllegalSetting, Inert};
use crate::terms::{Data, Terms};

/// The usual terms, as settings. All weights are 0 by default: nothing is added.
///
/// They are added to any algorithm whose loss is a formula, and show in its printed formula:
///
/// ```
/// use oreal_algos::{Added, Algorithm, Rloo};
///
/// let added = Added { entropy: 0.01.into(), ..Added::default() };
/// let algorithm = added.to(Box::new(Rloo::default()));
/// assert_eq!(
///     algorithm.objective().formula(),
///     "loss = -mean_batch(mean_trajectory(A·logπ)) - c_H·mean_batch(H(π))\nwith c_H = 0.01\n"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Added {
    /// Weight of the mean entropy of the policy, subtracted from the loss.
    pub entropy: Coefficient,
    /// Weight of the divergence of the policy from the reference, added to the loss. At least 0.
    pub kl: Coefficient,
    /// The estimator of the divergence in the loss.
    pub kl_estimator: Kl,
    /// Bound on log-ratios of the divergence in the loss.
    pub ratio_guard: RatioGuard,
    /// Weight of the divergence (k1, summed over a trajectory's tokens), subtracted from the reward. At least 0.
    pub reward_kl: Coefficient,
    /// Weight of the loss of a learned baseline, at least 0; at 0 there is none. A critic learns to predict the algorithm's
    /// credit of each token, and its value before the step is subtracted from the credit.
    pub baseline: Coefficient,
    /// The gradient of the policy's log-probabilities, in all terms, is weighted by the ratio of policy to sampler.
    pub sampler_ratio: SamplerRatio,
    /// What sums over tokens of the added terms are divided by.
    pub average: Average,
}

impl Default for Added {
    fn default() -> Self {
        Added {
            entropy: Coefficient::ZERO,
            kl: Coefficient::ZERO,
            kl_estimator: Kl::K3,
            ratio_guard: RatioGuard::Off,
            reward_kl: Coefficient::ZERO,
            baseline: Coefficient::ZERO,
            sampler_ratio: SamplerRatio::Off,
            average: Average::Token,
        }
    }
}

impl Added {
    /// The algorithm with these terms added; the algorithm itself where every setting is the default. Their keys in messages
    /// begin with `added`.
    pub fn to(self, algorithm: Box<dyn Algorithm>) -> Box<dyn Algorithm> {
        if self == Added::default() { algorithm } else { Box::new(WithAdded { added: self, algorithm }) }
    }

    /// Refuses settings that make no sense, whatever they are added to.
    pub fn validate(&self) -> Result<(), IllegalSetting> {
        self.entropy.check("entropy", ..)?;
        self.kl.check("kl", 0.0..)?;
        self.ratio_guard.check("ratio_guard")?;
        self.reward_kl.check("reward_kl", 0.0..)?;
        self.baseline.check("baseline", 0.0..)?;
        self.sampler_ratio.check("sampler_ratio")?;
        self.average.check("average")
    }

    /// The reward less the divergence.
    fn reward<'g>(&self, x: Data<'g>) -> Expr<'g, Trajectory, Frozen> {
        let kl = Kl::K1.estimate(x.old_logp(), x.ref_logp()).sum::<Trajectory>();
        x.reward() - x.setting("β_R", self.reward_kl) * kl
    }

    /// The loss with the added terms.
    fn loss<'g>(&self, x: Terms<'g>, loss: Expr<'g, Batch, Live>) -> Expr<'g, Batch, Live> {
        let mut loss = loss;
        if !self.entropy.is_zero() {
            loss = loss - x.setting("c_H", self.entropy) * self.average.of(x.entropy());
        }
        if !self.kl.is_zero() {
            let kl = self.kl_estimator.penalty(x, x.ref_logp(), self.ratio_guard).named("kl");
            loss = loss + x.setting("β", self.kl) * self.average.of(kl);
        }
        if !self.baseline.is_zero() {
            // The advantage is the credit less the old value, on whole groups: their sum is the credit to predict.
            let target = x.advantage() + x.old_value();
            let value_loss = (0.5 * (x.value() - target).square()).named("value_loss");
            loss = loss + x.setting("c_V", self.baseline) * self.average.of(value_loss);
        }
        loss
    }

    /// Settings without an effect.
    fn inert(&self) -> Vec<Inert> {
        let default = Added::default();
        let no_kl = self.kl.is_zero();
        let no_terms = no_kl && self.entropy.is_zero() && self.baseline.is_zero();
        let settings = [
            (no_kl && self.kl_estimator != default.kl_estimator, "added.kl_estimator", "`added.kl` is 0"),
            (no_kl && self.ratio_guard != default.ratio_guard, "added.ratio_guard", "`added.kl` is 0"),
            (no_terms && self.average != default.average, "added.average", "no term is added to the loss"),
        ];
        settings.into_iter().filter(|(inert, ..)| *inert).map(|(_, key, reason)| Inert::new(key, reason)).collect()
    }
}

/// An algorithm with added terms.
#[derive(Debug)]
struct WithAdded {
    added: Added,
    algorithm: Box<dyn Algorithm>,
}

impl WithAdded {
    fn shaped<'g>(&self, x: Data<'g>) -> Data<'g> {
        if self.added.reward_kl.is_zero() { x } else { x.with_reward(self.added.reward(x)) }
    }

    fn refuse(&self, key: &str, problem: &str) -> Result<(), IllegalSetting> {
        Err(IllegalSetting::new(key, format!("cannot be added to `{}`: {problem}", self.algorithm.name())))
    }

    /// Refuses what has nothing to act on in this algorithm.
    fn fits(&self) -> Result<(), IllegalSetting> {
        let reads = self.algorithm.objective().reads();
        let shaped = Credit::new(|x| self.algorithm.credit(self.shaped(x)));
        if try_minimise(|x| self.algorithm.expression(x)).is_none() {
            return self.refuse("added", "its objective is written by hand");
        }
        if !self.added.reward_kl.is_zero() && shaped.formula() == credit_of(&*self.algorithm).formula() {
            return self.refuse("added.reward_kl", "as its settings stand, its credit does not read the reward");
        }
        if !self.added.baseline.is_zero() && reads.contains(&Column::VALUE) {
            return self.refuse("added.baseline", "it has a critic");
        }
        if !self.added.baseline.is_zero() && !reads.contains(&Column::ADVANTAGE) {
            return self.refuse("added.baseline", "its loss does not read the advantage");
        }
        Ok(())
    }
}

impl Algorithm for WithAdded {
    fn name(&self) -> &str {
        self.algorithm.name()
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let credit = self.algorithm.credit(self.shaped(x));
        if self.added.baseline.is_zero() { credit } else { credit - x.old_value() }
    }

    fn select(&self) -> Select {
        self.algorithm.select()
    }

    fn objective(&self) -> Box<dyn Objective> {
        try_minimise(|x| self.expression(x)).unwrap_or_else(|| self.algorithm.objective())
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        let x = self.added.sampler_ratio.weighted(x);
        let shaped = if self.added.reward_kl.is_zero() { x } else { x.with_reward(self.added.reward(*x)) };
        self.algorithm.expression(shaped).map(|loss| self.added.loss(x, loss))
    }

    fn passes(&self) -> Passes {
        self.algorithm.passes()
    }

    fn resamples(&self) -> usize {
        self.algorithm.resamples()
    }

    fn enough(&self) -> f64 {
        self.algorithm.enough()
    }

    fn teaches(&self) -> Select {
        self.algorithm.teaches()
    }

    fn continuations(&self) -> usize {
        self.algorithm.continuations()
    }

    fn frozen_steps(&self, role: Role) -> usize {
        self.algorithm.frozen_steps(role)
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.algorithm.validate()?;
        self.added.validate().map_err(|problem| problem.within("added"))?;
        self.fits()
    }

    fn inert(&self) -> Vec<Inert> {
        self.algorithm.inert().into_iter().chain(self.added.inert()).collect()
    }
}

/// An algorithm like another in everything but its name and its loss, which may use the other's.
///
/// ```
/// use oreal_algos::{Algorithm, Batch, Oreal, with_loss};
///
/// let algorithm = with_loss("curious", Oreal::outcome(), |oreal, x| {
///     oreal.loss(x) - x.setting("κ", 0.01) * x.entropy().mean::<Batch>()
/// });
/// let formula = algorithm.objective().formula();
/// assert!(formula.contains("loss     = positive - η·negative + β·kl - κ·mean_batch(H(π))\n"), "{formula}");
/// ```
pub fn with_loss<A: Algorithm, L>(name: &'static str, algorithm: A, loss: L) -> impl Algorithm
where
    L: for<'g> Fn(&A, Terms<'g>) -> Expr<'g, Batch, Live> + Send + Sync,
{
    WithLoss { name, algorithm, loss }
}

struct WithLoss<A, L> {
    name: &'static str,
    algorithm: A,
    loss: L,
}

impl<A: Algorithm, L> Algorithm for WithLoss<A, L>
where
    L: for<'g> Fn(&A, Terms<'g>) -> Expr<'g, Batch, Live> + Send + Sync,
{
    fn name(&self) -> &str {
        self.name
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        self.algorithm.credit(x)
    }

    fn select(&self) -> Select {
        self.algorithm.select()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| (self.loss)(&self.algorithm, x))
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some((self.loss)(&self.algorithm, x))
    }

    fn passes(&self) -> Passes {
        self.algorithm.passes()
    }

    fn resamples(&self) -> usize {
        self.algorithm.resamples()
    }

    fn enough(&self) -> f64 {
        self.algorithm.enough()
    }

    fn teaches(&self) -> Select {
        self.algorithm.teaches()
    }

    fn continuations(&self) -> usize {
        self.algorithm.continuations()
    }

    fn frozen_steps(&self, role: Role) -> usize {
        self.algorithm.frozen_steps(role)
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.algorithm.validate()
    }
}

/// As the algorithm it is made of, with its own name.
impl<A: Algorithm, L> fmt::Debug for WithLoss<A, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
