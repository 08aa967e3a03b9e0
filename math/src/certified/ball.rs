//! Real balls.

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::bound::{Bound, leading};
use super::trouble::Trouble;

/// Exponents reach from `-2^40` to `2^40`.
const REACH: i64 = 1 << 40;

/// Every real number within `radius` of `mantissa * 2^exponent`.
///
/// Operations take the precision of the result: the most bits of its mantissa. If the operands hold the exact values, so does
/// the result.
#[derive(Clone, Debug)]
pub(crate) struct Ball {
    mantissa: BigInt,
    exponent: i64,
    radius: Bound,
}

impl Ball {
    /// Zero, exactly.
    pub(crate) fn zero() -> Ball {
        Ball { mantissa: BigInt::zero(), exponent: 0, radius: Bound::ZERO }
    }

    /// The integer, exactly.
    pub(crate) fn integer(n: impl Into<BigInt>) -> Ball {
        Ball { mantissa: n.into(), exponent: 0, radius: Bound::ZERO }
    }

    /// The bound as a number, exactly.
    pub(crate) fn bound(bound: Bound) -> Ball {
        let (mantissa, exponent) = bound.parts();
        Ball { mantissa: mantissa.into(), exponent, radius: Bound::ZERO }
    }

    /// The rational number, rounded.
    pub(crate) fn rational(q: &BigRational, precision: u32) -> Ball {
        let numerator = Ball::integer(q.numer().clone());
        if q.denom().is_one() {
            return numerator.rounded(precision);
        }
        // The denominator of a rational number is not zero.
        numerator.over(&Ball::integer(q.denom().clone()), precision).unwrap_or_else(|_| Ball::zero())
    }

    /// Every number within `radius` of `mantissa * 2^exponent`, rounded.
    pub(crate) fn new(mantissa: BigInt, exponent: i64, radius: Bound, precision: u32) -> Ball {
        Ball { mantissa, exponent, radius }.rounded(precision)
    }

    /// Every number `x` with `|x| <= bound`.
    pub(crate) fn around_zero(bound: Bound) -> Ball {
        Ball { radius: bound, ..Ball::zero() }
    }

    /// The midpoint, as mantissa and exponent.
    #[cfg(test)]
    pub(crate) fn midpoint(&self) -> (&BigInt, i64) {
        (&self.mantissa, self.exponent)
    }

    /// The radius.
    pub(crate) fn radius(&self) -> Bound {
        self.radius
    }

    /// The midpoint as a multiple of `2^-scale`, rounded down.
    pub(crate) fn fixed(&self, scale: i64) -> BigInt {
        shifted(&self.mantissa, self.exponent + scale)
    }

    /// The least `t` such that the midpoint is below `2^t` in absolute value; `None` if it is zero.
    pub(crate) fn top(&self) -> Option<i64> {
        (!self.mantissa.is_zero()).then(|| self.exponent + self.mantissa.bits() as i64)
    }

    /// Whether the ball holds one number only.
    pub(crate) fn is_exact(&self) -> bool {
        self.radius.is_zero()
    }

    /// Whether the ball holds zero and nothing else.
    pub(crate) fn is_zero(&self) -> bool {
        self.is_exact() && self.mantissa.is_zero()
    }

    /// How every number in the ball compares with zero; `None` where they may differ.
    pub(crate) fn sign(&self) -> Option<Ordering> {
        if self.is_zero() {
            return Some(Ordering::Equal);
        }
        (!self.least().is_zero()).then(|| self.mantissa.sign().cmp(&Sign::NoSign))
    }

    /// At most the least absolute value in the ball; zero if the ball may hold zero.
    pub(crate) fn least(&self) -> Bound {
        let (leading, shift) = leading(&self.mantissa);
        let lift = leading.leading_zeros().saturating_sub(2) % 62;
        let (leading, exponent) = (leading << lift, self.exponent + shift - i64::from(lift));
        Bound::below(leading.saturating_sub(self.radius.units(exponent)), exponent)
    }

