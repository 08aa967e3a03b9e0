//! Policies, critics and reward models behind one contract: a [`Sampler`] draws completions, a [`Backbone`] reports
//! per-token signals and takes a cotangent for each. An objective never sees a tensor.
//!
//! In reading order: the contract ([`Backbone`], [`Sampler`], [`Model`]), the mathematics of its two halves ([`head`],
//! [`sampling`]), the exact [`Table`], the [`Transformer`] and the [`Device`] it is on, and what learns and speaks
//! ([`Optimiser`], [`Schedule`], [`Tokenizer`]).

mod contract;
mod data;
mod device;
pub mod head;
pub mod sampling;
mod table;
pub mod transformer;

mod optim;
mod tokenizer;

mod buffers;
mod check;
mod error;
mod file;
mod process;
mod real;
mod vectors;

pub use contract::{Backbone, Model, Sampler};
pub use data::{Completion, Ending, Head, Key, Sampling, Sequence, Signal, Signals, Step, Token, Want};
pub use device::Device;
pub use error::{Error, Result};
pub use optim::{Clip, Optimiser, Schedule};
pub use process::{allow_tf32, keep_memory};
pub use real::Real;
pub use table::{Row, State, Table};
pub use tokenizer::{END, Tokenizer};
pub use transformer::{Config as TransformerConfig, Transformer};
