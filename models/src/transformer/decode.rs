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
use forward::{Activations, Forward};

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
        self.draw(&Queue::new(prompts, keys, how), team)
    }
}

impl<E: Real, D: Ops<E>> Transformer<E, D> {
    fn draw(&self, queue: &Queue<'_, E>, team: Team) -> Result<Vec<Completion>> {
        let longest = queue.prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0) + queue.how.max_tokens;
        let forward = Forward::new(self, longest, team);
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
        let mut activations = Activations::default();
        loop {
            while places.len() < PLACES {
                let Some((mut place, start)) = self.begin(&mut free, forward, &mut activations) else { break };
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
            let logits = forward.run(&mut activations, &tokens, &mut caches);
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
        activations: &mut Activations<E>,
    ) -> Option<(Place<E>, Arc<Start<E>>)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let prompt = *self.prompts.get(index)?;
        let mut group = self.groups[prompt].lock().expect("a worker that did not panic");
        let start = group.start.take().unwrap_or_else(|| {
            let mut cache = forward.cache(prompt.len());
            let logits = forward.run(activations, &[prompt], &mut [&mut cache]).next().map(<[E]>::to_vec);
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

#[cfg(test)]
mod tests {
    use dfdx::prelude::Cpu;

    use super::*;
    use crate::contract::Backbone;
    use crate::data::{Sequence, Signal, Want};
    use crate::optim::Optimiser;
    use crate::transformer::Config;

    /// Widths that need padding, and queries that share keys.
    fn model() -> Transformer<f64, Cpu> {
        let config = Config {
            vocab_size: 19,
            hidden_size: 24,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            intermediate_size: 37,
            rope_theta: 100.0,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: true,
        };
        Transformer::new(config, Head::Vocabulary, &Optimiser::EXACT, 5).unwrap()
    }

    /// More than there are places for, some in groups, of which some stop early.
    fn prompts() -> (Vec<Vec<Token>>, Vec<Key>, Sampling) {
        let prompt = |i: usize| (0..1 + i / 4 % 5).map(|t| ((i / 4 + t) % 19) as Token).collect();
        let count = 2 * PLACES + 31;
        let keys = (0..count as u64).map(|sample| Key { seed: 3, step: 1, prompt: 0, sample }).collect();
        ((0..count).map(prompt).collect(), keys, Sampling { max_tokens: 21, stop: vec![2, 7], ..Sampling::default() })
    }

    #[test]
    fn a_completion_is_the_same_alone_and_in_any_company() {
        let (model, (prompts, keys, how)) = (model(), prompts());
        let prompts: Vec<&[Token]> = prompts.iter().map(Vec::as_slice).collect();
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let draw =
            |threads, team| pool(threads).install(|| model.draw(&Queue::new(&prompts, &keys, &how), team).unwrap());
        let all = draw(1, Team::Alone);
        for (threads, team) in [(3, Team::Alone), (1, Team::Together), (3, Team::Together)] {
            assert_eq!(draw(threads, team), all, "{threads} threads, {team:?}");
        }
        for i in [0, 1, 4, PLACES, prompts.len() - 1] {
            let one = Queue::new(&prompts[i..=i], &keys[i..=i], &how);
            assert_eq!(model.draw(&one, Team::Alone).unwrap(), all[i..=i], "completion {i}");
        }
        let lengths: Vec<usize> = all.iter().map(|completion| completion.tokens.len()).collect();
        assert!(lengths.contains(&21) && lengths.iter().any(|length| *length < 5), "{lengths:?}");
    }

    #[test]
    fn what_is_drawn_has_the_log_probability_that_is_read() {
        let (model, (prompts, keys, how)) = (model(), prompts());
        let prompts: Vec<&[Token]> = prompts.iter().map(Vec::as_slice).collect();
        let drawn = model.draw(&Queue::new(&prompts, &keys, &how), Team::Together).unwrap();
        let sequences = prompts.iter().zip(&drawn).map(|(prompt, c)| Sequence { prompt, completion: &c.tokens });
        let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
        let read = model.read(&sequences.collect::<Vec<_>>(), &want).unwrap();
        let sampled = drawn.iter().flat_map(|completion| &completion.sampled_logp);
        for (i, (sampled, read)) in sampled.zip(&read.0[&Signal::Logp]).enumerate() {
            assert!((sampled - read).abs() < 1e-11, "token {i}: {sampled} drawn, {read} read");
        }
    }
}
