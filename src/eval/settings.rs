//! What a file or the command line says of an evaluation.

use oreal_models::{Device, Products};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chat::Endpoint;
use crate::config::TextSettings;
use crate::error::{Error, Result};
use crate::judge::JudgeSettings;
use crate::problems::{ProblemSettings, Source};
use crate::rule::{DecimalsName, RuleName};

/// The settings of an evaluation. Files are named from the folder that the program is started in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvalSettings {
    /// The problems, JSONL or parquet. All of them are used.
    pub data: String,
    /// Where the file comes from, which says its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Field of the question, where it is another than the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// Field of the gold answer, where it is another than the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gold: Option<String>,
    /// What the decimals of gold answers mean, where it is something else than the source says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimals: Option<DecimalsName>,
    /// Only the first problems of the file, so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Fields that problems are grouped by, such as `level` and `subject`.
    pub by: Vec<String>,
    /// The system message; without a text there is none.
    pub system: String,
    /// What follows each question, on a line of its own. Where it is not given, what `rule` needs to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
    /// Where a completion has its answer.
    pub rule: RuleName,
    /// Completions of each problem.
    pub n: usize,
    /// Values of k for pass@k, besides the powers of two up to `n`.
    pub pass_at: Vec<usize>,
    /// Logits are divided by this; 0 takes the most likely token.
    pub temperature: f64,
    /// Smallest set of most likely tokens with at least this probability; 1 is all.
    pub top_p: f64,
    /// So many most likely tokens; 0 is all.
    pub top_k: usize,
    /// Longest completion in tokens, end token included.
    pub max_tokens: usize,
    /// Of the random numbers that completions are drawn with, and of the bootstrap.
    pub seed: u64,
    /// A checkpoint of the model: a folder, or a name of the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where such a model is.
    pub device: Device,
    /// Precision of its products, on the CPU.
    pub products: Products,
    /// Between text and its tokens.
    pub text: TextSettings,
    /// Completions of a local model that are drawn at once. None depends on it.
    pub batch: usize,
    /// A server with the model, instead of a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// A model that judges what the rules leave open; see [`crate::judge`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeSettings>,
    /// What is written of each completion.
    pub keep: Keep,
}

/// What is written of each completion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Its text and the verdict.
    #[default]
    Text,
    /// Also the prompt's messages, the tokens and their log-probabilities, to learn from.
    Rollouts,
}

/// Most completions of a problem.
const MOST: usize = 65_536;

impl EvalSettings {
    /// Refuses values without sense; the error names the key.
    pub fn validate(&self) -> Result<()> {
        let EvalSettings { n, temperature, top_p, max_tokens, .. } = *self;
        let known = temperature == 0.0 || (1e-3..=1e3).contains(&temperature);
        let checks = [
            ("data", !self.data.is_empty(), "missing: name a file of problems, JSONL or parquet"),
            ("data", self.data != "-", "must be a file: standard input cannot be read again when a run is continued"),
            ("limit", self.limit != Some(0), "must be at least 1"),
            ("n", (1..=MOST).contains(&n), "must be from 1 to 65536"),
            ("temperature", known, "must be from 0.001 to 1000, or 0 for the most likely token"),
            ("n", n == 1 || temperature > 0.0, "must be 1 where temperature is 0: the completions would be the same"),
            ("top_p", top_p > 0.0 && top_p <= 1.0, "must be more than 0, at most 1"),
            ("max_tokens", (1..=1 << 20).contains(&max_tokens), "must be from 1 to 1048576"),
            ("pass_at", self.pass_at.iter().all(|k| (1..=n).contains(k)), "must be from 1 to n"),
            ("batch", self.batch > 0, "must be at least 1"),
            ("model", self.model.is_none() || self.endpoint.is_none(), "must not be given beside an endpoint"),
        ];
        if let Some((key, _, problem)) = checks.iter().find(|(_, holds, _)| !holds) {
            return Err(Error::setting(key, problem));
        }
        self.judge.as_ref().map_or(Ok(()), JudgeSettings::validate)
    }

    /// The settings that the problems are read with.
    pub(super) fn problems(&self) -> ProblemSettings {
        ProblemSettings {
            file: self.data.clone(),
            source: self.source,
            question: self.question.clone(),
            gold: self.gold.clone(),
            decimals: self.decimals,
            rule: self.rule,
            system: self.system.clone(),
            instruction: self.instruction.clone(),
            max_tokens: self.max_tokens,
            ..ProblemSettings::default()
        }
    }

    /// The values of k for pass@k, in increasing order.
    pub(super) fn ks(&self) -> Vec<usize> {
        let mut ks = super::statistics::powers_of_two(self.n);
        ks.extend(&self.pass_at);
        ks.sort_unstable();
        ks.dedup();
        ks
    }

    /// All that completions and verdicts depend on, but for the model. Where it differs, no run is continued.
    pub(super) fn identity(&self) -> Value {
        let judge = self.judge.as_ref().map(|judge| {
            let JudgeSettings { model, asks, votes, temperature, max_tokens, .. } = judge;
            json!({ "model": model, "asks": asks, "votes": votes, "temperature": temperature, "max_tokens": max_tokens })
        });
        json!({
            "source": self.source,
            "question": self.question,
            "gold": self.gold,
            "decimals": self.decimals,
            "limit": self.limit,
            "system": self.system,
            "instruction": self.problems().instruction(),
            "rule": self.rule,
            "n": self.n,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "judge": judge,
            "text": self.text,
            "products": self.products,
            "keep": self.keep,
        })
    }
}

impl Default for EvalSettings {
    fn default() -> Self {
        EvalSettings {
            data: String::new(),
            source: None,
            question: None,
            gold: None,
            decimals: None,
            limit: None,
            by: Vec::new(),
            system: String::new(),
            instruction: None,
            rule: RuleName::Any,
            n: 1,
            pass_at: Vec::new(),
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            max_tokens: 4096,
            seed: 0,
            model: None,
            device: Device::default(),
            products: Products::default(),
            text: TextSettings::default(),
            batch: 64,
            endpoint: None,
            judge: None,
            keep: Keep::default(),
        }
    }
}