    /// At least the largest absolute value in the ball.
    pub(crate) fn most(&self) -> Bound {
        Bound::of(&self.mantissa, self.exponent).plus(self.radius)
    }

    /// The ball, unless its numbers are beyond the reach of exponents.
    pub(crate) fn checked(self) -> Result<Ball, Trouble> {
        let within = |top: Option<i64>| top.is_none_or(|top| top.abs() <= REACH);
        if within(self.top()) && within(self.radius.top()) { Ok(self) } else { Err(Trouble::TooLarge) }
    }

    /// `-self`.
    pub(crate) fn negated(&self) -> Ball {
        Ball { mantissa: -&self.mantissa, ..*self }
    }

    /// `self * 2^by`.
    pub(crate) fn scaled(&self, by: i64) -> Ball {
        let exponent = if self.mantissa.is_zero() { 0 } else { self.exponent + by };
        Ball { mantissa: self.mantissa.clone(), exponent, radius: self.radius.times(Bound::new(1, by)) }
    }

    /// With a radius larger by `by`.
    pub(crate) fn widened(self, by: Bound) -> Ball {
        Ball { radius: self.radius.plus(by), ..self }
    }

    /// `self + other`.
    pub(crate) fn plus(&self, other: &Ball, precision: u32) -> Ball {
        let (high, low) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let (Some(_), Some(low_top)) = (high.top(), low.top()) else {
            let part = if self.mantissa.is_zero() { other } else { self };
            let radius = self.radius.plus(other.radius);
            return Ball::new(part.mantissa.clone(), part.exponent, radius, precision);
        };
        let radius = high.radius.plus(low.radius);
        // Where one is negligible its midpoint goes to the radius, so that no mantissa gets long.
        if high.exponent - low_top > i64::from(precision) {
            return Ball::new(high.mantissa.clone(), high.exponent, radius.plus(Bound::new(1, low_top)), precision);
        }
        let mantissa = shifted(&high.mantissa, high.exponent - low.exponent) + &low.mantissa;
        Ball::new(mantissa, low.exponent, radius, precision)
    }

    /// `self - other`.
    pub(crate) fn minus(&self, other: &Ball, precision: u32) -> Ball {
        self.plus(&other.negated(), precision)
    }

    /// `self * other`.
    pub(crate) fn times(&self, other: &Ball, precision: u32) -> Ball {
        let mantissa = &self.mantissa * &other.mantissa;
        Ball::new(mantissa, self.exponent + other.exponent, self.product_error(other), precision)
    }

    /// `self / other`. Undefined if `other` is zero, undecided if it may be.
    pub(crate) fn over(&self, other: &Ball, precision: u32) -> Result<Ball, Trouble> {
        let least = other.least();
        if least.is_zero() {
            return Err(if other.is_zero() { Trouble::Undefined } else { Trouble::Undecided });
        }
        let wanted = i64::from(precision) + 2;
        let shift = (wanted + other.mantissa.bits() as i64 - self.mantissa.bits() as i64).max(0);
        let (quotient, rest) = shifted(&self.mantissa, shift).div_rem(&other.mantissa);
        let exponent = self.exponent - shift - other.exponent;
        let rounding = if rest.is_zero() { Bound::ZERO } else { Bound::new(1, exponent) };
        // |x/y - a/b| = |(x - a) + (a/b)(b - y)| / |y| for midpoints a, b.
        let error = self.radius.plus(Bound::of(&quotient, exponent).plus(rounding).times(other.radius)).over(least);
        Ok(Ball::new(quotient, exponent, error.plus(rounding), precision))
    }

