//! What goes into a model and what comes out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Index into the vocabulary.
pub type Token = u32;

/// One trajectory as a model reads it: signals are reported for the completion's tokens only.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// At least one token.
    pub prompt: &'a [Token],
    /// At least one token; the stop token is included when the completion ended with one.
    pub completion: &'a [Token],
}

/// A per-token scalar that a model reports and takes a cotangent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Log-probability of the token, full softmax at [`Want::temperature`], nats.
    Logp,
    /// Entropy of the next-token distribution the token was drawn from, at [`Want::temperature`], nats.
    Entropy,
    /// Scalar head at the position that has seen the prompt and everything *before* the token.
    Scalar,
    /// Scalar head at the position that has seen the token itself too.
    ScalarAfter,
}

/// Which signals to report, and how log-probabilities are defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// The columns to report.
    pub signals: Vec<Signal>,
    /// Logits are divided by this before the softmax; 1 unless said.
    pub temperature: f64,
}

/// One value per completion token and signal; sequences follow each other in batch order, without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals(pub BTreeMap<Signal, Vec<f64>>);

/// Names the random stream of one completion: with the same weights, prompt and key the same completion is drawn,
/// whatever else is in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Seed of the run.
    pub seed: u64,
    /// Training step.
    pub step: u64,
    /// Number of the prompt within the step.
    pub prompt: u64,
    /// Number of the completion within its group.
    pub sample: u64,
}

/// One completion that is asked for. A group is the same prompt under different keys.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// At least one token.
    pub prompt: &'a [Token],
    /// Its random stream.
    pub key: Key,
}

/// How to draw completions.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by this, in [`TEMPERATURES`](crate::sampling::TEMPERATURES); 0 takes the most likely token.
    pub temperature: f64,
    /// Keep the smallest set of most likely tokens with at least this probability; 1 keeps all.
    pub top_p: f64,
    /// Keep this many most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Only tokens below this number are drawn, and log-probabilities are normalised over them; `None` allows all
    /// tokens of the model. For models whose vocabulary is padded beyond that of the tokenizer.
    pub vocabulary: Option<usize>,
    /// Tokens that end a completion (and belong to it).
    pub stop: Vec<Token>,
    /// Longest completion, stop token included.
    pub max_tokens: usize,
}

/// How a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a stop token.
    Stopped,
    /// It reached [`Sampling::max_tokens`].
    Truncated,
}

/// A drawn completion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// At least one token, at most [`Sampling::max_tokens`].
    pub tokens: Vec<Token>,
    /// Log-probability of each token in the distribution it was drawn from: temperature and support applied, nats.
    /// `None` when the sampler does not report it.
    pub sampled_logp: Option<Vec<f64>>,
    /// Why it ended.
    pub ending: Ending,
    /// Version of the weights that drew it (see [`Sampler::moved`](crate::Sampler::moved)).
    pub version: u64,
}

/// Why one completion is missing, or cannot be used. The other completions of the batch are not affected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The sampler could not produce it: a time-out, a refused request, an answer that cannot be read.
    #[error("not drawn: {problem}")]
    NotDrawn {
        /// In the sampler's words.
        problem: String,
    },
    /// A completion without tokens.
    #[error("the completion is empty: at least one token, such as the stop token, is needed")]
    Empty,
    /// More tokens than were asked for.
    #[error("{found} tokens where at most {most} were asked for")]
    TooLong {
        /// Tokens of the completion.
        found: usize,
        /// [`Sampling::max_tokens`].
        most: usize,
    },
    /// A token that the model does not have.
    #[error("token {token} at position {position} is outside the vocabulary of {vocabulary}")]
    UnknownToken {
        /// Index within the completion.
        position: usize,
        /// The token.
        token: Token,
        /// Number of tokens of the model.
        vocabulary: usize,
    },
    /// Not one log-probability for each token.
    #[error("{found} log-probabilities for {tokens} tokens")]
    LogpCount {
        /// Tokens of the completion.
        tokens: usize,
        /// Log-probabilities that came with them.
        found: usize,
    },
    /// A log-probability that is NaN, infinite, or above 0.
    #[error("log-probability {logp} at position {position} is not a number in (-inf, 0]")]
    Logp {
        /// Index within the completion.
        position: usize,
        /// As reported.
        logp: f64,
    },
    /// The ending contradicts the tokens.
    #[error("said to have ended with a stop token, but token {token} is not one of them")]
    NotStopped {
        /// The last token.
        token: Token,
    },
}

