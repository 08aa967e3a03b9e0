//! DPO (arXiv 2305.18290) and IPO (arXiv 2310.12036), online: on one right and one wrong answer of each group.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::coefficient::Coefficient;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Group, Live, Token, Trajectory};
use crate::selection::{Select, Selection};
use crate::settings::{IllegalSetting, POSITIVE};
use crate::terms::{Data, Terms};

/// `mean -log σ(β·margin)`, where the margin is `log π/π_ref` of the right answer less that of the wrong one.
///
/// With the default settings:
///
/// ```text
/// A = 1
///
/// margin = sum_group((2·1[R > 0.5] - 1)·sum_trajectory(logπ - logπ_ref))
/// loss   = mean_batch(softplus(-β·margin))
/// with β = 0.1
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dpo {
    /// Weight of the divergence from the reference that the loss stands for (IPO's `τ`). Greater than 0.
    pub beta: Coefficient,
    /// The loss of a margin.
    pub loss: PairLoss,
    /// What a completion's log-ratio is.
    pub log_ratio: LogRatio,
}

/// The loss of a margin `m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairLoss {
    /// `-log σ(β·m)` (DPO, eq. 7): falls for ever.
    Logistic,
    /// `(m - 1/(2β))²` (IPO, eq. 17): least at a margin of `1/(2β)`.
    Squared,
}

/// What a completion's log-ratio is made of those of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogRatio {
    /// Their sum, as in both papers.
    Sum,
    /// Their mean, as TRL does for IPO: its authors said that this is what they ran.
    Mean,
}

impl Default for Dpo {
    fn default() -> Self {
        Dpo { beta: Coefficient::Constant(0.1), loss: PairLoss::Logistic, log_ratio: LogRatio::Sum }
    }
}

impl Dpo {
    /// IPO.
    ///
    /// ```text
    /// A = 1
    ///
    /// margin = sum_group((2·1[R > 0.5] - 1)·sum_trajectory(logπ - logπ_ref))
    /// loss   = mean_batch((margin - 0.5/β)²)
    /// with β = 0.1
    /// ```
    pub fn ipo() -> Self {
        Dpo { loss: PairLoss::Squared, ..Dpo::default() }
    }

    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let log_ratios = x.logp() - x.ref_logp();
        let log_ratio = match self.log_ratio {
            LogRatio::Sum => log_ratios.sum::<Trajectory>(),
            LogRatio::Mean => log_ratios.mean::<Trajectory>(),
        };
        let margin = ((2.0 * x.right() - 1.0) * log_ratio).sum::<Group>().named("margin");
        let beta = x.setting("β", self.beta);
        match self.loss {
            PairLoss::Logistic => (-(beta * margin)).softplus().mean(),
            PairLoss::Squared => (margin - 0.5 / beta).square().mean(),
        }
    }
}

impl Algorithm for Dpo {
    fn name(&self) -> &str {
        "dpo"
    }

    /// Every pair counts the same.
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.number(1.0)
    }

    fn select(&self) -> Select {
        Selection::Pair.into()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.beta.check("beta", POSITIVE)
    }
}
