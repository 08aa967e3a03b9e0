//! `[model]` and `[text]`: what the models of a run are made of, and how text becomes their tokens.

use oreal_models::{Engine, Products};
use serde::{Deserialize, Serialize};
use toml::Table;

/// What every role is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSettings {
    /// One row of logits per prefix, in f64: exact, and without generalisation.
    Table {},
    /// A fresh transformer with Qwen2's architecture at this size (in the words of its `config.json`), in f32.
    Transformer {
        /// Layers.
        #[serde(default = "defaults::layers")]
        num_hidden_layers: usize,
        /// Width of the residual stream.
        #[serde(default = "defaults::hidden_size")]
        hidden_size: usize,
        /// Attention heads.
        #[serde(default = "defaults::heads")]
        num_attention_heads: usize,
        /// Heads of keys and values; each is shared by a group of query heads.
        #[serde(default = "defaults::kv_heads")]
        num_key_value_heads: usize,
        /// Width of the feed-forward block.
        #[serde(default = "defaults::intermediate_size")]
        intermediate_size: usize,
        /// The code that computes it; the device's own choice where not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<Engine>,
    },
    /// A checkpoint in the format of Hugging Face. Roles that learn are in f32; on the CPU, weights in bf16 of a role that does not
    /// learn stay in their files.
    Checkpoint {
        /// A folder, or a name of the hub such as `Qwen/Qwen2.5-Math-1.5B`.
        path: String,
        /// Precision of the products of roles that do not learn, on the CPU.
        #[serde(default)]
        products: Products,
        /// The code that computes it; the device's own choice where not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<Engine>,
    },
}

impl ModelSettings {
    /// The code that computes it; the device's own choice where `None`.
    pub(crate) fn engine(&self) -> Option<Engine> {
        match self {
            ModelSettings::Table {} => None,
            ModelSettings::Transformer { engine, .. } | ModelSettings::Checkpoint { engine, .. } => *engine,
        }
    }

    /// Folder or name of the checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<&str> {
        match self {
            ModelSettings::Checkpoint { path, .. } => Some(path),
            ModelSettings::Table {} | ModelSettings::Transformer { .. } => None,
        }
    }
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings::Transformer {
            num_hidden_layers: defaults::layers(),
            hidden_size: defaults::hidden_size(),
            num_attention_heads: defaults::heads(),
            num_key_value_heads: defaults::kv_heads(),
            intermediate_size: defaults::intermediate_size(),
            engine: None,
        }
    }
}

/// Between text and tokens. Without a tokenizer, a checkpoint has its own, and another model a token for each character of the
/// environment's alphabet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextSettings {
    /// A folder with a `tokenizer.json`, or a name of the hub.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tokenizer: String,
    /// The chat template, by name, instead of the one that comes with the tokenizer: see [`oreal_text`].
    #[serde(skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// The system message of conversations that have none: a name of [`oreal_text`], or a text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Variables of the template, such as `enable_thinking = false`.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub arguments: Table,
}

mod defaults {
    pub(super) fn layers() -> usize {
        2
    }
    pub(super) fn hidden_size() -> usize {
        64
    }
    pub(super) fn heads() -> usize {
        4
    }
    pub(super) fn kv_heads() -> usize {
        2
    }
    pub(super) fn intermediate_size() -> usize {
        128
    }
}
