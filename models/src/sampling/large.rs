//! Drawing from large vocabularies: passes over the logits as vectors, and a sort of the few tokens that matter.
//!
//! The largest logit of each block of tokens is found first. With the `k` largest of these as a threshold, at least `k`
//! tokens reach it, so top-k and most nuclei need no other tokens. Where they do, a histogram of the weights says in
//! which bucket a cut or a draw falls, and only that bucket is sorted.

use std::cmp::Ordering;
use std::ops::Range;

use super::ranked::{pick, prefix};
use super::{Draw, not_finite};
use crate::buffers::Buffer;
use crate::data::{Sampling, Token};
use crate::error::Result;
use crate::real::Real;
use crate::reduce::{maximum, sum};
use crate::vectors::{LANES, vectorised};

/// Tokens that are weighed together. Each holds `LANES` blocks: every block takes each `LANES`-th token.
const RUN: usize = 16 * LANES;

/// Blocks whose largest logits are tried as thresholds of a nucleus.
const TRIED: [usize; 2] = [32, 256];

/// Most tokens of a top-k that are sorted.
const SORTED: usize = 1024;

/// `(z - max) / T` below which a weight counts as zero: where the exponential of single precision ends.
const LEAST: f64 = -87.0;

/// As [`super::draw`].
pub(super) fn draw<E: Real>(logits: &[E], how: &Sampling, uniform: f64) -> Result<Draw> {
    let (tops, nans) = survey(logits);
    let max = maximum(&tops);
    if nans > 0 || !max.is_finite() {
        return Err(not_finite());
    }
    if how.temperature == 0.0 {
        let token = logits.iter().position(|z| z.wide() == max.wide()).unwrap_or_default();
        return Ok(Draw { token: token as Token, logp: 0.0 });
    }
    let scores = Scores { logits, tops, max, inverse: how.temperature.recip() };
    if let Some(kept) = scores.first(how) {
        return Ok(pick(&kept, uniform));
    }
    let (weights, masses) = scores.weights();
    if how.top_k == 0 && how.top_p >= 1.0 {
        return Ok(any(&weights, &masses, uniform));
    }
    let mass = how.top_p * masses.iter().sum::<f64>();
    match scores.nucleus(how, mass) {
        Some(kept) => Ok(pick(&kept, uniform)),
        None => Ok(Histogram::new(&scores, &weights, how.top_k).draw(how, uniform)),
    }
}

/// The largest logit of each block, and how many logits are NaN.
fn survey<E: Real>(logits: &[E]) -> (Vec<E>, usize) {
    let mut tops = Vec::with_capacity(logits.len().div_ceil(RUN) * LANES);
    let nans = vectorised(
        #[inline(always)]
        || {
            let mut nans = [E::ZERO; LANES];
            for run in logits.chunks(RUN) {
                let mut top = [E::of(f64::NEG_INFINITY); LANES];
                let (rows, rest) = run.as_chunks::<LANES>();
                for row in rows {
                    for i in 0..LANES {
                        top[i] = top[i].max(row[i]);
                        nans[i] += if row[i].is_nan() { E::ONE } else { E::ZERO };
                    }
                }
                for (i, z) in rest.iter().enumerate() {
                    top[i] = top[i].max(*z);
                    nans[i] += if z.is_nan() { E::ONE } else { E::ZERO };
                }
                tops.extend(top);
            }
            nans.into_iter().map(Real::wide).sum::<f64>()
        },
    );
    (tops, nans as usize)
}

/// Logits at a temperature.
struct Scores<'a, E> {
    logits: &'a [E],
    /// The largest logit of each block.
    tops: Vec<E>,
    /// Of all logits.
    max: E,
    /// One over the temperature.
    inverse: f64,
}

