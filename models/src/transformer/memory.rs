//! What a transformer takes of memory, before it takes it.

use dfdx::prelude::{Cpu, Device};

use super::hardware::Hardware;
use super::ops::{Fused, Ops, Readable, Stock};
use super::{Config, Transformer};
use crate::data::Head;
use crate::error::{Error, Result};
use crate::process;
use crate::real::Real;

/// What a backend takes of its device.
pub trait Memory<E: Real>: Ops<E> {
    /// Bytes that a forward and backward pass over sequences of these lengths takes besides weights and gradient; 0 on
    /// a CPU whose allocator decides.
    fn needs(model: &Transformer<E, Self>, lengths: &[usize]) -> usize;
}

impl<E: Readable> Memory<E> for Fused
where
    Cpu: Device<E>,
{
    fn needs(_: &Transformer<E, Self>, _: &[usize]) -> usize {
        0
    }
}

impl<E: Real, D: Device<E> + Hardware> Memory<E> for Stock<D> {
    fn needs(model: &Transformer<E, Self>, lengths: &[usize]) -> usize {
        needs(&model.config, model.logits_at_once, lengths) * size_of::<E>()
    }
}

/// Most numbers that exist at once in a pass forward and back, weights and their gradient not counted: the residual
/// stream between the halves of layers, and everything inside the largest half, with its gradients.
fn needs(config: &Config, logits_at_once: usize, lengths: &[usize]) -> usize {
    let (rows, longest) = (lengths.iter().sum::<usize>(), lengths.iter().copied().max().unwrap_or(0));
    let (hidden, padded) = (config.hidden_size, lengths.len() * longest);
    let stream = rows * hidden * (2 * config.num_hidden_layers + 8);
    let scores = lengths.len() * config.num_attention_heads * longest * longest;
    let wide = hidden.max(config.query_width());
    let norms = if config.family.has_head_norms() { rows * 10 * (config.query_width() + config.kv_width()) } else { 0 };
    let attention = 8 * scores + rows * 24 * wide + padded * 16 * wide + norms;
    let feed_forward = rows * (12 * hidden + 12 * config.intermediate_size);
    let logits = (rows * config.vocab_size).min(logits_at_once.max(config.vocab_size));
    stream + attention.max(feed_forward).max(8 * logits)
}

impl Config {
    /// About how many bytes a forward and backward pass in `f32` takes on the CPU, besides weights and gradients: what
    /// each half of a layer keeps for the backward pass, what one takes for a moment, and the logits of the `read` tokens
    /// that the head reads. In floating point, so that no size overflows.
    pub fn pass_bytes(&self, tokens: f64, read: f64) -> f64 {
        let [layers, hidden, wide, heads, vocabulary] = [
            self.num_hidden_layers,
            self.hidden_size,
            self.intermediate_size,
            self.num_attention_heads,
            self.vocab_size,
        ]
        .map(|size| size as f64);
        let [query, kv] = [self.query_width(), self.kv_width()].map(|size| size as f64);
        let kept = layers * (2.0 * hidden + 2.0 * query + 2.0 * kv + heads + 2.0 * wide);
        let for_a_moment = 6.0 * hidden + 4.0 * query + 4.0 * kv + 4.0 * wide;
        let logits = (read * vocabulary).min(<Fused as Ops<f32>>::LOGITS as f64 + vocabulary);
        // The weights of the largest matmul, once more in the order they are read in.
        let copy = (vocabulary * hidden).max(2.0 * hidden * wide);
        4.0 * (tokens * (kept + for_a_moment) + logits + copy)
    }
}

impl Config {
    /// About how many bytes the same takes in stock operations, which recompute half a layer in the backward pass, for so
    /// many sequences of so many tokens each.
    pub fn recomputed_pass_bytes(&self, sequences: usize, tokens: usize) -> f64 {
        4.0 * needs(self, <Stock<Cpu> as Ops<f32>>::LOGITS, &vec![tokens; sequences]) as f64
    }
}

/// Refuses a model whose weights alone exceed the memory of this machine: they pass through it on every device.
pub(super) fn check(config: &Config, head: Head, width: usize) -> Result<()> {
    let Some(memory) = process::memory() else { return Ok(()) };
    let bytes = config.parameter_count(head).and_then(|count| count.checked_mul(width as u128));
    match bytes {
        Some(bytes) if bytes <= u128::from(memory) => Ok(()),
        _ => {
            let bytes = bytes.map_or_else(|| "more than 2^128".into(), |bytes| bytes.to_string());
            let problem =
                format!("the weights take {bytes} bytes, and this machine has {memory}: choose smaller sizes");
            Err(Error::setting("model", "hidden_size", problem))
        }
    }
}
