//! Gathering rows: of the embedding table, and of activations.

use dfdx::prelude::{Cpu, HasShape, PutTape, SplitTape, Tape};

use super::gradients::take;
use super::{Matrix, raw};
use crate::data::Token;
use crate::real::Real;

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(table: &Matrix<E, Cpu>, tokens: &[Token]) -> Matrix<E, Cpu, T> {
    let tokens: Vec<usize> = tokens.iter().map(|&token| token as usize).collect();
    let (_, width) = *table.shape();
    let out = gather(table, &tokens);
    let mut tape = T::default();
    if T::OWNS_TAPE {
        let (out, table) = (out.ghost(), table.ghost());
        tape.add_backward_op(move |g| {
            let d_out = take(g.get_or_alloc_mut(&out))?;
            add_rows(g.get_or_alloc_mut(&table)?, &tokens, &d_out, width);
            Ok(())
        });
    }
    out.put_tape(tape)
}

pub(super) fn rows<E: Real, T: Tape<E, Cpu>>(x: Matrix<E, Cpu, T>, rows: &[usize]) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let (_, width) = *x.shape();
    let out = gather(&x, rows);
    if T::OWNS_TAPE {
        let (out, x, rows) = (out.ghost(), x.ghost(), rows.to_vec());
        tape.add_backward_op(move |g| {
            let d_out = take(g.get_or_alloc_mut(&out))?;
            add_rows(g.get_or_alloc_mut(&x)?, &rows, &d_out, width);
            Ok(())
        });
    }
    out.put_tape(tape)
}

fn gather<E: Real>(x: &Matrix<E, Cpu>, rows: &[usize]) -> Matrix<E, Cpu> {
    let (_, width) = *x.shape();
    let numbers = raw::slice(x);
    let mut out = Vec::with_capacity(rows.len() * width);
    rows.iter().for_each(|row| out.extend_from_slice(&numbers[row * width..][..width]));
    raw::matrix(x.device(), out, (rows.len(), width))
}

fn add_rows<E: Real>(sum: &mut [E], rows: &[usize], more: &[E], width: usize) {
    for (&row, more) in rows.iter().zip(more.chunks_exact(width)) {
        let sum = &mut sum[row * width..][..width];
        sum.iter_mut().zip(more).for_each(|(sum, d)| *sum += *d);
    }
}