impl<E: Real> Scores<'_, E> {
    /// The tokens that top-k and then top-p keep, ranked; `None` without top-k, and where it keeps too many for a sort.
    fn first(&self, how: &Sampling) -> Option<Vec<(usize, f64)>> {
        if !(1..=self.tops.len().min(SORTED)).contains(&how.top_k) {
            return None;
        }
        let mut ranked = self.above(self.threshold(how.top_k));
        ranked.truncate(how.top_k);
        let held: f64 = ranked.iter().map(|(_, weight)| weight).sum();
        ranked.truncate(prefix(&ranked, how.top_p * held));
        Some(ranked)
    }

    /// The tokens that top-p alone keeps, ranked, which are to hold this much weight; `None` where they are too many
    /// for a sort.
    fn nucleus(&self, how: &Sampling, mass: f64) -> Option<Vec<(usize, f64)>> {
        let tried = TRIED.into_iter().filter(|blocks| how.top_k == 0 && *blocks <= self.tops.len());
        tried.map(|blocks| self.above(self.threshold(blocks))).find_map(|mut ranked| {
            let held: f64 = ranked.iter().map(|(_, weight)| weight).sum();
            ranked.truncate(prefix(&ranked, mass));
            (held >= mass).then_some(ranked)
        })
    }

    /// A logit that at least this many tokens reach: the smallest of as many largest logits of blocks.
    fn threshold(&self, blocks: usize) -> E {
        let mut tops = self.tops.clone();
        *tops.select_nth_unstable_by(blocks - 1, |a, b| b.wide().total_cmp(&a.wide())).1
    }

    /// The tokens that reach a logit, ranked.
    fn above(&self, least: E) -> Vec<(usize, f64)> {
        let mut found = Vec::new();
        for (run, tops) in self.tops.chunks(LANES).enumerate() {
            if tops.iter().any(|top| *top >= least) {
                let range = self.run(run);
                positions(&self.logits[range.clone()], least..E::of(f64::INFINITY), range.start, &mut found);
            }
        }
        self.rank(found)
    }

    /// Tokens with their weights, in order of rank.
    fn rank(&self, tokens: Vec<usize>) -> Vec<(usize, f64)> {
        let mut tokens: Vec<(usize, f64)> =
            tokens.into_iter().map(|token| (token, self.logits[token].wide())).collect();
        // Not `total_cmp`: -0 and 0 are a tie.
        tokens.sort_unstable_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then(a.0.cmp(&b.0)));
        let weighed = tokens.into_iter().map(|(token, z)| (token, self.weight(E::of(z)).wide()));
        weighed.filter(|(_, weight)| *weight > 0.0).collect()
    }

    /// The weight of each token, and their sum over each run.
    fn weights(&self) -> (Buffer<E>, Vec<f64>) {
        let mut weights = E::buffers().take(self.logits.len());
        let mut masses = Vec::with_capacity(self.logits.len().div_ceil(RUN));
        vectorised(
            #[inline(always)]
            || {
                let (max, inverse) = (self.max, E::of(self.inverse));
                for (weights, run) in weights.chunks_mut(RUN).zip(self.logits.chunks(RUN)) {
                    weights.iter_mut().zip(run).for_each(|(w, z)| *w = weight(*z, max, inverse));
                    masses.push(sum(weights.len(), |i| weights[i]).wide());
                }
            },
        );
        (weights, masses)
    }

    fn weight(&self, z: E) -> E {
        weight(z, self.max, E::of(self.inverse))
    }

    fn run(&self, run: usize) -> Range<usize> {
        run * RUN..self.logits.len().min((run + 1) * RUN)
    }
}

/// A token in the order of the indices, from the weight of each and the sums over runs.
fn any<E: Real>(weights: &[E], masses: &[f64], uniform: f64) -> Draw {
    let total: f64 = masses.iter().sum();
    let mut rest = uniform * total;
    let mut last = 0;
    for (run, mass) in masses.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
        last = run;
        if rest < *mass {
            break;
        }
        rest -= mass;
    }
    // Rounding may leave more than the last run holds: then it is the last token with a weight.
    let (mut below, mut drawn) = (0.0, (0, 0.0));
    for (i, weight) in weights[last * RUN..].iter().take(RUN).map(|weight| weight.wide()).enumerate() {
        if weight > 0.0 {
            (below, drawn) = (below + weight, (last * RUN + i, weight));
        }
        if rest < below {
            break;
        }
    }
    Draw { token: drawn.0 as Token, logp: (drawn.1 / total).ln() }
}

/// `exp((z - max) / T)`, and exactly zero where that is less than `exp(LEAST)`.
#[inline(always)]
fn weight<E: Real>(z: E, max: E, inverse: E) -> E {
    let score = (z - max) * inverse;
    let weight = score.exp();
    if score < E::of(LEAST) { E::ZERO } else { weight }
}

/// Leading bits of a weight in single precision that make its bucket: its exponent, and 7 bits of its fraction.
const SHIFT: u32 = 23 - 7;

/// Weights are at most 1, so the last bucket is that of zero.
const BUCKETS: usize = (1f32.to_bits() >> SHIFT) as usize + 1;

