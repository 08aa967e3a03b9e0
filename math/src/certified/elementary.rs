//! Elementary functions of real balls.
//!
//! Each reduces the midpoint to a short interval, where [`fixed`](super::fixed) computes it, and widens the result by the radius
//! of the argument times a bound of the slope.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::ToPrimitive;

use super::ball::Ball;
use super::bound::Bound;
use super::constants;
use super::fixed::{Approximate, arctangent, circular, exponential, logarithm};
use super::trouble::Trouble;

/// Bits beyond the precision.
const GUARD: u32 = 16;
/// Arguments of an exponential are below two to this power.
const EXPONENTIAL_TOP: i64 = 40;
/// Arguments of sine and cosine are below two to this power: at most this many bits of them are lost.
const CIRCULAR_TOP: i64 = 4_096;

impl Ball {
    /// Pi.
    pub(crate) fn pi(precision: u32) -> Ball {
        let scale = precision + GUARD;
        ball(Approximate { value: constants::pi(scale), error: 2 }, scale, precision)
    }

    /// The exponential function.
    pub(crate) fn exp(&self, precision: u32) -> Result<Ball, Trouble> {
        if self.is_zero() {
            return Ok(Ball::integer(1));
        }
        if self.least().top().is_some_and(|top| top > EXPONENTIAL_TOP) {
            return Err(Trouble::TooLarge);
        }
        if self.radius().top().is_some_and(|top| top > 0) {
            return Err(Trouble::Undecided);
        }
        let top = self.top().unwrap_or(0);
        let scale = precision + GUARD;
        let (whole, rest) = self.reduced(top, scale, constants::ln_2);
        let Approximate { value, error } = exponential(&rest, scale);
        let exponent = whole.to_i64().ok_or(Trouble::TooLarge)? - i64::from(scale);
        // The rest is off by 3 units, and the slope is below 3. exp(x + r) - exp(x) <= 2 r exp(x) for r <= 1.
        let rounding = Bound::new(error + 9, exponent);
        let size = Bound::of(&value, exponent).plus(rounding);
        let spread = size.times(self.radius()).times(Bound::new(2, 0));
        Ok(Ball::new(value, exponent, rounding.plus(spread), precision))
    }

    /// Cosine and sine.
    pub(crate) fn cos_sin(&self, precision: u32) -> Result<[Ball; 2], Trouble> {
        if self.is_zero() {
            return Ok([Ball::integer(1), Ball::zero()]);
        }
        if self.least().top().is_some_and(|top| top > CIRCULAR_TOP) {
            return Err(Trouble::TooLarge);
        }
        if self.radius().top().is_some_and(|top| top > 1) {
            return Ok([(); 2].map(|()| Ball::around_zero(Bound::new(1, 0))));
        }
        let top = self.top().unwrap_or(0);
        let scale = precision + GUARD + self.smallness(precision);
        let (whole, rest) = self.reduced(top, scale, |scale| constants::pi(scale - 1));
        let [cos, sin] = circular(&rest, scale).map(|approximate| {
            let widened = Approximate { error: approximate.error + 3, ..approximate };
            ball(widened, scale, precision).widened(self.radius())
        });
        Ok(match whole.mod_floor(&BigInt::from(4)).to_u8() {
            Some(0) => [cos, sin],
            Some(1) => [sin.negated(), cos],
            Some(2) => [cos.negated(), sin.negated()],
            _ => [sin, cos.negated()],
        })
    }

    /// The natural logarithm. Undefined at zero, undecided unless the ball is certainly positive.
    pub(crate) fn ln(&self, precision: u32) -> Result<Ball, Trouble> {
        let top = match (self.sign(), self.top()) {
            (Some(Ordering::Greater), Some(top)) => top,
            (Some(Ordering::Equal), _) => return Err(Trouble::Undefined),
            _ => return Err(Trouble::Undecided),
        };
        if self.minus(&Ball::integer(1), precision).is_zero() {
            return Ok(Ball::zero());
        }
        let scale = precision + GUARD;
        let Approximate { value, error } = logarithm(&self.fixed(i64::from(scale) - top), scale);
        let carry = u64::BITS - top.unsigned_abs().leading_zeros();
        let twos = (constants::ln_2(scale + carry) * top) >> carry;
        // ln(2) is off by 2 units of the finer scale; |ln(x) - ln(a)| <= |x - a| / min(x, a).
        let sum = Approximate { value: value + twos, error: error + 3 };
        Ok(ball(sum, scale, precision).widened(self.radius().over(self.least())))
    }

    /// The arctangent.
    pub(crate) fn atan(&self, precision: u32) -> Result<Ball, Trouble> {
        if self.radius().top().is_some_and(|top| top > -2) {
            return Ok(Ball::around_zero(Bound::new(2, 0)));
        }
        if self.top().is_some_and(|top| top > 1) {
            let inverse = Ball::integer(1).over(self, precision + GUARD)?.atan(precision + GUARD)?;
            let limit = Ball::pi(precision + GUARD).scaled(-1);
            let limit = if self.sign() == Some(Ordering::Less) { limit.negated() } else { limit };
            return Ok(limit.minus(&inverse, precision));
        }
        if self.is_zero() {
            return Ok(Ball::zero());
        }
        let scale = precision + GUARD + self.smallness(precision);
        let x = self.fixed(i64::from(scale));
        let Approximate { value, error } = arctangent(&BigInt::from(x.magnitude().clone()), scale);
        let value = if x.sign() == num_bigint::Sign::Minus { -value } else { value };
        Ok(ball(Approximate { value, error: error + 1 }, scale, precision).widened(self.radius()))
    }

    /// How many bits a small number lies below 1, at most the precision.
    fn smallness(&self, precision: u32) -> u32 {
        self.top().map_or(0, |top| (-top).clamp(0, i64::from(precision)) as u32)
    }

    /// The midpoint as a multiple of a period and a rest from 0 to the period, in units of `2^-scale`. The midpoint is below
    /// `2^top`. The rest is at most 3 units off.
    fn reduced(&self, top: i64, scale: u32, period: impl Fn(u32) -> BigInt) -> (BigInt, BigInt) {
        // There are at most 1.5 * 2^top + 1 periods, each off by 2 finer units; so the rest is off by less than 2^(finer - scale)
        // of these, a unit, and by rounding.
        let extra = top.max(0) as u32 + 4;
        let finer = scale + extra;
        let (whole, rest) = self.fixed(i64::from(finer)).div_mod_floor(&period(finer));
        (whole, rest >> extra)
    }
}

/// The ball of an approximate number.
fn ball(approximate: Approximate, scale: u32, precision: u32) -> Ball {
    let exponent = -i64::from(scale);
    Ball::new(approximate.value, exponent, Bound::new(approximate.error, exponent), precision)
}
