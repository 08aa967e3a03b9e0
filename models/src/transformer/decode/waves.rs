//! Drawing with tensors: as many completions at a time (a wave) as memory allows, left-padded to the longest.
//!
//! dfdx cannot write to a part of a tensor, so each token copies the KV cache of every layer into tensors one slot
//! longer. Completions that have ended are removed from the tensors when they are a quarter of them.

use std::collections::BTreeMap;

use dfdx::prelude::{
    Axes2, Axes3, Axes4, Axis, BroadcastTo, Device, GatherTo, NoneTape, PermuteTo, ReshapeTo, Tensor, TryAdd,
    TryConcatAlong, TryMatMul, TryMul,
};
use rayon::prelude::*;

use super::Queue;
use crate::architecture::LayerWeights;
use crate::data::{Completion, Sampling, Token};
use crate::error;
use crate::real::Real;
use crate::sampling::Drawing;
use crate::transformer::hardware::Hardware;
use crate::transformer::ops::stock::{feed_forward, gather, head_norm, linear, masked, project, rms_norm, rotate};
use crate::transformer::ops::{Matrix, Rotary, Stock, scale};
use crate::transformer::{Config, Transformer};

/// Most completions that are drawn at the same time.
const AT_ONCE: usize = 256;

/// All completions of the queue, each with the number of its request.
pub(super) fn draw<E: Real, D: Device<E> + Hardware>(
    model: &Transformer<E, Stock<D>>,
    queue: &Queue<'_>,
) -> error::Result<Vec<(usize, Completion)>> {
    let places = match model.device.free()? {
        Some(free) => (free / 2 / needs::<E>(&model.config, queue)).clamp(1, AT_ONCE),
        None => AT_ONCE,
    };
    draw_by(model, queue, places)
}

/// As [`draw`], with at most `places` completions at a time.
pub(super) fn draw_by<E: Real, D: Device<E> + Hardware>(
    model: &Transformer<E, Stock<D>>,
    queue: &Queue<'_>,
    places: usize,
) -> error::Result<Vec<(usize, Completion)>> {
    let all: Vec<usize> = (0..queue.requests.len()).collect();
    let mut done = Vec::new();
    for some in all.chunks(places) {
        Wave::new(model, queue, some).draw(queue, &mut done)?;
    }
    Ok(done)
}

/// Bytes for one completion: its KV cache with the copy that a token makes, its share of reading the prompts, and
/// logits.
fn needs<E: Real>(config: &Config, queue: &Queue<'_>) -> usize {
    let (kv, longest) = (config.num_key_value_heads * config.head_dim(), queue.longest());
    let prompt = longest - queue.how.max_tokens;
    let past = 4 * config.num_hidden_layers * kv * longest;
    let scores = 6 * config.num_attention_heads * (prompt * prompt + longest);
    let reading = prompt * (16 * config.hidden_size.max(config.query_width()) + 8 * config.intermediate_size);
    (past + scores + reading + 4 * config.vocab_size) * size_of::<E>()
}

type Past<E, D> = Tensor<(usize, usize, usize), E, D>;

/// Completions that are drawn at the same time.
struct Wave<'a, E: Real, D: Device<E> + Hardware> {
    model: &'a Transformer<E, Stock<D>>,
    rotary: Rotary<E>,
    /// Keys and values of each layer, `[places * kv_heads, slots, head_dim]`; none before the first token.
    past: Vec<[Past<E, D>; 2]>,
    /// Slots of each place before its prompt.
    padding: Vec<usize>,
    slots: usize,
    /// `None` where a completion has ended.
    places: Vec<Option<Unfinished>>,
}

/// A completion that is being drawn.
struct Unfinished {
    /// Number of its request.
    index: usize,
    drawing: Drawing,
}

impl<'a, E: Real, D: Device<E> + Hardware> Wave<'a, E, D> {
    fn new(model: &'a Transformer<E, Stock<D>>, queue: &Queue<'_>, some: &[usize]) -> Self {
        let rotary = Rotary::new(queue.longest(), &model.config.rotary_frequencies());
        let place = |&index: &usize| Some(Unfinished { index, drawing: Drawing::new(&queue.requests[index].key) });
        let places = some.iter().map(place).collect();
        Self { model, rotary, past: Vec::new(), padding: Vec::new(), slots: 0, places }
    }

    /// Draws until all completions have ended.
    fn draw(mut self, queue: &Queue<'_>, done: &mut Vec<(usize, Completion)>) -> error::Result<()> {
        let mut logits = self.read_prompts(queue).map_err(D::error)?;
        loop {
            self.advance(&logits, queue.how, done)?;
            let live = self.places.iter().flatten().count();
            if live == 0 {
                return Ok(());
            }
            if live * 4 <= self.places.len() * 3 {
                let rows: Vec<usize> = (0..self.places.len()).filter(|&i| self.places[i].is_some()).collect();
                self.keep(&rows).map_err(D::error)?;
                self.places.retain(Option::is_some);
            }
            let last = |place: &Option<Unfinished>| place.as_ref().and_then(|p| p.drawing.tokens().last().copied());
            let tokens: Vec<Token> = self.places.iter().map(|place| last(place).unwrap_or_default()).collect();
            logits = self.run(&tokens).map_err(D::error)?;
        }
    }

