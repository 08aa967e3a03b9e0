//! The two number types of models.

use dfdx::dtypes::Dtype;

use crate::buffers::Pooled;
use crate::vectors::Vectors;

/// `f32` for training, `f64` for checks.
pub trait Real: Dtype + Vectors + Pooled + std::iter::Sum + std::ops::Neg<Output = Self> {
    /// The type in safetensors files.
    const STORED: safetensors::Dtype;
    /// Zero.
    const ZERO: Self;
    /// Rounds to this type.
    fn of(x: f64) -> Self;
    /// The same number as `f64`, exactly.
    fn wide(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Exponential. In `f32`: relative error below 2e-7, results limited to e^-87 to e^88, no branches, so that loops
    /// over it vectorise.
    fn exp(self) -> Self;
    /// The larger of two numbers; if one is NaN, the other.
    fn max(self, other: Self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// NaN.
    fn is_nan(self) -> bool;
    /// Appends its little-endian bytes.
    fn store(self, bytes: &mut Vec<u8>);
}

impl Real for f32 {
    const STORED: safetensors::Dtype = safetensors::Dtype::F32;
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x as f32
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        fast_exp(self)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        f32::max(self, other)
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }

    #[inline(always)]
    fn is_nan(self) -> bool {
        f32::is_nan(self)
    }

    fn store(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}

impl Real for f64 {
    const STORED: safetensors::Dtype = safetensors::Dtype::F64;
    const ZERO: Self = 0.0;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        f64::max(self, other)
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }

    #[inline(always)]
    fn is_nan(self) -> bool {
        f64::is_nan(self)
    }

    fn store(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}

/// `2^n * e^r` with `|r| <= ln 2 / 2`; `e^r` by the minimax polynomial of Cephes `expf`. Saturates at e^-87 and e^88.
#[inline(always)]
fn fast_exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let e_r = p * r * r + r + 1.0;
    // The low bits of `shifted` are n itself: moved to the exponent, with its bias.
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    e_r * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_exp_is_exp() {
        for i in -8600..8700 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(fast_exp(x)) - exact).abs() / exact;
            assert!(error < 2e-7, "exp({x}) is off by {error:e}");
        }
        assert_eq!(fast_exp(0.0), 1.0);
        assert!(fast_exp(f32::NAN).is_nan());
    }
}
