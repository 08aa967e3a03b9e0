//! The head, forward and backward, a chunk of rows at a time, so that the logits of a large batch need not all exist at
//! once.

use dfdx::prelude::{Cpu, HasShape};
use rayon::prelude::*;

use super::panels::{Factor, OuterProducts, Panels};
use super::product::Left;
use super::raw::{matrix, slice};
use super::{Kind, Matrix, ROWS, Readout};
use crate::head::{Softmax, TokenOutput};
use crate::real::Real;

/// What the head keeps for the backward pass: one softmax for each row, and the logits if they fit in one chunk.
pub struct Outputs<E> {
    softmaxes: Vec<Softmax>,
    kept: Option<Vec<E>>,
}

pub(super) fn readout<E: Real>(x: &[E], weight: &Matrix<E, Cpu>, how: &Readout<'_>) -> (Vec<TokenOutput>, Outputs<E>) {
    let (outputs, inputs) = *weight.shape();
    let (mut kept, mut softmaxes) = (None, Vec::new());
    let mut rows = Vec::with_capacity(x.len() / inputs);
    for (first, chunk) in chunks(x, inputs, how.rows(outputs)) {
        let numbers = project(chunk, weight);
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
pub(super) fn readout_back<E: Real>(
    Outputs { softmaxes, mut kept }: Outputs<E>,
    x: &Matrix<E, Cpu>,
    weight: &Matrix<E, Cpu>,
    how: &Readout<'_>,
    cotangents: &[TokenOutput],
) -> [Matrix<E, Cpu>; 2] {
    let (outputs, inputs) = *weight.shape();
    let (mut d_x, mut d_weight) = (Vec::new(), vec![E::ZERO; outputs * inputs]);
    for (first, chunk) in chunks(slice(x), inputs, how.rows(outputs)) {
        let mut d = kept.take().unwrap_or_else(|| project(chunk, weight));
        let cotangents = &cotangents[first..];
        match how.kind {
            Kind::Scalar => d.iter_mut().zip(cotangents).for_each(|(d, cotangent)| *d = E::of(cotangent.logp)),
            Kind::Vocabulary { targets, .. } => d.par_chunks_mut(outputs).enumerate().for_each(|(i, logits)| {
                softmaxes[first + i].vjp(logits, targets[first + i] as usize, cotangents[i]);
            }),
        }
        let d_chunk = project_back(&d, chunk, weight, &mut d_weight);
        if d_x.is_empty() { d_x = d_chunk } else { d_x.extend(d_chunk) }
    }
    let device = weight.device();
    [matrix(device, d_x, *x.shape()), matrix(device, d_weight, *weight.shape())]
}

/// Chunks of rows, each with the number of its first row.
fn chunks<E>(x: &[E], width: usize, rows: usize) -> impl Iterator<Item = (usize, &[E])> {
    x.chunks(rows * width).enumerate().map(move |(i, chunk)| (i * rows, chunk))
}

fn project<E: Real>(x: &[E], weight: &Matrix<E, Cpu>) -> Vec<E> {
    let (outputs, inputs) = *weight.shape();
    let panels = Panels::transposed(&[slice(weight)], inputs);
    by_rows(&panels, (x, inputs), outputs)
}

fn project_back<E: Real>(d_out: &[E], x: &[E], weight: &Matrix<E, Cpu>, d_weight: &mut [E]) -> Vec<E> {
    let (outputs, inputs) = *weight.shape();
    let left = Factor { numbers: d_out, stride: outputs, first: 0 };
    OuterProducts::of(Factor { numbers: x, stride: inputs, first: 0 }, inputs).add(d_weight, left);
    let panels = Panels::stacked(&[slice(weight)], inputs);
    by_rows(&panels, (d_out, outputs), inputs)
}

fn by_rows<E: Real>(panels: &Panels<E>, (x, depth): (&[E], usize), width: usize) -> Vec<E> {
    let mut out = vec![E::ZERO; x.len() / depth * width];
    let tasks = out.par_chunks_mut(ROWS * width).zip(x.par_chunks(ROWS * depth));
    tasks.for_each(|(out, x)| panels.add_to(out, width, Left::rows(x, depth)));
    out
}
