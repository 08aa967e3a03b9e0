//! What the worker is asked to do.

use std::path::PathBuf;

use oreal_models::{Key, Sampling, Token};
use serde_json::Value;

use super::batch::Batch;
use crate::tinker::wire::Adam;

/// A piece of work, and the name of its result.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) result: String,
    pub(super) job: Job,
}

/// A piece of work.
#[derive(Debug)]
pub(super) enum Job {
    /// A model, from the base or from what was saved.
    Create { model: String, from: Option<From> },
    /// It is not needed any more.
    Unload { model: String },
    /// Log-probabilities and the loss.
    Losses { model: String, batch: Batch, gradient: Gradient },
    /// One optimiser step.
    Step { model: String, adam: Adam },
    /// Keeps weights and moments, or weights to draw with.
    Save { model: String, path: String, what: Saves, answer: Value },
    /// Takes over what was saved.
    Load { model: String, from: From },
    /// Draws completions.
    Draw(Draw),
    /// Reads the weights that are served from a folder.
    Replace { folder: PathBuf, version: String, answer: Value },
}

/// Whether a gradient is accumulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gradient {
    Accumulated,
    NotWanted,
}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saves {
    Everything,
    WeightsToDraw,
}

/// What is taken over.
#[derive(Clone, Debug)]
pub(super) struct From {
    pub(super) path: String,
    /// The optimiser's moments too.
    pub(super) moments: bool,
}

/// What completions are drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Weights {
    /// The model that all others start from.
    Base,
    /// The same, until it is replaced by one from a folder.
    Served,
    /// What was saved under a name.
    Saved(String),
}

/// Completions of one prompt.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    pub(super) weights: Weights,
    pub(super) prompt: Vec<Token>,
    /// One for each completion.
    pub(super) keys: Vec<Key>,
    pub(super) how: Sampling,
    /// The log-probabilities of the prompt's tokens are wanted.
    pub(super) prompt_logps: bool,
}
