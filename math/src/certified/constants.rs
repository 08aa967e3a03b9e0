//! Pi and the logarithm of 2.

use std::sync::OnceLock;

use num_bigint::BigInt;
use num_traits::{One, Zero};

/// The two scales at which a constant is kept: for common precisions, and for all. A constant at another scale is a shift of one.
const KEPT: [u32; 2] = [640, 8_704];
/// Bits beyond the scale, which absorb the rounding of every term.
const GUARD: u32 = 64;

/// Whether the terms of a series alternate in sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signs {
    /// All are positive.
    Same,
    /// Positive, negative, positive, ..
    Alternating,
}

/// Pi as a multiple of `2^-scale`, less than 2 too small or too large.
pub(crate) fn pi(scale: u32) -> BigInt {
    static CACHE: [OnceLock<BigInt>; 2] = [const { OnceLock::new() }; 2];
    kept(&CACHE, scale, machin)
}

/// The natural logarithm of 2 as a multiple of `2^-scale`, less than 2 too small or too large.
pub(crate) fn ln_2(scale: u32) -> BigInt {
    static CACHE: [OnceLock<BigInt>; 2] = [const { OnceLock::new() }; 2];
    kept(&CACHE, scale, logarithm_of_2)
}

/// The constant at a scale, from the smallest kept one that is at least as long.
fn kept(cache: &'static [OnceLock<BigInt>; 2], scale: u32, compute: fn(u32) -> BigInt) -> BigInt {
    for (cell, longest) in cache.iter().zip(KEPT) {
        if scale <= longest {
            return cell.get_or_init(|| compute(longest)) >> (longest - scale);
        }
    }
    compute(scale)
}

/// Machin: `pi = 16 arctan(1/5) - 4 arctan(1/239)`.
fn machin(scale: u32) -> BigInt {
    let inner = scale + GUARD;
    let arctan = |q| inverse_series(q, inner, Signs::Alternating);
    (arctan(5) * 16 - arctan(239) * 4) >> GUARD
}

/// `ln 2 = 18 artanh(1/26) - 2 artanh(1/4801) + 8 artanh(1/8749)`.
fn logarithm_of_2(scale: u32) -> BigInt {
    let inner = scale + GUARD;
    let artanh = |q| inverse_series(q, inner, Signs::Same);
    (artanh(26) * 18 - artanh(4801) * 2 + artanh(8749) * 8) >> GUARD
}

/// The sum of `± 1 / ((2 k + 1) q^(2 k + 1))`: arctan or artanh of `1 / q`, as a multiple of `2^-scale`. Each term is less than
/// 2 off, and there are fewer than `scale`.
fn inverse_series(q: u64, scale: u32, signs: Signs) -> BigInt {
    let mut power = (BigInt::one() << scale) / q;
    let mut sum = BigInt::zero();
    let mut odd = 1_u64;
    while !power.is_zero() {
        let term = &power / odd;
        if signs == Signs::Alternating && odd % 4 == 3 {
            sum -= term
        } else {
            sum += term
        }
        power /= q * q;
        odd += 2;
    }
    sum
}
