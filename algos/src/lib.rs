//! Reinforcement learning algorithms as equations.
//!
//! A loss depends on models only through a few scalars per token that the models report, such as log-probabilities. These
//! are the *signals* ([`Column::is_signal`]). A loss is a function of signals and data. Here it is written in a typed
//! language, printed as the formula that runs, and differentiated exactly: the result is a *cotangent* `dL/dsignal` for each
//! signal, with which a model runs its backward pass. No tensor library is involved.
//!
//! In reading order:
//! - the language: [`Expr`] with its rank and its flow, the [`Terms`] that a formula can read, named settings
//!   ([`Coefficient`]), and [`minimise`], which makes an [`Objective`] of a formula;
//! - the data: [`Layout`], [`Column`], [`Experience`]; own columns and roles ([`Term`], [`Role`]);
//! - what an [`Algorithm`] is, which trajectories it learns from ([`Selection`]), and how its settings are checked
//!   ([`check`]);
//! - the [`estimators`] that algorithms share, the built-in algorithms ([`BuiltIn`]), and algorithms made of others
//!   ([`Added`], [`with_loss`]).
//!
//! ```
//! use oreal_algos::{Batch, Trajectory, minimise};
//!
//! let gspo = minimise(|x| {
//!     let ratio = (x.logp() - x.old_logp()).mean::<Trajectory>().exp().named("ratio");
//!     -(ratio * x.reward()).mean::<Batch>()
//! });
//! assert_eq!(gspo.formula(), "ratio = exp(mean_trajectory(logπ - logπ_old))\nloss  = -mean_batch(ratio·R)\n");
//! ```

#![warn(missing_docs)]

mod rank;

mod elementwise;
mod operation;

mod graph;

mod analysis;

mod coefficient;

mod expr;
mod terms;

mod export;
mod formula;
mod mathml;
mod objective;
mod parts;
mod printed;

mod column;
mod experience;
mod layout;
mod role;
mod shape;

mod algorithm;
mod selection;
mod settings;

pub mod estimators;

mod overlong;

mod built_in;
mod cispo;
mod composed;
mod dialects;
mod dpo;
mod gpg;
mod grpo;
mod gspo;
mod oreal;
mod ppo;
mod reinforce;
mod reinforce_plus_plus;
mod remax;
mod rft;
mod rloo;
mod sapo;
mod vine_ppo;

pub use algorithm::{Algorithm, Passes, credit_of};
pub use built_in::BuiltIn;
pub use cispo::Cispo;
pub use coefficient::Coefficient;
pub use column::{Column, Columns, Continuation, Output, Source, Term};
pub use composed::{Added, with_loss};
pub use dialects::{Dialect, Factor, dialects};
pub use dpo::{Dpo, LogRatio, PairLoss};
pub use estimators::{Average, DualClip, Kl, RatioGuard, SamplerRatio, Scale, Whitening};
pub use experience::Experience;
pub use export::{FormulaGraph, GraphNode, NodeKind};
pub use expr::{Expr, Number};
pub use formula::{Credit, minimise};
pub use gpg::Gpg;
pub use grpo::Grpo;
pub use gspo::{Gspo, RatioOf};
pub use layout::Layout;
pub use objective::{Loss, Objective, PartCotangents};
pub use oreal::{
    Alignment, Anchor, Negatives, Normaliser, Oreal, Pooling, Positives, RewardCoding, Shaping, TokenWeights,
};
pub use overlong::Overlong;
pub use parts::{Part, PartKind};
pub use ppo::Ppo;
pub use rank::{Batch, Finer, Flow, Frozen, Group, Join, Joined, Level, Live, Mix, Rank, Token, Trajectory, Within};
pub use reinforce::{Baseline, Reinforce};
pub use reinforce_plus_plus::{GroupBaseline, ReinforcePlusPlus};
pub use remax::Remax;
pub use rft::Rft;
pub use rloo::Rloo;
pub use role::{Head, Role};
pub use sapo::Sapo;
pub use selection::{FreeSelection, Outcome, Repeats, Select, Selection};
pub use settings::{IllegalSetting, Inert, MOST_RESAMPLES, check};
pub use shape::ShapeError;
pub use terms::{Data, Terms};
pub use vine_ppo::VinePpo;
