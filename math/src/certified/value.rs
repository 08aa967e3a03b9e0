//! Values of expressions.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, Zero};

use super::ball::Ball;
use super::complex::Complex;
use super::trouble::Trouble;

/// Most bits of numerator and denominator of an exact value.
pub(crate) const EXACT_BITS: u64 = 2_048;

/// A value of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// An exact rational number of at most [`EXACT_BITS`].
    Exact(BigRational),
    /// A number in a complex ball.
    Enclosed(Complex),
}

impl Value {
    /// The integer, exact if it is short.
    pub(crate) fn integer(n: impl Into<BigInt>, precision: u32) -> Value {
        Value::rational(BigRational::from_integer(n.into()), precision)
    }

    /// The rational number, exact if it is short.
    pub(crate) fn rational(q: BigRational, precision: u32) -> Value {
        if length(&q) <= EXACT_BITS {
            Value::Exact(q)
        } else {
            Value::Enclosed(Complex::real(Ball::rational(&q, precision)))
        }
    }

    /// The complex number, exact if it is one short rational number.
    pub(crate) fn complex(z: Complex) -> Result<Value, Trouble> {
        let exact = if z.is_real() { z.re.exact(EXACT_BITS) } else { None };
        Ok(match exact {
            Some(q) => Value::Exact(q),
            None => Value::Enclosed(z.checked()?),
        })
    }

    /// The value as a complex number.
    pub(crate) fn to_complex(&self, precision: u32) -> Complex {
        match self {
            Value::Exact(q) => Complex::real(Ball::rational(q, precision)),
            Value::Enclosed(z) => z.clone(),
        }
    }

    /// Whether it is zero for certain.
    pub(crate) fn is_exactly_zero(&self) -> bool {
        match self {
            Value::Exact(q) => q.is_zero(),
            Value::Enclosed(z) => z.is_zero(),
        }
    }

    /// Whether it is not zero for certain.
    pub(crate) fn is_certainly_nonzero(&self) -> bool {
        match self {
            Value::Exact(q) => !q.is_zero(),
            Value::Enclosed(z) => z.is_nonzero(),
        }
    }

    /// The sign of a real value. Undefined for a value that is not real.
    pub(crate) fn sign(&self) -> Result<Ordering, Trouble> {
        match self {
            Value::Exact(q) => Ok(q.cmp(&BigRational::zero())),
            Value::Enclosed(z) => z.as_real()?.sign().ok_or(Trouble::Undecided),
        }
    }

    /// A number `t` such that the absolute value is certainly below `2^t`; for zero the least `i64`. Of a difference that may be
    /// zero it says to how many bits the two agree: `-t` bits after the binary point.
    pub(crate) fn accuracy_bits(&self) -> i64 {
        self.to_complex(u64::BITS).most().top().unwrap_or(i64::MIN)
    }

    /// `-self`.
    pub(crate) fn negated(&self) -> Value {
        match self {
            Value::Exact(q) => Value::Exact(-q),
            Value::Enclosed(z) => Value::Enclosed(z.negated()),
        }
    }

    /// `self + other`.
    pub(crate) fn plus(&self, other: &Value, precision: u32) -> Result<Value, Trouble> {
        match (self, other) {
            (Value::Exact(a), Value::Exact(b)) => Ok(Value::rational(a + b, precision)),
            _ => Value::complex(self.to_complex(precision).plus(&other.to_complex(precision), precision)),
        }
    }

    /// `self - other`.
    pub(crate) fn minus(&self, other: &Value, precision: u32) -> Result<Value, Trouble> {
        self.plus(&other.negated(), precision)
    }

    /// `self * other`.
    pub(crate) fn times(&self, other: &Value, precision: u32) -> Result<Value, Trouble> {
        match (self, other) {
            (Value::Exact(a), Value::Exact(b)) => Ok(Value::rational(a * b, precision)),
            _ => Value::complex(self.to_complex(precision).times(&other.to_complex(precision), precision)),
        }
    }

    /// `self / other`. Undefined if `other` is zero, undecided if it may be.
    pub(crate) fn over(&self, other: &Value, precision: u32) -> Result<Value, Trouble> {
        match (self, other) {
            (_, divisor) if divisor.is_exactly_zero() => Err(Trouble::Undefined),
            (Value::Exact(a), Value::Exact(b)) => Ok(Value::rational(a / b, precision)),
            _ => Value::complex(self.to_complex(precision).over(&other.to_complex(precision), precision)?),
        }
    }

    /// The absolute value.
    pub(crate) fn abs(&self, precision: u32) -> Result<Value, Trouble> {
        match self {
            Value::Exact(q) => Ok(Value::Exact(q.abs())),
            Value::Enclosed(z) => Value::complex(Complex::real(z.abs(precision)?)),
        }
    }

    /// The greatest integer not above.
    pub(crate) fn floor(&self, precision: u32) -> Result<Value, Trouble> {
        match self {
            Value::Exact(q) => Ok(Value::Exact(q.floor())),
            Value::Enclosed(z) => Ok(Value::integer(z.as_real()?.floor(EXACT_BITS)?, precision)),
        }
    }

    /// The larger of two real values.
    pub(crate) fn max(&self, other: &Value, precision: u32) -> Result<Value, Trouble> {
        let difference = self.minus(other, precision)?;
        match difference.sign() {
            Ok(Ordering::Less) => Ok(other.clone()),
            Ok(_) => Ok(self.clone()),
            // max(a, b) = (a + b + |a - b|) / 2.
            Err(Trouble::Undecided) if self.is_real() && other.is_real() => {
                let sum = self.plus(other, precision)?.plus(&difference.abs(precision)?, precision)?;
                Value::complex(sum.to_complex(precision).scaled(-1))
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// The smaller of two real values.
    pub(crate) fn min(&self, other: &Value, precision: u32) -> Result<Value, Trouble> {
        Ok(self.negated().max(&other.negated(), precision)?.negated())
    }

    /// Whether it is certainly real.
    pub(crate) fn is_real(&self) -> bool {
        match self {
            Value::Exact(_) => true,
            Value::Enclosed(z) => z.is_real(),
        }
    }
}

/// Bits of numerator and denominator together.
pub(crate) fn length(q: &BigRational) -> u64 {
    q.numer().bits() + q.denom().bits()
}
