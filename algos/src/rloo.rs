//! RLOO (arXiv 2402.14740): REINFORCE with the mean of the other completions as baseline.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::{Average, leave_one_out};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Frozen, Token};
use crate::terms::Data;

/// `-mean A·logπ` with `A_i = r_i - mean_{j≠i} r_j`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rloo {
    pub average: Average,
}

impl Default for Rloo {
    fn default() -> Self {
        Rloo { average: Average::Trajectory }
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
        minimise(|x| -self.average.of(x.advantage() * x.logp()))
    }
}
