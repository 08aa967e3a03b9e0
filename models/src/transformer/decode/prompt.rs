//! Attention of several new tokens at once, as those of a prompt.

use super::cache::Cache;
use super::forward::Team;
use crate::real::Real;
use crate::transformer::ops::{Columns, Left, Norm, Onto, Right, Rotary, padded, product, scale, softmax};
use crate::vectors::vectorised;

/// Tokens whose scores are computed together.
const STRIP: usize = 12;

/// Rows of queries, keys and values, side by side.
pub(super) struct Rows<'a, E> {
    pub(super) numbers: &'a mut [E],
    /// Where keys and values start, and the length of a row.
    pub(super) offsets: [usize; 3],
}

/// Keys and values of one head, and where the outputs of its queries go.
struct Head<'a, E> {
    keys: &'a mut [E],
    values: &'a mut [E],
    out: Columns<'a, E>,
}

impl<E: Real> Cache<E> {
    /// As [`Cache::attend`] for one new token after another; `out` has rows of `width`. The sums are those of the
    /// kernel that learning uses.
    pub(super) fn attend_all(
        &mut self,
        layer: usize,
        rows: Rows<'_, E>,
        (norms, rotary): (Option<[Norm<'_, E>; 2]>, &Rotary<E>),
        (out, width): (&mut [E], usize),
        team: Team,
    ) {
        let Rows { numbers, offsets: [at_k, at_v, all] } = rows;
        let (heads, dim, wide) = (self.shape.heads, self.shape.dim, self.shape.group * self.shape.dim);
        for (offset, row) in numbers.chunks_exact_mut(all).enumerate() {
            let (q, k) = row.split_at_mut(at_k);
            let (q, k) = (&mut q[..heads * wide], &mut k[..heads * dim]);
            if let Some([q_norm, k_norm]) = norms {
                q.chunks_exact_mut(dim).for_each(|query| q_norm.apply(query));
                k.chunks_exact_mut(dim).for_each(|key| k_norm.apply(key));
            }
            rotary.rotate(q, self.seen + offset);
            rotary.rotate(k, self.seen + offset);
        }
        let (room, seen, shape) = (self.room, self.seen, self.shape);
        let (long_keys, long_values) = (dim * room, room * padded(dim));
        let keys = self.keys[layer * heads * long_keys..].chunks_exact_mut(long_keys);
        let values = self.values[layer * heads * long_values..].chunks_exact_mut(long_values);
        let count = numbers.len() / all;
        let mut rest = Some(Columns::new(out, width, (count, heads * wide)));
        let mut work = Vec::with_capacity(heads);
        for (head, (keys, values)) in keys.zip(values).take(heads).enumerate() {
            let Some((out, more)) = rest.take().map(|rest| rest.split_at(wide)) else { break };
            rest = Some(more);
            work.push((head, Head { keys, values, out }));
        }
        let numbers = &*numbers;
        team.each(work, |(head, mut to)| {
            for (token, row) in numbers.chunks_exact(all).enumerate() {
                let (k, v) = (&row[at_k + head * dim..][..dim], &row[at_v + head * dim..][..dim]);
                to.keys.iter_mut().skip(seen + token).step_by(room).zip(k).for_each(|(key, x)| *key = *x);
                to.values[(seen + token) * padded(dim)..][..dim].copy_from_slice(v);
            }
            for query in 0..shape.group {
                let queries = Left::rows(&numbers[(head * shape.group + query) * dim..], all);
                to.mix(queries, query * dim, (room, dim), seen);
            }
        });
    }
}

impl<E: Real> Head<'_, E> {
    /// The outputs of one head of queries, to the columns from `column` on.
    fn mix(&mut self, queries: Left<'_, E>, column: usize, (room, dim): (usize, usize), seen: usize) {
        let (count, wide, scale) = (self.out.rows(), padded(dim), scale::<E>(dim));
        let long = padded(seen + count);
        let (mut scores, mut mixed) = (vec![E::ZERO; STRIP * long], vec![E::ZERO; STRIP * wide]);
        vectorised(
            #[inline(always)]
            || {
                for first in (0..count).step_by(STRIP) {
                    let end = (first + STRIP).min(count);
                    let left = Left { numbers: &queries.numbers[first * queries.row..], ..queries };
                    let to = Columns::new(&mut scores, long, (end - first, padded(seen + end)));
                    product(to, Onto::Zero, left, Right::rows(self.keys, room), dim);
                    let mut shares = [E::ZERO; STRIP];
                    for (i, scores) in scores.chunks_exact_mut(long).take(end - first).enumerate() {
                        let known = seen + first + i + 1;
                        (_, shares[i]) = softmax(&mut scores[..known], scale);
                        scores[known..seen + end].fill(E::ZERO);
                    }
                    let (to, right) =
                        (Columns::new(&mut mixed, wide, (end - first, wide)), Right::rows(self.values, wide));
                    product(to, Onto::Zero, Left::rows(&scores, long), right, seen + end);
                    for (i, mixed) in mixed.chunks_exact(wide).take(end - first).enumerate() {
                        let out = &mut self.out.row(first + i)[column..][..dim];
                        out.iter_mut().zip(mixed).for_each(|(out, x)| *out = *x * shares[i]);
                    }
                }
            },
        );
    }
}
