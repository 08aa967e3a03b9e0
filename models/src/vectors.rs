//! Loops at the full width of the processor.

use pulp::Simd;

use crate::real::Real;

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

/// Sum of `term(0..length)` as sixteen partial sums, which the compiler may keep in one vector.
#[inline(always)]
pub(crate) fn sum<E: Real>(length: usize, term: impl Fn(usize) -> E) -> E {
    let [total] = sums(length, |i| [term(i)]);
    total
}

/// As [`sum`], several at a time.
#[inline(always)]
pub(crate) fn sums<E: Real, const N: usize>(length: usize, term: impl Fn(usize) -> [E; N]) -> [E; N] {
    let mut lanes = [[E::ZERO; 16]; N];
    let whole = length / 16 * 16;
    for start in (0..whole).step_by(16) {
        for lane in 0..16 {
            let term = term(start + lane);
            for n in 0..N {
                lanes[n][lane] += term[n];
            }
        }
    }
    let mut totals = [E::ZERO; N];
    for i in whole..length {
        totals.iter_mut().zip(term(i)).for_each(|(total, term)| *total += term);
    }
    for (total, lanes) in totals.iter_mut().zip(lanes) {
        lanes.into_iter().for_each(|lane| *total += lane);
    }
    totals
}

/// The largest of the numbers, of which there is at least one.
#[inline(always)]
pub(crate) fn maximum<E: Real>(x: &[E]) -> E {
    let mut lanes = [x[0]; 16];
    let chunks = x.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(max, x)| *max = max.max(*x));
    }
    rest.iter().chain(&lanes).fold(x[0], |max, x| max.max(*x))
}
