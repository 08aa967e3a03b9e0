//! Keys and values of the tokens that one completion has seen.

use crate::real::Real;
use crate::transformer::Config;
use crate::transformer::ops::{Left, Out, Right, Rotary, Start, padded, product, scale, softmax_rows};

/// By layer and head of keys, padded to whole vectors; written in place.
pub(super) struct Cache<E> {
    /// Tokens that are in every layer.
    pub(super) seen: usize,
    /// Most tokens there is room for, padding included.
    room: usize,
    shape: Shape,
    /// Rotated: `[layer, head, head_dim, room]`
    keys: Vec<E>,
    /// `[layer, head, room, padded head_dim]`
    values: Vec<E>,
}

#[derive(Clone, Copy, PartialEq)]
struct Shape {
    layers: usize,
    heads: usize,
    /// Queries that share a head of keys.
    group: usize,
    dim: usize,
}

impl<E: Real> Cache<E> {
    /// With room for so many tokens.
    pub(super) fn new(config: &Config, tokens: usize) -> Self {
        let (layers, heads, dim) = (config.num_hidden_layers, config.num_key_value_heads, config.head_dim());
        let shape = Shape { layers, heads, group: config.num_attention_heads / heads, dim };
        let room = padded(tokens);
        let numbers = |width: usize| vec![E::ZERO; layers * heads * room * width];
        Self { seen: 0, room, shape, keys: numbers(dim), values: numbers(padded(dim)) }
    }

    /// Takes over what another one, of the same model, has seen.
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

    /// Attention of one new token, `offset` behind those seen, to itself and all before it. Its queries and keys are
    /// rotated here; its keys and values stay.
    pub(super) fn attend(
        &mut self,
        layer: usize,
        offset: usize,
        [q, k, v]: [&mut [E]; 3],
        rotary: &Rotary<E>,
        (scores, out): (&mut Vec<E>, &mut [E]),
    ) {
        let Shape { heads, group, dim, .. } = self.shape;
        let scale = scale::<E>(dim);
        let (position, wide) = (self.seen + offset, padded(dim));
        let (count, long) = (position + 1, padded(position + 1));
        rotary.rotate(&mut q[..heads * group * dim], position);
        rotary.rotate(&mut k[..heads * dim], position);
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
            product(Out { numbers: scores, stride: long }, Start::Zero, queries, right, (group, dim, long));
            let out = &mut out[head * group * dim..][..group * dim];
            softmax_rows(scores, (long, count), scale);
            let right = Right::rows(values, wide);
            let to = Out { numbers: &mut *mixed, stride: wide };
            product(to, Start::Zero, Left::rows(scores, long), right, (group, count, wide));
            for (out, mixed) in out.chunks_exact_mut(dim).zip(mixed.chunks_exact(wide)) {
                out.copy_from_slice(&mixed[..dim]);
            }
        }
    }
}
