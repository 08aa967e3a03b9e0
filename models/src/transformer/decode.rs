//! Drawing completions, one token of every live sequence at a time, with the keys and values of the past kept.

use std::collections::BTreeMap;

use dfdx::prelude::NoneTape;
use rayon::prelude::*;

use super::ops::{Rotary, Rows, attend_row};
use super::{Config, Matrix, Ops, Transformer};
use crate::check;
use crate::contract::Sampler;
use crate::data::{Completion, Head, Key, Sampling, Signal, Token};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::sampling::Drawing;

impl<E: Real, D: Ops<E>> Sampler for Transformer<E, D> {
    fn sample(&mut self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> Result<Vec<Completion>> {
        if self.head == Head::Scalar {
            return Err(Error::Head { head: self.head, signal: Signal::Logp });
        }
        check::prompts(prompts, keys, how, self.config.vocab_size)?;
        let mut done = vec![None; prompts.len()];
        let mut live = self.prefill(prompts, keys, how);
        let longest = prompts.iter().map(|prompt| prompt.len()).max().unwrap_or(0) + how.max_tokens;
        let rotary = Rotary::new(longest, self.config.head_dim(), self.config.rope_theta);
        loop {
            let endings: Result<Vec<_>> =
                live.par_iter_mut().map(|one| one.drawing.advance(&one.logits, how)).collect();
            let (ended, going): (Vec<_>, Vec<_>) =
                live.into_iter().zip(endings?).partition(|(_, ending)| ending.is_some());
            for (one, ending) in ended {
                done[one.index] = ending.map(|ending| one.drawing.end(ending));
            }
            if going.is_empty() {
                return Ok(done.into_iter().flatten().collect());
            }
            live = going.into_iter().map(|(one, _)| one).collect();
            self.decode(&mut live, &rotary);
        }
    }
}

/// A completion under way.
struct Live<E> {
    /// Which prompt it continues.
    index: usize,
    drawing: Drawing,
    past: Past<E>,
    /// Of the next token.
    logits: Vec<E>,
}

/// Rotated keys and values of the tokens seen, for each layer.
#[derive(Clone)]
struct Past<E> {
    seen: usize,
    /// Most tokens there is room for.
    room: usize,
    /// `[kv width, room]`
    keys: Vec<Vec<E>>,
    /// `[room, kv width]`
    values: Vec<Vec<E>>,
}

impl<E: Real, D: Ops<E>> Transformer<E, D> {
    /// Reads the prompts; one that is repeated is read once.
    fn prefill(&self, prompts: &[&[Token]], keys: &[Key], how: &Sampling) -> Vec<Live<E>> {
        let numbers: BTreeMap<&[Token], usize> = prompts.iter().map(|prompt| (*prompt, 0)).collect();
        let distinct: Vec<&[Token]> = numbers.into_keys().collect();
        let room = |prompt: &&[Token]| prompt.len() + how.max_tokens;
        let mut pasts: Vec<Past<E>> = distinct.iter().map(|prompt| self.past(room(prompt))).collect();
        let longest = distinct.iter().map(|prompt| prompt.len()).max().unwrap_or(0);
        let rotary = Rotary::new(longest, self.config.head_dim(), self.config.rope_theta);
        let logits = self.continue_with(&distinct, Rows::Many, &mut pasts.iter_mut().collect::<Vec<_>>(), &rotary);
        let begin = |(index, (prompt, key)): (usize, (&&[Token], &Key))| {
            let which = distinct.partition_point(|other| other < prompt);
            let logits = logits[which * self.config.vocab_size..][..self.config.vocab_size].to_vec();
            Live { index, drawing: Drawing::new(key), past: pasts[which].clone(), logits }
        };
        prompts.iter().zip(keys).enumerate().map(begin).collect()
    }

    /// One step of every live sequence.
    fn decode(&self, live: &mut [Live<E>], rotary: &Rotary<E>) {
        let last = |one: &Live<E>| one.drawing.tokens().last().map(|token| [*token]);
        let tokens: Vec<[Token; 1]> = live.iter().filter_map(last).collect();
        let tokens: Vec<&[Token]> = tokens.iter().map(<[Token; 1]>::as_slice).collect();
        let mut pasts: Vec<&mut Past<E>> = live.iter_mut().map(|one| &mut one.past).collect();
        let logits = self.continue_with(&tokens, Rows::Few, &mut pasts, rotary);
        for (one, logits) in live.iter_mut().zip(logits.chunks_exact(self.config.vocab_size)) {
            one.logits.copy_from_slice(logits);
        }
    }

