//! Squares by the dot products of AVX512-BF16.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::{SIDE, TILE};

/// Whether this processor has AVX512-BF16.
pub(super) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The product of 16 outputs with 16 rows, `[outputs, rows]`.
pub(super) fn square(square: &mut [f32; SIDE * SIDE], outputs: &[u16], rows: &[u16]) {
    assert!(outputs.len() == rows.len() && available());
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the processor has the instructions.
    unsafe {
        dots(square, outputs.as_chunks::<TILE>().0, rows.as_chunks::<TILE>().0);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = square;
}

/// # Safety
/// The processor has AVX-512 and AVX512-BF16.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn dots(square: &mut [f32; SIDE * SIDE], outputs: &[[u16; TILE]], rows: &[[u16; TILE]]) {
    let mut sums = [_mm512_setzero_ps(); SIDE];
    for (outputs, rows) in outputs.iter().zip(rows) {
        for pair in 0..TILE / SIDE / 2 {
            // SAFETY: there are 16 groups of 32 numbers. Every bit pattern is a vector of bf16.
            let row: __m512bh = unsafe { std::mem::transmute(_mm512_loadu_si512(rows.as_ptr().add(32 * pair).cast())) };
            for (output, sum) in sums.iter_mut().enumerate() {
                let [low, high] = [0, 1].map(|i| u32::from(outputs[output * 32 + 2 * pair + i]));
                let both = _mm512_set1_epi32((high << 16 | low) as i32);
                // SAFETY: every bit pattern is a vector of bf16.
                *sum = _mm512_dpbf16_ps(*sum, row, unsafe { std::mem::transmute::<__m512i, __m512bh>(both) });
            }
        }
    }
    for (square, sum) in square.as_chunks_mut::<SIDE>().0.iter_mut().zip(sums) {
        // SAFETY: there are 16 numbers.
        unsafe { _mm512_storeu_ps(square.as_mut_ptr(), sum) };
    }
}
