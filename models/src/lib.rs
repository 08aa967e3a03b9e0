//! Policies, critics and reward models behind one contract: a [`Sampler`] draws completions, a [`Backbone`] reports
//! per-token signals and takes a cotangent for each. An objective never sees a tensor.
//!
//! In reading order: the contract ([`Backbone`], [`Sampler`], [`Model`]), the exact [`Table`], the [`Transformer`] and
//! what serves it.

mod contract;
mod error;

pub use contract::{Backbone, Completion, Ending, Key, Model, Sampler, Sampling, Sequence, Signal, Signals, Step, Token, Want};
pub use error::{Error, Result};
