//! Policies, critics and reward models behind one contract: a [`Model`] reports per-token signals, takes a cotangent
//! for each, and steps; a [`Sampler`] draws completions. An objective never sees a tensor.
//!
//! In reading order: the contract ([`Model`], [`Pass`], [`Sampler`]), the mathematics of its two halves ([`head`],
//! [`sampling`]), the exact [`Table`], the [`Transformer`] with the [`architecture`] it has, the [`Engine`] that computes
//! it and the [`Device`] it is on ([`Runtime`]), and what learns ([`Optimiser`], [`Schedule`]). Models know numbers of tokens,
//! not text.

#![warn(missing_docs)]

pub mod architecture;
mod contract;
mod data;
mod device;
pub mod head;
mod in_process;
mod runtime;
pub mod sampling;
mod state;
mod table;
pub mod transformer;

mod optim;

mod buffers;
pub mod check;
mod error;
mod file;
mod mapped;
mod process;
mod products;
mod real;
mod reduce;
#[cfg(test)]
mod testing;
mod vectors;

pub use architecture::{Config as TransformerConfig, Family, Precision, RopeScaling, Saving};
pub use contract::{Model, Pass, Sampler};
pub use data::{Completion, Ending, Failure, Head, Key, Request, Sampling, Sequence, Signal, Signals, Token, Want};
pub use device::Device;
pub use error::{Error, Result};
pub use in_process::InProcess;
pub use optim::{Clip, Decayed, Optimiser, Schedule};
pub use process::{allow_tf32, keep_memory, memory};
pub use products::Products;
pub use real::Real;
pub use runtime::{Engine, Runtime};
pub use state::ModelState;
pub use table::{State, Table, TableRow};
pub use transformer::{Frozen, Transformer};
