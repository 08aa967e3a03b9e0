//! A matrix product for few rows, which is as fast as the weight can be read.
//!
//! A general product first copies the weight into panels, so that many rows can go over them; when each token is decoded
//! for a handful of sequences, that copy is most of the work. Here every row of the weight is read once, where it lies.
//! Each number is one sum over the inputs, in an order that depends neither on how many rows there are nor on threads.

use rayon::prelude::*;

use super::vectorised;
use crate::real::Real;

/// Narrower weights stay in a cache close to the processor, where the general product is as good or better.
const NARROW: usize = 256;

/// Outputs that are worth a task of their own.
const TASK: usize = 64;

/// Outputs and rows that are summed at the same time: their partial sums fit in the registers.
const BLOCK: usize = 4;

/// Numbers of one partial sum.
const LANES: usize = 16;

/// Whether a weight with so many inputs is worth it.
pub(super) fn pays(inputs: usize) -> bool {
    inputs >= NARROW
}

/// `out += x Wᵀ` with `x` of `[rows, inputs]` and `W` of `[outputs, inputs]`.
pub(super) fn add_product<E: Real>(out: &mut [E], x: &[E], weight: &[E], inputs: usize) {
    let (rows, outputs) = (x.len() / inputs, weight.len() / inputs);
    assert_eq!((x.len(), weight.len(), out.len()), (rows * inputs, outputs * inputs, rows * outputs), "a product");
    // By output, so that a task has its numbers side by side.
    let mut columns = vec![E::ZERO; out.len()];
    let tasks = columns.par_chunks_mut(TASK * rows).zip(weight.par_chunks(TASK * inputs));
    tasks.for_each(|(columns, weight)| {
        vectorised(
            #[inline(always)]
            || task(columns, x, weight, inputs),
        );
    });
    for (row, out) in out.chunks_exact_mut(outputs).enumerate() {
        out.iter_mut().zip(columns.chunks_exact(rows)).for_each(|(out, column)| *out += column[row]);
    }
}

/// `columns` is `[outputs, rows]`.
#[inline(always)]
fn task<E: Real>(columns: &mut [E], x: &[E], weight: &[E], inputs: usize) {
    let rows = x.len() / inputs;
    for (columns, weight) in columns.chunks_mut(BLOCK * rows).zip(weight.chunks(BLOCK * inputs)) {
        for (first, x) in x.chunks(BLOCK * inputs).enumerate().map(|(i, x)| (i * BLOCK, x)) {
            let sums = block(x, weight, inputs);
            for (column, sums) in columns.chunks_exact_mut(rows).zip(&sums) {
                column[first..].iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum);
            }
        }
    }
}

/// The products of up to [`BLOCK`] outputs (outer) with up to as many rows. Missing ones are computed on the first and not used,
/// so that there is one loop.
#[inline(always)]
fn block<E: Real>(x: &[E], weight: &[E], inputs: usize) -> [[E; BLOCK]; BLOCK] {
    let part = |all: &[E], i: usize| -> usize { if i * inputs < all.len() { i * inputs } else { 0 } };
    let x: [&[E]; BLOCK] = std::array::from_fn(|i| &x[part(x, i)..][..inputs]);
    let weight: [&[E]; BLOCK] = std::array::from_fn(|i| &weight[part(weight, i)..][..inputs]);
    let mut lanes = [[[E::ZERO; LANES]; BLOCK]; BLOCK];
    let whole = inputs / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (weight, lanes) in weight.iter().zip(&mut lanes) {
            let weight = &weight[start..start + LANES];
            for (x, lanes) in x.iter().zip(lanes) {
                let x = &x[start..start + LANES];
                for i in 0..LANES {
                    lanes[i] += weight[i] * x[i];
                }
            }
        }
    }
    std::array::from_fn(|output| {
        std::array::from_fn(|row| {
            let mut sum = E::ZERO;
            (whole..inputs).for_each(|i| sum += weight[output][i] * x[row][i]);
            lanes[output][row].iter().for_each(|lane| sum += *lane);
            sum
        })
    })
}
