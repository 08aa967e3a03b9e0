//! The servers, and what each is asked.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Question};
use super::reported::{Contains, Reported};
use super::{llama_cpp, sglang, vllm};
use crate::http::{Failure, Fault, Http, Round, Scope};

/// An inference server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SGLang, by `/generate`.
    Sglang,
    /// vLLM, by `/v1/completions`.
    Vllm(Logprobs),
    /// The server of llama.cpp, by `/completion`. It loads no new weights.
    LlamaCpp,
}

/// What vLLM was started with as `--logprobs-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logprobs {
    /// `raw_logprobs`: before temperature, top-p and top-k.
    #[default]
    Raw,
    /// `processed_logprobs`: of the distribution that is drawn from.
    Processed,
}

impl Kind {
    /// The server's name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sglang => "SGLang",
            Kind::Vllm(_) => "vLLM",
            Kind::LlamaCpp => "llama.cpp",
        }
    }

    /// What its log-probabilities are of.
    pub fn reported(self) -> Reported {
        let (temperature, support) = match self {
            Kind::Sglang => (Contains::Yes, Contains::No),
            Kind::Vllm(Logprobs::Processed) => (Contains::Yes, Contains::Yes),
            Kind::Vllm(Logprobs::Raw) | Kind::LlamaCpp => (Contains::No, Contains::No),
        };
        Reported { temperature, support }
    }

    /// One completion.
    pub(super) fn draw(self, http: &Http, question: &Question<'_>) -> Result<Answer, Fault> {
        match self {
            Kind::Sglang => sglang::draw(http, question),
            Kind::Vllm(_) => vllm::draw(http, question),
            Kind::LlamaCpp => llama_cpp::draw(http, question),
        }
    }

    /// Has the server load a checkpoint, which it is to call `name`, and forget what it has cached.
    pub(super) fn load(self, round: &Round<'_>, folder: &Path, name: &str) -> Result<(), Failure> {
        match self {
            Kind::Sglang => sglang::load(round, folder, name),
            Kind::Vllm(_) => vllm::load(round, folder),
            Kind::LlamaCpp => {
                round.send(|_| Err(Fault::new(Scope::Request, "llama.cpp loads no new weights").not_taken()))
            }
        }
    }
}
