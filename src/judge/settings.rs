//! The judge's settings, and what they may not be.

use std::path::PathBuf;

use oreal_math::Verdict;
use serde::{Deserialize, Serialize};

use crate::chat::Endpoint;
use crate::error::{Error, Result};

/// Which model judges, and how it is asked. `url` and `model` have no default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeSettings {
    /// Base address of the endpoint, such as `http://127.0.0.1:8000/v1`; `/chat/completions` is appended.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable with the key. No key is sent where it is not set.
    pub key_variable: String,
    /// Which answers are put to the judge.
    pub asks: Asks,
    /// Verdicts drawn for each answer; more than half must agree. Odd.
    pub votes: u32,
    /// 0 takes the most likely tokens.
    pub temperature: f64,
    /// Most tokens of a reply. A model that thinks first needs room for its thoughts.
    pub max_tokens: usize,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Longest time for one request, from the connection to the last byte.
    pub timeout_seconds: f64,
    /// How often a request is sent again after a passing failure.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each further one.
    pub backoff_seconds: f64,
    /// Folder that decided opinions are kept in, and taken from; none are kept where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<PathBuf>,
}

/// Which answers are put to the judge, after the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// Those on which the rules cannot tell.
    #[default]
    CannotTell,
    /// Those too that the rules find wrong, as in OREAL's released code.
    CannotTellAndWrong,
}

impl Asks {
    /// Whether the judge is asked after this verdict of the rules.
    pub fn after(self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::CannotTell => true,
            Verdict::Wrong => self == Asks::CannotTellAndWrong,
            Verdict::Right | Verdict::Unparsable => false,
        }
    }
}

impl JudgeSettings {
    /// Refuses values without sense; the error names the key.
    pub fn validate(&self) -> Result<()> {
        self.endpoint().check().map_err(|illegal| {
            let illegal = illegal.within("judge");
            Error::setting(illegal.key, illegal.problem)
        })?;
        let same = self.votes > 1 && self.temperature == 0.0;
        let checks = [
            ("judge.votes", self.votes % 2 == 1 && self.votes < 100, "must be odd, at most 99"),
            ("judge.temperature", (0.0..=2.0).contains(&self.temperature), "must be from 0 to 2"),
            (
                "judge.temperature",
                !same,
                "must be more than 0 where judge.votes is more than 1: the votes would be the same",
            ),
            ("judge.max_tokens", self.max_tokens > 0, "must be at least 1"),
        ];
        match checks.iter().find(|(_, holds, _)| !holds) {
            Some((key, _, problem)) => Err(Error::setting(key, problem)),
            None => Ok(()),
        }
    }

    /// Where the judge is asked.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: self.url.clone(),
            model: self.model.clone(),
            key_variable: self.key_variable.clone(),
            concurrency: self.concurrency,
            timeout_seconds: self.timeout_seconds,
            retries: self.retries,
            backoff_seconds: self.backoff_seconds,
        }
    }
}

impl Default for JudgeSettings {
    fn default() -> Self {
        JudgeSettings {
            url: String::new(),
            model: String::new(),
            key_variable: "OPENAI_API_KEY".to_owned(),
            asks: Asks::default(),
            votes: 1,
            temperature: 0.0,
            max_tokens: 2048,
            concurrency: 16,
            timeout_seconds: 120.0,
            retries: 4,
            backoff_seconds: 0.5,
            cache: None,
        }
    }
}
