//! A matrix product with a weight of `[out, in]`, and a bias.

use dfdx::prelude::{
    Axes2, Axis, BroadcastTo, Cpu, Device, HasShape, PermuteTo, PutTape, ReshapeTo, SplitTape, Tape, TensorFromVec,
    TryMatMul,
};

use super::raw::{View, add_product, slice};
use super::{Matrix, Rows, few, vectorised};
use crate::real::Real;

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

pub(super) fn fused<E: Real, T: Tape<E, Cpu>>(
    x: Matrix<E, Cpu, T>,
    weight: &Matrix<E, Cpu>,
    bias: Option<&Matrix<E, Cpu>>,
    rows_are: Rows,
) -> Matrix<E, Cpu, T> {
    let (x, mut tape) = x.split_tape();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let mut out = bias.map_or_else(|| vec![E::ZERO; rows * outputs], |bias| slice(bias).repeat(rows));
    if rows_are == Rows::Few && few::pays(inputs * outputs) {
        few::add_product(&mut out, slice(&x), slice(weight), inputs);
    } else {
        let w = View::new(slice(weight), (outputs, inputs));
        add_product(&mut out, View::new(slice(&x), (rows, inputs)), w.transposed());
    }
    let out = x.device().tensor_from_vec(out, (rows, outputs));
    if T::OWNS_TAPE {
        let (ghost, weight, bias) = (out.ghost(), weight.clone(), bias.cloned());
        tape.add_backward_op(move |g| {
            let d_out = std::mem::take(&mut **g.get_or_alloc_mut(&ghost)?);
            let d_y = View::new(&d_out, (rows, outputs));
            let d_x = &mut **g.get_or_alloc_mut(&x)?;
            add_product(d_x, d_y, View::new(slice(&weight), (outputs, inputs)));
            let d_w = &mut **g.get_or_alloc_mut(&weight)?;
            add_product(d_w, d_y.transposed(), View::new(slice(&x), (rows, inputs)));
            if let Some(bias) = bias {
                add_rows(g.get_or_alloc_mut(&bias)?, &d_out);
            }
            Ok(())
        });
    }
    out.put_tape(tape)
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
