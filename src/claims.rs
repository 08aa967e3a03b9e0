//! The claims laboratory: what the theory of outcome-reward reinforcement learning says, each statement an executable check.
//!
//! In reading order: what a [`Claim`] is and how its [`Evidence`] becomes a [`Verdict`]; the claims, a file for each topic;
//! [`page`], how they are shown. Everything runs the algorithms of [`crate::algos`] in a [`crate::lab::Lab`]. To add a claim:
//! its entry in the list of its topic.

mod claim;
mod evidence;
pub mod page;
mod variants;

mod best_of_n;
mod estimators;
mod gradients;
mod moments;
mod reward_model;
mod seeds;
mod shaping;
mod sufficiency;
mod token_rewards;
mod training;
mod variance;

pub use claim::{Check, Claim, Control, Finding, Topic};
pub use evidence::{Evidence, Row, TOLERANCE, Verdict};
pub use moments::{Moment, table};

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::lab::worlds;

/// Every claim, topic by topic.
pub fn all() -> Vec<Claim> {
    let topics = [
        best_of_n::claims(),
        sufficiency::claims(),
        shaping::claims(),
        gradients::claims(),
        estimators::claims(),
        token_rewards::claims(),
        reward_model::claims(),
        variance::claims(),
        training::claims(),
    ];
    topics.into_iter().flatten().collect()
}

/// The claim of this name, or all; those that are checked by training only when asked for.
pub fn chosen(name: Option<&str>, empirical: bool) -> Result<Vec<Claim>> {
    let (chosen, left_out): (Vec<Claim>, Vec<Claim>) =
        all().into_iter().partition(|claim| empirical || !claim.is_empirical());
    let Some(name) = name else { return Ok(chosen) };
    if left_out.iter().any(|claim| claim.name == name) {
        return Err(Error::setting(
            name,
            "this claim is checked by training, which takes about three minutes: add --empirical",
        ));
    }
    let names: Vec<&str> = chosen.iter().map(|claim| claim.name).collect();
    let problem = format!("no such claim: there are {}", names.join(", "));
    let one: Vec<Claim> = chosen.iter().filter(|claim| claim.name == name).cloned().collect();
    if one.is_empty() { Err(Error::setting(name, problem)) } else { Ok(one) }
}

/// Runs the checks, exact ones beside each other. `watch` is told what is being trained and how far all is, from 0 to 1.
pub fn find(claims: &[Claim], watch: &mut dyn FnMut(&str, f64)) -> Result<Vec<Finding>> {
    let (trained, exact): (Vec<&Claim>, Vec<&Claim>) = claims.iter().partition(|claim| claim.is_empirical());
    let mut findings = exact.par_iter().map(|claim| claim.find(&mut |_| {})).collect::<Result<Vec<_>>>()?;
    for (done, claim) in trained.iter().enumerate() {
        let share = |within: f64| (done as f64 + within) / trained.len() as f64;
        findings.push(claim.find(&mut |within| watch(claim.name, share(within)))?);
    }
    Ok(findings)
}

/// An error that names the findings that are not as recorded.
pub fn judge(findings: &[Finding]) -> Result<()> {
    let other = findings.iter().filter(|finding| !finding.as_recorded);
    let names: Vec<&str> = other.map(|finding| finding.claim.name).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::Claims { names: names.join(", ") }) }
}
