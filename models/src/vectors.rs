//! Loops at the full width of the processor.

use pulp::Simd;

use crate::real::Real;

/// Numbers of the longest vector of any processor, and partial sums of a sum. Matrices that products write or read as their
/// right factor have rows of a multiple of this.
pub(crate) const LANES: usize = 16;

/// Numbers of a type as the vectors of a processor.
pub trait Vectors: Copy {
    /// A vector of them.
    type In<S: Simd>: Copy;
    /// The same number everywhere.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::In<S>;
    /// `a b + c`, rounded once where the processor can.
    fn mul_add<S: Simd>(simd: S, a: Self::In<S>, b: Self::In<S>, c: Self::In<S>) -> Self::In<S>;
    /// As many whole vectors as there are.
    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::In<S>];
    /// As [`Vectors::vectors`].
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [Self::In<S>];
}

impl Vectors for f32 {
    type In<S: Simd> = S::f32s;

    #[inline(always)]
    fn splat<S: Simd>(simd: S, x: Self) -> S::f32s {
        simd.splat_f32s(x)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_f32s(a, b, c)
    }

    #[inline(always)]
    fn vectors<S: Simd>(numbers: &[Self]) -> &[S::f32s] {
        S::as_simd_f32s(numbers).0
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(numbers).0
    }
}

impl Vectors for f64 {
    type In<S: Simd> = S::f64s;

    #[inline(always)]
    fn splat<S: Simd>(simd: S, x: Self) -> S::f64s {
        simd.splat_f64s(x)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_f64s(a, b, c)
    }

    #[inline(always)]
    fn vectors<S: Simd>(numbers: &[Self]) -> &[S::f64s] {
        S::as_simd_f64s(numbers).0
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [S::f64s] {
        S::as_mut_simd_f64s(numbers).0
    }
}

/// Runs a loop at the full vector width of the processor. Only the width changes, never a result.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Sum of `term(0..length)` as partial sums, which the compiler may keep in a vector.
#[inline(always)]
pub(crate) fn sum<E: Real>(length: usize, term: impl Fn(usize) -> E) -> E {
    let [total] = sums(length, |i| [term(i)]);
    total
}

/// As [`sum`], several at a time.
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

/// The largest of the numbers, of which there is at least one.
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

/// Halves against halves.
#[inline(always)]
fn fold<E: Real>(mut lanes: [E; LANES], both: impl Fn(E, E) -> E) -> E {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] = both(lanes[i], lanes[i + half]);
        }
    }
    lanes[0]
}

/// `copy_from_slice` for a few numbers, without a call.
#[inline(always)]
pub(crate) fn copy<E: Copy>(out: &mut [E], x: &[E]) {
    let ((out, out_rest), (x, x_rest)) = (out.as_chunks_mut::<8>(), x.as_chunks::<8>());
    out.iter_mut().zip(x).for_each(|(out, x)| *out = *x);
    out_rest.iter_mut().zip(x_rest).for_each(|(out, x)| *out = *x);
}
