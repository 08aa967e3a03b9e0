//! Drawing completions with the keys and values of the past kept: on the CPU without tensors ([`workers`]), on other
//! devices with them ([`waves`]).
//!
//! A completion depends on its own prompt and key alone. On the CPU that is so bit by bit: which others are drawn beside it,
//! in which place and by which thread, changes nothing.

mod cache;
mod forward;
mod waves;
mod workers;

use super::{Ops, Transformer};
use crate::check;
use crate::contract::Sampler;
use crate::data::{Completion, Head, Key, Sampling, Signal, Token};
use crate::error::{Error, Result};
use crate::real::Real;
pub(super) use waves::draw as draw_in_waves;
pub(super) use workers::draw;

/// The completions that are to be drawn.
#[derive(Clone, Copy, Debug)]
pub struct Queue<'a> {
    prompts: &'a [&'a [Token]],
    /// Beside the prompts.
    keys: &'a [Key],
    how: &'a Sampling,
}

impl Queue<'_> {
    /// Most tokens of a prompt and its completion.
    fn longest(&self) -> usize {
        self.prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0) + self.how.max_tokens
    }
}

impl<E: Real, O: Ops<E>> Sampler for Transformer<E, O> {
    fn sample(&mut self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> Result<Vec<Completion>> {
        if self.head == Head::Scalar {
            return Err(Error::Head { head: self.head, signal: Signal::Logp });
        }
        check::prompts(prompts, keys, how, self.config.vocab_size)?;
        let mut done = O::draw(self, &Queue { prompts, keys, how })?;
        done.sort_by_key(|(index, _)| *index);
        Ok(done.into_iter().map(|(_, completion)| completion).collect())
    }
}

#[cfg(test)]
mod tests;
