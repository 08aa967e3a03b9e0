//! Algorithms made for claims: schemes of the theory that no shipped preset is, and mistakes for controls.

use oreal_algos::{
    Algorithm, Average, Data, Expr, Frozen, Kl, Objective, Rloo, Select, Selection, Terms, Token, Trajectory, minimise,
};

/// Policy gradient with a number for each right and for each wrong answer: `-mean_batch(w·logπ)`, `w = right·R - wrong·(1-R)`.
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

/// The credit of one algorithm, or a mistake in it, on the plain policy gradient.
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

/// Nothing but one quantity of each token, to be lowered.
#[derive(Clone, Copy, Debug)]
pub enum Lower {
    /// An estimate of the divergence from the reference.
    Divergence(Kl),
    /// Log-probability of the sampled token.
    Logp,
    /// Entropy of the policy.
    Entropy,
    /// The importance ratio times the advantage, but the ratio carries no gradient.
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
            Lower::Divergence(kl) => WHOLE.of(kl.estimate(x.logp(), x.ref_logp())),
            Lower::Logp => WHOLE.of(x.logp()),
            Lower::Entropy => WHOLE.of(x.entropy()),
            Lower::DetachedRatio => {
                let ratio = (x.logp() - x.old_logp()).exp().named("ratio").detach();
                WHOLE.of(0.0 * x.logp() - ratio * x.advantage())
            }
        })
    }
}

/// The sum over the tokens of an answer, then the mean over answers: what policy-gradient theory writes.
pub const WHOLE: Average = Average::Constant(1.0);
