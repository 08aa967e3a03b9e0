//! RFT, rejection-sampling fine-tuning (arXiv 2308.01825): supervised fine-tuning on the right answers.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::Average;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::selection::{Repeats, Select, Selection};
use crate::settings::{IllegalSetting, at_least_one};
use crate::terms::{Data, Terms};

/// `-mean logπ` over right answers.
///
/// With the default settings:
///
/// ```text
/// A = 1
///
/// loss = -mean_batch(logπ)
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rft {
    /// How many right answers of a prompt are cloned at most, at least 1; 1 is best-of-n.
    pub per_prompt: usize,
    /// Whether the same completion may be cloned more than once.
    pub repeats: Repeats,
    /// What the sum over tokens is divided by.
    pub average: Average,
}

impl Default for Rft {
    fn default() -> Self {
        Rft { per_prompt: 4, repeats: Repeats::Drop, average: Average::Token }
    }
}

impl Rft {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        -self.average.of(x.logp())
    }
}

impl Algorithm for Rft {
    fn name(&self) -> &str {
        "rft"
    }

    /// Every kept answer counts the same.
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        x.number(1.0)
    }

    fn select(&self) -> Select {
        Selection::Right { per_prompt: self.per_prompt, repeats: self.repeats }.into()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }
    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        at_least_one("per_prompt", self.per_prompt)?;
        self.average.check("average")
    }
}
