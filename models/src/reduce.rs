//! Sums and maxima of slices, in an order that does not depend on the processor.

use crate::real::Real;
use crate::vectors::LANES;

/// Sum of `term(0..length)`, as [`LANES`] partial sums in a fixed order, which the compiler can keep in a SIMD vector.
#[inline(always)]
pub(crate) fn sum<E: Real>(length: usize, term: impl Fn(usize) -> E) -> E {
    let [total] = sums(length, |i| [term(i)]);
    total
}

/// As [`sum`], `N` sums in one loop.
#[inline(always)]
pub(crate) fn sums<E: Real, const N: usize>(length: usize, term: impl Fn(usize) -> [E; N]) -> [E; N] {
    let mut lanes = [[E::ZERO; LANES]; N];
    let whole = length / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, term) in (start..start + LANES).map(&term).enumerate() {
            for n in 0..N {
                lanes[n][lane] += term[n];
            }
        }
    }
    for i in whole..length {
        let term = term(i);
        for n in 0..N {
            lanes[n][i - whole] += term[n];
        }
    }
    lanes.map(|lanes| fold(lanes, |a, b| a + b))
}

/// The largest of at least one number; NaN is skipped.
#[inline(always)]
pub(crate) fn maximum<E: Real>(x: &[E]) -> E {
    let mut lanes = [x[0]; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(max, x)| *max = max.max(*x));
    }
    lanes.iter_mut().zip(rest).for_each(|(max, x)| *max = max.max(*x));
    fold(lanes, E::max)
}

/// Combines the lanes pairwise, in a fixed order.
#[inline(always)]
fn fold<E: Real>(mut lanes: [E; LANES], both: impl Fn(E, E) -> E) -> E {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = both(lanes[i], lanes[i + half]);
        }
    }
    lanes[0]
}
