//! Outcome-reward reinforcement learning of language models, where an algorithm is an equation.
//!
//! In reading order: an [`Experiment`] is an algorithm on an environment with [`Settings`]; it makes a [`Start`], from it
//! a [`Run`], and [`train`]s it. On the way, [`rollout`] turns problems into judged completions and these into
//! experience, [`roles`] are the models behind the columns an algorithm reads, an [`update`] takes a batch to new
//! weights, and a [`record`] keeps what happened. [`evaluate`] says what it came to.
//!
//! The leaves are re-exported: [`algos`] (the language and the algorithms), [`envs`], [`models`].

mod experiment;

pub mod config;

mod run;
mod streams;
mod train;

pub mod roles;
pub mod rollout;
pub mod update;

pub mod evaluate;
pub mod record;

pub mod claims;
pub mod lab;

pub mod cli;
mod compare;
mod error;
pub mod show;

pub use config::{Config, Settings};
pub use error::{Error, Result};
pub use evaluate::PassRate;
pub use experiment::{Experiment, Progress, Start};
pub use record::{Report, StepRecord};
pub use run::Run;
pub use train::{Done, Seconds, train};

pub use oreal_algos as algos;
pub use oreal_models as models;
pub use oreal_toy_envs as envs;

/// The program in README.md is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
