//! Rows of a table.

use dfdx::prelude::{Cpu, HasShape, PutTape, Tape, TensorFromVec};

use super::{Matrix, raw};
use crate::data::Token;
use crate::real::Real;

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(table: &Matrix<E, Cpu>, tokens: &[Token]) -> Matrix<E, Cpu, T> {
    let (_, width) = *table.shape();
    let numbers = raw::slice(table);
    let mut out = Vec::with_capacity(tokens.len() * width);
    for &token in tokens {
        out.extend_from_slice(&numbers[token as usize * width..][..width]);
    }
    let out = table.device().tensor_from_vec(out, (tokens.len(), width));
    let mut tape = T::default();
    if T::OWNS_TAPE {
        let (out, table, tokens) = (out.ghost(), table.ghost(), tokens.to_vec());
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&out)?);
            let d_table = &mut **g.get_or_alloc_mut(&table)?;
            for (&token, d_row) in tokens.iter().zip(d_out.chunks_exact(width)) {
                let sum = &mut d_table[token as usize * width..][..width];
                sum.iter_mut().zip(d_row).for_each(|(sum, d)| *sum += *d);
            }
            Ok(())
        });
    }
    out.put_tape(tape)
}
