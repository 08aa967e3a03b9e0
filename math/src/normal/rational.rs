//! Bounded arithmetic of rational numbers.

use num_bigint::{BigInt, BigUint};
use num_integer::Integer;
use num_rational::{BigRational, Ratio};
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::work::Trouble;
use crate::limits::{BITS, EXPONENT};

/// An exponent. Both parts stay within [`EXPONENT`], so that one operation on two exponents cannot overflow.
pub(crate) type Exponent = Ratio<i64>;

/// The exponent, if it is within bounds.
pub(super) fn bounded(exponent: Exponent) -> Result<Exponent, Trouble> {
    let fits = exponent.numer().abs() <= EXPONENT && *exponent.denom() <= EXPONENT;
    if fits { Ok(exponent) } else { Err(Trouble::TooLarge) }
}

/// A rational number as an exponent.
pub(super) fn exponent(value: &BigRational) -> Result<Exponent, Trouble> {
    match (value.numer().to_i64(), value.denom().to_i64()) {
        (Some(n), Some(d)) if n.unsigned_abs() <= EXPONENT.unsigned_abs() => bounded(Ratio::new(n, d)),
        _ => Err(Trouble::TooLarge),
    }
}

/// An exponent as a rational number.
pub(super) fn rational(exponent: Exponent) -> BigRational {
    BigRational::new_raw(BigInt::from(*exponent.numer()), BigInt::from(*exponent.denom()))
}

/// The length of numerator and denominator together.
pub(super) fn bits(value: &BigRational) -> u64 {
    value.numer().bits() + value.denom().bits()
}

/// `a * b`.
pub(super) fn product(a: &BigRational, b: &BigRational) -> BigRational {
    if a.denom().is_one() && b.denom().is_one() {
        return BigRational::new_raw(a.numer() * b.numer(), BigInt::one());
    }
    a * b
}

/// `a + b`.
pub(super) fn sum(a: &BigRational, b: &BigRational) -> BigRational {
    if a.denom().is_one() && b.denom().is_one() {
        return BigRational::new_raw(a.numer() + b.numer(), BigInt::one());
    }
    a + b
}

/// `base ^ power`.
pub(super) fn raised(base: &BigRational, power: i64) -> Result<BigRational, Trouble> {
    if power < 0 && base.is_zero() {
        return Err(Trouble::Undefined);
    }
    let n = power.unsigned_abs();
    let positive = BigRational::new_raw(integer_raised(base.numer(), n)?, integer_raised(base.denom(), n)?);
    Ok(if power < 0 { positive.recip() } else { positive })
}

fn integer_raised(base: &BigInt, power: u64) -> Result<BigInt, Trouble> {
    if base.magnitude().is_one() {
        return Ok(if power.is_even() { BigInt::one() } else { base.clone() });
    }
    // The power has more than (bits - 1) * power bits.
    if base.bits().saturating_sub(1).saturating_mul(power) > BITS {
        return Err(Trouble::TooLarge);
    }
    Ok(base.pow(u32::try_from(power).map_err(|_| Trouble::TooLarge)?))
}

/// The square root, if it is rational.
pub(super) fn square_root(value: &BigRational) -> Option<BigRational> {
    if value.is_negative() {
        return None;
    }
    let root = |n: &BigInt| Some(n.sqrt()).filter(|root| &(root * root) == n);
    Some(BigRational::new_raw(root(value.numer())?, root(value.denom())?))
}

/// The greatest rational number, without sign, that divides all into integers without a common factor.
pub(super) fn content<'a>(values: impl Iterator<Item = &'a BigRational>) -> BigRational {
    let (mut numerator, mut denominator) = (BigUint::zero(), BigUint::one());
    for value in values {
        if !numerator.is_one() {
            numerator = numerator.gcd(value.numer().magnitude());
        }
        if !value.denom().is_one() {
            denominator = denominator.lcm(value.denom().magnitude());
        }
    }
    BigRational::new(numerator.into(), denominator.into())
}
