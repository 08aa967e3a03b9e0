//! The Llama-like transformers, apart from any way to run them: families, sizes, parameters, checkpoint files, and
//! batches without padding. An engine takes it from here; [`crate::transformer`] is one.

pub(crate) mod checkpoint;
mod config;
mod family;
mod layer;
mod packed;
mod parameter;
mod rope;

pub use checkpoint::{Checkpoint, Precision, Saving};
pub use config::Config;
pub use family::Family;
pub use layer::{AttentionWeights, LayerWeights};
pub use packed::Packed;
pub use parameter::{Init, Parameter};
pub use rope::RopeScaling;
