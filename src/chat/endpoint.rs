//! Where a model is served, and how patiently it is asked.

use oreal_algos::IllegalSetting;
use oreal_engines::http::Server;
use serde::{Deserialize, Serialize};

/// A model behind an address, with the settings of its client. `url` and `model` have no default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoint {
    /// Base address, such as `http://127.0.0.1:8000/v1`; `/chat/completions` is appended.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable with the key. No key is sent where it is not set.
    pub key_variable: String,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Longest time for one request, from the connection to the last byte.
    pub timeout_seconds: f64,
    /// How often a request is sent again after a passing failure.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each further one.
    pub backoff_seconds: f64,
}

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 4 << 20;

impl Endpoint {
    /// Refuses settings without sense, by key.
    pub fn check(&self) -> Result<(), IllegalSetting> {
        // The base address of a chat endpoint has a path.
        let of_chat = |problem: String| problem.replace("127.0.0.1:8000", "127.0.0.1:8000/v1");
        self.server().check().map_err(|wrong| IllegalSetting::new(&wrong.key, of_chat(wrong.problem)))?;
        if self.url.trim_end_matches('/').ends_with("/chat/completions") {
            let problem = "must be the base address, without /chat/completions, which is appended";
            return Err(IllegalSetting::new("url", problem));
        }
        match self.model.trim().is_empty() {
            true => Err(IllegalSetting::new("model", "must be the name of a model at the endpoint")),
            false => Ok(()),
        }
    }

    /// As a client takes it.
    pub(super) fn server(&self) -> Server {
        let Endpoint { url, key_variable, .. } = self.clone();
        Server {
            url,
            key_variable,
            concurrency: self.concurrency,
            timeout_seconds: self.timeout_seconds,
            retries: self.retries,
            backoff_seconds: self.backoff_seconds,
            what: "chat completion".to_owned(),
            longest: LONGEST,
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Endpoint {
            url: String::new(),
            model: String::new(),
            key_variable: "OPENAI_API_KEY".to_owned(),
            concurrency: 32,
            timeout_seconds: 3600.0,
            retries: 6,
            backoff_seconds: 1.0,
        }
    }
}
