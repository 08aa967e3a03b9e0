//! Text to tokens and back, for any Hugging Face checkpoint folder.
//!
//! In reading order: a [`Tokenizer`] (any `tokenizer.json`, one token per character, or one trained on texts), with the
//! [`Part`]s of a text that may hold control tokens and those that may not; a [`ChatTemplate`] that renders [`Message`]s
//! as transformers does; a [`Chat`], which is both with what ends a turn: prompts, answers and stop tokens of a
//! checkpoint; and templates and system prompts that have a name ([`Preset`], [`SystemPrompt`]).
//!
//! Token ids never go through text and back: a conversation that goes on is its prompt's tokens, then those drawn.

#![warn(missing_docs)]

mod message;
mod tokenizer;

mod chat;
mod presets;
mod template;

mod error;
mod file;

pub use chat::{Chat, Special};
pub use error::{Error, Result};
pub use message::{Extra, Message, Role};
pub use presets::{Preset, SystemPrompt};
pub use template::{ChatTemplate, Variables};
pub use tokenizer::{END, END_TOKEN, Part, Tokenizer};

/// Id of a token: a row of a model's embedding.
pub type Token = u32;
