//! The one error type of this crate: what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

use crate::data::{Head, Signal, Token};

/// A model could not be built, read, written or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written or understood.
    #[error("{path}: {problem}")]
    File { path: PathBuf, problem: String },
    /// A tensor of a weight file is missing, unexpected, of another shape or of another type.
    #[error("{path}: tensor `{tensor}`: {problem}")]
    Tensor { path: PathBuf, tensor: String, problem: String },
    /// A setting that no model can be built with, or no completion drawn with.
    #[error("{section}.{key}: {problem}")]
    Setting { section: &'static str, key: &'static str, problem: String },
    /// There is nothing to read or to continue.
    #[error("empty batch: give at least one {what}")]
    EmptyBatch { what: &'static str },
    /// A prompt or a completion without tokens.
    #[error("{what} {index} of the batch is empty: a model reads and predicts at least one token")]
    Empty { what: &'static str, index: usize },
    /// A token that the model does not have.
    #[error(
        "{what} {index} of the batch holds token {token}, outside the vocabulary of {vocabulary}: was it encoded with another tokenizer?"
    )]
    UnknownToken { what: &'static str, index: usize, token: Token, vocabulary: usize },
    /// Two lists that run side by side differ in length.
    #[error("{prompts} prompts but {keys} keys: each prompt needs the key of its completion")]
    Keys { prompts: usize, keys: usize },
    /// A model was asked for what its head does not produce.
    #[error("a model with a {head:?} head does not report {signal:?}: fork it with the other head")]
    Head { head: Head, signal: Signal },
    /// The loss returned other signals than it was given.
    #[error(
        "cotangent of {signal:?}: {found} numbers for {expected} tokens: return one per token for each signal given, and no other"
    )]
    Cotangent { signal: Signal, expected: usize, found: usize },
    /// A number that should be finite is not.
    #[error("{what} is not finite, nothing was changed: lower the learning rate or look for an infinite cotangent")]
    NotFinite { what: String },
    /// A device has no memory left.
    #[error(
        "{device}: out of memory: lower the number of sequences at once (micro_batch), their length, or the size of the model"
    )]
    OutOfMemory { device: String },
    /// There is no such GPU, or none that this program can use.
    #[error("cuda:{number}: no such GPU ({problem}): see `nvidia-smi`, or choose device = \"cpu\"")]
    NoGpu { number: usize, problem: String },
    /// Text that names no device.
    #[error("{device:?} is no device: write \"cpu\", or \"cuda:0\" for the first GPU")]
    UnknownDevice { device: String },
    /// A device was asked for that this program was built without.
    #[error(
        "{device}: this program was built without CUDA: build it with --features dfdx-cuda, or choose device = \"cpu\""
    )]
    NotBuilt { device: String },
    /// A device failed.
    #[error("{device}: {problem}")]
    Hardware { device: String, problem: String },
    /// Text that the tokenizer cannot represent.
    #[error("character {character:?} at byte {position} is not in the vocabulary {vocabulary}")]
    Character { character: char, position: usize, vocabulary: String },
    /// The tokenizer library refused.
    #[error("tokenizer: {problem}")]
    Tokenizer { problem: String },
}

/// Result of a model operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn tensor(path: &Path, tensor: &str, problem: impl ToString) -> Self {
        Self::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn setting(section: &'static str, key: &'static str, problem: impl ToString) -> Self {
        Self::Setting { section, key, problem: problem.to_string() }
    }
}
