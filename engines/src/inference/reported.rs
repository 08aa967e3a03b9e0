//! What a server's log-probability is of.

use oreal_models::Sampling;

/// What the log-probability that a server reports is of. It is always of the token drawn, in nats, over the model's whole
/// vocabulary.
///
/// | server | [`temperature`](Reported::temperature) | [`support`](Reported::support) |
/// |---|---|---|
/// | SGLang | yes | no |
/// | vLLM with `--logprobs-mode raw_logprobs`, its default | no | no |
/// | vLLM with `--logprobs-mode processed_logprobs` | yes | yes |
/// | llama.cpp | no | no |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Logits were divided by the temperature.
    pub temperature: Contains,
    /// Only tokens that top-p and top-k leave were counted.
    pub support: Contains,
}

/// Whether something is in the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contains {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// A sampling whose log-probability the server does not report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreported {
    /// Which of the sampling's numbers.
    pub key: &'static str,
    /// What to do.
    pub problem: &'static str,
}

impl Reported {
    /// Refuses a sampling whose log-probability is another number. Where the most likely token is taken, which is temperature
    /// 0, it is 0 whatever the server says.
    pub fn check(&self, how: &Sampling) -> Result<(), Unreported> {
        let unreported = |key, problem| Err(Unreported { key, problem });
        if how.temperature == 0.0 {
            return Ok(());
        }
        if self.temperature == Contains::No && how.temperature != 1.0 {
            return unreported("temperature", "must be 1: the server's log-probabilities are before temperature");
        }
        if self.support == Contains::No && how.top_p < 1.0 {
            return unreported("top_p", "must be 1: the server's log-probabilities are before top-p");
        }
        if self.support == Contains::No && how.top_k > 0 {
            return unreported("top_k", "must be 0: the server's log-probabilities are before top-k");
        }
        Ok(())
    }
}
