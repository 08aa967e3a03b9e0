//! The one error type of this crate: what is wrong, where, and what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::rows::Place;

/// An experiment could not be read, built or run.
///
/// `Debug` prints the same message as `Display`, so that `fn main() -> oreal::Result<()>` ends with a sentence.
#[derive(thiserror::Error)]
pub enum Error {
    /// A setting is unknown or has a value that makes no sense. `place` is the file, option or key it came from.
    #[error("{place}: {problem}")]
    Setting {
        /// File, option or key.
        place: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// A file or folder could not be read or written.
    #[error("{path}: {problem}")]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
    /// A row of a file cannot be used; see [`crate::rows`].
    #[error("{place}: {problem}")]
    Row {
        /// File and line or row, which are counted from 1.
        place: String,
        /// What is wrong with it, with the field where it is one.
        problem: String,
    },
    /// A model could not be built or run.
    #[error("{role}: {source}")]
    Model {
        /// The role the model has, or what else it was used for.
        role: String,
        /// The error of the model.
        source: oreal_models::Error,
    },
    /// Claims whose checks do not give the recorded verdict.
    #[error(
        "not as recorded: {names}; either the code or the record is wrong, and `oreal claims NAME` shows the numbers"
    )]
    Claims {
        /// The claims, separated by commas.
        names: String,
    },
    /// The loss, or its derivative, is not finite. The step has changed no weights of any role.
    #[error(
        "step {step}: the loss is {value}, because `{node}` is not finite: lower the learning rate, or look for a division \
         by zero or an overflowing exponential there; this update has changed no weights"
    )]
    NotFinite {
        /// The training step, counted from 0.
        step: u64,
        /// The value of the loss.
        value: f64,
        /// The first part of the formula that is not finite.
        node: String,
    },
    /// A sentinel found something that cannot be meant.
    #[error("{0}; `sentinels.on_stop = \"warn\"` goes on nevertheless")]
    Sentinel(Box<crate::sentinels::Finding>),
    /// A data column has the wrong number of values or one that is not finite.
    #[error("step {step}: column `{column}`: {problem}")]
    Column {
        /// The training step, counted from 0.
        step: u64,
        /// Name of the column.
        column: String,
        /// What is wrong with its values.
        problem: String,
    },
    /// The run was asked to stop, and did: see [`Stop`](crate::Stop).
    #[error("stopped {after}")]
    Stopped {
        /// After which step, and what of it is saved.
        after: String,
        /// The run's folder, where it has one.
        folder: Option<PathBuf>,
    },
    /// Lengths that do not fit together: of completions, of a column.
    #[error(transparent)]
    Shape(#[from] oreal_algos::ShapeError),
    /// A sampler, an environment or a renderer broke its contract or failed.
    #[error("{part}: {problem}")]
    Part {
        /// Which part of the run.
        part: String,
        /// What it did.
        problem: String,
    },
}

/// Result of an experiment's operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For parts of a user's own (samplers, renderers, models): `part` says which, `problem` what happened.
    pub fn part(part: impl ToString, problem: impl ToString) -> Error {
        Error::Part { part: part.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn setting(place: impl ToString, problem: impl ToString) -> Error {
        Error::Setting { place: place.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn file(path: &Path, problem: impl ToString) -> Error {
        Error::File { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn row(place: &Place, problem: impl ToString) -> Error {
        Error::Row { place: place.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn model(role: &str) -> impl Fn(oreal_models::Error) -> Error + '_ {
        move |source| Error::Model { role: role.to_owned(), source }
    }
}

/// A setting of a model is one of the experiment; any other error is told as the model's.
impl From<oreal_models::Error> for Error {
    fn from(problem: oreal_models::Error) -> Error {
        match problem {
            oreal_models::Error::Setting { section, key, problem } => {
                Error::setting(format!("{section}.{key}"), problem)
            }
            other => Error::part("model", other),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
