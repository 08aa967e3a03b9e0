//! A matrix product with a weight of `[out, in]`, and a bias.

use dfdx::prelude::{
    Axes2, Axis, BroadcastTo, Cpu, Device, HasShape, PermuteTo, PutTape, ReshapeTo, SplitTape, Tape, TensorFromVec,
    TryMatMul,
};

use super::Matrix;
use super::panels::{Panels, add_transposed_product};
use super::product::Start;
use super::raw::slice;
use crate::real::Real;
use crate::vectors::vectorised;

pub(super) fn stock<E: Real, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    bias: Option<&Matrix<E, D>>,
) -> Matrix<E, D, T> {
    let (outputs, _) = *weight.shape();
    let y = x.matmul(weight.retaped::<T>().permute::<(usize, usize), Axes2<1, 0>>());
    let Some(bias) = bias else { return y };
    let bias = bias.retaped::<T>().reshape_like(&(outputs,));
    let bias = bias.broadcast_like::<_, Axis<0>>(y.shape());
    y + bias
}

pub(super) fn stock_back<E: Real, D: Device<E>>(
    d_out: &[E],
    x: &[E],
    weight: &Matrix<E, D>,
    d_weight: &mut [E],
) -> Vec<E> {
    let ((outputs, inputs), device) = (*weight.shape(), weight.device());
    let rows = x.len() / inputs;
    let d_out = device.tensor_from_vec(d_out.to_vec(), (rows, outputs));
    let x = device.tensor_from_vec(x.to_vec(), (rows, inputs));
    let d_x = d_out.clone().matmul(weight.clone());
    let d = d_out.permute::<(usize, usize), Axes2<1, 0>>().matmul(x);
    d_weight.iter_mut().zip(d.as_vec()).for_each(|(sum, d)| *sum += d);
    d_x.as_vec()
}

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    weight: &Matrix<E, Cpu>,
    bias: Option<&Matrix<E, Cpu>>,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let (start, mut out) = match bias {
        Some(bias) => (Start::Out, slice(bias).repeat(rows)),
        None => (Start::Zero, vec![E::ZERO; rows * outputs]),
    };
    Panels::transposed(&[slice(weight)], inputs).apply_by_rows(&mut out, outputs, start, slice(&x));
    let out = x.device().tensor_from_vec(out, (rows, outputs));
    if T::OWNS_TAPE {
        let (ghost, weight, bias) = (out.ghost(), weight.clone(), bias.cloned());
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&ghost)?);
            let mut d_x = std::mem::take(&mut **g.get_or_alloc_mut(&x)?);
            back(&d_out, slice(&x), (slice(&weight), inputs), (&mut d_x, g.get_or_alloc_mut(&weight)?));
            **g.get_or_alloc_mut(&x)? = d_x;
            if let Some(bias) = bias {
                add_rows(g.get_or_alloc_mut(&bias)?, &d_out);
            }
            Ok(())
        });
    }
    out.put_tape(tape)
}

/// Adds to the gradients of `x`, `[rows, inputs]`, and of the weight.
pub(super) fn back<E: Real>(
    d_out: &[E],
    x: &[E],
    (weight, inputs): (&[E], usize),
    (d_x, d_weight): (&mut [E], &mut [E]),
) {
    Panels::new(weight, inputs).apply_by_rows(d_x, inputs, Start::Out, d_out);
    add_transposed_product(d_weight, d_out, x, inputs);
}

/// Adds each row to the sum, in order.
pub(super) fn add_rows<E: Real>(sum: &mut [E], rows: &[E]) {
    vectorised(
        #[inline(always)]
        || {
            for row in rows.chunks_exact(sum.len()) {
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += *x);
            }
        },
    );
}
