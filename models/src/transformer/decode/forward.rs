//! The forward pass over the next tokens of some sequences, without tensors and without a tape.

use std::borrow::Cow;

use rayon::prelude::*;

use super::cache::Cache;
use super::factor::{Factor, Layout};
use super::prompt::Rows;
use crate::architecture::{AttentionWeights, LayerWeights};
use crate::data::Token;
use crate::transformer::Config;
use crate::transformer::ops::{Norm, Onto, Readable, Rotary, filled_up, gated, padded, start_from};
use crate::transformer::read_only::{Numbers, ReadOnly};

/// Which threads compute a matmul.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Team {
    /// The calling thread: small weights, which fit in the cache of each core.
    Alone,
    /// All threads together: large weights, which are read from memory once for all completions.
    Together,
}

impl Team {
    pub(super) fn each<W: Send>(self, work: Vec<W>, run: impl Fn(W) + Send + Sync) {
        match self {
            Team::Alone => work.into_iter().for_each(run),
            Team::Together => work.into_par_iter().for_each(run),
        }
    }
}

/// A model's weights in the layout that decoding reads.
pub(super) struct Forward<'a, E: Readable> {
    pub(super) team: Team,
    /// Length of the longest sequence.
    pub(super) longest: usize,
    config: &'a Config,
    embedding: &'a Numbers<'a, E>,
    layers: Vec<Layer<'a, E>>,
    norm: Cow<'a, [E]>,
    /// Of the head.
    pub(super) outputs: usize,
    head: Factor<'a, E>,
    rotary: Rotary<E>,
}

