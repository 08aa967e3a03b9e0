//! What an algorithm is.

use std::fmt::Debug;
use std::sync::Arc;

use crate::expr::Expr;
use crate::formula::Credit;
use crate::objective::Objective;
use crate::rank::{Batch, Frozen, Live, Token};
use crate::role::Role;
use crate::selection::{Select, Selection};
use crate::settings::{IllegalSetting, Inert};
use crate::terms::{Data, Terms};

/// How many updates a training step makes on its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// How often the batch is passed over.
    pub epochs: usize,
    /// Into how many updates an epoch is divided.
    pub minibatches: usize,
}

impl Passes {
    /// One update on the whole batch: strictly on-policy.
    pub const ONCE: Passes = Passes { epochs: 1, minibatches: 1 };

    /// Whether a step makes one update only. Then the policy is the one that was sampled from: ratios are 1 and log-ratios 0.
    pub fn is_once(self) -> bool {
        self.epochs <= 1 && self.minibatches <= 1
    }
}

/// An algorithm is a credit, a selection and an objective. It knows no model and no tensor.
pub trait Algorithm: Debug + Send + Sync {
    /// One word, as in configuration files and records.
    fn name(&self) -> &str;

    /// Credit of each token, computed with its whole group in view, before selection.
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen>;

    /// Which trajectories to learn from.
    fn select(&self) -> Select {
        Selection::All.into()
    }

    /// The scalar to minimise.
    fn objective(&self) -> Box<dyn Objective>;

    /// The loss that [`Algorithm::objective`] minimises as an expression, so that terms can be added to it
    /// ([`crate::Added`]). `None` for objectives written by hand.
    fn expression<'g>(&self, _x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        None
    }

    /// How many updates a step makes.
    fn passes(&self) -> Passes {
        Passes::ONCE
    }

    /// How often a step may draw more problems, in place of those of whose completions [`Algorithm::teaches`] selects nothing; at
    /// most [`crate::MOST_RESAMPLES`].
    fn resamples(&self) -> usize {
        0
    }

    /// The share of a step's problems, from 0 to 1, with which no more are drawn.
    fn enough(&self) -> f64 {
        1.0
    }

    /// What has to be selected of a problem's completions, so that no other is drawn in its place.
    fn teaches(&self) -> Select {
        self.select()
    }

    /// How many completions of a prefix the column `prefix_value` is a mean over; at least 1.
    fn continuations(&self) -> usize {
        1
    }

    /// For how many steps at the start of training this role's weights are not updated.
    fn frozen_steps(&self, _role: Role) -> usize {
        0
    }

    /// The first setting that makes no sense. [`crate::check`] calls it and checks more.
    fn validate(&self) -> Result<(), IllegalSetting> {
        Ok(())
    }

    /// Settings that have no effect as the others stand.
    fn inert(&self) -> Vec<Inert> {
        Vec::new()
    }
}

/// The credit of an algorithm, ready to be evaluated.
pub fn credit_of(algorithm: &dyn Algorithm) -> Credit {
    Credit::new(|x| algorithm.credit(x))
}

/// A shared algorithm is the algorithm.
impl<A: Algorithm + ?Sized> Algorithm for Arc<A> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        (**self).credit(x)
    }

    fn select(&self) -> Select {
        (**self).select()
    }

    fn objective(&self) -> Box<dyn Objective> {
        (**self).objective()
    }

    fn expression<'g>(&self, x: Terms<'g>) -> Option<Expr<'g, Batch, Live>> {
        (**self).expression(x)
    }

    fn passes(&self) -> Passes {
        (**self).passes()
    }

    fn resamples(&self) -> usize {
        (**self).resamples()
    }

    fn enough(&self) -> f64 {
        (**self).enough()
    }

    fn teaches(&self) -> Select {
        (**self).teaches()
    }

    fn continuations(&self) -> usize {
        (**self).continuations()
    }

    fn frozen_steps(&self, role: Role) -> usize {
        (**self).frozen_steps(role)
    }

    fn validate(&self) -> Result<(), IllegalSetting> {
        (**self).validate()
    }

    fn inert(&self) -> Vec<Inert> {
        (**self).inert()
    }
}
