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

/// # Safety
/// The processor has AVX-512; 16 rows of 16 numbers can be read and written at these strides.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn square_f32(to: *mut f32, stride: usize, from: *const f32, inputs: usize) {
    // SAFETY: the caller's promise.
    let rows = std::array::from_fn(|i| unsafe { _mm512_loadu_si512(from.add(i * inputs).cast()) });
    for (i, row) in transposed(rows).into_iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_si512(to.add(i * stride).cast(), row) };
    }
}

/// # Safety
/// As of `square_f32`, with 16 rows of 32 numbers of 2 bytes to read, and 32 rows to write.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn square_bf16(to: *mut f32, stride: usize, from: *const u16, inputs: usize) {
    // SAFETY: the caller's promise.
    let rows = std::array::from_fn(|i| unsafe { _mm512_loadu_si512(from.add(i * inputs).cast()) });
    let upper = _mm512_set1_epi32(0xffff_0000_u32 as i32);
    for (i, pairs) in transposed(rows).into_iter().enumerate() {
        let (even, odd) = (_mm512_slli_epi32::<16>(pairs), _mm512_and_si512(pairs, upper));
        // SAFETY: the caller's promise.
        unsafe {
            _mm512_storeu_si512(to.add(2 * i * stride).cast(), even);
            _mm512_storeu_si512(to.add((2 * i + 1) * stride).cast(), odd);
        }
    }
}

/// Exchanges numbers of rows at distance 1, then pairs at distance 2, then fours, then eights.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(x: [__m512i; SIDE]) -> [__m512i; SIDE] {
    let ones: [__m512i; SIDE] = std::array::from_fn(|i| match i % 2 {
        0 => _mm512_unpacklo_epi32(x[i], x[i + 1]),
        _ => _mm512_unpackhi_epi32(x[i - 1], x[i]),
    });
    // Row `4 a + b` holds columns `b`, `b + 4`, .. of the rows `4 a` to `4 a + 3`.
    let twos: [__m512i; SIDE] = std::array::from_fn(|i| {
        let (first, b) = (i / 4 * 4, i % 4);
        let (upper, lower) = (ones[first + b / 2], ones[first + 2 + b / 2]);
        if b % 2 == 0 { _mm512_unpacklo_epi64(upper, lower) } else { _mm512_unpackhi_epi64(upper, lower) }
    });
    let fours: [__m512i; SIDE] = std::array::from_fn(|i| {
        let (first, b) = (i / 8 * 8, i % 4);
        let (upper, lower) = (twos[first + b], twos[first + 4 + b]);
        if i % 8 < 4 { _mm512_shuffle_i32x4::<0x88>(upper, lower) } else { _mm512_shuffle_i32x4::<0xdd>(upper, lower) }
    });
    // `fours[8 h + b]` holds columns `b` and `b + 8`, and `fours[8 h + 4 + b]` columns `b + 4` and `b + 12`.
    std::array::from_fn(|column| {
        let from = column % 8;
        let (upper, lower) = (fours[from], fours[8 + from]);
        if column < 8 { _mm512_shuffle_i32x4::<0x88>(upper, lower) } else { _mm512_shuffle_i32x4::<0xdd>(upper, lower) }
    })
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
