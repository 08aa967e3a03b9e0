//! Drawing completions, one token of every place at a time, with the keys and values of the past kept.
//!
//! A completion depends on its own prompt and key alone, bit by bit: which others are drawn beside it, in which place and
//! by which thread, changes nothing.

mod cache;
mod forward;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::{Ops, Transformer};
use crate::check;
use crate::contract::Sampler;
use crate::data::{Completion, Head, Key, Sampling, Signal, Token};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::sampling::Drawing;
use cache::Cache;
use forward::{Forward, Scratch};

/// Completions that one worker draws at the same time.
const PLACES: usize = 48;

/// Bytes of weights up to which each thread reads them from its own cache, so that threads draw different completions.
/// Larger weights are read once for all completions, by all threads together.
const CACHED: usize = 1 << 23;

/// Who computes a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::transformer) enum Team {
    /// The thread that asks for it.
    Alone,
    /// All threads.
    Together,
}

impl Team {
    fn each<W: Send>(self, work: Vec<W>, run: impl Fn(W) + Send + Sync) {
        match self {
            Team::Alone => work.into_iter().for_each(run),
            Team::Together => work.into_par_iter().for_each(run),
        }
    }
}

impl<E: Real, D: Ops<E>> Sampler for Transformer<E, D> {
    fn sample(&mut self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> Result<Vec<Completion>> {
        if self.head == Head::Scalar {
            return Err(Error::Head { head: self.head, signal: Signal::Logp });
        }
        check::prompts(prompts, keys, how, self.config.vocab_size)?;
        let bytes = self.weights.iter().map(|w| size_of_val(&*D::host(w))).sum::<usize>();
        let team = if bytes <= CACHED { Team::Alone } else { Team::Together };
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0) + how.max_tokens;
        let forward = Forward::new(self, longest, team);
        let queue = Queue::new(prompts, keys, how);
        let workers = match team {
            Team::Alone => rayon::current_num_threads(),
            Team::Together => 1,
        };
        let drawn: Result<Vec<_>> = (0..workers).into_par_iter().map(|_| queue.work(&forward)).collect();
        let mut done: Vec<(usize, Completion)> = drawn?.into_iter().flatten().collect();
        done.sort_by_key(|(index, _)| *index);
        Ok(done.into_iter().map(|(_, completion)| completion).collect())
    }
}

/// The completions that are to be drawn.
struct Queue<'a, E> {
    prompts: &'a [&'a [Token]],
    keys: &'a [Key],
    how: &'a Sampling,
    /// The first that no worker has taken.
    next: AtomicUsize,
    groups: BTreeMap<&'a [Token], Mutex<Group<E>>>,
}

/// The completions of one prompt.
struct Group<E> {
    /// How many are not yet begun.
    waiting: usize,
    /// There from the first to the last beginning.
    start: Option<Arc<Start<E>>>,
}

/// What a prompt that has been read leaves behind.
struct Start<E> {
    cache: Cache<E>,
    /// Of the first token.
    logits: Vec<E>,
}

/// A completion under way.
struct Place<E> {
    /// Which prompt it continues.
    index: usize,
    drawing: Drawing,
    cache: Cache<E>,
}

impl<'a, E: Real> Queue<'a, E> {
    fn new(prompts: &'a [&'a [Token]], keys: &'a [Key], how: &'a Sampling) -> Self {
        let mut waiting = BTreeMap::new();
        prompts.iter().for_each(|prompt| *waiting.entry(*prompt).or_insert(0) += 1);
        let group = |(prompt, waiting)| (prompt, Mutex::new(Group { waiting, start: None }));
        Self { prompts, keys, how, next: AtomicUsize::new(0), groups: waiting.into_iter().map(group).collect() }
    }

    /// Draws completions until none is left; each with the number of its prompt.
    fn work(&self, forward: &Forward<'_, E>) -> Result<Vec<(usize, Completion)>> {
        let (mut places, mut free, mut done) = (Vec::with_capacity(PLACES), Vec::new(), Vec::new());
        let mut scratch = Scratch::default();
        loop {
            while places.len() < PLACES {
                let Some((mut place, start)) = self.begin(&mut free, forward, &mut scratch) else { break };
                match place.drawing.advance(&start.logits, self.how)? {
                    Some(ending) => done.push((place.index, place.drawing.end(ending))),
                    None => places.push(place),
                }
            }
            if places.is_empty() {
                return Ok(done);
            }
            let last: Vec<Token> = places.iter().filter_map(|place| place.drawing.tokens().last().copied()).collect();
            let tokens: Vec<&[Token]> = last.iter().map(std::slice::from_ref).collect();
            let mut caches: Vec<&mut Cache<E>> = places.iter_mut().map(|place| &mut place.cache).collect();
            let logits = forward.run(&mut scratch, &tokens, &mut caches);
            let draws = places.iter_mut().zip(logits);
            let endings: Vec<_> = match forward.team {
                Team::Alone => draws.map(|(place, logits)| place.drawing.advance(logits, self.how)).collect(),
                Team::Together => draws
                    .collect::<Vec<_>>()
                    .into_par_iter()
                    .map(|(place, logits)| place.drawing.advance(logits, self.how))
                    .collect(),
            };
            for (i, ending) in endings.into_iter().enumerate().rev() {
                if let Some(ending) = ending? {
                    let Place { index, drawing, cache } = places.swap_remove(i);
                    done.push((index, drawing.end(ending)));
                    free.push(cache);
                }
            }
        }
    }

    /// Takes the next completion; the first of a group reads the prompt.
    fn begin(
        &self,
        free: &mut Vec<Cache<E>>,
        forward: &Forward<'_, E>,
        scratch: &mut Scratch<E>,
    ) -> Option<(Place<E>, Arc<Start<E>>)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let prompt = *self.prompts.get(index)?;
        let mut group = self.groups[prompt].lock().expect("a worker that did not panic");
        let start = group.start.take().unwrap_or_else(|| {
            let mut cache = forward.cache(prompt.len());
            let logits = forward.run(scratch, &[prompt], &mut [&mut cache]).next().map(<[E]>::to_vec);
            Arc::new(Start { cache, logits: logits.unwrap_or_default() })
        });
        group.waiting -= 1;
        if group.waiting > 0 {
            group.start = Some(start.clone());
        }
        drop(group);
        let mut cache = free.pop().unwrap_or_else(|| forward.cache(forward.longest));
        cache.copy_from(&start.cache);
        Some((Place { index, drawing: Drawing::new(&self.keys[index]), cache }, start))
    }
}
