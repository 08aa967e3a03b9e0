//! The same experiment from several seeds, and intervals of its results.

use std::num::NonZero;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::evidence::Measurement;
use crate::error::Result;
use crate::statistics::interval;

/// The results of `run` in the order of seeds. As many seeds run at a time as there are processors; runs do not affect
/// each other, so results do not depend on the number of processors. A run has `arms` parts and calls its second
/// argument when one is done; `watch` is called with the share of all parts that is done.
pub fn over<T: Send>(
    seeds: Range<u64>,
    arms: usize,
    watch: &mut dyn FnMut(f64),
    run: impl Fn(u64, &dyn Fn()) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let (next, (finished, arrivals)) = (AtomicU64::new(seeds.start), channel());
    let count = seeds.clone().count();
    let work = |finished: Sender<()>| {
        let ticket = || next.fetch_add(1, Ordering::Relaxed);
        let mine = std::iter::from_fn(|| Some(ticket()).filter(|seed| seeds.contains(seed)));
        // Sending fails only if the receiver is gone, which needs no handling.
        let done = || finished.send(()).unwrap_or_default();
        mine.map(|seed| (seed, run(seed, &done))).collect::<Vec<_>>()
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let mut found = thread::scope(|scope| {
        let start = |finished| scope.spawn(|| work(finished));
        let started: Vec<_> = vec![finished; workers.min(count)].into_iter().map(start).collect();
        for (i, ()) in arrivals.iter().enumerate() {
            watch((i + 1) as f64 / (count * arms) as f64);
        }
        started
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect::<Vec<_>>()
    });
    found.sort_by_key(|(seed, _)| *seed);
    found.into_iter().map(|(_, result)| result).collect()
}

/// The measurement that the mean of these numbers, one for each seed, is above `stated`.
pub fn above(at: impl Into<String>, stated: f64, values: &[f64]) -> Measurement {
    let (mean, interval) = interval(values);
    Measurement::above(at, stated, mean, interval)
}

/// The differences of two arms, first minus second, at each seed.
pub fn differences(found: &[Vec<f64>], first: usize, second: usize) -> Vec<f64> {
    found.iter().map(|arms| arms[first] - arms[second]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn results_are_in_the_order_of_seeds_and_every_arm_is_reported() {
        let mut shares = Vec::new();
        let run = |seed, done: &dyn Fn()| {
            thread::sleep(std::time::Duration::from_millis(5 - seed));
            (0..2).for_each(|_| done());
            Ok(seed)
        };
        assert_eq!(over(0..5, 2, &mut |share| shares.push(share), run).unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(shares, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]);
    }

    #[test]
    fn a_seed_that_fails_fails_all() {
        let run = |seed, _: &dyn Fn()| match seed {
            2 => Err(Error::setting("seed", "is 2")),
            _ => Ok(()),
        };
        assert!(over(0..4, 1, &mut |_| {}, run).is_err());
    }
}
