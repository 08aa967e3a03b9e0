//! `[sampler]`: an inference server that draws the completions of training.

use std::path::PathBuf;

use oreal_engines::http::{IllegalSetting, Server};
use oreal_engines::inference::{Groups, Inference, Kind, LONGEST, Logprobs, Policy, Weights};
use oreal_models::{Precision, Saving};
use serde::{Deserialize, Serialize};

/// An inference server. `kind` and `url` have no default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerSettings {
    /// Which server it is.
    pub kind: SamplerKind,
    /// Base address, such as `http://127.0.0.1:30000`.
    pub url: String,
    /// A folder that the server sees under the same name, which new weights go through. For a policy that learns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// The type that they are written in.
    #[serde(default)]
    pub precision: WeightPrecision,
    /// What vLLM was started with as `--logprobs-mode`; `raw` where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Logprobs>,
    /// Most updates that the policy may be ahead of the server's weights. With 0, each completion is of the current weights.
    #[serde(default)]
    pub at_most_behind: u64,
    /// What becomes of a group of which some completions failed.
    #[serde(default)]
    pub groups: Groups,
    /// The environment variable with the server's key. No key is sent where it is not set.
    #[serde(default = "defaults::key_variable")]
    pub key_variable: String,
    /// Completions in flight at once.
    #[serde(default = "defaults::concurrency")]
    pub concurrency: usize,
    /// Longest time for one completion, and for loading new weights.
    #[serde(default = "defaults::timeout_seconds")]
    pub timeout_seconds: f64,
    /// How often a request is sent again after a passing failure.
    #[serde(default = "defaults::retries")]
    pub retries: u32,
    /// Pause before the first retry; it doubles with each further one.
    #[serde(default = "defaults::backoff_seconds")]
    pub backoff_seconds: f64,
}

/// Inference servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// SGLang.
    Sglang,
    /// vLLM.
    Vllm,
    /// The server of llama.cpp, for a policy that stays as it is.
    LlamaCpp,
}

/// The type that new weights are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightPrecision {
    /// Every bit of the policy's.
    #[default]
    Full,
    /// Rounded here, as most servers round them when they load: half the size.
    Bf16,
}

impl SamplerSettings {
    /// A sampler there, for a policy that learns or not. It connects when it is first asked.
    ///
    /// # Errors
    /// Settings without sense, by key.
    pub fn open(&self, learns: bool) -> Result<Inference, IllegalSetting> {
        let policy = self.policy(learns)?;
        if self.logprobs.is_some() && self.kind != SamplerKind::Vllm {
            return Err(IllegalSetting::new("logprobs", "must be absent: it is a setting of vLLM"));
        }
        Inference::new(self.served(), &self.server(), policy, self.groups)
    }

    /// The server.
    pub(super) fn served(&self) -> Kind {
        match self.kind {
            SamplerKind::Sglang => Kind::Sglang,
            SamplerKind::Vllm => Kind::Vllm(self.logprobs.unwrap_or_default()),
            SamplerKind::LlamaCpp => Kind::LlamaCpp,
        }
    }

    fn policy(&self, learns: bool) -> Result<Policy, IllegalSetting> {
        let fixed = "where the policy does not learn (rates.policy = 0)";
        match (&self.weights, learns) {
            (_, true) if self.kind == SamplerKind::LlamaCpp => {
                let problem = "llama.cpp loads no new weights: choose sglang or vllm, or do not train the policy";
                Err(IllegalSetting::new("kind", format!("{problem} (rates.policy = 0)")))
            }
            (None, true) => {
                let problem = "must be a folder that the server sees under the same name, such as /dev/shm/weights";
                Err(IllegalSetting::new("weights", problem))
            }
            (Some(_), false) => Err(IllegalSetting::new("weights", format!("must be absent {fixed}"))),
            (None, false) if self.at_most_behind > 0 => {
                Err(IllegalSetting::new("at_most_behind", format!("must be 0 {fixed}")))
            }
            (None, false) if self.precision != WeightPrecision::Full => {
                Err(IllegalSetting::new("precision", format!("must be absent {fixed}")))
            }
            (None, false) => Ok(Policy::Fixed),
            (Some(folder), true) => {
                let precision = match self.precision {
                    WeightPrecision::Full => Precision::Full,
                    WeightPrecision::Bf16 => Precision::Bf16,
                };
                let weights = Weights { folder: folder.clone(), saving: Saving { precision, ..Saving::default() } };
                Ok(Policy::Learns { weights, at_most_behind: self.at_most_behind })
            }
        }
    }

    fn server(&self) -> Server {
        Server {
            url: self.url.clone(),
            key_variable: self.key_variable.clone(),
            concurrency: self.concurrency,
            timeout_seconds: self.timeout_seconds,
            retries: self.retries,
            backoff_seconds: self.backoff_seconds,
            what: format!("answer of {}", self.served().name()),
            longest: LONGEST,
        }
    }
}

mod defaults {
    pub(super) fn key_variable() -> String {
        "OREAL_SAMPLER_KEY".to_owned()
    }
    pub(super) fn concurrency() -> usize {
        128
    }
    pub(super) fn timeout_seconds() -> f64 {
        1800.0
    }
    pub(super) fn retries() -> u32 {
        6
    }
    pub(super) fn backoff_seconds() -> f64 {
        1.0
    }
}
