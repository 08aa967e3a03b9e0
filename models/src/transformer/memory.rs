//! What a transformer takes of memory, before it takes it.

use dfdx::prelude::{Cpu, Device};

use super::hardware::Hardware;
use super::ops::{Fused, Ops, Stock};
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

impl<E: Real> Memory<E> for Fused
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
