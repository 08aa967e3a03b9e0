//! What a claim is, and what is found of it.

use serde::Serialize;

use super::evidence::{Evidence, Verdict};
use crate::error::Result;

/// A statement of the theory that can be checked.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// As on the command line.
    pub name: &'static str,
    pub topic: Topic,
    /// Where it is stated.
    pub source: &'static str,
    /// One sentence.
    pub statement: &'static str,
    /// What the numbers are: "law of the kept answer against π/p".
    pub measures: &'static str,
    /// Why it is so, in a paragraph.
    pub derivation: &'static str,
    /// What is known to come out.
    pub recorded: Verdict,
    #[serde(skip)]
    pub check: Check,
    pub control: Control,
}

/// How evidence is found.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// By enumeration, in a moment.
    Exact(fn() -> Result<Evidence>),
    /// By training from several seeds. Tells how far it is, from 0 to 1.
    Trained(fn(&mut dyn FnMut(f64)) -> Result<Evidence>),
}

/// The same check on something that is wrong on purpose. A check that passes it checks nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// What is wrong with it.
    pub wrong: &'static str,
    #[serde(skip)]
    pub check: Check,
}

/// What claims are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    BestOfN,
    Sufficiency,
    GradientConsistency,
    Estimators,
    TokenRewards,
    Variance,
    /// By training, with intervals over seeds: not exact.
    Empirical,
}

impl Topic {
    pub fn title(self) -> &'static str {
        match self {
            Topic::BestOfN => "Best-of-n",
            Topic::Sufficiency => "Sufficiency of cloning",
            Topic::GradientConsistency => "Gradient consistency",
            Topic::Estimators => "Estimators",
            Topic::TokenRewards => "Token-level reward model",
            Topic::Variance => "Variance",
            Topic::Empirical => "By training (empirical)",
        }
    }
}

/// A claim with what came out of its checks.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    #[serde(flatten)]
    pub claim: Claim,
    pub verdict: Verdict,
    pub evidence: Evidence,
    /// What the same check says of the control.
    pub violation: Evidence,
    /// The verdict is the recorded one, what is said to hold exactly does, and the control is violated.
    pub as_recorded: bool,
    /// Of both checks.
    pub seconds: f64,
}

impl Check {
    fn run(self, watch: &mut dyn FnMut(f64)) -> Result<Evidence> {
        match self {
            Check::Exact(check) => check(),
            Check::Trained(check) => check(watch),
        }
    }
}

impl Claim {
    /// Runs the check and its control; `watch` is told how far they are, from 0 to 1.
    pub fn find(&self, watch: &mut dyn FnMut(f64)) -> Result<Finding> {
        let clock = std::time::Instant::now();
        let evidence = self.check.run(&mut |share| watch(share / 2.0))?;
        let violation = self.control.check.run(&mut |share| watch(0.5 + share / 2.0))?;
        let as_recorded = evidence.supports(self.recorded) && !violation.supports(self.recorded);
        let seconds = clock.elapsed().as_secs_f64();
        Ok(Finding { claim: self.clone(), verdict: evidence.verdict(), evidence, violation, as_recorded, seconds })
    }

    /// Checked by training rather than by enumeration.
    pub fn is_empirical(&self) -> bool {
        matches!(self.check, Check::Trained(_))
    }
}
