//! RFT, rejection-sampling fine-tuning (arXiv 2308.01825): keep right answers, clone them.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::Average;
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Frozen, Token};
use crate::selection::{Repeats, Select, Selection};
use crate::terms::Data;

/// `-mean logπ` over right answers
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rft {
    /// How many right answers of a prompt are cloned at most; 1 is best-of-n.
    pub per_prompt: usize,
    pub repeats: Repeats,
    pub average: Average,
}

impl Default for Rft {
    fn default() -> Self {
        Rft { per_prompt: 4, repeats: Repeats::Drop, average: Average::Token }
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
        minimise(|x| -self.average.of(x.logp()))
    }
}
