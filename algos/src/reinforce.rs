//! REINFORCE (Williams 1992) with no baseline, or the mean reward of the batch as one.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::Average;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::IllegalSetting;
use crate::terms::{Data, Terms};

/// `-mean A·logπ` with `A = r`, or `r` less the mean reward of the batch.
///
/// With the default settings:
///
/// ```text
/// A = R - mean_batch(R)
///
/// loss = -mean_batch(mean_trajectory(A·logπ))
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reinforce {
    /// What is subtracted from the reward.
    pub baseline: Baseline,
    /// What the sum over tokens is divided by.
    pub average: Average,
}

/// What is subtracted from the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Nothing.
    None,
    /// The mean reward of the batch.
    Batch,
}

impl Default for Reinforce {
    fn default() -> Self {
        Reinforce { baseline: Baseline::Batch, average: Average::Trajectory }
    }
}

impl Reinforce {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        -self.average.of(x.advantage() * x.logp())
    }
}

impl Algorithm for Reinforce {
    fn name(&self) -> &str {
        "reinforce"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        match self.baseline {
            Baseline::None => x.reward().spread(),
            Baseline::Batch => (x.reward() - x.reward().mean::<Batch>()).spread(),
        }
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }
    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.average.check("average")
    }
}
