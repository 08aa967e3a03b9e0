//! From logits to a token: temperature, support, and one uniform number per token.

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::data::{Completion, Ending, Key, Sampling, Token};
use crate::error::{Error, Result};
use crate::real::Real;

impl Default for Sampling {
    /// The plain distribution of the model, without stop tokens, at most 16 tokens.
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, top_k: 0, stop: Vec::new(), max_tokens: 16 }
    }
}

impl Sampling {
    /// Refuses what no completion can be drawn with.
    pub fn validate(&self, vocabulary: usize) -> Result<()> {
        let wrong = |key, problem: String| Err(Error::setting("sampling", key, problem));
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return wrong("temperature", format!("{} is not 0 (greedy) or more", self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return wrong("top_p", format!("{} is not in (0, 1]; 1 keeps all tokens", self.top_p));
        }
        if self.max_tokens == 0 {
            return wrong("max_tokens", "a completion has at least 1 token".into());
        }
        match self.stop.iter().find(|&&token| token as usize >= vocabulary) {
            Some(token) => wrong("stop", format!("token {token} is outside the vocabulary of {vocabulary}")),
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
    pub token: Token,
    pub logp: f64,
}

/// Draws by inverting the cumulative distribution at `uniform`, in [0, 1).
///
/// Top-k is applied first, top-p to what is left of it. Ties go to the lowest index.
pub fn draw<E: Real>(logits: &[E], how: &Sampling, uniform: f64) -> Result<Draw> {
    let kept = support(logits, how)?;
    let total: f64 = kept.iter().map(|(_, weight)| weight).sum();
    let target = uniform * total;
    let mut below = 0.0;
    let hit = kept.iter().find(|(_, weight)| {
        below += weight;
        target < below
    });
    let (token, weight) = *hit.unwrap_or(&kept[kept.len() - 1]);
    Ok(Draw { token: token as Token, logp: (weight / total).ln() })
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

    pub(crate) fn end(self, ending: Ending) -> Completion {
        Completion { tokens: self.tokens, sampled_logp: self.sampled_logp, ending }
    }
}

/// Tokens that can be drawn with their weights (not normalised): all in index order, or the kept ones from the most
/// likely down.
fn support<E: Real>(logits: &[E], how: &Sampling) -> Result<Vec<(usize, f64)>> {
    let max = logits.iter().map(|z| z.wide()).fold(f64::NEG_INFINITY, f64::max);
    if !max.is_finite() || logits.iter().any(|z| z.wide().is_nan()) {
        return Err(Error::NotFinite { what: "a logit".into() });
    }
    if how.temperature == 0.0 {
        let first = logits.iter().position(|z| z.wide() == max);
        return Ok(first.into_iter().map(|token| (token, 1.0)).collect());
    }
    let weight = |z: &E| ((z.wide() - max) / how.temperature).exp();
    let weights = logits.iter().map(weight).enumerate();
    let mut kept: Vec<(usize, f64)> = weights.filter(|(_, weight)| *weight > 0.0).collect();
    if how.top_k > 0 || how.top_p < 1.0 {
        kept.sort_by(|a, b| b.1.total_cmp(&a.1));
        if how.top_k > 0 {
            kept.truncate(how.top_k);
        }
        kept.truncate(nucleus(&kept, how.top_p));
    }
    Ok(kept)
}

/// How many of the sorted weights it takes to hold at least the share `top_p`.
fn nucleus(sorted: &[(usize, f64)], top_p: f64) -> usize {
    let total: f64 = sorted.iter().map(|(_, weight)| weight).sum();
    let mut mass = 0.0;
    let full = sorted.iter().position(|(_, weight)| {
        mass += weight;
        mass >= top_p * total
    });
    full.map_or(sorted.len(), |last| last + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn how(temperature: f64, top_p: f64, top_k: usize) -> Sampling {
        Sampling { temperature, top_p, top_k, ..Sampling::default() }
    }

    /// Probability of each token, by sweeping the uniform number.
    fn frequencies(logits: &[f64], how: &Sampling) -> Vec<f64> {
        let n = 100_000;
        let mut counts = vec![0.0; logits.len()];
        for i in 0..n {
            let uniform = (f64::from(i) + 0.5) / f64::from(n);
            counts[draw(logits, how, uniform).unwrap().token as usize] += 1.0 / f64::from(n);
        }
        counts
    }

    #[test]
    fn greedy_takes_the_first_of_the_best() {
        let drawn = draw(&[0.0, 2.0, 2.0], &how(0.0, 1.0, 0), 0.99).unwrap();
        assert_eq!(drawn, Draw { token: 1, logp: 0.0 });
    }

    #[test]
    fn support_is_what_the_settings_say() {
        let logits = [0.1f64.ln(), 0.4f64.ln(), 0.2f64.ln(), 0.3f64.ln()];
        let close = |found: Vec<f64>, expected: [f64; 4]| {
            let same = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(same, "{found:?} is not {expected:?}");
        };
        close(frequencies(&logits, &how(1.0, 1.0, 0)), [0.1, 0.4, 0.2, 0.3]);
        close(frequencies(&logits, &how(1.0, 1.0, 2)), [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        close(frequencies(&logits, &how(1.0, 0.69, 0)), [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
        close(frequencies(&logits, &how(1.0, 0.71, 0)), [0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
        close(frequencies(&logits, &how(1.0, 0.01, 0)), [0.0, 1.0, 0.0, 0.0]);
        // Top-p sees what top-k left: 4/7 alone is already half.
        close(frequencies(&logits, &how(1.0, 0.5, 2)), [0.0, 1.0, 0.0, 0.0]);
        close(frequencies(&logits, &how(0.5, 1.0, 0)), [1.0 / 30.0, 16.0 / 30.0, 4.0 / 30.0, 9.0 / 30.0]);
    }

    proptest! {
        #[test]
        fn sampled_logp_is_the_frequency(logits in prop::collection::vec(-2.0..2.0f64, 2..6), t in 0.5..2.0f64, p in 0.2..1.0f64, k in 0usize..5) {
            let how = how(t, p, k);
            let frequencies = frequencies(&logits, &how);
            for uniform in [0.0, 0.3, 0.6, 0.999] {
                let drawn = draw(&logits, &how, uniform).unwrap();
                prop_assert!((drawn.logp.exp() - frequencies[drawn.token as usize]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn streams_follow_their_key() {
        let key = Key { seed: 1, step: 2, prompt: 3, sample: 4 };
        let mut bytes = Vec::new();
        for number in [1u64, 2, 3, 4] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let mut expected = ChaCha8Rng::from_seed(bytes.try_into().unwrap());
        assert_eq!(key.stream().random::<f64>(), expected.random::<f64>());
        let other = Key { sample: 5, ..key };
        assert_ne!(key.stream().random::<f64>(), other.stream().random::<f64>());
    }

    #[test]
    fn wrong_settings_are_named() {
        let cases = [
            (how(-1.0, 1.0, 0), "sampling.temperature"),
            (how(f64::NAN, 1.0, 0), "sampling.temperature"),
            (how(1.0, 0.0, 0), "sampling.top_p"),
            (how(1.0, 1.1, 0), "sampling.top_p"),
            (Sampling { max_tokens: 0, ..Sampling::default() }, "sampling.max_tokens"),
            (Sampling { stop: vec![4], ..Sampling::default() }, "sampling.stop"),
        ];
        for (wrong, named) in cases {
            let message = wrong.validate(4).unwrap_err().to_string();
            assert!(message.starts_with(named), "{message}");
        }
        assert!(draw(&[f64::NAN, 0.0], &how(1.0, 1.0, 0), 0.5).is_err());
    }
}