    /// The square root. Undecided unless the ball is certainly positive, or zero.
    pub(crate) fn sqrt(&self, precision: u32) -> Result<Ball, Trouble> {
        match self.sign() {
            Some(Ordering::Equal) => return Ok(Ball::zero()),
            Some(Ordering::Greater) => {}
            _ => return Err(Trouble::Undecided),
        }
        let mut shift = (2 * i64::from(precision) + 4 - self.mantissa.bits() as i64).max(0);
        shift += (self.exponent - shift).rem_euclid(2);
        let square = shifted(&self.mantissa, shift);
        let root = square.sqrt();
        let exponent = (self.exponent - shift).div_euclid(2);
        let rounding = if &root * &root == square { Bound::ZERO } else { Bound::new(1, exponent) };
        // |sqrt(x) - sqrt(a)| = |x - a| / (sqrt(x) + sqrt(a)) <= |x - a| / sqrt(a).
        let least = Ball { mantissa: root.clone(), exponent, radius: Bound::ZERO }.least();
        Ok(Ball::new(root, exponent, self.radius.over(least).plus(rounding), precision))
    }

    /// The absolute value.
    pub(crate) fn abs(&self) -> Ball {
        match self.sign() {
            Some(Ordering::Less) => self.negated(),
            Some(_) => self.clone(),
            None => Ball::upto(self.most()),
        }
    }

    /// Every number from 0 to `bound`.
    pub(crate) fn upto(bound: Bound) -> Ball {
        let half = bound.times(Bound::new(1, -1));
        Ball { radius: half, ..Ball::bound(half) }
    }

    /// The greatest integer not above, of at most `bits` bits.
    pub(crate) fn floor(&self, bits: u64) -> Result<BigInt, Trouble> {
        if self.most().top().is_some_and(|top| top > bits as i64) {
            return Err(Trouble::TooLarge);
        }
        let floor = self.fixed(0);
        // Below `bits` bits nothing of the midpoint is lost at this precision.
        let precision = (self.mantissa.bits() + bits + 64) as u32;
        let above = self.minus(&Ball::integer(floor.clone()), precision);
        let below = above.minus(&Ball::integer(1), precision);
        let at_least = matches!(above.sign(), Some(Ordering::Greater | Ordering::Equal));
        if at_least && below.sign() == Some(Ordering::Less) { Ok(floor) } else { Err(Trouble::Undecided) }
    }

    /// The number, if the ball holds one only and it has at most `bits` bits in numerator and denominator.
    pub(crate) fn exact(&self, bits: u64) -> Option<BigRational> {
        if self.is_zero() {
            return Some(BigRational::zero());
        }
        let length = self.mantissa.bits() + self.exponent.unsigned_abs();
        if !self.is_exact() || length > bits {
            return None;
        }
        let power = BigInt::one() << self.exponent.unsigned_abs();
        Some(if self.exponent >= 0 {
            BigRational::from_integer(&self.mantissa * power)
        } else {
            BigRational::new(self.mantissa.clone(), power)
        })
    }

    /// With a mantissa of at most `precision` bits.
    pub(crate) fn rounded(self, precision: u32) -> Ball {
        let Ball { mantissa, exponent, radius } = self;
        let excess = mantissa.bits().saturating_sub(u64::from(precision));
        if mantissa.is_zero() {
            return Ball { mantissa, exponent: 0, radius };
        }
        if excess == 0 {
            return Ball { mantissa, exponent, radius };
        }
        let exact = mantissa.trailing_zeros().is_none_or(|zeros| zeros >= excess);
        let exponent = exponent + excess as i64;
        let rounding = if exact { Bound::ZERO } else { Bound::new(1, exponent) };
        Ball { mantissa: mantissa >> excess, exponent, radius: radius.plus(rounding) }
    }

    /// `|a| s + |b| r + r s` for balls a, b of radius r, s.
    fn product_error(&self, other: &Ball) -> Bound {
        if self.is_exact() && other.is_exact() {
            return Bound::ZERO;
        }
        let left = Bound::of(&self.mantissa, self.exponent).plus(self.radius).times(other.radius);
        left.plus(Bound::of(&other.mantissa, other.exponent).times(self.radius))
    }
}

/// `n * 2^by`, rounded down.
fn shifted(n: &BigInt, by: i64) -> BigInt {
    if by >= 0 { n << by.unsigned_abs() } else { n >> by.unsigned_abs() }
}
