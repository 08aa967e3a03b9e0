//! The feed-forward half of a layer, `x + down(silu(gate(n)) * up(n))` with `n` the normalised `x`.
//!
//! It is computed for a chunk of rows at a time, so that intermediate results stay in the cache. The outputs of gate
//! and up are kept for the backward pass; the rest is recomputed.

use dfdx::prelude::{Cpu, CpuError, Gradients, HasShape, PutTape, SplitTape, Tape};
use rayon::prelude::*;

use super::gradients::take;
use super::outer_products::{Factor, OuterProducts};
use super::panels::Panels;
use super::product::{Columns, Left, Onto, Readable, padded};
use super::raw::{matrix, slice};
use super::rms_norm::Norm;
use super::{Matrix, Numerics, add_up, rows_at_once, swiglu};
use crate::buffers::Buffer;

/// The feed-forward half of a layer. The weights are norm, gate, up and down.
pub(super) fn fused<E: Readable, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    weights: [&Matrix<E, Cpu>; 4],
    numerics: Numerics,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let (out, gate_up) = forward(&x, weights, numerics);
    let out = matrix(x.device(), out, *x.shape());
    if T::OWNS_TAPE {
        let (ghost, weights) = (out.ghost(), weights.map(Clone::clone));
        tape.add_backward_op(move |g| {
            let d_out = take(g.get_or_alloc_mut(&ghost))?;
            backward(g, (&x, d_out), weights.each_ref(), numerics, &gate_up)
        });
    }
    out.put_tape(tape)
}

/// The output, and the outputs of gate and up: rows of `[gate, up]`, both padded.
fn forward<E: Readable>(
    x: &Matrix<E, Cpu>,
    [norm, gate, up, down]: [&Matrix<E, Cpu>; 4],
    numerics: Numerics,
) -> (Vec<E>, Buffer<E>) {
    let ((rows, hidden), (count, _)) = (*x.shape(), *gate.shape());
    let (stride, wide, at_once) = (padded(hidden), padded(count), rows_at_once(rows));
    let mut gate_up = E::buffers().take(rows * 2 * wide);
    let mut out = slice(x).to_vec();
    let norm = Norm::new(slice(norm), numerics.epsilon);
    let enter = Panels::transposed(&[slice(gate), slice(up)], hidden, numerics.unit);
    let leave = Panels::transposed(&[slice(down)], count, numerics.unit);
    let tasks = out.par_chunks_mut(at_once * hidden).zip(gate_up.par_chunks_mut(at_once * 2 * wide));
    tasks.for_each(|(x, gate_up)| {
        let rows = x.len() / hidden;
        let (mut read, mut units) = (E::buffers().take(rows * stride), E::buffers().take(rows * wide));
        norm.forward((&mut read, stride), (x, hidden));
        enter.apply(gate_up, Onto::Zero, Left::rows(&read, stride));
        swiglu::forward(&mut units, gate_up, wide);
        leave.add_to(Columns::all(x, hidden), Left::rows(&units, wide));
    });
    (out, gate_up)
}

/// From the gradient of the output to those of the input and of the weights.
fn backward<E: Readable>(
    g: &mut Gradients<E, Cpu>,
    (x, d_out): (&Matrix<E, Cpu>, Vec<E>),
    [norm, gate, up, down]: [&Matrix<E, Cpu>; 4],
    numerics: Numerics,
    gate_up: &[E],
) -> Result<(), CpuError> {
    let ((rows, hidden), (count, _)) = (*x.shape(), *gate.shape());
    let (stride, wide, at_once) = (padded(hidden), padded(count), rows_at_once(rows));
    let mut d_x = take(g.get_or_alloc_mut(x))?;
    let [mut d_gate_up, mut units, mut read] = [2 * wide, wide, stride].map(|width| E::buffers().take(rows * width));
    let rule = Norm::new(slice(norm), numerics.epsilon);
    let leave = Panels::stacked(&[slice(down)], count, numerics.unit);
    let enter = Panels::stacked(&[slice(gate), slice(up)], hidden, numerics.unit);
    let inputs = slice(x).par_chunks(at_once * hidden).zip(gate_up.par_chunks(at_once * 2 * wide));
    let slopes = d_x.par_chunks_mut(at_once * hidden).zip(d_out.par_chunks(at_once * hidden));
    let between = d_gate_up.par_chunks_mut(at_once * 2 * wide).zip(units.par_chunks_mut(at_once * wide));
    let tasks = inputs.zip(slopes).zip(between.zip(read.par_chunks_mut(at_once * stride)));
    let d_norms = tasks.map(|(((x, gate_up), (d_x, d_out)), ((d_gate_up, units), read))| {
        leave.apply(units, Onto::Zero, Left::rows(d_out, hidden));
        swiglu::backward(units, gate_up, d_gate_up, wide);
        rule.forward((&mut *read, stride), (x, hidden));
        let mut d_read = E::buffers().take(read.len());
        enter.apply(&mut d_read, Onto::Zero, Left::rows(d_gate_up, 2 * wide));
        add_up(d_x, d_out);
        let mut d_norm = vec![E::ZERO; hidden];
        rule.backward(d_x, &mut d_norm, x, (&d_read, stride));
        d_norm
    });
    let d_norms: Vec<Vec<E>> = d_norms.collect();
    d_norms.iter().try_for_each(|d| g.get_or_alloc_mut(norm).map(|sum| add_up(sum, d)))?;
    let read_by = |first| Factor { numbers: &d_gate_up, stride: 2 * wide, first };
    let products = OuterProducts::of(Factor { numbers: &read, stride, first: 0 }, hidden, numerics.unit);
    products.add(g.get_or_alloc_mut(gate)?, read_by(0));
    products.add(g.get_or_alloc_mut(up)?, read_by(wide));
    let left = Factor { numbers: &d_out, stride: hidden, first: 0 };
    let right = Factor { numbers: &units, stride: wide, first: 0 };
    OuterProducts::of(right, count, numerics.unit).add(g.get_or_alloc_mut(down)?, left);
    **g.get_or_alloc_mut(x)? = d_x;
    Ok(())
}
