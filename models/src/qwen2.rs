//! The Qwen2 family of transformers (arXiv:2407.10671), apart from any way to run it: sizes, parameters, checkpoint
//! files, and batches without padding. An engine takes it from here; [`crate::transformer`] is one.

pub(crate) mod checkpoint;
mod config;
mod packed;
mod parameter;

pub use checkpoint::Checkpoint;
pub use config::Config;
pub use packed::Packed;
pub use parameter::{Init, PER_LAYER, Parameter};
