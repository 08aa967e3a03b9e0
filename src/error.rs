//! The one error type of this crate: what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// An experiment could not be read, built or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is unknown or has a value that makes no sense. `place` is the file or option it came from.
    #[error("{place}: {problem}")]
    Setting { place: String, problem: String },
    /// A file or folder could not be read or written.
    #[error("{path}: {problem}")]
    File { path: PathBuf, problem: String },
    /// A model could not be built or run.
    #[error("{role}: {source}")]
    Model { role: &'static str, source: oreal_models::Error },
    /// Claims whose checks say something else than what is recorded.
    #[error(
        "not as recorded: {names}; either the code or the record is wrong, and `oreal claims NAME` shows the numbers"
    )]
    Claims { names: String },
    /// A loss is not a number.
    #[error(
        "step {step}: the loss is {value}, because `{node}` is not finite: lower the learning rate, or look for a division \
         by zero or an overflowing exponential there; this update has changed no weights"
    )]
    NotFinite { step: usize, value: f64, node: String },
}

/// Result of an experiment's operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn setting(place: impl ToString, problem: impl ToString) -> Error {
        Error::Setting { place: place.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn file(path: &Path, problem: impl ToString) -> Error {
        Error::File { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn model(role: &'static str) -> impl Fn(oreal_models::Error) -> Error {
        move |source| Error::Model { role, source }
    }
}
