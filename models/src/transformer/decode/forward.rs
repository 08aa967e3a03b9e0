//! The forward pass over the next tokens of some sequences, without tensors and without a tape.

use std::borrow::Cow;

use dfdx::prelude::{Cpu, Device};
use rayon::prelude::*;

use super::cache::Cache;
use crate::architecture::{AttentionWeights, LayerWeights};
use crate::data::Token;
use crate::real::Real;
use crate::transformer::ops::{Left, Norm, Onto, Panels, Rotary, filled_up, gated, padded, start_from};
use crate::transformer::{Config, Fused, Ops, Transformer};

/// Which threads compute a matmul.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Team {
    /// The calling thread: small weights, which fit in the cache of each core.
    Alone,
    /// All threads together: large weights, which are read from memory once for all completions.
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

/// A model's weights in the layout that decoding reads.
pub(super) struct Forward<'a, E: Real> {
    pub(super) team: Team,
    /// Length of the longest sequence.
    pub(super) longest: usize,
    config: &'a Config,
    embedding: Cow<'a, [E]>,
    layers: Vec<Layer<'a, E>>,
    norm: Cow<'a, [E]>,
    head: Panels<E>,
    rotary: Rotary<E>,
}

struct Layer<'a, E: Real> {
    norms: [Cow<'a, [E]>; 2],
    qkv: Panels<E>,
    bias: Option<Vec<E>>,
    /// Of queries and of keys.
    head_norms: Option<[Cow<'a, [E]>; 2]>,
    o: Panels<E>,
    gate_up: Panels<E>,
    down: Panels<E>,
}

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

impl<'a, E: Real> Forward<'a, E> {
    pub(super) fn new(model: &'a Transformer<E, Fused>, longest: usize, team: Team) -> Self
    where
        Cpu: Device<E>,
    {
        let config = &model.config;
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let layer = |layer| {
            let LayerWeights { attention, feed_forward } = model.layer(layer);
            let AttentionWeights { norm: norm1, q, k, v, biases, head_norms, o } = attention.map(Fused::host);
            let [norm2, gate, up, down] = feed_forward.map(Fused::host);
            Layer {
                qkv: Panels::transposed(&[&q, &k, &v], hidden),
                bias: biases.map(|biases| biases.iter().flat_map(|bias| filled_up(bias)).collect()),
                head_norms,
                o: Panels::transposed(&[&o], config.query_width()),
                gate_up: Panels::transposed(&[&gate, &up], hidden),
                down: Panels::transposed(&[&down], wide),
                norms: [norm1, norm2],
            }
        };
        Self {
            team,
            longest,
            config,
            embedding: Fused::host(&model.weights[0]),
            layers: (0..config.num_hidden_layers).map(layer).collect(),
            norm: Fused::host(&model.weights[model.trunk_len() - 1]),
            head: Panels::transposed(&[&Fused::host(&model.weights[model.head_index()])], hidden),
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
        let (hidden, rows) = (self.config.hidden_size, tokens.iter().map(|tokens| tokens.len()).sum::<usize>());
        let (stride, epsilon) = (padded(hidden), self.config.rms_norm_eps);
        let [query, wide] = [self.config.query_width(), self.config.intermediate_size].map(padded);
        let Activations { x, read, qkv, mixed, gate_up, units, logits } = activations;
        let widths = [stride, stride, query, 2 * wide, wide];
        for (buffer, width) in [&mut *x, read, mixed, gate_up, units].into_iter().zip(widths) {
            buffer.resize(rows * width, E::ZERO);
        }
        for (x, &token) in x.chunks_exact_mut(stride).zip(tokens.iter().copied().flatten()) {
            x[..hidden].copy_from_slice(&self.embedding[token as usize * hidden..][..hidden]);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            qkv.resize(rows * layer.qkv.columns(), E::ZERO);
            Norm::new(&layer.norms[0], epsilon).forward((&mut *read, stride), (&*x, stride));
            let start = start_from(layer.bias.as_deref(), qkv);
            self.apply(&layer.qkv, qkv, start, Left::rows(read, stride));
            self.attend(i, qkv, mixed, tokens, caches);
            self.apply(&layer.o, x, Onto::Out, Left::rows(mixed, query));
            Norm::new(&layer.norms[1], epsilon).forward((&mut *read, stride), (&*x, stride));
            self.apply(&layer.gate_up, gate_up, Onto::Zero, Left::rows(read, stride));
            gated(units, gate_up, wide);
            self.apply(&layer.down, x, Onto::Out, Left::rows(units, wide));
        }
        let mut end = 0;
        for (i, (tokens, cache)) in tokens.iter().zip(caches).enumerate() {
            cache.seen += tokens.len();
            end += tokens.len();
            x.copy_within((end - 1) * stride..end * stride, i * stride);
        }
        let (last, vocabulary) = (tokens.len() * stride, self.config.vocab_size);
        logits.resize(tokens.len() * self.head.columns(), E::ZERO);
        Norm::new(&self.norm, epsilon).forward((&mut read[..last], stride), (&x[..last], stride));
        self.apply(&self.head, logits, Onto::Zero, Left::rows(&read[..last], stride));
        logits.chunks_exact(self.head.columns()).map(move |row| &row[..vocabulary])
    }

    fn apply(&self, panels: &Panels<E>, out: &mut [E], start: Onto, left: Left<'_, E>) {
        match self.team {
            Team::Alone => panels.apply(out, start, left),
            Team::Together => panels.apply_by_columns(out, start, left),
        }
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
            let mut scores = Vec::new();
            let rows = rows.chunks_exact_mut(wide + 2 * narrow).zip(out.chunks_exact_mut(wide));
            for (offset, (row, out)) in rows.enumerate() {
                let (q, kv) = row.split_at_mut(wide);
                let (k, v) = kv.split_at_mut(narrow);
                cache.attend((layer, offset), [q, k, v], (norms, &self.rotary), (&mut scores, out));
            }
        });
    }
}
