//! The messages of the Tinker API, as JSON. Fields that servers send besides are ignored.

mod sampling;
mod saving;

use oreal_models::Token;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use sampling::{Sample, Sampled, SampledSequence, SamplingParams};
pub use saving::{LoadWeights, SaveWeights, SaveWeightsForSampler, Saved};

/// The first part of every path.
pub const PREFIX: &str = "/api/v1/";

/// `create_session`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateSession {
    /// Words to find the session by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Anything else.
    #[serde(default)]
    pub user_metadata: Option<Value>,
    /// Which client this is.
    #[serde(default)]
    pub sdk_version: String,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Name of the session.
    pub session_id: String,
}

/// `session_heartbeat`: the client is still there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Which session.
    pub session_id: String,
}

/// `create_model`: a model that learns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CreateModel {
    /// Whose it is.
    pub session_id: String,
    /// Number of the model in its session, counted from 0. The same number is the same model.
    #[serde(default)]
    pub model_seq_id: u64,
    /// What it starts from.
    pub base_model: String,
    /// Its adapters; without them all weights learn, where the server can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora_config: Option<Lora>,
}

/// Low-rank adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lora {
    /// 0 trains all weights, where the server can.
    pub rank: u32,
    /// Of their random start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// On the unembedding too.
    #[serde(default = "yes")]
    pub train_unembed: bool,
    /// On the feed-forward blocks.
    #[serde(default = "yes")]
    pub train_mlp: bool,
    /// On the attention.
    #[serde(default = "yes")]
    pub train_attn: bool,
}

fn yes() -> bool {
    true
}

/// What a call that takes long answers: its result is asked for with [`RetrieveFuture`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Future {
    /// Name of the result.
    #[serde(deserialize_with = "text_or_number")]
    pub request_id: String,
    /// Of `create_model`: the model's name, where it is known already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
}

/// `retrieve_future`: 408 is "not yet".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetrieveFuture {
    /// Name of the result.
    pub request_id: String,
}

/// The result of `create_model`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Created {
    /// Name of the model.
    pub model_id: String,
}

/// `unload_model`: it is not needed any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnloadModel {
    /// Which model.
    pub model_id: String,
}

/// `forward`: log-probabilities, without a gradient.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forward {
    /// Which model.
    pub model_id: String,
    /// Number of the call among those of its model, counted from 0. The same number is the same call.
    #[serde(default)]
    pub seq_id: Option<u64>,
    /// What is read.
    pub forward_input: Batch,
}

/// `forward_backward`: the gradient of a loss is added to the model's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ForwardBackward {
    /// Which model.
    pub model_id: String,
    /// Number of the call among those of its model.
    #[serde(default)]
    pub seq_id: Option<u64>,
    /// What is learnt from.
    pub forward_backward_input: Batch,
}

/// Sequences, and the loss on them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// The sequences.
    pub data: Vec<Datum>,
    /// Such as `cross_entropy`: the sum of `-logp * weights`.
    pub loss_fn: String,
    /// Its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_fn_config: Option<Value>,
}

/// One sequence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Datum {
    /// The tokens that the model reads.
    pub model_input: ModelInput,
    /// What the loss reads, each with a number for every token of the input.
    pub loss_fn_inputs: LossInputs,
}

/// Inputs of a loss. Which are needed depends on it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LossInputs {
    /// The token whose log-probability is taken after each token of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_tokens: Option<Tensor>,
    /// Of `cross_entropy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Tensor>,
    /// Of `importance_sampling` and `ppo`: log-probabilities under what drew the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Tensor>,
    /// Of the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advantages: Option<Tensor>,
    /// 0 where a token does not count; only some servers know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Tensor>,
}

/// Numbers with a shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Row-major.
    pub data: Numbers,
    /// `int64` or `float32`.
    #[serde(default = "float32")]
    pub dtype: String,
    /// Its sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
}

/// Whole numbers, or any.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "data must be a row of numbers")]
pub enum Numbers {
    /// Written without a point.
    Whole(Vec<i64>),
    /// Written with one.
    Real(Vec<f64>),
}

fn float32() -> String {
    "float32".to_owned()
}

/// Tokens in chunks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelInput {
    /// In order.
    pub chunks: Vec<Chunk>,
}

/// Some of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Chunk {
    /// `encoded_text`.
    #[serde(rename = "type", default = "encoded_text")]
    pub kind: String,
    /// Tokens.
    #[serde(default)]
    pub tokens: Vec<Token>,
}

fn encoded_text() -> String {
    "encoded_text".to_owned()
}

/// The result of `forward` and of `forward_backward`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LossOutput {
    /// Such as `ArrayRecord`.
    #[serde(default)]
    pub loss_fn_output_type: String,
    /// For each sequence.
    pub loss_fn_outputs: Vec<LossOutputs>,
    /// Such as `loss:sum`.
    #[serde(default)]
    pub metrics: Value,
}

/// Of one sequence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LossOutputs {
    /// Log-probability of each target.
    pub logprobs: Tensor,
}

/// `optim_step`: the weights move by the model's gradient, which is then zero.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OptimStep {
    /// Which model.
    pub model_id: String,
    /// Number of the call among those of its model.
    #[serde(default)]
    pub seq_id: Option<u64>,
    /// How.
    pub adam_params: Adam,
}

/// AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adam {
    /// Of this step.
    pub learning_rate: f64,
    /// Decay of the mean of the gradient.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Decay of the mean of its square.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// Added to the root of that.
    #[serde(default = "eps")]
    pub eps: f64,
    /// Share of a weight that a step at learning rate 1 takes away.
    #[serde(default)]
    pub weight_decay: f64,
    /// Longest gradient; 0 for any.
    #[serde(default)]
    pub grad_clip_norm: f64,
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.95
}

fn eps() -> f64 {
    1e-12
}

/// `get_server_capabilities`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Capabilities {
    /// What models can start from.
    pub supported_models: Vec<SupportedModel>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SupportedModel {
    /// Its name.
    #[serde(default)]
    pub model_name: Option<String>,
}

impl ModelInput {
    /// In one chunk.
    pub fn of(tokens: Vec<Token>) -> ModelInput {
        ModelInput { chunks: vec![Chunk { kind: encoded_text(), tokens }] }
    }

    /// All tokens, in order.
    pub fn tokens(&self) -> Vec<Token> {
        self.chunks.iter().flat_map(|chunk| chunk.tokens.iter().copied()).collect()
    }
}

impl Tensor {
    /// A row of numbers.
    pub fn floats(data: Vec<f64>) -> Tensor {
        Tensor { shape: Some(vec![data.len()]), data: Numbers::Real(data), dtype: float32() }
    }

    /// A row of tokens.
    pub fn tokens(tokens: impl IntoIterator<Item = Token>) -> Tensor {
        let data: Vec<i64> = tokens.into_iter().map(i64::from).collect();
        Tensor { shape: Some(vec![data.len()]), data: Numbers::Whole(data), dtype: "int64".to_owned() }
    }
}

impl Numbers {
    /// All of them.
    pub fn reals(&self) -> Vec<f64> {
        match self {
            Numbers::Whole(numbers) => numbers.iter().map(|number| *number as f64).collect(),
            Numbers::Real(numbers) => numbers.clone(),
        }
    }
}

fn text_or_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    match Value::deserialize(from)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(serde::de::Error::custom(format!("{other} is no name"))),
    }
}
