//! Algorithms for claims: schemes of the theory that are not among the presets, and mistakes for controls.

use oreal_algos::{
    Algorithm, Average, Data, Expr, Frozen, Kl, Objective, RatioGuard, Rloo, Select, Selection, Terms, Token,
    Trajectory, minimise,
};

/// Policy gradient with constant weights of right and of wrong answers: `-mean_batch(w·logπ)`, `w = right·R -
/// wrong·(1-R)`.
#[derive(Clone, Debug)]
pub struct Weighted {
    pub right: f64,
    pub wrong: f64,
    pub selection: Selection,
}

impl Algorithm for Weighted {
    fn name(&self) -> &str {
        "weighted"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let weight: Expr<'g, Trajectory, Frozen> = self.right * x.right() - self.wrong * (1.0 - x.right());
        weight.spread()
    }

    fn select(&self) -> Select {
        self.selection.into()
    }

    fn objective(&self) -> Box<dyn Objective> {
        Rloo { average: WHOLE }.objective()
    }
}

/// The plain policy gradient with the credit of another algorithm.
#[derive(Clone, Debug)]
pub struct CreditOf<'a>(pub &'a dyn Algorithm);

impl Algorithm for CreditOf<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        self.0.credit(x)
    }

    fn objective(&self) -> Box<dyn Objective> {
        Rloo { average: WHOLE }.objective()
    }
}

/// Minimises one quantity per token and nothing else.
#[derive(Clone, Copy, Debug)]
pub enum Lower {
    /// An estimate of the KL divergence from the reference.
    Divergence(Kl),
    /// Log-probability of the sampled token.
    Logp,
    /// Entropy of the policy.
    Entropy,
    /// The negative product of importance ratio and advantage, with the ratio detached.
    DetachedRatio,
}

impl Algorithm for Lower {
    fn name(&self) -> &str {
        "lower"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        oreal_algos::estimators::leave_one_out(x, x.reward()).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        let kind = *self;
        minimise(move |x: Terms<'_>| match kind {
            Lower::Divergence(kl) => WHOLE.of(kl.penalty(x, x.ref_logp(), RatioGuard::Off)),
            Lower::Logp => WHOLE.of(x.logp()),
            Lower::Entropy => WHOLE.of(x.entropy()),
            Lower::DetachedRatio => {
                let ratio = (x.logp() - x.old_logp()).exp().named("ratio").detach();
                WHOLE.of(0.0 * x.logp() - ratio * x.advantage())
            }
        })
    }
}

/// The sum over the tokens of an answer, then the mean over answers, as in policy-gradient theory.
pub const WHOLE: Average = Average::SUM;
