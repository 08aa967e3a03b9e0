//! Text.
#![warn(missing_docs)]

mod message;
mod template;
mod tokenizer;

mod error;
mod file;

pub use error::{Error, Result};
pub use message::{Extra, Message, Role};
pub use template::{ChatTemplate, Variables};
pub use tokenizer::{END, Part, Tokenizer};

/// Id of a token: a row of a model's embedding.
pub type Token = u32;
