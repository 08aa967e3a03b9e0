//! Drawing without tensors: workers take requests from a queue, and each draws the next token of all its unfinished
//! completions at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::Queue;
use super::cache::Cache;
use super::factor::Layout;
use super::forward::{Activations, Forward, Team};
use crate::data::{Completion, Request, Token};
use crate::error::Result;
use crate::sampling::Drawing;
use crate::transformer::ops::Readable;
use crate::transformer::read_only::{Numbers, ReadOnly};

/// Most completions that one worker draws at the same time.
pub(super) const AT_ONCE: usize = 48;

/// Size of weights, in bytes, up to which each thread draws its own completions: they fit in the cache of a core.
/// Larger weights are read once for all completions, by all threads together.
const CACHED: usize = 1 << 23;

/// Tokens of a completion from which on a copy of the weights in panels costs less time than it saves.
const LONG: usize = 16;

/// All completions of the queue, each with the number of its request.
pub(in crate::transformer) fn draw<E: Readable>(
    model: &ReadOnly<'_, E>,
    queue: &Queue<'_>,
) -> Result<Vec<(usize, Completion)>> {
    draw_by(model, queue, team(model))
}

/// Who computes a model of this size.
pub(super) fn team<E: Readable>(model: &ReadOnly<'_, E>) -> Team {
    let numbers = model.weights.iter().map(Numbers::count).sum::<usize>();
    if numbers * size_of::<E>() <= CACHED { Team::Alone } else { Team::Together }
}

pub(super) fn draw_by<E: Readable>(
    model: &ReadOnly<'_, E>,
    queue: &Queue<'_>,
    team: Team,
) -> Result<Vec<(usize, Completion)>> {
    let is_wide = model.weights.iter().all(|weight| matches!(weight, Numbers::Wide(_)));
    let layout = match team {
        Team::Together if !is_wide || queue.how.max_tokens < LONG => Layout::InPlace,
        _ => Layout::Panels,
    };
    let (forward, queue) = (Forward::new(model, queue.longest(), team, layout), Shared::new(queue));
    let workers = match team {
        Team::Alone => rayon::current_num_threads(),
        Team::Together => 1,
    };
    let at_once = (queue.queue.at_once / workers).clamp(1, AT_ONCE);
    let drawn: Result<Vec<_>> = (0..workers).into_par_iter().map(|_| queue.work(&forward, at_once)).collect();
    Ok(drawn?.into_iter().flatten().collect())
}

/// The queue, shared by the workers.
struct Shared<'a, E> {
    queue: &'a Queue<'a>,
    /// Number of the next request.
    next: AtomicUsize,
    groups: BTreeMap<&'a [Token], Mutex<SamePrompt<E>>>,
}

/// The requests that have one prompt.
struct SamePrompt<E> {
    /// How many of them are not started.
    waiting: usize,
    /// Cache and logits of the prompt, kept until the last of these requests is started.
    start: Option<Arc<ReadPrompt<E>>>,
}

/// A prompt's KV cache and the logits after it.
struct ReadPrompt<E> {
    cache: Cache<E>,
    /// Of the first token.
    logits: Vec<E>,
}

/// A completion that is being drawn.
struct Unfinished<E> {
    /// Number of its request.
    index: usize,
    drawing: Drawing,
    cache: Cache<E>,
}

impl<'a, E: Readable> Shared<'a, E> {
    fn new(queue: &'a Queue<'a>) -> Self {
        let mut waiting = BTreeMap::new();
        queue.requests.iter().for_each(|request| *waiting.entry(request.prompt).or_insert(0) += 1);
        let group = |(prompt, waiting)| (prompt, Mutex::new(SamePrompt { waiting, start: None }));
        Self { queue, next: AtomicUsize::new(0), groups: waiting.into_iter().map(group).collect() }
    }

    /// Draws completions until the queue is empty, at most so many at the same time; each with the number of its request.
    fn work(&self, forward: &Forward<'_, E>, at_once: usize) -> Result<Vec<(usize, Completion)>> {
        let (mut unfinished, mut free, mut done) = (Vec::with_capacity(at_once), Vec::new(), Vec::new());
        let mut activations = Activations::default();
        loop {
            while unfinished.len() < at_once {
                let Some((mut one, start)) = self.begin(&mut free, forward, &mut activations) else { break };
                match one.drawing.advance(&start.logits, self.queue.how)? {
                    Some(ending) => done.push((one.index, one.drawing.end(ending))),
                    None => unfinished.push(one),
                }
            }
            if unfinished.is_empty() {
                return Ok(done);
            }
            let last: Vec<Token> = unfinished.iter().filter_map(|one| one.drawing.tokens().last().copied()).collect();
            let tokens: Vec<&[Token]> = last.iter().map(std::slice::from_ref).collect();
            let mut caches: Vec<&mut Cache<E>> = unfinished.iter_mut().map(|one| &mut one.cache).collect();
            let logits = forward.run(&mut activations, &tokens, &mut caches);
            let draws = unfinished.iter_mut().zip(logits);
            let endings: Vec<_> = match forward.team {
                Team::Alone => draws.map(|(one, logits)| one.drawing.advance(logits, self.queue.how)).collect(),
                Team::Together => draws
                    .collect::<Vec<_>>()
                    .into_par_iter()
                    .map(|(one, logits)| one.drawing.advance(logits, self.queue.how))
                    .collect(),
            };
            for (i, ending) in endings.into_iter().enumerate().rev() {
                if let Some(ending) = ending? {
                    let Unfinished { index, drawing, cache } = unfinished.swap_remove(i);
                    done.push((index, drawing.end(ending)));
                    free.push(cache);
                }
            }
        }
    }

    /// Starts the next request; the first of those with the same prompt reads it.
    fn begin(
        &self,
        free: &mut Vec<Cache<E>>,
        forward: &Forward<'_, E>,
        activations: &mut Activations<E>,
    ) -> Option<(Unfinished<E>, Arc<ReadPrompt<E>>)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let Request { prompt, key } = *self.queue.requests.get(index)?;
        let mut group = self.groups[prompt].lock().expect("a worker that did not panic");
        let start = group.start.take().unwrap_or_else(|| {
            let mut cache = forward.cache(prompt.len());
            let logits = forward.run(activations, &[prompt], &mut [&mut cache]).next().map(<[E]>::to_vec);
            Arc::new(ReadPrompt { cache, logits: logits.unwrap_or_default() })
        });
        group.waiting -= 1;
        if group.waiting > 0 {
            group.start = Some(start.clone());
        }
        drop(group);
        let mut cache = free.pop().unwrap_or_else(|| forward.cache(forward.longest));
        cache.copy_from(&start.cache);
        Some((Unfinished { index, drawing: Drawing::new(&key), cache }, start))
    }
}
