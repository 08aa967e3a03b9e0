//! The claims laboratory: what the theory of outcome-reward reinforcement learning says, each statement an executable check.
//!
//! In reading order: what a [`Claim`] is and how its [`Evidence`] becomes a [`Verdict`]; the claims, a file for each topic;
//! [`page`], how they are shown. Everything runs the algorithms of [`crate::algos`] in a [`crate::lab::Lab`]. To add a claim:
//! its line in the list of its topic.

mod claim;
mod evidence;
pub mod page;
mod worlds;

mod best_of_n;
mod moments;
mod reward_model;
mod token_rewards;
mod variance;

pub use claim::{Check, Claim, Control, Finding, Topic};
pub use evidence::{Evidence, Row, TOLERANCE, Verdict};
pub use moments::{Moment, table};

/// Every claim, topic by topic.
pub fn all() -> Vec<Claim> {
    [best_of_n::claims(), token_rewards::claims(), reward_model::claims(), variance::claims()]
        .into_iter()
        .flatten()
        .collect()
}
