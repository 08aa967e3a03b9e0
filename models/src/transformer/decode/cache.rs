//! The KV cache of one completion.

use crate::real::Real;
use crate::transformer::Config;
use crate::transformer::ops::{Columns, Left, Norm, Onto, Right, Rotary, padded, product, scale, softmax_rows};

/// Keys and values by layer and key head, padded to whole SIMD vectors, written in place.
pub(super) struct Cache<E> {
    /// Tokens that every layer has keys and values of.
    pub(super) seen: usize,
    /// Most tokens, padding included.
    pub(super) room: usize,
    pub(super) shape: Shape,
    /// Rotated: `[layer, head, head_dim, room]`
    pub(super) keys: Vec<E>,
    /// `[layer, head, room, padded head_dim]`
    pub(super) values: Vec<E>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Shape {
    layers: usize,
    pub(super) heads: usize,
    /// Query heads that share a key head.
    pub(super) group: usize,
    pub(super) dim: usize,
}

impl<E: Real> Cache<E> {
    /// An empty cache for this number of tokens.
    pub(super) fn new(config: &Config, tokens: usize) -> Self {
        let (layers, heads, dim) = (config.num_hidden_layers, config.num_key_value_heads, config.head_dim());
        let shape = Shape { layers, heads, group: config.num_attention_heads / heads, dim };
        let room = padded(tokens);
        let numbers = |width: usize| vec![E::ZERO; layers * heads * room * width];
        Self { seen: 0, room, shape, keys: numbers(dim), values: numbers(padded(dim)) }
    }

    /// Copies the contents of another cache of the same model.
    pub(super) fn copy_from(&mut self, other: &Self) {
        let (wide, seen) = (padded(self.shape.dim), other.seen);
        for (to, from) in self.keys.chunks_exact_mut(self.room).zip(other.keys.chunks_exact(other.room)) {
            to[..seen].copy_from_slice(&from[..seen]);
        }
        let from = other.values.chunks_exact(other.room * wide);
        for (to, from) in self.values.chunks_exact_mut(self.room * wide).zip(from) {
            to[..seen * wide].copy_from_slice(&from[..seen * wide]);
        }
        self.seen = seen;
    }

    /// Attention of a new token to itself and all before it. Normalises and rotates its queries and keys, and adds its
    /// keys and values to the cache.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        [q, k, v]: [&mut [E]; 3],
        (norms, rotary): (Option<[Norm<'_, E>; 2]>, &Rotary<E>),
        (scores, out): (&mut Vec<E>, &mut [E]),
    ) {
        let Shape { heads, group, dim, .. } = self.shape;
        let scale = scale::<E>(dim);
        let (position, wide) = (self.seen, padded(dim));
        let (count, long) = (position + 1, padded(position + 1));
        let (queries, keys) = (&mut q[..heads * group * dim], &mut k[..heads * dim]);
        if let Some([q_norm, k_norm]) = norms {
            queries.chunks_exact_mut(dim).for_each(|query| q_norm.apply(query));
            keys.chunks_exact_mut(dim).for_each(|key| k_norm.apply(key));
        }
        rotary.rotate(queries, position);
        rotary.rotate(keys, position);
        scores.resize(group * (long + wide), E::ZERO);
        let (scores, mixed) = scores.split_at_mut(group * long);
        for head in 0..heads {
            let keys = &mut self.keys[(layer * heads + head) * dim * self.room..][..dim * self.room];
            let values = &mut self.values[(layer * heads + head) * self.room * wide..][..self.room * wide];
            for (keys, x) in keys.chunks_exact_mut(self.room).zip(&k[head * dim..]) {
                keys[position] = *x;
            }
            values[position * wide..][..dim].copy_from_slice(&v[head * dim..][..dim]);
            let queries = Left::rows(&q[head * group * dim..], dim);
            let right = Right::rows(keys, self.room);
            product(Columns::new(scores, long, (group, long)), Onto::Zero, queries, right, dim);
            let out = &mut out[head * group * dim..][..group * dim];
            softmax_rows(scores, (long, count), scale);
            let right = Right::rows(values, wide);
            let to = Columns::new(mixed, wide, (group, wide));
            product(to, Onto::Zero, Left::rows(scores, long), right, count);
            for (out, mixed) in out.chunks_exact_mut(dim).zip(mixed.chunks_exact(wide)) {
                out.copy_from_slice(&mixed[..dim]);
            }
        }
    }
}
