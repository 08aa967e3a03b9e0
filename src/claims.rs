//! Statements from the theory of outcome-reward reinforcement learning, each with an executable check.
//!
//! A [`Claim`] has a check that computes [`Evidence`] and a [`Control`], the same check on something wrong on purpose,
//! which must fail. The evidence alone determines the [`Verdict`]. Each topic has a file with its list of claims; to
//! add a claim, add an entry to the list. [`page`] prints the results. Exact checks run the algorithms of
//! [`crate::algos`] in a [`crate::lab::Lab`], empirical ones train transformers.

mod claim;
mod evidence;
pub mod page;
mod variants;

mod best_of_n;
mod bias_and_noise;
mod estimators;
mod gradients;
mod off_policy;
mod one_answer;
mod reward_model;
mod score_tokens;
pub(crate) mod seeds;
mod shaping;
mod sufficiency;
mod threshold;
mod token_rewards;
mod training;
mod variance;

pub use bias_and_noise::{BiasAndNoise, table};
pub use claim::{Check, Claim, Control, Finding, Topic};
pub use evidence::{Evidence, Measurement, TOLERANCE, Verdict};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::lab::worlds;

/// Every claim, ordered by topic.
pub fn all() -> Vec<Claim> {
    let topics = [
        best_of_n::claims(),
        sufficiency::claims(),
        shaping::claims(),
        gradients::claims(),
        estimators::claims(),
        off_policy::claims(),
        token_rewards::claims(),
        threshold::claims(),
        reward_model::claims(),
        score_tokens::claims(),
        variance::claims(),
        training::claims(),
    ];
    topics.into_iter().flatten().collect()
}

/// The claim named `name`, or every claim if `None`. Claims that are checked by training are included only if
/// `empirical`.
///
/// # Errors
/// If there is no claim of that name, or if it is empirical and `empirical` is false.
pub fn chosen(name: Option<&str>, empirical: bool) -> Result<Vec<Claim>> {
    let (chosen, left_out): (Vec<Claim>, Vec<Claim>) =
        all().into_iter().partition(|claim| empirical || !claim.is_empirical());
    let Some(name) = name else { return Ok(chosen) };
    if left_out.iter().any(|claim| claim.name == name) {
        return Err(Error::setting(name, "this claim is checked by training, which takes minutes: add --empirical"));
    }
    let names: Vec<&str> = chosen.iter().map(|claim| claim.name).collect();
    let problem = format!("no such claim: there are {}", names.join(", "));
    let one: Vec<Claim> = chosen.iter().filter(|claim| claim.name == name).cloned().collect();
    if one.is_empty() { Err(Error::setting(name, problem)) } else { Ok(one) }
}

/// Runs the checks: exact claims in parallel, then empirical ones one after another. While training, `watch` is called
/// with the name of the current claim and the share of all training that is done, from 0 to 1.
///
/// # Errors
/// The first error of a check.
pub fn find(claims: &[Claim], watch: &mut dyn FnMut(&str, f64)) -> Result<Vec<Finding>> {
    let (trained, exact): (Vec<&Claim>, Vec<&Claim>) = claims.iter().partition(|claim| claim.is_empirical());
    let mut findings = exact.par_iter().map(|claim| claim.find(&mut |_| {})).collect::<Result<Vec<_>>>()?;
    for (done, claim) in trained.iter().enumerate() {
        let share = |within: f64| (done as f64 + within) / trained.len() as f64;
        findings.push(claim.find(&mut |within| watch(claim.name, share(within)))?);
    }
    Ok(findings)
}

/// Checks that every finding is as recorded.
///
/// # Errors
/// [`Error::Claims`] with the names of those that are not.
pub fn judge(findings: &[Finding]) -> Result<()> {
    let other = findings.iter().filter(|finding| !finding.as_recorded);
    let names: Vec<&str> = other.map(|finding| finding.claim.name).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::Claims { names: names.join(", ") }) }
}
