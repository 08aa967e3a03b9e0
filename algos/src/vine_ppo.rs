//! VinePPO (arXiv 2410.01679): PPO with the value of a prefix estimated by rollouts from it, in place of a critic.

use serde::{Deserialize, Serialize};

use crate::algorithm::{Algorithm, Passes};
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Whitening, clipped, ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::{IllegalSetting, Inert, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean min(ratio·A, clip(ratio)·A)` with `A_t = r_t + V(s_{t+1}) - V(s_t)` (eq. 5), where `V` is the mean reward of completions
/// drawn from the prefix. Each token is a step of its own; the paper's steps are those of a worked solution.
///
/// With the default settings:
///
/// ```text
/// A = R·1[last] + next(V_MC) - V_MC
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
pub struct VinePpo {
    /// Completions drawn from each prefix; at least 1. A step draws as many times the tokens of its batch.
    pub continuations: usize,
    /// The ratio is clipped to `[1 - clip, 1 + clip]`. At least 0.
    pub clip: Coefficient,
    /// Whether advantages are scaled over the batch.
    pub whitening: Whitening,
    /// What the sum over tokens is divided by.
    pub average: Average,
    /// How often a step passes over its batch. At least 1.
    pub epochs: usize,
    /// Into how many updates an epoch is divided. At least 1.
    pub minibatches: usize,
}

impl Default for VinePpo {
    fn default() -> Self {
        VinePpo {
            continuations: 4,
            clip: Coefficient::Constant(0.2),
            whitening: Whitening::None,
            average: Average::Token,
            epochs: 2,
            minibatches: 2,
        }
    }
}

impl VinePpo {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let clip = x.setting("ε", self.clip);
        -self.average.of(clipped(ratio(x), x.advantage(), clip, clip))
    }
}

impl Algorithm for VinePpo {
    fn name(&self) -> &str {
        "vine_ppo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        self.whitening.of(x, x.reward() * x.last_token() + x.prefix_value().next() - x.prefix_value())
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn continuations(&self) -> usize {
        self.continuations
    }

    fn passes(&self) -> Passes {
        Passes { epochs: self.epochs, minibatches: self.minibatches }
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        at_least_one("continuations", self.continuations)?;
        self.clip.check("clip", 0.0..)?;
        self.average.check("average")?;
        at_least_one("epochs", self.epochs)?;
        at_least_one("minibatches", self.minibatches)
    }

    fn inert(&self) -> Vec<Inert> {
        Inert::with_one_update(self.passes(), &["clip"])
    }
}