/// Weights by rank, coarsely: a token of an earlier bucket ranks before a token of a later one.
struct Histogram<'a, 'b, E> {
    scores: &'a Scores<'b, E>,
    weights: &'a [E],
    masses: Vec<f64>,
    /// Tokens of each bucket; without top-k, only whether there are any.
    counts: Vec<usize>,
}

/// The first tokens in order of rank, up to somewhere within a bucket.
#[derive(Clone, Copy)]
struct Cut {
    bucket: usize,
    /// Tokens of the bucket.
    tokens: usize,
    /// Weight of all tokens of the cut.
    mass: f64,
    /// The last token, with its weight.
    last: (usize, f64),
}

impl<'a, 'b, E: Real> Histogram<'a, 'b, E> {
    fn new(scores: &'a Scores<'b, E>, weights: &'a [E], top_k: usize) -> Self {
        let mut masses = vec![0.0; BUCKETS];
        weights.iter().for_each(|weight| masses[bucket(*weight)] += weight.wide());
        let mut counts: Vec<usize> = masses.iter().map(|mass| usize::from(*mass > 0.0)).collect();
        if top_k > 0 {
            counts.fill(0);
            weights.iter().for_each(|weight| counts[bucket(*weight)] += 1);
        }
        Self { scores, weights, masses, counts }
    }

    /// As [`super::draw`].
    fn draw(&self, how: &Sampling, uniform: f64) -> Draw {
        let all = Cut { bucket: BUCKETS - 1, tokens: usize::MAX, mass: self.masses.iter().sum(), last: (0, 0.0) };
        let kept = match how.top_k {
            0 => all,
            count => self.cut(&all, |tokens, _| tokens >= count),
        };
        let share = how.top_p * kept.mass;
        let kept = if how.top_p < 1.0 { self.cut(&kept, |_, mass| mass >= share) } else { kept };
        let target = uniform * kept.mass;
        let (token, weight) = self.cut(&kept, |_, mass| mass > target).last;
        Draw { token: token as Token, logp: (weight / kept.mass).ln() }
    }

    /// The shortest cut within another one whose number of tokens and weight are `enough`.
    fn cut(&self, within: &Cut, enough: impl Fn(usize, f64) -> bool) -> Cut {
        let (mut tokens, mut mass) = (0, 0.0);
        let mut found = *within;
        for bucket in (0..=within.bucket).filter(|bucket| self.masses[*bucket] > 0.0) {
            let whole = bucket < within.bucket;
            // The sum of the bucket as it was taken, and one by one, may differ by rounding.
            if whole && !enough(tokens + self.counts[bucket], mass + self.masses[bucket] * (1.0 + 1e-6)) {
                (tokens, mass) = (tokens + self.counts[bucket], mass + self.masses[bucket]);
                continue;
            }
            let most = if whole { usize::MAX } else { within.tokens };
            for (i, (token, weight)) in self.ranked(bucket).into_iter().take(most).enumerate() {
                (tokens, mass) = (tokens + 1, mass + weight);
                found = Cut { bucket, tokens: i + 1, mass, last: (token, weight) };
                if enough(tokens, mass) {
                    return found;
                }
            }
        }
        found
    }

    /// The tokens of a bucket, ranked.
    fn ranked(&self, which: usize) -> Vec<(usize, f64)> {
        // Bits of positive numbers are in the order of the numbers.
        let bound = |bucket: usize| E::of(f32::from_bits(((BUCKETS - 1 - bucket) as u32) << SHIFT).into());
        let (least, most) = (bound(which), if which == 0 { E::of(2.0) } else { bound(which - 1) });
        let mut found = Vec::new();
        positions(self.weights, least..most, 0, &mut found);
        self.scores.rank(found)
    }
}

/// Positions, counted from `first`, of the numbers in a range.
fn positions<E: Real>(numbers: &[E], range: Range<E>, first: usize, found: &mut Vec<usize>) {
    let is_inside = |x: E| x >= range.start && x < range.end;
    vectorised(
        #[inline(always)]
        || {
            for (i, row) in numbers.chunks(LANES).enumerate() {
                let some = row.iter().fold(false, |some, x| some | is_inside(*x));
                if some {
                    let inside = row.iter().enumerate().filter(|(_, x)| is_inside(**x));
                    found.extend(inside.map(|(lane, _)| first + i * LANES + lane));
                }
            }
        },
    );
}

/// The bucket of a weight.
#[inline(always)]
fn bucket<E: Real>(weight: E) -> usize {
    BUCKETS - 1 - ((weight.wide() as f32).to_bits() >> SHIFT) as usize
}
