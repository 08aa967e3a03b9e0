//! ReMax (arXiv 2310.10505): REINFORCE with the reward of the most likely completion as baseline.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::Average;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::settings::IllegalSetting;
use crate::terms::{Data, Terms};

/// `-mean A·logπ`, summed over tokens, with `A = r - r(greedy)` (algorithm 2). One more completion is drawn of each problem.
///
/// With the default settings:
///
/// ```text
/// A = R - R_greedy
///
/// loss = -mean_batch(sum_trajectory(A·logπ))/L
/// with L = 1
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Remax {
    /// What the sum over tokens is divided by.
    pub average: Average,
}

impl Default for Remax {
    fn default() -> Self {
        Remax { average: Average::SUM }
    }
}

impl Remax {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        -self.average.of(x.advantage() * x.logp())
    }
}

impl Algorithm for Remax {
    fn name(&self) -> &str {
        "remax"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        (x.reward() - x.greedy_reward()).spread()
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