    /// Reads each distinct prompt once and copies its cache to every completion; the logits after the prompts.
    fn read_prompts(&mut self, queue: &Queue<'_>) -> Result<Vec<E>, D::Err> {
        let of =
            |place: &Option<Unfinished>| place.as_ref().map_or(&[][..], |place| queue.requests[place.index].prompt);
        let mut groups: BTreeMap<&[Token], usize> = self.places.iter().map(|place| (of(place), 0)).collect();
        let longest = groups.keys().map(|prompt| prompt.len()).max().unwrap_or(0);
        let mut tokens = Vec::with_capacity(groups.len() * longest);
        for (number, (prompt, group)) in groups.iter_mut().enumerate() {
            *group = number;
            self.padding.push(longest - prompt.len());
            tokens.resize(tokens.len() + longest - prompt.len(), 0);
            tokens.extend_from_slice(prompt);
        }
        let logits = self.run(&tokens)?;
        let rows: Vec<usize> = self.places.iter().map(|place| groups[of(place)]).collect();
        self.keep(&rows)?;
        let width = self.model.config.vocab_size;
        Ok(rows.iter().flat_map(|row| &logits[row * width..][..width]).copied().collect())
    }

    /// Draws the next token of every unfinished completion.
    fn advance(&mut self, logits: &[E], how: &Sampling, done: &mut Vec<(usize, Completion)>) -> error::Result<()> {
        let rows = logits.par_chunks(self.model.config.vocab_size);
        let draws = self.places.par_iter_mut().zip(rows).map(|(place, logits)| match place {
            Some(place) => place.drawing.advance(logits, how),
            None => Ok(None),
        });
        for (place, ending) in draws.collect::<Vec<_>>().into_iter().enumerate() {
            let Some(ending) = ending? else { continue };
            done.extend(self.places[place].take().map(|place| (place.index, place.drawing.end(ending))));
        }
        Ok(())
    }

    /// Keeps the KV cache of these rows, in this order; a row may be repeated.
    fn keep(&mut self, rows: &[usize]) -> Result<(), D::Err> {
        let heads = self.model.config.num_key_value_heads;
        let all: Vec<usize> = rows.iter().flat_map(|row| row * heads..(row + 1) * heads).collect();
        for past in self.past.iter_mut().flatten() {
            let all = self.model.device.try_tensor_from_vec(all.clone(), (all.len(),))?;
            *past = past.clone().try_gather(all)?;
        }
        self.padding = rows.iter().map(|&row| self.padding[row]).collect();
        Ok(())
    }

    /// Reads the next tokens, as many for each row; the logits after the last of them.
    fn run(&mut self, tokens: &[Token]) -> Result<Vec<E>, D::Err> {
        let (config, device) = (&self.model.config, &self.model.device);
        let (batch, first) = (self.padding.len(), self.slots);
        let new = tokens.len() / batch;
        self.slots += new;
        let slots = || (0..batch).flat_map(|place| (first..first + new).map(move |slot| (place, slot)));
        // Only differences of positions matter, so padding may count.
        let positions: Vec<usize> = slots().map(|(_, slot)| slot).collect();
        let mask = slots().flat_map(|(place, query)| {
            let padding = self.padding[place];
            (0..first + new).map(move |key| masked(key > query || key < padding))
        });
        let (heads, kv_heads, dim) = (config.num_attention_heads, config.num_key_value_heads, config.head_dim());
        let (group, epsilon) = (heads / kv_heads, config.rms_norm_eps);
        let mask = device.try_tensor_from_vec(mask.collect(), (batch, new, self.slots))?;
        let mask = mask.try_broadcast_like::<_, Axes2<1, 2>>(&(batch, kv_heads, group, new, self.slots))?;
        let mask: Past<E, D> = mask.try_reshape_like(&(batch * kv_heads, group * new, self.slots))?;
        let by_head = |x: Matrix<E, D>, heads: usize| -> Result<Past<E, D>, D::Err> {
            let x = x.try_reshape_like(&(batch, new, heads, dim))?.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
            x.try_reshape_like(&(batch * kv_heads, heads / kv_heads * new, dim))
        };
        let rows = tokens.iter().map(|&token| token as usize).collect();
        let mut x: Matrix<E, D> = gather::<E, D, NoneTape>(self.model.weights[0].clone(), rows)?;
        for layer in 0..config.num_hidden_layers {
            let LayerWeights { attention, feed_forward: weights } = self.model.layer(layer);
            let [mut q, mut k, v] = project(rms_norm(x.clone(), attention.norm, epsilon)?, &attention)?;
            if let Some([q_norm, k_norm]) = attention.head_norms {
                (q, k) = (head_norm(q, q_norm, epsilon)?, head_norm(k, k_norm, epsilon)?);
            }
            let q = by_head(rotate(q, &self.rotary, &positions, heads)?, heads)?;
            let mut k = by_head(rotate(k, &self.rotary, &positions, kv_heads)?, kv_heads)?;
            let mut v = by_head(v, kv_heads)?;
            if let Some([keys, values]) = self.past.get(layer) {
                k = (keys.clone(), k).try_concat_along(Axis::<1>)?;
                v = (values.clone(), v).try_concat_along(Axis::<1>)?;
            }
            let scores = q.try_matmul(k.clone().try_permute::<_, Axes3<0, 2, 1>>()?)?.try_mul(scale::<E>(dim))?;
            let out = scores.try_add(mask.clone())?.try_softmax::<Axis<2>>()?.try_matmul(v.clone())?;
            let out = out.try_reshape_like(&(batch, heads, new, dim))?.try_permute::<_, Axes4<0, 2, 1, 3>>()?;
            x = x.try_add(linear(out.try_reshape_like(&(batch * new, heads * dim))?, attention.o, None)?)?;
            x = feed_forward(x, weights, epsilon)?;
            match self.past.get_mut(layer) {
                Some(past) => *past = [k, v],
                None => self.past.push([k, v]),
            }
        }
        let last = gather(x, (0..batch).map(|place| (place + 1) * new - 1).collect())?;
        let read = rms_norm(last, &self.model.weights[self.model.trunk_len() - 1], epsilon)?;
        Ok(linear(read, &self.model.weights[self.model.head_index()], None)?.as_vec())
    }
}
