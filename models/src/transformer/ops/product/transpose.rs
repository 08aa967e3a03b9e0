//! Squares of 16 x 16 numbers of 32 bits, transposed in the registers of AVX-512.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Rows and columns of a square.
pub(super) const SIDE: usize = 16;

/// Whether this processor has the instructions.
#[inline(always)]
pub(super) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Writes the transpose of a square of `f32`: row `i` of `from` begins at `i * inputs`, row `i` of `to` at `i * stride`.
pub(super) fn square(to: &mut [f32], stride: usize, from: &[f32], inputs: usize) {
    assert!(to.len() >= (SIDE - 1) * stride + SIDE && from.len() >= (SIDE - 1) * inputs + SIDE && available());
    // SAFETY: the processor has AVX-512, and the lengths were seen to be enough.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        square_f32(to.as_mut_ptr(), stride, from.as_ptr(), inputs);
    }
}

/// As [`square`] for 16 rows of 32 bf16, little-endian, to 32 rows of `f32`.
pub(super) fn widened(to: &mut [f32], stride: usize, from: &[[u8; 2]], inputs: usize) {
    assert!(to.len() >= (2 * SIDE - 1) * stride + SIDE && from.len() >= (SIDE - 1) * inputs + 2 * SIDE && available());
    // SAFETY: as in `square`.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        square_bf16(to.as_mut_ptr(), stride, from.as_ptr().cast(), inputs);
    }
}

/// Transposes pairs of bf16: pair `j` of row `i` becomes pair `i` of row `j`.
pub(super) fn pairs(to: &mut [[u16; 2 * SIDE]; SIDE], from: &[[u16; 2 * SIDE]; SIDE]) {
    assert!(available());
    // SAFETY: the processor has AVX-512; a pair has the size of an `f32`.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        square_f32(to.as_mut_ptr().cast(), SIDE, from.as_ptr().cast(), SIDE);
    }
}

/// # Safety
/// The processor has AVX-512; 16 rows of 16 numbers can be read and written at these strides.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn square_f32(to: *mut f32, stride: usize, from: *const f32, inputs: usize) {
    for fours in 0..4 {
        // SAFETY: the caller's promise.
        let rows = unsafe { columns(from.add(4 * fours).cast(), inputs * size_of::<f32>()) };
        for (i, row) in rows.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { _mm512_storeu_si512(to.add((4 * fours + i) * stride).cast(), row) };
        }
    }
}

/// # Safety
/// As of `square_f32`, with 16 rows of 32 numbers of 2 bytes to read, and 32 rows to write.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn square_bf16(to: *mut f32, stride: usize, from: *const u16, inputs: usize) {
    let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    for fours in 0..4 {
        // SAFETY: the caller's promise.
        let rows = unsafe { columns(from.add(8 * fours).cast(), inputs * size_of::<u16>()) };
        for (i, pairs) in rows.into_iter().enumerate() {
            let (even, odd) = (_mm512_slli_epi32::<16>(pairs), _mm512_and_si512(pairs, upper));
            let to = to.wrapping_add(2 * (4 * fours + i) * stride);
            // SAFETY: the caller's promise.
            unsafe {
                _mm512_storeu_si512(to.cast(), even);
                _mm512_storeu_si512(to.wrapping_add(stride).cast(), odd);
            }
        }
    }
}

/// Four columns of 16 numbers of 4 bytes. Rows 0, 4, 8 and 12 are put into one register by the loads, as are those
/// after them, so that what is left are four transposes of 4 x 4 side by side.
///
/// # Safety
/// The processor has AVX-512; at `from` there are 16 rows of 16 bytes, `stride` bytes apart.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn columns(from: *const u8, stride: usize) -> [__m512i; 4] {
    let mut fours = [_mm512_setzero_si512(); 4];
    for (i, x) in fours.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            *x = _mm512_castsi128_si512(_mm_loadu_si128(from.add(i * stride).cast()));
            *x = _mm512_inserti32x4::<1>(*x, _mm_loadu_si128(from.add((i + 4) * stride).cast()));
            *x = _mm512_inserti32x4::<2>(*x, _mm_loadu_si128(from.add((i + 8) * stride).cast()));
            *x = _mm512_inserti32x4::<3>(*x, _mm_loadu_si128(from.add((i + 12) * stride).cast()));
        }
    }
    let [a, b, c, d] = fours;
    let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab, cd),
        _mm512_unpackhi_epi64(ab, cd),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_transposed() {
        if !available() {
            return;
        }
        let (inputs, stride) = (37, 19);
        let from: Vec<f32> = (0..SIDE * inputs).map(|i| i as f32).collect();
        let mut to = vec![-1.0; SIDE * stride];
        square(&mut to, stride, &from, inputs);
        for (i, x) in to.iter().enumerate() {
            let (row, column) = (i / stride, i % stride);
            assert_eq!(*x, if column < SIDE { from[column * inputs + row] } else { -1.0 }, "[{row}, {column}]");
        }
    }

    #[test]
    fn bf16_are_widened_and_transposed() {
        if !available() {
            return;
        }
        let (inputs, stride) = (41, 16);
        let bits = |i: usize| (i as u16).wrapping_mul(40503);
        let from: Vec<[u8; 2]> = (0..SIDE * inputs).map(|i| bits(i).to_le_bytes()).collect();
        let mut to = vec![0.0; 2 * SIDE * stride];
        widened(&mut to, stride, &from, inputs);
        for (i, x) in to.iter().enumerate() {
            let expected = u32::from(bits(i % stride * inputs + i / stride)) << 16;
            assert_eq!(x.to_bits(), expected, "[{}, {}]", i / stride, i % stride);
        }
    }
}
