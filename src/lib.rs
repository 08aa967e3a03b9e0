//! Outcome-reward reinforcement learning of language models, where an algorithm is an equation.
//!
//! In reading order: an [`Experiment`] is an algorithm on an environment with [`Settings`]. [`Experiment::warm_up`] makes the
//! policy that training starts from, [`Experiment::prepare`] a [`Run`] from it, and [`train`] trains it. On the way, a
//! [`rollout`] turns problems into judged completions and these into experience, [`roles`] are the models behind the columns
//! that an algorithm reads, an [`update`] takes a batch to gradients, and a [`record`] keeps what happened. [`evaluate`] gives
//! the pass rate. A [`Catalogue`] is what a configuration file can name, a user's own algorithms and environments among it.
//! [`problems`] is the environment of mathematical questions from a file, and [`rows`] reads such files.
//!
//! [`report`] writes a page about recorded runs.
//!
//! [`eval`] evaluates a model on a file of problems, on this machine or behind an endpoint, and compares two evaluations.
//!
//! [`ablate`] trains variants of an experiment over seeds and compares them with the [`statistics`] of their results.
//!
//! Where a model judges answers, a [`judge`] asks it through a [`chat`] endpoint.
//!
//! The leaves are re-exported: [`algos`] (the language and the algorithms), [`envs`], [`math`] (is this answer right?),
//! [`models`], [`engines`] (servers that train or sample), [`text`] (tokenizers and chat templates); so is [`rand`], whose
//! generators an environment takes.

#![warn(missing_docs)]

mod experiment;

mod budget;
mod catalogue;
pub mod config;

mod checkpoint;
mod digest;
mod epoch;
mod model;
pub mod plan;
mod run;
pub mod sentinels;
pub mod sft;
mod stop;
mod streams;
mod train;

mod ahead;
mod columns;
pub mod renderer;
mod resample;
mod rescored;
pub mod roles;
pub mod rollout;
pub mod update;

pub mod problems;
pub mod rows;
mod rule;

pub mod eval;
pub mod evaluate;
mod folder;
pub mod record;
pub mod replay;
pub mod report;
pub mod statistics;
mod table;
mod tensorboard;

pub mod chat;
pub mod hub;
pub mod judge;

pub mod ablate;
pub mod claims;
pub mod lab;

mod cli;
mod compare;
mod error;
pub mod show;
mod terminal;
mod watch;

pub use budget::{Budget, Spent};
pub use catalogue::{Catalogue, Chosen, Entry, section};
pub use columns::DataColumn;
pub use compare::{Variant, compare};
pub use config::{Config, Settings};
pub use error::{Error, Result};
pub use evaluate::PassRate;
pub use experiment::{Experiment, Progress, SharedStart, WarmedUp};
pub use folder::{Reserved, reserve, reserve_numbered};
pub use problems::Problems;
pub use record::{Report, StepRecord};
pub use resample::Drawn;
pub use rescored::Rescored;
pub use rule::{DecimalsName, RuleName};
pub use run::{Run, TrainingState};
pub use stop::Stop;
pub use train::{Done, Learnt, Lost, Seconds, step, train};

pub use oreal_algos as algos;
pub use oreal_engines as engines;
pub use oreal_math as math;
pub use oreal_models as models;
pub use oreal_text as text;
pub use oreal_toy_envs as envs;
pub use rand;

/// The program in README.md is run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