impl Completion {
    /// Refuses what no sampler may return: call it where completions enter from outside.
    ///
    /// `how` is what was asked for, `vocabulary` the number of tokens of the model that will read them. A
    /// log-probability may exceed 0 by [`ROUNDING`](Self::ROUNDING), the rounding of a softmax in single precision.
    ///
    /// # Errors
    /// The first thing that is wrong, as a [`Failure`] of this completion.
    pub fn check(&self, how: &Sampling, vocabulary: usize) -> Result<(), Failure> {
        let Some(&last) = self.tokens.last() else { return Err(Failure::Empty) };
        if self.tokens.len() > how.max_tokens {
            return Err(Failure::TooLong { found: self.tokens.len(), most: how.max_tokens });
        }
        let unknown = |token: &Token| *token as usize >= vocabulary;
        if let Some(position) = self.tokens.iter().position(unknown) {
            return Err(Failure::UnknownToken { position, token: self.tokens[position], vocabulary });
        }
        if self.ending == Ending::Stopped && !how.stop.contains(&last) {
            return Err(Failure::NotStopped { token: last });
        }
        let Some(logps) = &self.sampled_logp else { return Ok(()) };
        if logps.len() != self.tokens.len() {
            return Err(Failure::LogpCount { tokens: self.tokens.len(), found: logps.len() });
        }
        match logps.iter().position(|logp| !(logp.is_finite() && *logp <= Self::ROUNDING)) {
            Some(position) => Err(Failure::Logp { position, logp: logps[position] }),
            None => Ok(()),
        }
    }

    /// How far above 0 a log-probability may lie.
    pub const ROUNDING: f64 = 1e-4;
}

/// Which output a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Next-token logits: policies.
    Vocabulary,
    /// One number per position, zero in a fresh model: critics and reward models.
    Scalar,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completions_from_outside_are_checked() {
        let how = Sampling { stop: vec![0], max_tokens: 3, ..Sampling::default() };
        let (ending, sampled_logp) = (Ending::Stopped, Some(vec![-0.5, 0.0]));
        let good = Completion { tokens: vec![4, 0], sampled_logp, ending, version: 7 };
        assert_eq!(good.check(&how, 5), Ok(()));
        assert_eq!(Completion { sampled_logp: None, ..good.clone() }.check(&how, 5), Ok(()));
        assert_eq!(Completion { sampled_logp: Some(vec![-0.5, 1e-7]), ..good.clone() }.check(&how, 5), Ok(()));
        let wrong = |tokens: &[Token], logps: &[f64], ending| {
            let logps = (!logps.is_empty()).then(|| logps.to_vec());
            let wrong = Completion { tokens: tokens.to_vec(), sampled_logp: logps, ending, version: 0 };
            wrong.check(&how, 5).unwrap_err().to_string()
        };
        let cut = Ending::Truncated;
        for (found, said) in [
            (wrong(&[], &[], cut), "empty"),
            (wrong(&[1; 4], &[], cut), "4 tokens where at most 3"),
            (wrong(&[1, 5, 0], &[], Ending::Stopped), "token 5 at position 1 is outside the vocabulary of 5"),
            (wrong(&[1, 2], &[], Ending::Stopped), "token 2 is not one of them"),
            (wrong(&[1, 2], &[-1.0], cut), "1 log-probabilities for 2 tokens"),
            (wrong(&[1, 2], &[-1.0, f64::NAN], cut), "NaN at position 1"),
            (wrong(&[1, 2], &[f64::NEG_INFINITY, -1.0], cut), "-inf at position 0"),
            (wrong(&[1, 2], &[0.5, -1.0], cut), "0.5 at position 0"),
        ] {
            assert!(found.contains(said), "{found}");
        }
    }
}