    /// Logits after the last of the tokens that each sequence goes on with.
    fn continue_with(
        &self,
        tokens: &[&[Token]],
        rows_are: Rows,
        pasts: &mut [&mut Past<E>],
        rotary: &Rotary<E>,
    ) -> Vec<E> {
        let rows = tokens.concat();
        let hidden =
            self.trunk::<NoneTape>(&rows, rows_are, |layer, qkv| self.attend(layer, qkv, tokens, pasts, rotary));
        let mut last = Vec::with_capacity(tokens.len());
        let mut end = 0;
        for (tokens, past) in tokens.iter().zip(pasts) {
            end += tokens.len();
            last.push(end - 1);
            past.seen += tokens.len();
        }
        self.project(&self.gather(&D::host(&hidden), &last), rows_are)
    }

    /// Attention of the new rows to the past and to each other. The past grows by them, its length does not yet.
    fn attend(
        &self,
        layer: usize,
        [q, k, v]: [Matrix<E, D>; 3],
        tokens: &[&[Token]],
        pasts: &mut [&mut Past<E>],
        rotary: &Rotary<E>,
    ) -> Matrix<E, D> {
        let config = &self.config;
        let (wide, narrow) = (config.hidden_size, config.kv_width());
        let rows: usize = tokens.iter().map(|tokens| tokens.len()).sum();
        let (mut q, mut k, v) = (D::host(&q).into_owned(), D::host(&k).into_owned(), D::host(&v));
        let mut out = vec![E::ZERO; rows * wide];
        let mut rest = (q.as_mut_slice(), k.as_mut_slice(), &*v, out.as_mut_slice());
        let mut work = Vec::with_capacity(tokens.len());
        for (tokens, past) in tokens.iter().zip(pasts.iter_mut()) {
            let (q, more_q) = rest.0.split_at_mut(tokens.len() * wide);
            let (k, more_k) = rest.1.split_at_mut(tokens.len() * narrow);
            let (v, more_v) = rest.2.split_at(tokens.len() * narrow);
            let (out, more_out) = rest.3.split_at_mut(tokens.len() * wide);
            rest = (more_q, more_k, more_v, more_out);
            work.push((q, k, v, out, past));
        }
        work.into_par_iter().for_each(|(q, k, v, out, past)| {
            past.push(layer, k, v, narrow, rotary);
            past.attend(layer, q, config, rotary, out);
        });
        self.device.tensor_from_vec(out, (rows, wide))
    }

    fn past(&self, room: usize) -> Past<E> {
        let blank = vec![vec![E::ZERO; room * self.config.kv_width()]; self.config.num_hidden_layers];
        Past { seen: 0, room, keys: blank.clone(), values: blank }
    }
}

impl<E: Real> Past<E> {
    /// Writes new rows behind those seen.
    fn push(&mut self, layer: usize, k: &mut [E], v: &[E], width: usize, rotary: &Rotary<E>) {
        self.values[layer][self.seen * width..][..v.len()].copy_from_slice(v);
        for (i, k) in k.chunks_exact_mut(width).enumerate() {
            let position = self.seen + i;
            rotary.rotate(k, position);
            for (x, row) in k.iter().zip(self.keys[layer].chunks_exact_mut(self.room)) {
                row[position] = *x;
            }
        }
    }

    /// Attention of the new rows of one sequence, whose keys and values are already here.
    fn attend(&self, layer: usize, q: &mut [E], config: &Config, rotary: &Rotary<E>, out: &mut [E]) {
        let (dim, wide, narrow) = (config.head_dim(), config.hidden_size, config.kv_width());
        let group = config.num_attention_heads / config.num_key_value_heads;
        let scale = E::of((dim as f64).sqrt().recip());
        let mut scores = vec![E::ZERO; self.room];
        for (i, (q, out)) in q.chunks_exact_mut(wide).zip(out.chunks_exact_mut(wide)).enumerate() {
            let position = self.seen + i;
            rotary.rotate(q, position);
            for (head, (q, out)) in q.chunks_exact(dim).zip(out.chunks_exact_mut(dim)).enumerate() {
                let kv = head / group * dim;
                let keys = (&self.keys[layer][kv * self.room..], self.room);
                let values = (&self.values[layer][kv..], narrow);
                attend_row(q, keys, values, &mut scores[..=position], out, scale);
            }
        }
    }
}
