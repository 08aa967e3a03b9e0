//! Powers, roots and logarithms of values.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::ball::Ball;
use super::bound::Bound;
use super::budget::{elementary, rounded};
use super::complex::{Complex, GUARD};
use super::trouble::Trouble;
use super::value::{EXACT_BITS, Value, length};

/// Longest integer exponent, in bits.
const EXPONENT_BITS: u64 = 512;

/// `base ^ exponent`, the principal value.
pub(crate) fn power(base: &Value, exponent: &Value, precision: u32) -> Result<Value, Trouble> {
    if base.is_exactly_zero() {
        return match exponent.to_complex(precision).re.sign() {
            Some(Ordering::Greater) => Ok(Value::Exact(BigRational::zero())),
            Some(_) => Err(Trouble::Undefined),
            None => Err(Trouble::Undecided),
        };
    }
    match exponent {
        Value::Exact(q) => rational_power(base, q, precision),
        Value::Enclosed(z) => complex_power(base, z, precision),
    }
}

/// The n-th root of x: the real one for odd integers n and real x, else the principal one.
pub(crate) fn root(x: &Value, n: &Value, precision: u32) -> Result<Value, Trouble> {
    let inverse = Value::Exact(BigRational::one()).over(n, precision)?;
    let odd = matches!(n, Value::Exact(n) if n.is_integer() && n.numer().is_odd());
    if !odd {
        return power(x, &inverse, precision);
    }
    match (x.sign(), x.to_complex(precision)) {
        (Ok(Ordering::Less), _) => Ok(power(&x.negated(), &inverse, precision)?.negated()),
        // The number may be negative; its root is as small as it is.
        (Err(Trouble::Undecided), z) if z.is_real() => {
            let bound = power_of_bound(z.most(), &inverse.to_complex(precision))?;
            Value::complex(Complex::real(Ball::around_zero(bound)))
        }
        _ => power(x, &inverse, precision),
    }
}

/// The logarithm of x to the base b, not zero.
pub(crate) fn logarithm(x: &Value, b: &Value, precision: u32) -> Result<Value, Trouble> {
    let inner = precision + GUARD;
    let ln = |value: &Value| value.to_complex(inner).ln(inner);
    let quotient = ln(x)?.over(&ln(b)?, precision)?;
    // Where x is an integer power of b that power is exact.
    if let (Value::Exact(x), Value::Exact(b), true) = (x, b, quotient.is_real()) {
        let nearest = quotient.re.plus(&Ball::integer(1).scaled(-1), inner).floor(u64::BITS.into()).unwrap_or_default();
        if exact_power(b, &nearest).is_some_and(|power| power == *x) {
            return Ok(Value::integer(nearest, precision));
        }
    }
    Value::complex(quotient)
}

/// The work of a power with this exponent, or of a root of this degree.
pub(crate) fn work(exponent: &Value, precision: u32) -> u64 {
    match exponent {
        Value::Exact(q) => {
            let multiplications = 2 * q.numer().bits().min(EXPONENT_BITS) + 2;
            let roots = if q.is_integer() { 0 } else { 8 };
            multiplications * rounded(precision) + roots * elementary(precision)
        }
        Value::Enclosed(_) => 8 * elementary(precision),
    }
}

/// A power with a rational exponent, of a base that is not exactly zero.
fn rational_power(base: &Value, exponent: &BigRational, precision: u32) -> Result<Value, Trouble> {
    if exponent.is_integer() {
        return integer_power(base, exponent.numer(), precision);
    }
    if let Some(root) = exact_root(base, exponent.denom()) {
        return integer_power(&Value::Exact(root), exponent.numer(), precision);
    }
    if *exponent.denom() == BigInt::from(2) {
        let inner = precision + GUARD + exponent.numer().bits().min(EXPONENT_BITS) as u32;
        let root = base.to_complex(inner).sqrt(inner)?;
        return integer_power(&Value::complex(root)?, exponent.numer(), precision);
    }
    complex_power(base, &Complex::real(Ball::rational(exponent, precision + 2 * GUARD)), precision)
}

/// `exp(exponent ln(base))`.
fn complex_power(base: &Value, exponent: &Complex, precision: u32) -> Result<Value, Trouble> {
    // The exponential loses as many bits as its argument has before the binary point.
    let large = exponent.most().top().unwrap_or(0).clamp(0, i64::from(u64::BITS)) as u32;
    let inner = precision + GUARD + large;
    let base = base.to_complex(inner);
    if !base.is_nonzero() {
        return Value::complex(Complex::around_zero(power_of_bound(base.most(), exponent)?));
    }
    Value::complex(base.ln(inner)?.times(exponent, inner).exp(precision)?)
}

/// A bound of `|z ^ exponent|` for `|z| <= bound`. Undecided unless the exponent is certainly positive.
fn power_of_bound(bound: Bound, exponent: &Complex) -> Result<Bound, Trouble> {
    if !exponent.is_real() || exponent.re.sign() != Some(Ordering::Greater) {
        return Err(Trouble::Undecided);
    }
    let ln = Ball::bound(bound).ln(u64::BITS)?;
    Ok(ln.times(&exponent.re, u64::BITS).exp(u64::BITS)?.most())
}

/// A power with an integer exponent, of a base that is not exactly zero.
fn integer_power(base: &Value, n: &BigInt, precision: u32) -> Result<Value, Trouble> {
    if let Value::Exact(q) = base
        && let Some(power) = exact_power(q, n)
    {
        return Ok(Value::Exact(power));
    }
    if n.is_zero() {
        return if base.is_certainly_nonzero() { Ok(Value::integer(1, precision)) } else { Err(Trouble::Undecided) };
    }
    if n.bits() > EXPONENT_BITS {
        return Err(Trouble::TooLarge);
    }
    // Every squaring doubles the relative error.
    let inner = precision + GUARD + 2 * n.bits() as u32;
    let base = base.to_complex(inner);
    let mut power = base.clone();
    for bit in (0..n.bits() - 1).rev() {
        power = power.times(&power, inner).checked()?;
        if n.magnitude().bit(bit) {
            power = power.times(&base, inner).checked()?;
        }
    }
    Value::complex(if n.is_negative() {
        Complex::integer(1).over(&power, precision)?
    } else {
        power.rounded(precision)
    })
}

/// A power that stays short.
fn exact_power(q: &BigRational, n: &BigInt) -> Option<BigRational> {
    if q.is_one() || (q.abs().is_one() && n.is_even()) {
        return Some(BigRational::one());
    }
    if q.abs().is_one() {
        return Some(q.clone());
    }
    let n = n.to_i32()?;
    // A number of b bits is at least 2^(b - 1).
    let least = length(q).saturating_sub(2).checked_mul(u64::from(n.unsigned_abs()))?;
    (least <= EXACT_BITS).then(|| q.pow(n)).filter(|power| length(power) <= EXACT_BITS)
}

/// The n-th root, if it is a rational number and not negative.
fn exact_root(base: &Value, n: &BigInt) -> Option<BigRational> {
    let Value::Exact(q) = base else { return None };
    let n = n.to_u32().filter(|&n| u64::from(n) <= EXACT_BITS && !q.is_negative())?;
    let root = BigRational::new(q.numer().nth_root(n), q.denom().nth_root(n));
    (root.numer().pow(n) == *q.numer() && root.denom().pow(n) == *q.denom()).then_some(root)
}
