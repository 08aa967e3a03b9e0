//! Drawing completions with a KV cache: on the CPU without tensors ([`workers`]), on other devices with tensors
//! ([`waves`]).
//!
//! A completion depends on the weights, its prompt and its key only. With [`workers`] this holds bit for bit, whatever
//! else is in the batch and whichever thread draws it; with [`waves`] up to rounding.

mod cache;
mod factor;
mod forward;
mod prompt;
mod reading;
mod waves;
pub(super) mod workers;

use dfdx::prelude::{Cpu, Device};

use forward::Team;
pub(super) use reading::signals;

use super::hardware::Hardware;
use super::ops::{Fused, Ops, Readable, Stock};
use super::read_only::ReadOnly;
use super::{Backend, Config, Transformer};
use crate::data::{Completion, Head, Request, Sampling, Sequence, Signal, Signals, Want};

use crate::error::{Error, Result};
use crate::real::Real;
use crate::{check, process};

/// The completions that are to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Queue<'a> {
    requests: &'a [Request<'a>],
    how: &'a Sampling,
    /// Most that are drawn at the same time.
    at_once: usize,
}

impl Queue<'_> {
    /// Most tokens of a prompt and its completion.
    fn longest(&self) -> usize {
        self.requests.iter().map(|request| request.prompt.len()).max().unwrap_or(0) + self.how.max_tokens
    }
}

/// Drawing completions, by each way to run a transformer.
pub trait Decode<E: Real>: Ops<E> {
    /// All completions of a queue, in any order; each with the number of its request.
    fn draw(model: &Transformer<E, Self>, queue: &Queue<'_>) -> Result<Vec<(usize, Completion)>>;

    /// Signals of a batch that is checked, where there is a way that takes less time or memory than a forward pass.
    fn read(_model: &Transformer<E, Self>, _batch: &[Sequence<'_>], _want: &Want) -> Option<Signals> {
        None
    }
}

impl<E: Readable> Decode<E> for Fused
where
    Cpu: Device<E>,
{
    fn draw(model: &Transformer<E, Self>, queue: &Queue<'_>) -> Result<Vec<(usize, Completion)>> {
        workers::draw(&ReadOnly::of(model), queue)
    }

    fn read(model: &Transformer<E, Self>, batch: &[Sequence<'_>], want: &Want) -> Option<Signals> {
        let model = ReadOnly::of(model);
        (workers::team(&model) == Team::Together).then(|| signals(&model, batch, want))
    }
}

impl<E: Real, D: Device<E> + Hardware> Decode<E> for Stock<D> {
    fn draw(model: &Transformer<E, Self>, queue: &Queue<'_>) -> Result<Vec<(usize, Completion)>> {
        waves::draw(model, queue)
    }
}

impl<E: Real, O: Backend<E>> Transformer<E, O> {
    /// One completion per request, in order.
    pub(super) fn drawn(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>> {
        drawn((&self.config, self.head), requests, how, size_of::<E>(), |queue| O::draw(self, queue))
    }
}

/// One completion per request, in order, by a model with numbers of this many bytes.
pub(super) fn drawn(
    (config, head): (&Config, Head),
    requests: &[Request<'_>],
    how: &Sampling,
    width: usize,
    draw: impl FnOnce(&Queue<'_>) -> Result<Vec<(usize, Completion)>>,
) -> Result<Vec<Completion>> {
    if head == Head::Scalar {
        return Err(Error::Head { head, signal: Signal::Logp });
    }
    check::requests(requests, how, config.vocab_size)?;
    let longest = requests.iter().map(|request| request.prompt.len()).max().unwrap_or(0) + how.max_tokens;
    let at_once = at_once(config, longest, width)?;
    let mut done = draw(&Queue { requests, how, at_once })?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, completion)| completion).collect())
}

impl Config {
    /// Completions that are drawn at the same time on the CPU, each with its prompt of up to so many tokens: keys and
    /// values take at most a quarter of the machine's memory. Results do not depend on it.
    ///
    /// # Errors
    /// [`Error::Setting`] where those of a single completion do not fit in memory.
    pub fn drawn_at_once(&self, tokens: usize) -> Result<usize> {
        at_once(self, tokens, size_of::<f32>())
    }

    /// Bytes of keys and values of so many tokens in `f32`.
    pub fn cache_bytes(&self, tokens: usize) -> u128 {
        cache_bytes(self, tokens, size_of::<f32>())
    }
}

fn cache_bytes(config: &Config, tokens: usize, width: usize) -> u128 {
    2 * config.num_hidden_layers as u128 * config.kv_width() as u128 * tokens as u128 * width as u128
}

fn at_once(config: &Config, tokens: usize, width: usize) -> Result<usize> {
    let threads = rayon::current_num_threads();
    let most = workers::AT_ONCE * threads;
    let Some(memory) = process::memory() else { return Ok(most) };
    let one = cache_bytes(config, tokens, width).max(1);
    if one > u128::from(memory) {
        let problem = format!(
            "{tokens} tokens with the prompt need {one} bytes of keys and values, and this machine has {memory}"
        );
        return Err(Error::setting("sampling", "max_tokens", problem));
    }
    Ok((u128::from(memory) / 4 / one).clamp(1, most as u128) as usize)
}

#[cfg(test)]
mod tests;
