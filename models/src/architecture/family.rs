//! The families of transformers, by Hugging Face's `model_type`.

use serde::{Deserialize, Serialize};

/// A family of transformers. All have RMS normalisation before each half of a layer, grouped queries, rotary positions
/// and gated units with SiLU; they differ in the biases of the projections and in norms of queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Qwen2 and Qwen2.5 (arXiv:2407.10671, arXiv:2412.15115): biases of queries, keys and values.
    #[default]
    Qwen2,
    /// Qwen3 (arXiv:2505.09388): no biases; each query and key is normalised before the rotary positions.
    Qwen3,
    /// Llama 1 to 3 (arXiv:2302.13971, arXiv:2407.21783), and models of the same arithmetic such as SmolLM2.
    Llama,
    /// Mistral (arXiv:2310.06825) without sliding windows: the arithmetic of Llama.
    Mistral,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Qwen2, Self::Qwen3, Self::Llama, Self::Mistral];

    /// Hugging Face's `model_type`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
        }
    }

    /// What the names of its classes in transformers begin with.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Qwen2 => "Qwen2",
            Self::Qwen3 => "Qwen3",
            Self::Llama => "Llama",
            Self::Mistral => "Mistral",
        }
    }

    /// Whether the projections to queries, keys and values have biases.
    pub fn has_biases(self) -> bool {
        self == Self::Qwen2
    }

    /// Whether each query and each key is normalised, with one weight for all heads.
    pub fn has_head_norms(self) -> bool {
        self == Self::Qwen3
    }
}
