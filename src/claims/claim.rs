//! Claims and findings.

use serde::Serialize;

use super::evidence::{Evidence, Verdict};
use crate::error::Result;

/// A statement of the theory with an executable check.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Name on the command line.
    pub name: &'static str,
    /// Topic under which it is listed.
    pub topic: Topic,
    /// Paper, section or equation that states or implies it.
    pub source: &'static str,
    /// The statement, one sentence.
    pub statement: &'static str,
    /// The measured quantity and what it is compared with, such as "expected gradient against ∇p".
    pub measures: &'static str,
    /// Derivation of the result, one paragraph.
    pub derivation: &'static str,
    /// The expected verdict. A run that finds another one is an error.
    pub recorded: Verdict,
    /// Computes the evidence.
    #[serde(skip)]
    pub check: Check,
    /// The same check on something wrong on purpose.
    pub control: Control,
}

/// How the evidence is computed.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// By enumeration: exact, takes at most seconds.
    Exact(fn() -> Result<Evidence>),
    /// By training from several seeds. Calls its argument with the share that is done, from 0 to 1.
    Trained(fn(&mut dyn FnMut(f64)) -> Result<Evidence>),
}

/// A negative control: the claim's check on something wrong on purpose. Its evidence must not support the recorded
/// verdict; otherwise the check could not detect an error.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// What is wrong.
    pub wrong: &'static str,
    /// Computes the evidence of the wrong variant.
    #[serde(skip)]
    pub check: Check,
}

/// Topics of claims, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The distribution of the completion that best-of-n keeps.
    BestOfN,
    /// Where cloning right completions converges to.
    Sufficiency,
    /// Direction and norm of expected gradients.
    GradientConsistency,
    /// Estimators of ratios, advantages and KL divergences, as values and as losses.
    Estimators,
    /// OREAL's token-level reward model.
    TokenRewards,
    /// Variance and signal-to-noise ratio of gradients.
    Variance,
    /// Checked by training, with intervals over seeds: not exact.
    Empirical,
}

impl Topic {
    /// The heading under which the claims are listed.
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

/// A claim with the results of its check and its control.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The claim.
    #[serde(flatten)]
    pub claim: Claim,
    /// The verdict that follows from the evidence.
    pub verdict: Verdict,
    /// What the check measured.
    pub evidence: Evidence,
    /// What the control measured.
    pub violation: Evidence,
    /// Whether the verdict is the recorded one, the exact statement of [`Evidence::exactly`] holds, and the control
    /// fails.
    pub as_recorded: bool,
    /// Wall time of check and control together, in seconds.
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
    /// Runs the check and its control. `watch` is called with the share that is done, from 0 to 1.
    ///
    /// # Errors
    /// Those of the check or the control.
    pub fn find(&self, watch: &mut dyn FnMut(f64)) -> Result<Finding> {
        let clock = std::time::Instant::now();
        let evidence = self.check.run(&mut |share| watch(share / 2.0))?;
        let violation = self.control.check.run(&mut |share| watch(0.5 + share / 2.0))?;
        let as_recorded = evidence.supports(self.recorded) && !violation.supports(self.recorded);
        let seconds = clock.elapsed().as_secs_f64();
        Ok(Finding { claim: self.clone(), verdict: evidence.verdict(), evidence, violation, as_recorded, seconds })
    }

    /// Whether the claim is checked by training rather than by enumeration.
    pub fn is_empirical(&self) -> bool {
        matches!(self.check, Check::Trained(_))
    }
}
