//! RLOO (arXiv 2402.14740): REINFORCE with the mean of the other completions as baseline.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::{Average, leave_one_out};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::IllegalSetting;
use crate::terms::{Data, Terms};

/// `-mean A·logπ` with `A_i = r_i - mean_{j≠i} r_j`. In a group of one, `A` is 0.
///
/// With the default settings:
///
/// ```text
/// A = (R - mean_group(R))·trajectories_per_group/max(trajectories_per_group - 1, 1)
///
/// loss = -mean_batch(mean_trajectory(A·logπ))
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rloo {
    /// What the sum over tokens is divided by.
    pub average: Average,
}

impl Default for Rloo {
    fn default() -> Self {
        Rloo { average: Average::Trajectory }
    }
}

impl Rloo {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        -self.average.of(x.advantage() * x.logp())
    }
}

impl Algorithm for Rloo {
    fn name(&self) -> &str {
        "rloo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        leave_one_out(x, x.reward()).spread()
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
