//! GPG (arXiv 2504.02546): a policy gradient on centred rewards, made up for groups that teach nothing.

use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::coefficient::Coefficient;
use crate::estimators::{Average, Scale};
use crate::expr::Expr;
use crate::formula::minimise;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Group, Live, Token};
use crate::selection::{Select, Selection};
use crate::settings::{IllegalSetting, Inert};
use crate::terms::{Data, Terms};

/// `-mean A·logπ` over all tokens with `A = α·(r - mean)` in each group. Groups whose rewards are all the same have no gradient
/// but count in the mean; `α`, all groups over the others, makes up for them.
///
/// With the default settings:
///
/// ```text
/// α = groups_per_batch/max(sum_batch(1[sum_group((R - mean_group(R))²) > 0]), 1)
/// A = α·(R - mean_group(R))
///
/// loss = -mean_batch(A·logπ)
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gpg {
    /// What a group's centred rewards are divided by.
    pub scale: Scale,
    /// What the sum over tokens is divided by.
    pub average: Average,
    /// How often a step may draw more problems, in place of those whose rewards are all the same; at most 1000. They count in the
    /// mean and in `α` like all others.
    pub resample: usize,
    /// The share of mixed groups with which no more are drawn; from 0 to 1. The paper's code has 0.5 (`min_inverse_alpha`).
    pub threshold: f64,
}

impl Default for Gpg {
    fn default() -> Self {
        Gpg { scale: Scale::One, average: Average::Token, resample: 0, threshold: 0.5 }
    }
}

impl Gpg {
    /// The loss as an expression, to add terms to.
    pub fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        -self.average.of(x.advantage() * x.logp())
    }
}

impl Algorithm for Gpg {
    fn name(&self) -> &str {
        "gpg"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let centred = x.reward() - x.reward().mean::<Group>();
        let mixed = centred.square().sum::<Group>().above(0.0).sum::<Batch>();
        let alpha = (x.count::<Group, Batch>() / mixed.at_least(1.0)).named("α");
        (alpha * self.scale.centred(x, x.reward())).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        Some(self.loss(x))
    }

    fn resamples(&self) -> usize {
        self.resample
    }

    fn enough(&self) -> f64 {
        self.threshold
    }

    fn teaches(&self) -> Select {
        Selection::Mixed.into()
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        self.scale.check("scale")?;
        self.average.check("average")?;
        Coefficient::Constant(self.threshold).check("threshold", 0.0..=1.0)
    }

    fn inert(&self) -> Vec<Inert> {
        let unused = self.resample == 0 && self.threshold != Gpg::default().threshold;
        let inert = Inert::new("threshold", "`resample` is 0: no more problems are drawn");
        unused.then_some(inert).into_iter().collect()
    }
}
