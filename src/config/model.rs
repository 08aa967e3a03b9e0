//! `[model]` and `[text]`: what the models of a run are made of, and how text becomes their tokens.

use oreal_engines::tinker::{Carrier, Remote, RemoteSettings, ServiceSettings};
use oreal_models::{Engine, Family, Products, Signal, Token};
use serde::{Deserialize, Serialize};
use toml::Table;

/// What every role is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSettings {
    /// One row of logits per prefix, in f64: exact, and without generalisation.
    Table {},
    /// A fresh transformer of this family and size (in the words of its `config.json`), in f32.
    Transformer {
        /// Its architecture.
        #[serde(default, skip_serializing_if = "is_default")]
        family: Family,
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
        /// Precision of the products of all roles that start from these sizes, on the CPU.
        #[serde(default, skip_serializing_if = "is_default")]
        train_products: Products,
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
        /// Precision of the products of roles that learn, on the CPU: forward and backward passes, reading and drawing.
        #[serde(default, skip_serializing_if = "is_default")]
        train_products: Products,
        /// The code that computes it; the device's own choice where not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        engine: Option<Engine>,
    },
    /// A model on a server of the Tinker API: every role is there, and the policy draws there.
    Tinker(TinkerSettings),
}

/// A server of the Tinker API, and what a model there is made of. `url` and `base_model` have no default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TinkerSettings {
    /// Base address, such as `http://127.0.0.1:8000`; `/api/v1/..` is appended.
    pub url: String,
    /// What models start from, as the server calls it.
    pub base_model: String,
    /// Rank of the adapters; 0 trains all weights, where the server can.
    pub lora: u32,
    /// Two tokens, by number: the scalar of a critic or a reward model is the difference of their log-probabilities. The last two of
    /// the tokenizer where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score_tokens: Option<[Token; 2]>,
    /// The loss that cotangents travel as; found out where not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Carrier>,
    /// Most sequences in one call.
    pub batch: usize,
    /// The environment variable with the key. No key is sent where it is not set.
    pub key_variable: String,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Longest time for one request.
    pub timeout_seconds: f64,
    /// Longest time for the result of one call.
    pub result_seconds: f64,
    /// How often a request is sent again after a passing failure.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each further one.
    pub backoff_seconds: f64,
}

impl TinkerSettings {
    /// Where the server is, and how patiently it is asked.
    pub(crate) fn service(&self) -> ServiceSettings {
        ServiceSettings {
            url: self.url.clone(),
            key_variable: self.key_variable.clone(),
            concurrency: self.concurrency,
            timeout_seconds: self.timeout_seconds,
            result_seconds: self.result_seconds,
            retries: self.retries,
            backoff_seconds: self.backoff_seconds,
        }
    }

    /// What a model there is made of, for so many tokens. The carrier is the first there is, where none is given.
    pub(crate) fn remote(&self, seed: u64, vocabulary: usize) -> RemoteSettings {
        let last = |count: usize| vocabulary.saturating_sub(count) as Token;
        RemoteSettings {
            base_model: self.base_model.clone(),
            rank: self.lora,
            seed,
            vocabulary,
            carrier: self.carrier.unwrap_or_default(),
            score_tokens: self.score_tokens.unwrap_or([last(2), last(1)]),
            batch: self.batch,
        }
    }

    /// The key of the first setting without sense, and what is wrong with it.
    pub(crate) fn check(&self) -> Option<(String, String)> {
        if let Err(problem) = self.service().check() {
            return Some((problem.key, problem.problem));
        }
        let checks = [
            ("base_model", !self.base_model.trim().is_empty(), "must be the name of a model at the server"),
            ("lora", self.lora <= 1024, "must be at most 1024"),
            ("score_tokens", self.score_tokens.is_none_or(|[yes, no]| yes != no), "must be two different tokens"),
            ("batch", self.batch > 0, "must be at least 1"),
        ];
        let wrong = checks.into_iter().find(|(_, holds, _)| !holds);
        wrong.map(|(key, _, problem)| (key.to_owned(), problem.to_owned()))
    }
}

impl Default for TinkerSettings {
    fn default() -> Self {
        let ServiceSettings {
            url,
            key_variable,
            concurrency,
            timeout_seconds,
            result_seconds,
            retries,
            backoff_seconds,
        } = ServiceSettings::default();
        TinkerSettings {
            url,
            base_model: String::new(),
            lora: 32,
            score_tokens: None,
            carrier: None,
            batch: 128,
            key_variable,
            concurrency,
            timeout_seconds,
            result_seconds,
            retries,
            backoff_seconds,
        }
    }
}

impl ModelSettings {
    /// Whether its models can report a signal, given the right head.
    pub(crate) fn reports(&self, signal: Signal) -> bool {
        !matches!(self, ModelSettings::Tinker(_)) || Remote::can_report(signal)
    }

    /// The code that computes it; the device's own choice where `None`.
    pub(crate) fn engine(&self) -> Option<Engine> {
        match self {
            ModelSettings::Table {} | ModelSettings::Tinker(_) => None,
            ModelSettings::Transformer { engine, .. } | ModelSettings::Checkpoint { engine, .. } => *engine,
        }
    }

    /// Precision of the products of roles that learn.
    pub(crate) fn train_products(&self) -> Products {
        match self {
            ModelSettings::Table {} | ModelSettings::Tinker(_) => Products::default(),
            ModelSettings::Transformer { train_products, .. } | ModelSettings::Checkpoint { train_products, .. } => {
                *train_products
            }
        }
    }

    /// Folder or name of the checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<&str> {
        match self {
            ModelSettings::Checkpoint { path, .. } => Some(path),
            ModelSettings::Table {} | ModelSettings::Transformer { .. } | ModelSettings::Tinker(_) => None,
        }
    }
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings::Transformer {
            family: Family::default(),
            num_hidden_layers: defaults::layers(),
            hidden_size: defaults::hidden_size(),
            num_attention_heads: defaults::heads(),
            num_key_value_heads: defaults::kv_heads(),
            intermediate_size: defaults::intermediate_size(),
            train_products: Products::default(),
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
