//! REINFORCE (Williams 1992) with no baseline, or the mean reward of the batch as one.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::Average;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Token};
use crate::terms::Data;

/// `-mean A·logπ`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reinforce {
    pub baseline: Baseline,
    pub average: Average,
}

/// What is subtracted from the reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    None,
    /// The mean reward of the batch.
    Batch,
}

impl Default for Reinforce {
    fn default() -> Self {
        Reinforce { baseline: Baseline::Batch, average: Average::Trajectory }
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
        minimise(|x| -self.average.of(x.advantage() * x.logp()))
    }
}
