//! The head, forward and backward, a chunk of rows at a time, so that the logits of a large batch need not all exist at
//! once.

use dfdx::prelude::{Cpu, HasShape};
use rayon::prelude::*;

use super::outer_products::{Factor, OuterProducts};
use super::panels::Panels;
use super::product::{Columns, Left, Readable, Unit};
use super::raw::{matrix, slice};
use super::{Kind, Matrix, Readout, rows_at_once};
use crate::head::{Softmax, TokenOutput};
use crate::process;
use crate::vectors::LANES;

/// What the head keeps for the backward pass: one softmax for each row, and the logits if they fit in one chunk.
pub struct Outputs<E> {
    softmaxes: Vec<Softmax>,
    kept: Option<Vec<E>>,
}

pub(super) fn readout<E: Readable>(
    x: &[E],
    weight: &Matrix<E, Cpu>,
    how: &Readout<'_>,
) -> (Vec<TokenOutput>, Outputs<E>) {
    let (outputs, inputs) = *weight.shape();
    let (mut kept, mut softmaxes) = (None, Vec::new());
    let mut rows = Vec::with_capacity(x.len() / inputs);
    for (first, chunk) in chunks(x, inputs, how.rows(outputs)) {
        let numbers = project(chunk, weight, how.unit);
        match how.kind {
            Kind::Scalar => rows.extend(numbers.iter().map(|x| TokenOutput { logp: x.wide(), entropy: 0.0 })),
            Kind::Vocabulary { targets, temperature } => {
                let logits = || numbers.par_chunks(outputs);
                softmaxes.par_extend(logits().map(|logits| Softmax::new(logits, temperature)));
                let targets = targets[first..].par_iter();
                let read = softmaxes[first..].par_iter().zip(logits()).zip(targets);
                rows.par_extend(read.map(|((softmax, logits), &token)| softmax.row(logits[token as usize])));
            }
        }
        if chunk.len() == x.len() {
            kept = Some(numbers);
        }
    }
    (rows, Outputs { softmaxes, kept })
}

/// Gradients of `x` and of the weight, in closed form.
pub(super) fn readout_back<E: Readable>(
    Outputs { softmaxes, mut kept }: Outputs<E>,
    x: &Matrix<E, Cpu>,
    weight: &Matrix<E, Cpu>,
    how: &Readout<'_>,
    cotangents: &[TokenOutput],
) -> [Matrix<E, Cpu>; 2] {
    let (outputs, inputs) = *weight.shape();
    let (mut d_x, mut d_weight) = (Vec::new(), process::zeros(outputs * inputs));
    for (first, chunk) in chunks(slice(x), inputs, how.rows(outputs)) {
        let mut d = kept.take().unwrap_or_else(|| project(chunk, weight, how.unit));
        let cotangents = &cotangents[first..];
        match how.kind {
            Kind::Scalar => d.iter_mut().zip(cotangents).for_each(|(d, cotangent)| *d = E::of(cotangent.logp)),
            Kind::Vocabulary { targets, .. } => d.par_chunks_mut(outputs).enumerate().for_each(|(i, logits)| {
                softmaxes[first + i].vjp(logits, targets[first + i] as usize, cotangents[i]);
            }),
        }
        let d_chunk = project_back(&d, chunk, weight, &mut d_weight, how.unit);
        if d_x.is_empty() { d_x = d_chunk } else { d_x.extend(d_chunk) }
    }
    let device = weight.device();
    [matrix(device, d_x, *x.shape()), matrix(device, d_weight, *weight.shape())]
}

/// Chunks of rows, each with the number of its first row.
fn chunks<E>(x: &[E], width: usize, rows: usize) -> impl Iterator<Item = (usize, &[E])> {
    x.chunks(rows * width).enumerate().map(move |(i, chunk)| (i * rows, chunk))
}

/// The output, `[rows, outputs]`. Threads share the rows of a small weight, and the outputs of a large one, of which each packs what
/// stays in its cache.
fn project<E: Readable>(x: &[E], weight: &Matrix<E, Cpu>, unit: Option<Unit>) -> Vec<E> {
    let ((outputs, inputs), weight) = (*weight.shape(), slice(weight));
    let rows = x.len() / inputs;
    let at_once = rows_at_once(rows);
    let mut out: Vec<E> = process::zeros(rows * outputs);
    if weight.len() <= STRIP {
        let panels = Panels::transposed(&[weight], inputs, unit);
        let tasks = out.par_chunks_mut(at_once * outputs).zip(x.par_chunks(at_once * inputs));
        tasks.for_each(|(out, x)| panels.add_to(Columns::all(out, outputs), Left::rows(x, inputs)));
    } else {
        let wide = (STRIP / inputs).next_multiple_of(LANES);
        let strips = weight.par_chunks(wide * inputs).zip(Columns::all(&mut out, outputs).split(wide));
        strips.for_each(|(weight, out)| {
            Panels::transposed(&[weight], inputs, unit).add_to(out, Left::rows(x, inputs));
        });
    }
    out
}

/// The gradient of `x`, while that of the weight is added to `d_weight`.
fn project_back<E: Readable>(
    d_out: &[E],
    x: &[E],
    weight: &Matrix<E, Cpu>,
    d_weight: &mut [E],
    unit: Option<Unit>,
) -> Vec<E> {
    let ((outputs, inputs), weight) = (*weight.shape(), slice(weight));
    let left = Factor { numbers: d_out, stride: outputs, first: 0 };
    OuterProducts::of(Factor { numbers: x, stride: inputs, first: 0 }, inputs, unit).add(d_weight, left);
    let mut d_x: Vec<E> = process::zeros(x.len());
    let at_once = rows_at_once(x.len() / inputs);
    for (block, weight) in weight.chunks(BLOCK * inputs).enumerate() {
        let panels = Panels::stacked(&[weight], inputs, unit);
        let tasks = d_x.par_chunks_mut(at_once * inputs).zip(d_out.par_chunks(at_once * outputs));
        tasks.for_each(|(d_x, d_out)| {
            panels.add_to(Columns::all(d_x, inputs), Left::rows(&d_out[block * BLOCK..], outputs));
        });
    }
    d_x
}

/// Weights that are packed at a time: they stay in the second cache.
const STRIP: usize = 1 << 18;

/// Outputs whose weights are packed at a time in the backward pass, for all rows.
const BLOCK: usize = 1 << 11;
