//! SIMD vectors, at the width that the processor has.

use pulp::Simd;

/// Length of the longest SIMD vector of any supported processor, and number of partial sums of every sum. Matrices that
/// a matmul writes, or reads as its right factor, have rows padded to a multiple of it.
pub(crate) const LANES: usize = 16;

/// Numbers that SIMD instructions work on.
pub trait Vectors: Copy {
    /// A SIMD vector of them.
    type In<S: Simd>: Copy;
    /// A vector of equal numbers.
    fn splat<S: Simd>(simd: S, x: Self) -> Self::In<S>;
    /// `a b + c`, with a single rounding where the processor has fused multiply-add.
    fn mul_add<S: Simd>(simd: S, a: Self::In<S>, b: Self::In<S>, c: Self::In<S>) -> Self::In<S>;
    /// The whole vectors of a slice, without the remainder.
    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::In<S>];
    /// The same, to write.
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

/// Compiles a loop for each vector width and runs the widest that the processor has. The result does not depend on the
/// width.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// `copy_from_slice` for a few numbers, without a call.
#[inline(always)]
pub(crate) fn copy<E: Copy>(out: &mut [E], x: &[E]) {
    let ((out, out_rest), (x, x_rest)) = (out.as_chunks_mut::<8>(), x.as_chunks::<8>());
    out.iter_mut().zip(x).for_each(|(out, x)| *out = *x);
    out_rest.iter_mut().zip(x_rest).for_each(|(out, x)| *out = *x);
}
