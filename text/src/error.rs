//! The error type of this crate. Each message says what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

use crate::Token;

/// A text could not be encoded, or a tokenizer or chat template not be read.
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
    /// A key of a configuration file has a value of another form than needed.
    #[error("{path}: `{key}`: {problem}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value, and what is needed.
        problem: String,
    },
    /// A chat template does not parse, fails, or does too much.
    #[error("chat template{}: {problem}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Template {
        /// Line of the template, counted from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        problem: String,
    },
    /// A character that the tokenizer has no token for.
    #[error("character {character:?} at byte {position} is not in the vocabulary {vocabulary}")]
    Character {
        /// The character.
        character: char,
        /// Byte offset in the text.
        position: usize,
        /// The characters there are.
        vocabulary: String,
    },
    /// The tokenizer library refused.
    #[error("tokenizer: {problem}")]
    Tokenizer {
        /// What it says.
        problem: String,
    },
    /// No token has this name.
    #[error("{what}: the tokenizer has no token called {name:?}")]
    NoToken {
        /// What the name is given for, such as `eos_token`.
        what: String,
        /// The name.
        name: String,
    },
    /// Ordinary text whose tokens hold a control token, because the tokenizer's model itself produces it.
    #[error(
        "text becomes control token {token} ({name:?}) even where none is looked for: this tokenizer cannot tell such text from control; remove {name:?} from the text"
    )]
    Control {
        /// The control token.
        token: Token,
        /// Its name.
        name: String,
    },
    /// The tokenizer has tokens in use that the model has no embedding for.
    #[error(
        "the tokenizer has {tokens} tokens, the model's embedding {rows} rows, and token {token} ({name:?}) is beyond them: the tokenizer is of another model, or the embedding must be resized"
    )]
    Embedding {
        /// Tokens of the tokenizer: the highest id plus 1.
        tokens: usize,
        /// Rows of the embedding.
        rows: usize,
        /// A token that has no row.
        token: Token,
        /// Its name.
        name: String,
    },
    /// A text holds an added token that the model has no embedding for.
    #[error(
        "token {token} ({name:?}) of the text has no row in the model's embedding of {rows} rows: remove it from the text"
    )]
    Beyond {
        /// The token.
        token: Token,
        /// Its name.
        name: String,
        /// Rows of the embedding.
        rows: usize,
    },
    /// A name that none of a list has.
    #[error("{name:?} is no {what}: choose one of {known}")]
    Unknown {
        /// What is named.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
}

/// Result of an operation on text.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn file(path: &Path, problem: impl ToString) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn key(path: &Path, key: &str, problem: impl ToString) -> Self {
        Self::Key { path: path.to_owned(), key: key.to_owned(), problem: problem.to_string() }
    }

    pub(crate) fn tokenizer(problem: impl ToString) -> Self {
        Self::Tokenizer { problem: problem.to_string() }
    }
}
