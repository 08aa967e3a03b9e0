//! Drawing without tensors, one token of every place at a time: workers take completions from a queue.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use dfdx::prelude::{Cpu, Device};

use super::Queue;
use super::cache::Cache;
use super::forward::{Activations, Forward, Team};
use crate::data::{Completion, Token};
use crate::error::Result;
use crate::real::Real;
use crate::sampling::Drawing;
use crate::transformer::{Fused, Ops, Transformer};

/// Completions that one worker draws at the same time.
pub(super) const PLACES: usize = 48;

/// Bytes of weights up to which each thread reads them from its own cache, so that threads draw different completions.
/// Larger weights are read once for all completions, by all threads together.
const CACHED: usize = 1 << 23;

/// All completions of the queue, each with the number of its prompt.
pub(in crate::transformer) fn draw<E: Real>(
    model: &Transformer<E, Fused>,
    queue: &Queue<'_>,
) -> Result<Vec<(usize, Completion)>>
where
    Cpu: Device<E>,
{
    let bytes = model.weights.iter().map(|weight| size_of_val(&*Fused::host(weight))).sum::<usize>();
    draw_by(model, queue, if bytes <= CACHED { Team::Alone } else { Team::Together })
}

pub(super) fn draw_by<E: Real>(
    model: &Transformer<E, Fused>,
    queue: &Queue<'_>,
    team: Team,
) -> Result<Vec<(usize, Completion)>>
where
    Cpu: Device<E>,
{
    let (forward, queue) = (Forward::new(model, queue.longest(), team), Shared::new(queue));
    let workers = match team {
        Team::Alone => rayon::current_num_threads(),
        Team::Together => 1,
    };
    let drawn: Result<Vec<_>> = (0..workers).into_par_iter().map(|_| queue.work(&forward)).collect();
    Ok(drawn?.into_iter().flatten().collect())
}

/// A queue that workers take from.
struct Shared<'a, E> {
    queue: &'a Queue<'a>,
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

impl<'a, E: Real> Shared<'a, E> {
    fn new(queue: &'a Queue<'a>) -> Self {
        let mut waiting = BTreeMap::new();
        queue.prompts.iter().for_each(|prompt| *waiting.entry(*prompt).or_insert(0) += 1);
        let group = |(prompt, waiting)| (prompt, Mutex::new(Group { waiting, start: None }));
        Self { queue, next: AtomicUsize::new(0), groups: waiting.into_iter().map(group).collect() }
    }

    /// Draws completions until none is left; each with the number of its prompt.
    fn work(&self, forward: &Forward<'_, E>) -> Result<Vec<(usize, Completion)>> {
        let (mut places, mut free, mut done) = (Vec::with_capacity(PLACES), Vec::new(), Vec::new());
        let mut activations = Activations::default();
        loop {
            while places.len() < PLACES {
                let Some((mut place, start)) = self.begin(&mut free, forward, &mut activations) else { break };
                match place.drawing.advance(&start.logits, self.queue.how)? {
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
                Team::Alone => draws.map(|(place, logits)| place.drawing.advance(logits, self.queue.how)).collect(),
                Team::Together => draws
                    .collect::<Vec<_>>()
                    .into_par_iter()
                    .map(|(place, logits)| place.drawing.advance(logits, self.queue.how))
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
        let prompt = *self.queue.prompts.get(index)?;
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
        Some((Place { index, drawing: Drawing::new(&self.queue.keys[index]), cache }, start))
    }
}
