//! What an algorithm is.

use std::fmt::Debug;

use crate::experience::Role;
use crate::expr::Expr;
use crate::formula::Credit;
use crate::objective::Objective;
use crate::rank::{Frozen, Token};
use crate::selection::{Select, Selection};
use crate::terms::Data;

/// How a step's experience is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// How often each trajectory is learnt from.
    pub epochs: usize,
    /// Into how many updates an epoch is divided.
    pub minibatches: usize,
}

impl Passes {
    /// One update on everything: strictly on-policy.
    pub const ONCE: Passes = Passes { epochs: 1, minibatches: 1 };
}

/// An algorithm is a credit, a selection and an objective. It knows no model and no tensor.
pub trait Algorithm: Debug + Send + Sync {
    /// One word, as in configuration files and records.
    fn name(&self) -> &str;

    /// Credit of each token, seen beside its whole group, before selection.
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen>;

    /// Which trajectories to learn from.
    fn select(&self) -> Select {
        Selection::All.into()
    }

    /// The scalar to minimise.
    fn objective(&self) -> Box<dyn Objective>;

    /// How often and in how many pieces.
    fn passes(&self) -> Passes {
        Passes::ONCE
    }

    /// For how many steps this role's weights stay as they are at the start of training.
    fn frozen_steps(&self, _role: Role) -> usize {
        0
    }
}

/// The credit of an algorithm, ready to be evaluated.
pub fn credit_of(algorithm: &dyn Algorithm) -> Credit {
    Credit::new(|x| algorithm.credit(x))
}
