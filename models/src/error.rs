//! The one error type of this crate: what is wrong, where, and what to do.

use std::path::PathBuf;

/// A model could not be built, read, written or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {problem}")]
    File { path: PathBuf, problem: String },
}

/// Result of a model operation.
pub type Result<T> = std::result::Result<T, Error>;
