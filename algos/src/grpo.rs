//! GRPO (arXiv 2402.03300) and what is called so: DAPO (2503.14476) and Dr. GRPO (2503.20783) are settings of it.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::estimators::{Average, Kl, clipped, group_normalised, ratio};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Frozen, Group, Token};
use crate::selection::{Select, Selection};
use crate::terms::Data;

/// `-mean( min(ratio·A, clip(ratio)·A) - beta·kl )` with `A = (r - mean) / (std + epsilon)` in each group
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grpo {
    /// The ratio is clipped to `[1 - clip_low, 1 + clip_high]`.
    pub clip_low: f64,
    pub clip_high: f64,
    /// Weight of the divergence from the reference; at 0 there is no reference.
    pub beta: f64,
    pub kl: Kl,
    pub scale: Scale,
    pub average: Average,
    pub selection: Selection,
}

/// What a group's centred rewards are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scale {
    /// Nothing.
    One,
    /// Standard deviation (of `n - degrees_of_freedom`) plus `epsilon`.
    Deviation { degrees_of_freedom: f64, epsilon: f64 },
}

impl Default for Grpo {
    fn default() -> Self {
        Grpo {
            clip_low: 0.2,
            clip_high: 0.2,
            beta: 0.04,
            kl: Kl::K3,
            scale: Scale::Deviation { degrees_of_freedom: 1.0, epsilon: 1e-4 },
            average: Average::Trajectory,
            selection: Selection::All,
        }
    }
}

impl Grpo {
    /// Higher upper clip, token mean, no divergence, mixed groups only.
    pub fn dapo() -> Self {
        let (average, selection) = (Average::Token, Selection::Mixed);
        Grpo { clip_high: 0.28, beta: 0.0, average, selection, ..Grpo::default() }
    }

    /// No division by the deviation nor by the length, no divergence.
    pub fn dr_grpo() -> Self {
        Grpo { beta: 0.0, scale: Scale::One, average: Average::Constant(16.0), ..Grpo::default() }
    }
}

impl Algorithm for Grpo {
    fn name(&self) -> &str {
        "grpo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        match self.scale {
            Scale::One => (x.reward() - x.reward().mean::<Group>()).spread(),
            Scale::Deviation { degrees_of_freedom, epsilon } => {
                group_normalised(x, x.reward(), degrees_of_freedom, epsilon).spread()
            }
        }
    }

    fn select(&self) -> Select {
        self.selection.into()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let surrogate = clipped(ratio(x), x.advantage(), self.clip_low, self.clip_high);
            let kl = self.kl.estimate(x.logp(), x.ref_logp()).named("kl");
            -self.average.of(surrogate - self.beta * kl)
        })
    }
}
