//! The error type of this crate. Each message says what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

use crate::data::{Head, Signal, Token};

/// A model could not be built, read, written or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written or understood.
    #[error("{path}: {problem}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor of a weight file is missing, unexpected, duplicated, of another shape or of another type.
    #[error("{path}: tensor `{tensor}`: {problem}")]
    Tensor {
        /// The weight file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting that no model can be built with, or no completion drawn with.
    #[error("{section}.{key}: {problem}")]
    Setting {
        /// What is configured, such as `optimiser`.
        section: &'static str,
        /// The setting.
        key: &'static str,
        /// Its value, and what is needed.
        problem: String,
    },
    /// There is nothing to read or to draw.
    #[error("empty batch: give at least one {what}")]
    EmptyBatch {
        /// `sequence` or `request`.
        what: &'static str,
    },
    /// A prompt or a completion without tokens.
    #[error("{what} {index} of the batch is empty: a model reads and predicts at least one token")]
    Empty {
        /// `prompt` or `completion`.
        what: &'static str,
        /// Which of the batch.
        index: usize,
    },
    /// A token that the model does not have.
    #[error(
        "{what} {index} of the batch holds token {token}, outside the vocabulary of {vocabulary}: was it encoded with another tokenizer?"
    )]
    UnknownToken {
        /// `prompt` or `completion`.
        what: &'static str,
        /// Which of the batch.
        index: usize,
        /// The token.
        token: Token,
        /// Number of tokens of the model.
        vocabulary: usize,
    },
    /// A model was asked for what its head does not produce.
    #[error("a model with a {head:?} head does not report {signal:?}: fork it with the other head")]
    Head {
        /// The head it has.
        head: Head,
        /// What was asked for.
        signal: Signal,
    },
    /// A model that only reads and draws was asked to learn.
    #[error("this model does not learn: fork it, or load its checkpoint as a model that learns")]
    DoesNotLearn,
    /// Cotangents that do not match the signals of the forward pass.
    #[error(
        "cotangent of {signal:?}: {found} numbers where the forward pass reported {expected}: give one per token for each signal it reported, and no other"
    )]
    Cotangent {
        /// The signal.
        signal: Signal,
        /// Tokens of the batch, or 0 for a signal that was not reported.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A number that should be finite is not.
    #[error("{what} is not finite; nothing was changed: lower the learning rate, or look for an infinite cotangent")]
    NotFinite {
        /// The number, or the parameter whose gradient it is part of.
        what: String,
    },
    /// A [`ModelState`](crate::ModelState) that cannot be read, or is one of another model.
    #[error("state: {problem}")]
    State {
        /// What is wrong with it.
        problem: String,
    },
    /// A device has no memory left.
    #[error(
        "{device}: out of memory: lower the number of sequences at once (micro_batch), their length, or the size of the model"
    )]
    OutOfMemory {
        /// The device.
        device: String,
    },
    /// There is no such GPU, or none that this program can use.
    #[error("cuda:{number}: no such GPU ({problem}): see `nvidia-smi`, or choose device = \"cpu\"")]
    NoGpu {
        /// Counted from 0.
        number: usize,
        /// What the driver says.
        problem: String,
    },
    /// A server that computes for a model, or draws for it, could not.
    #[error("{server}: {problem}")]
    Server {
        /// Its address.
        server: String,
        /// What happened, and what to do.
        problem: String,
    },
    /// Text that is not the name of a device.
    #[error("{device:?} is no device: write \"cpu\", or \"cuda:0\" for the first GPU")]
    UnknownDevice {
        /// The text.
        device: String,
    },
    /// A device that this program was built without.
    #[error(
        "{device}: this program was built without CUDA: build it with --features dfdx-cuda, or choose device = \"cpu\""
    )]
    NotBuilt {
        /// The device.
        device: String,
    },
    /// A device failed.
    #[error("{device}: {problem}")]
    Hardware {
        /// The device.
        device: String,
        /// What its driver says.
        problem: String,
    },
}

/// Result of a model operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Of a file.
    pub fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn tensor(path: &Path, tensor: &str, problem: impl ToString) -> Self {
        Self::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), problem: problem.to_string() }
    }

    /// Of a setting.
    pub fn setting(section: &'static str, key: &'static str, problem: impl ToString) -> Self {
        Self::Setting { section, key, problem: problem.to_string() }
    }
}
