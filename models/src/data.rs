//! What goes into a model and what comes out of it.

use std::collections::BTreeMap;

/// Index into the vocabulary.
pub type Token = u32;

/// One trajectory as a model reads it: signals are reported for the completion's tokens only.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    pub prompt: &'a [Token],
    /// Includes the stop token when the completion ended by itself.
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
    pub signals: Vec<Signal>,
    /// Logits are divided by this before the softmax; 1 unless said.
    pub temperature: f64,
}

/// One value per completion token and signal; sequences follow each other in batch order, without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals(pub BTreeMap<Signal, Vec<f64>>);

/// Everything a sample depends on besides weights and prompt: it keys the random stream of one completion, so that a
/// sample does not depend on what else is in the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub seed: u64,
    pub step: u64,
    pub prompt: u64,
    pub sample: u64,
}

/// How to draw completions.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by this; 0 takes the most likely token.
    pub temperature: f64,
    /// Keep the smallest set of most likely tokens with at least this probability; 1 keeps all.
    pub top_p: f64,
    /// Keep this many most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Tokens that end a completion (and belong to it).
    pub stop: Vec<Token>,
    /// Longest completion, stop token included.
    pub max_tokens: usize,
}

/// How a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With a stop token.
    Stopped,
    /// It reached [`Sampling::max_tokens`].
    Truncated,
}

/// A drawn completion, with the log-probabilities it was drawn from (temperature and support applied).
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    pub tokens: Vec<Token>,
    pub sampled_logp: Vec<f64>,
    pub ending: Ending,
}

/// What an optimiser step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Euclidean norm of the whole gradient, before clipping.
    pub gradient_norm: f64,
}

/// Which output a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Next-token logits: policies.
    Vocabulary,
    /// One number per position, starting at zero: critics and reward models.
    Scalar,
}
