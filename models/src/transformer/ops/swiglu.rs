//! The gated activation, `silu(gate) * up` with `silu(x) = x / (1 + e^-x)` (arXiv:2002.05202).

use crate::real::Real;
use crate::vectors::{LANES, vectorised};

/// From rows of `[gate, up]`, each of `width`, to rows of `width`.
pub(crate) fn forward<E: Real>(out: &mut [E], gate_up: &[E], width: usize) {
    vectorised(
        #[inline(always)]
        || {
            for (out, row) in out.chunks_exact_mut(width).zip(gate_up.chunks_exact(2 * width)) {
                let (gate, up) = row.split_at(width);
                for ((out, x), up) in out.iter_mut().zip(gate).zip(up) {
                    *out = *x / (E::ONE + (-*x).exp()) * *up;
                }
            }
        },
    );
}

/// Writes the gradient of `[gate, up]`, and replaces `d`, the gradient of the result, by the result:
/// `silu'(x) = s (1 + x (1 - s))` with `s` the sigmoid of `x`. The width is padded.
pub(super) fn backward<E: Real>(d: &mut [E], gate_up: &[E], d_gate_up: &mut [E], width: usize) {
    vectorised(
        #[inline(always)]
        || {
            let rows = gate_up.chunks_exact(2 * width).zip(d_gate_up.chunks_exact_mut(2 * width));
            for (d, (row, d_row)) in d.chunks_exact_mut(width).zip(rows) {
                let ((gate, up), (d_gate, d_up)) = (row.split_at(width), d_row.split_at_mut(width));
                let inputs = gate.as_chunks::<LANES>().0.iter().zip(up.as_chunks::<LANES>().0);
                let slopes = d_gate.as_chunks_mut::<LANES>().0.iter_mut().zip(d_up.as_chunks_mut::<LANES>().0);
                for ((d, (x, up)), (d_x, d_up)) in d.as_chunks_mut::<LANES>().0.iter_mut().zip(inputs).zip(slopes) {
                    let (x, up, d_out) = (*x, *up, *d);
                    let sigmoid: [E; LANES] = x.map(|x| E::ONE / (E::ONE + (-x).exp()));
                    let silu: [E; LANES] = std::array::from_fn(|i| x[i] * sigmoid[i]);
                    *d_x = std::array::from_fn(|i| d_out[i] * up[i] * (sigmoid[i] + silu[i] * (E::ONE - sigmoid[i])));
                    *d_up = std::array::from_fn(|i| d_out[i] * silu[i]);
                    *d = std::array::from_fn(|i| silu[i] * up[i]);
                }
            }
        },
    );
}
