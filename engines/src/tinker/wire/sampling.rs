//! Messages about completions.

use oreal_models::Token;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ModelInput;

/// `asample`: completions of a prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// What is completed.
    pub prompt: ModelInput,
    /// How many completions.
    #[serde(default = "one")]
    pub num_samples: usize,
    /// How they are drawn.
    pub sampling_params: SamplingParams,
    /// Weights that `save_weights_for_sampler` saved,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_path: Option<String>,
    /// or a model as it was before any training,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_model: Option<String>,
    /// or a sampling session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_session_id: Option<String>,
    /// Number of the call in the sampling session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq_id: Option<u64>,
    /// Whether the log-probabilities of the prompt's tokens are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_logprobs: Option<bool>,
}

fn one() -> usize {
    1
}

/// How completions are drawn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SamplingParams {
    /// Longest completion.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// Of the random numbers.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Tokens (numbers) or texts that end a completion.
    #[serde(default)]
    pub stop: Value,
    /// 0 takes the most likely token.
    #[serde(default = "unit")]
    pub temperature: f64,
    /// So many most likely tokens; -1 is all.
    #[serde(default = "all")]
    pub top_k: i64,
    /// Smallest set of most likely tokens with at least this probability.
    #[serde(default = "unit")]
    pub top_p: f64,
}

fn unit() -> f64 {
    1.0
}

fn all() -> i64 {
    -1
}

/// The result of `asample`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sampled {
    /// The completions.
    pub sequences: Vec<SampledSequence>,
    /// Log-probabilities of the prompt's tokens, the first of which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_logprobs: Option<Vec<Option<f64>>>,
}

/// One completion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SampledSequence {
    /// Its tokens, the one that ended it included.
    pub tokens: Vec<Token>,
    /// Log-probability of each.
    #[serde(default)]
    pub logprobs: Option<Vec<f64>>,
    /// `stop` or `length`.
    pub stop_reason: String,
}
