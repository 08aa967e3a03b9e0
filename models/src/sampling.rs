//! From logits to a token: temperature, support, and one uniform number per token.
//!
//! Tokens are ranked by logit, ties by index, the lowest first. With weights `w = exp((z - max z) / T)`: top-k keeps
//! the `k` first tokens; top-p keeps, of those, the shortest prefix that holds at least the share `p` of their weight.
//! The token drawn is the first at which the running sum of weights exceeds `uniform * (sum of kept weights)`: in the
//! order of the ranking when top-k or top-p is on, else in the order of the indices.
//!
//! Vocabularies of at most [`FEW`] tokens are weighed in `f64` and sorted. Larger ones are weighed in the model's own
//! type, without sorting more than the tokens that matter; there the sums carry the rounding of that type, about 1e-7
//! in `f32`.

mod large;
mod ranked;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::data::{Completion, Ending, Key, Sampling, Token};
use crate::error::{Error, Result};
use crate::real::Real;

/// Temperatures that logits may be divided by. Below, single precision cannot tell the distribution from its most
/// likely token: write 0. Above, it is uniform.
pub const TEMPERATURES: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// Most tokens that are weighed in `f64` and sorted.
pub const FEW: usize = 4096;

/// Most tokens of a completion.
pub const LONGEST: usize = 1 << 20;

impl Default for Sampling {
    /// The plain distribution of the model, without stop tokens, at most 16 tokens.
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, top_k: 0, vocabulary: None, stop: Vec::new(), max_tokens: 16 }
    }
}

impl Sampling {
    /// Refuses settings that no completion can be drawn with. `vocabulary` is the model's number of tokens.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key.
    pub fn validate(&self, vocabulary: usize) -> Result<()> {
        let wrong = |key, problem: String| Err(Error::setting("sampling", key, problem));
        if self.temperature != 0.0 && !TEMPERATURES.contains(&self.temperature) {
            let (least, most) = (TEMPERATURES.start(), TEMPERATURES.end());
            return wrong(
                "temperature",
                format!("{} is neither 0 (greedy) nor in [{least}, {most}]", self.temperature),
            );
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top_p", format!("{} is not in (0, 1]; 1 keeps all tokens", self.top_p));
        }
        if !(1..=LONGEST).contains(&self.max_tokens) {
            return wrong("max_tokens", format!("{} is not in [1, {LONGEST}]", self.max_tokens));
        }
        let allowed = self.vocabulary.unwrap_or(vocabulary);
        if !(1..=vocabulary).contains(&allowed) {
            return wrong("vocabulary", format!("{allowed} is not in [1, {vocabulary}], the vocabulary of the model"));
        }
        match self.stop.iter().find(|&&token| token as usize >= allowed) {
            Some(token) => wrong("stop", format!("token {token} is outside the vocabulary of {allowed}")),
            None => Ok(()),
        }
    }
}

impl Key {
    /// The random stream of one completion: its seed is the four numbers in order, little-endian.
    pub fn stream(&self) -> ChaCha8Rng {
        let mut seed = [0; 32];
        let numbers = [self.seed, self.step, self.prompt, self.sample];
        for (bytes, number) in seed.chunks_exact_mut(8).zip(numbers) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        ChaCha8Rng::from_seed(seed)
    }
}

/// A token and the log-probability it was drawn with, under the restricted and renormalised distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// The token.
    pub token: Token,
    /// Nats.
    pub logp: f64,
}

/// Draws the token at `uniform`, in [0, 1), by inverting the cumulative distribution. `how` is valid.
///
/// # Errors
/// [`Error::NotFinite`] when a logit is NaN or plus infinity, or all are minus infinity. A logit of minus infinity is a
/// token of probability zero.
pub fn draw<E: Real>(logits: &[E], how: &Sampling, uniform: f64) -> Result<Draw> {
    let allowed = how.vocabulary.map_or(logits.len(), |allowed| allowed.min(logits.len()));
    let logits = &logits[..allowed];
    if logits.len() <= FEW { ranked::draw(logits, how, uniform) } else { large::draw(logits, how, uniform) }
}

fn not_finite() -> Error {
    Error::NotFinite { what: "a logit".into() }
}

/// A completion under construction.
pub(crate) struct Drawing {
    stream: ChaCha8Rng,
    tokens: Vec<Token>,
    sampled_logp: Vec<f64>,
}

impl Drawing {
    pub(crate) fn new(key: &Key) -> Self {
        Self { stream: key.stream(), tokens: Vec::new(), sampled_logp: Vec::new() }
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Draws the next token; says how the completion ended, when it did.
    pub(crate) fn advance<E: Real>(&mut self, logits: &[E], how: &Sampling) -> Result<Option<Ending>> {
        let drawn = draw(logits, how, self.stream.random::<f64>())?;
        self.tokens.push(drawn.token);
        self.sampled_logp.push(drawn.logp);
        Ok(if how.stop.contains(&drawn.token) {
            Some(Ending::Stopped)
        } else if self.tokens.len() == how.max_tokens {
            Some(Ending::Truncated)
        } else {
            None
        })
    }

    /// The completion, of version 0.
    pub(crate) fn end(self, ending: Ending) -> Completion {
        Completion { tokens: self.tokens, sampled_logp: Some(self.sampled_logp), ending, version: 0 }
    }
}

#[cfg(test)]
mod tests;
