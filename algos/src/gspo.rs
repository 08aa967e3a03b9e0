//! GSPO (arXiv 2507.18071): GRPO with one ratio for a whole completion, the geometric mean of its tokens' ratios.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Scale, clipped};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token, Trajectory};
use crate::settings::{IllegalSetting, Inert, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean min(ratio·A, clip(ratio)·A)` with `ratio = (π(y)/π_old(y))^(1/|y|)` (eq. 5 to 7) and GRPO's advantage.
///
/// With the default settings:
///
/// ```text
/// A = (R - mean_group(R))/(sqrt(sum_group((R - mean_group(R))²)/max(trajectories_per_group - 1, 1)) + ε)
/// with ε = 1e-4
///
/// ratio = exp(mean_trajectory(logπ - logπ_old))
/// loss  = -mean_batch(mean_trajectory(min(ratio·A, clip(ratio, 1 - ε_low, 1 + ε_high)·A)))
/// with ε_low = 3e-4, ε_high = 4e-4
/// logged
/// outside = 1[ratio > 1 + ε_high] + 1[ratio < 1 - ε_low]
/// clipped = 1[A > 0]·1[ratio > 1 + ε_high] + 1[A < 0]·1[ratio < 1 - ε_low]
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gspo {
    /// Which ratio a token's advantage is multiplied by.
    pub ratio: RatioOf,
    /// The ratio is clipped to `[1 - clip_low, 1 + clip_high]`. At least 0.
    pub clip_low: Coefficient,
    /// See `clip_low`. At least 0.
    pub clip_high: Coefficient,
    /// What a group's centred rewards are divided by.
    pub scale: Scale,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

/// Which ratio a token's advantage is multiplied by. The two differ only where the tokens of a completion have different
/// advantages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioOf {
    /// That of the completion.
    Sequence,
    /// The same value, with the gradient of the token alone: GSPO-token (eq. 13 and 14).
    Token,
}

impl Default for Gspo {
    fn default() -> Self {
        Gspo {
            ratio: RatioOf::Sequence,
            clip_low: Coefficient::Constant(3e-4),
            clip_high: Coefficient::Constant(4e-4),
            scale: Scale::GRPO,
            epochs: 1,
            minibatches: 4,
        }
    }
}

impl Gspo {
    /// A ratio of its own for each token.
    ///
    /// ```text
    /// A = (R - mean_group(R))/(sqrt(sum_group((R - mean_group(R))²)/max(trajectories_per_group - 1, 1)) + ε)
    /// with ε = 1e-4
    ///
    /// ratio = exp(mean_trajectory(logπ - logπ_old))
    /// loss  = -mean_batch(mean_trajectory(min(sg(ratio)·exp(logπ - sg(logπ))·A, clip(sg(ratio)·exp(logπ - sg(logπ)), 1 - ε_low, 1 + ε_high)·A)))
    /// with ε_low = 3e-4, ε_high = 4e-4
    /// logged
    /// outside = 1[sg(ratio)·exp(logπ - sg(logπ)) > 1 + ε_high] + 1[sg(ratio)·exp(logπ - sg(logπ)) < 1 - ε_low]
    /// clipped = 1[A > 0]·1[sg(ratio)·exp(logπ - sg(logπ)) > 1 + ε_high] + 1[A < 0]·1[sg(ratio)·exp(logπ - sg(logπ)) < 1 - ε_low]
    /// ```
    pub fn token() -> Self {
        Gspo { ratio: RatioOf::Token, ..Gspo::default() }
    }

    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let sequence = (x.logp() - x.old_logp()).mean::<Trajectory>().exp().named("ratio");
        let ratio = match self.ratio {
            RatioOf::Sequence => sequence.spread(),
            RatioOf::Token => sequence.detach() * (x.logp() - x.logp().detach()).exp(),
        };
        let (low, high) = (x.setting("ε_low", self.clip_low), x.setting("ε_high", self.clip_high));
        -Average::Trajectory.of(clipped(ratio, x.advantage(), low, high))
    }
}

impl Algorithm for Gspo {
    fn name(&self) -> &str {
        "gspo"
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
        self.clip_low.check("clip_low", 0.0..)?;
        self.clip_high.check("clip_high", 0.0..)?;
        self.scale.check("scale")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        Inert::with_one_update(self.passes(), &["clip_low", "clip_high"])
    }
}
