//! The innermost loop of the kernel. It is unrolled and has no checks, so that the processor decodes little besides multiplications:
//! on the machines measured that was a tenth of a matmul's time.

use pulp::Simd;

use crate::real::Real;

/// Terms between two jumps of the loop.
const UNROLLED: usize = 4;

/// `sums[r][v] + sum over k of left[r, k] right[k, v]`, each sum in the order of its terms. Entry `[r, k]` of the left factor is at
/// `left + r * row + k * step`, vector `[k, v]` of the right one at `right[v] + k * stride`.
///
/// # Safety
/// For every `k` below `terms`, `r` below `R` and `v` below `V` these can be read.
#[inline(always)]
pub(super) unsafe fn add<E: Real, S: Simd, const R: usize, const V: usize>(
    simd: S,
    mut sums: [[E::In<S>; V]; R],
    (left, row, step): (*const E, usize, usize),
    (right, stride): ([*const E; V], usize),
    terms: usize,
) -> [[E::In<S>; V]; R] {
    let mut k = 0;
    while k + UNROLLED <= terms {
        for k in k..k + UNROLLED {
            // SAFETY: the caller's promise, for one term.
            sums = unsafe { one(simd, sums, (left.add(k * step), row), right.map(|right| right.add(k * stride))) };
        }
        k += UNROLLED;
    }
    for k in k..terms {
        // SAFETY: as before.
        sums = unsafe { one(simd, sums, (left.add(k * step), row), right.map(|right| right.add(k * stride))) };
    }
    sums
}

/// One term. Sums go in and out by value, so that they stay in registers.
///
/// # Safety
/// As of [`add`], for a single term.
#[inline(always)]
unsafe fn one<E: Real, S: Simd, const R: usize, const V: usize>(
    simd: S,
    mut sums: [[E::In<S>; V]; R],
    (left, row): (*const E, usize),
    right: [*const E; V],
) -> [[E::In<S>; V]; R] {
    // SAFETY: the caller's promise; a vector is plain numbers.
    let right = right.map(|right| unsafe { right.cast::<E::In<S>>().read_unaligned() });
    for (r, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        let factor = E::splat(simd, unsafe { *left.add(r * row) });
        for (sum, right) in sums.iter_mut().zip(right) {
            *sum = E::mul_add(simd, factor, right, *sum);
        }
    }
    sums
}
