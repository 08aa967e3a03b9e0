//! The claims laboratory: what the theory of outcome-reward reinforcement learning says, each statement an executable check.
//!
//! In reading order: what a [`Claim`] is and how its [`Evidence`] becomes a [`Verdict`]; the claims, a file for each topic;
//! [`page`], how they are shown. Everything runs the algorithms of [`crate::algos`] in a [`crate::lab::Lab`]. To add a claim:
//! its line in the list of its topic.

mod claim;
mod evidence;
pub mod page;
mod seeds;
mod worlds;

mod best_of_n;
mod training;

pub use claim::{Check, Claim, Control, Finding, Topic};
pub use evidence::{Evidence, Row, TOLERANCE, Verdict};

/// Every claim, topic by topic.
pub fn all() -> Vec<Claim> {
    [best_of_n::claims(), training::claims()].into_iter().flatten().collect()
}