struct Layer<'a, E: Readable> {
    norms: [Cow<'a, [E]>; 2],
    qkv: Factor<'a, E>,
    bias: Option<Vec<E>>,
    /// Of queries and of keys.
    head_norms: Option<[Cow<'a, [E]>; 2]>,
    o: Factor<'a, E>,
    gate_up: Factor<'a, E>,
    down: Factor<'a, E>,
}

/// Rows that the gated units are computed of at a time: they are several times as wide as the residual stream.
const CHUNK: usize = 512;

/// Rows that a thread takes at a time where they are independent.
const AT_ONCE: usize = 16;

/// Intermediate results: one row for each new token, every width padded. Reused from call to call.
#[derive(Default)]
pub(super) struct Activations<E> {
    /// The residual stream.
    x: Vec<E>,
    read: Vec<E>,
    qkv: Vec<E>,
    mixed: Vec<E>,
    gate_up: Vec<E>,
    units: Vec<E>,
    logits: Vec<E>,
}

impl<'a, E: Readable> Forward<'a, E> {
    pub(super) fn new(model: &'a ReadOnly<'a, E>, longest: usize, team: Team, layout: Layout) -> Self {
        let (config, unit) = (model.config, model.unit);
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let layer = |layer| {
            let LayerWeights { attention, feed_forward: [norm2, gate, up, down] } = model.layer(layer);
            let AttentionWeights { norm: norm1, q, k, v, biases, head_norms, o } = attention;
            Layer {
                qkv: Factor::new([q, k, v], hidden, layout, unit),
                bias: biases.map(|biases| biases.iter().flat_map(|bias| filled_up(&bias.wide())).collect()),
                head_norms: head_norms.map(|norms| norms.map(Numbers::wide)),
                o: Factor::new([o], config.query_width(), layout, unit),
                gate_up: Factor::new([gate, up], hidden, layout, unit),
                down: Factor::new([down], wide, layout, unit),
                norms: [norm1, norm2].map(Numbers::wide),
            }
        };
        Self {
            team,
            longest,
            config,
            embedding: &model.weights[0],
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            norm: model.norm().wide(),
            outputs: model.head_weight().count() / hidden,
            head: Factor::new([model.head_weight()], hidden, layout, unit),
            rotary: Rotary::new(longest, &config.rotary_frequencies()),
        }
    }

    /// An empty cache for this number of tokens.
    pub(super) fn cache(&self, tokens: usize) -> Cache<E> {
        Cache::new(self.config, tokens)
    }

    /// Reads the next tokens of each sequence and returns the logits after the last of them; the caches grow.
    pub(super) fn run<'s>(
        &self,
        activations: &'s mut Activations<E>,
        tokens: &[&[Token]],
        caches: &mut [&mut Cache<E>],
    ) -> impl Iterator<Item = &'s [E]> + use<'s, E> {
        self.read(activations, tokens, caches);
        let mut end = 0;
        let last: Vec<usize> = tokens.iter().map(|tokens| (end += tokens.len(), end - 1).1).collect();
        self.outputs_of(activations, &last)
    }

    /// Reads the next tokens of each sequence into the residual stream; the caches grow.
    pub(super) fn read(&self, activations: &mut Activations<E>, tokens: &[&[Token]], caches: &mut [&mut Cache<E>]) {
        let (hidden, rows) = (self.config.hidden_size, tokens.iter().map(|tokens| tokens.len()).sum::<usize>());
        let stride = padded(hidden);
        let [query, wide] = [self.config.query_width(), self.config.intermediate_size].map(padded);
        let Activations { x, read, qkv, mixed, gate_up, units, .. } = activations;
        let some = rows.min(CHUNK);
        for (buffer, length) in [
            (&mut *x, rows * stride),
            (read, rows * stride),
            (mixed, rows * query),
            (gate_up, some * 2 * wide),
            (units, some * wide),
        ] {
            buffer.resize(length, E::ZERO);
        }
        for (x, &token) in x.chunks_exact_mut(stride).zip(tokens.iter().copied().flatten()) {
            self.embedding.copy_row(&mut x[..hidden], token as usize);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            qkv.resize(rows * layer.qkv.columns(), E::ZERO);
            self.normalise(&layer.norms[0], read, x);
            let start = start_from(layer.bias.as_deref(), qkv);
            layer.qkv.apply(self.team, qkv, start, read, stride);
            self.attend(i, qkv, mixed, tokens, caches);
            layer.o.apply(self.team, x, Onto::Out, mixed, query);
            self.normalise(&layer.norms[1], read, x);
            for (x, read) in x.chunks_mut(CHUNK * stride).zip(read.chunks(CHUNK * stride)) {
                let some = x.len() / stride;
                let (gate_up, units) = (&mut gate_up[..some * 2 * wide], &mut units[..some * wide]);
                layer.gate_up.apply(self.team, gate_up, Onto::Zero, read, stride);
                let work = units.chunks_mut(AT_ONCE * wide).zip(gate_up.chunks(AT_ONCE * 2 * wide)).collect();
                self.team.each(work, |(units, gate_up)| gated(units, gate_up, wide));
                layer.down.apply(self.team, x, Onto::Out, units, wide);
            }
        }
        caches.iter_mut().zip(tokens).for_each(|(cache, tokens)| cache.seen += tokens.len());
    }

    /// Outputs of the head for some rows of the residual stream, in ascending order.
    pub(super) fn outputs_of<'s>(
        &self,
        activations: &'s mut Activations<E>,
        rows: &[usize],
    ) -> impl Iterator<Item = &'s [E]> + use<'s, E> {
        let (stride, outputs) = (padded(self.config.hidden_size), self.outputs);
        let Activations { x, read, logits, .. } = activations;
        let read = &mut read[..rows.len() * stride];
        for (read, row) in read.chunks_exact_mut(stride).zip(rows) {
            Norm::new(&self.norm, self.config.rms_norm_eps)
                .forward((read, stride), (&x[row * stride..][..stride], stride));
        }
        logits.resize(rows.len() * self.head.columns(), E::ZERO);
        self.head.apply(self.team, logits, Onto::Zero, read, stride);
        logits.chunks_exact(self.head.columns()).map(move |row| &row[..outputs])
    }

    fn normalise(&self, weight: &[E], out: &mut [E], x: &[E]) {
        let (stride, norm) = (padded(self.config.hidden_size), Norm::new(weight, self.config.rms_norm_eps));
        let work = out.chunks_mut(AT_ONCE * stride).zip(x.chunks(AT_ONCE * stride)).collect();
        self.team.each(work, |(out, x)| norm.forward((out, stride), (x, stride)));
    }

    /// Attention of the new tokens of each sequence to its cache and to each other.
    fn attend(&self, layer: usize, qkv: &mut [E], mixed: &mut [E], tokens: &[&[Token]], caches: &mut [&mut Cache<E>]) {
        let (wide, narrow) = (padded(self.config.query_width()), padded(self.config.kv_width()));
        let (epsilon, head_norms) = (self.config.rms_norm_eps, self.layers[layer].head_norms.as_ref());
        let norms = head_norms.map(|norms| norms.each_ref().map(|norm| Norm::new(norm, epsilon)));
        let (mut qkv, mut mixed) = (qkv, mixed);
        let mut work = Vec::with_capacity(tokens.len());
        for (tokens, cache) in tokens.iter().zip(caches) {
            let (rows, more) = qkv.split_at_mut(tokens.len() * (wide + 2 * narrow));
            let (out, more_out) = mixed.split_at_mut(tokens.len() * wide);
            (qkv, mixed) = (more, more_out);
            work.push((cache, rows, out));
        }
        self.team.each(work, |(cache, rows, out)| {
            if rows.len() > wide + 2 * narrow {
                let rows = Rows { numbers: rows, offsets: [wide, wide + narrow, wide + 2 * narrow] };
                return cache.attend_all(layer, rows, (norms, &self.rotary), (out, wide), self.team);
            }
            let mut scores = Vec::new();
            let (q, kv) = rows.split_at_mut(wide);
            let (k, v) = kv.split_at_mut(narrow);
            cache.attend(layer, [q, k, v], (norms, &self.rotary), (&mut scores, out));
        });
    }
}
