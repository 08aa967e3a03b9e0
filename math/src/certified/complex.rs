//! Complex balls.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::ball::Ball;
use super::bound::Bound;
use super::trouble::Trouble;

/// Bits beyond the precision in what takes several steps.
pub(crate) const GUARD: u32 = 16;

/// A complex number: its real and its imaginary part are in these balls. It is real if the imaginary part is exactly zero.
#[derive(Clone, Debug)]
pub(crate) struct Complex {
    /// The real part.
    pub(crate) re: Ball,
    /// The imaginary part.
    pub(crate) im: Ball,
}

impl Complex {
    /// The real number.
    pub(crate) fn real(re: Ball) -> Complex {
        Complex { re, im: Ball::zero() }
    }

    /// The integer.
    pub(crate) fn integer(n: impl Into<BigInt>) -> Complex {
        Complex::real(Ball::integer(n))
    }

    /// The imaginary unit.
    pub(crate) fn i() -> Complex {
        Complex { re: Ball::zero(), im: Ball::integer(1) }
    }

    /// Every `z` with `|z| <= bound`.
    pub(crate) fn around_zero(bound: Bound) -> Complex {
        Complex { re: Ball::around_zero(bound), im: Ball::around_zero(bound) }
    }

    /// Whether it is certainly real.
    pub(crate) fn is_real(&self) -> bool {
        self.im.is_zero()
    }

    /// Whether it is exactly zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.re.is_zero() && self.im.is_zero()
    }

    /// Whether it is certainly not zero.
    pub(crate) fn is_nonzero(&self) -> bool {
        [&self.re, &self.im].iter().any(|part| matches!(part.sign(), Some(Ordering::Less | Ordering::Greater)))
    }

    /// At least the largest absolute value.
    pub(crate) fn most(&self) -> Bound {
        self.re.most().plus(self.im.most())
    }

    /// The number, if it is real. Undefined if it is certainly not, undecided if it may be.
    pub(crate) fn as_real(&self) -> Result<&Ball, Trouble> {
        match self.im.sign() {
            Some(Ordering::Equal) => Ok(&self.re),
            Some(_) => Err(Trouble::Undefined),
            None => Err(Trouble::Undecided),
        }
    }

    /// The number, unless it is beyond the reach of exponents.
    pub(crate) fn checked(self) -> Result<Complex, Trouble> {
        Ok(Complex { re: self.re.checked()?, im: self.im.checked()? })
    }

    /// With mantissas of at most `precision` bits.
    pub(crate) fn rounded(self, precision: u32) -> Complex {
        Complex { re: self.re.rounded(precision), im: self.im.rounded(precision) }
    }

    /// `-self`.
    pub(crate) fn negated(&self) -> Complex {
        Complex { re: self.re.negated(), im: self.im.negated() }
    }

    /// `self * 2^by`.
    pub(crate) fn scaled(&self, by: i64) -> Complex {
        Complex { re: self.re.scaled(by), im: self.im.scaled(by) }
    }

    /// `i * self`.
    pub(crate) fn times_i(&self) -> Complex {
        Complex { re: self.im.negated(), im: self.re.clone() }
    }

    /// `self + other`.
    pub(crate) fn plus(&self, other: &Complex, precision: u32) -> Complex {
        Complex { re: self.re.plus(&other.re, precision), im: self.im.plus(&other.im, precision) }
    }

    /// `self - other`.
    pub(crate) fn minus(&self, other: &Complex, precision: u32) -> Complex {
        self.plus(&other.negated(), precision)
    }

    /// `self * other`.
    pub(crate) fn times(&self, other: &Complex, precision: u32) -> Complex {
        if other.is_real() {
            let by = |part: &Ball| if part.is_zero() { Ball::zero() } else { part.times(&other.re, precision) };
            return Complex { re: by(&self.re), im: by(&self.im) };
        }
        if self.is_real() {
            return other.times(self, precision);
        }
        let inner = precision + GUARD;
        let product = |a: &Ball, b: &Ball| a.times(b, inner);
        Complex {
            re: product(&self.re, &other.re).minus(&product(&self.im, &other.im), precision),
            im: product(&self.re, &other.im).plus(&product(&self.im, &other.re), precision),
        }
    }

    /// `self / other`. Undefined if `other` is zero, undecided if it may be.
    pub(crate) fn over(&self, other: &Complex, precision: u32) -> Result<Complex, Trouble> {
        if other.is_real() {
            let by = |part: &Ball| part.over(&other.re, precision);
            let im = if self.is_real() { Ball::zero() } else { by(&self.im)? };
            return Ok(Complex { re: by(&self.re)?, im });
        }
        let inner = precision + GUARD;
        let conjugate = Complex { re: other.re.clone(), im: other.im.negated() };
        let norm = Complex::real(other.norm(inner));
        self.times(&conjugate, inner).over(&norm, precision)
    }

    /// The square of the absolute value.
    pub(crate) fn norm(&self, precision: u32) -> Ball {
        self.re.times(&self.re, precision).plus(&self.im.times(&self.im, precision), precision)
    }

    /// The absolute value.
    pub(crate) fn abs(&self, precision: u32) -> Result<Ball, Trouble> {
        if self.is_real() {
            return Ok(self.re.abs());
        }
        if !self.is_nonzero() {
            return Ok(Ball::upto(self.most()));
        }
        if self.re.is_zero() {
            return Ok(self.im.abs());
        }
        self.norm(precision + GUARD).sqrt(precision)
    }

    /// The argument: the angle from -pi (not included) to pi. Undefined at zero, undecided if the number may lie on either side
    /// of the negative axis.
    pub(crate) fn argument(&self, precision: u32) -> Result<Ball, Trouble> {
        let inner = precision + GUARD;
        let right_angle = || Ball::pi(inner).scaled(-1);
        match (self.re.sign(), self.im.sign()) {
            (Some(Ordering::Equal), Some(Ordering::Equal)) => Err(Trouble::Undefined),
            (Some(Ordering::Less), Some(Ordering::Equal)) => Ok(Ball::pi(precision)),
            (Some(Ordering::Greater), im) if im.is_none() || self.im.top() <= self.re.top() => {
                self.im.over(&self.re, inner)?.atan(precision)
            }
            (_, Some(Ordering::Greater)) => {
                Ok(right_angle().minus(&self.re.over(&self.im, inner)?.atan(inner)?, precision))
            }
            (_, Some(Ordering::Less)) => {
                Ok(right_angle().plus(&self.re.over(&self.im, inner)?.atan(inner)?, precision).negated())
            }
            _ => Err(Trouble::Undecided),
        }
    }

    /// The principal natural logarithm.
    pub(crate) fn ln(&self, precision: u32) -> Result<Complex, Trouble> {
        let im = self.argument(precision)?;
        let re = if self.is_real() {
            self.re.abs().ln(precision)?
        } else {
            self.norm(precision + GUARD).ln(precision)?.scaled(-1)
        };
        Ok(Complex { re, im })
    }

    /// The exponential function.
    pub(crate) fn exp(&self, precision: u32) -> Result<Complex, Trouble> {
        let size = self.re.exp(precision + GUARD)?;
        if self.is_real() {
            return Ok(Complex::real(size.rounded(precision)));
        }
        let [cos, sin] = self.im.cos_sin(precision + GUARD)?;
        Ok(Complex { re: cos.times(&size, precision), im: sin.times(&size, precision) })
    }

    /// The principal square root. Undecided if the number may lie on either side of the negative axis.
    pub(crate) fn sqrt(&self, precision: u32) -> Result<Complex, Trouble> {
        if !self.is_zero() && !self.is_nonzero() {
            return self.root_around_zero();
        }
        let right = self.re.sign().is_some_and(Ordering::is_ge);
        if self.is_real() {
            let root = self.re.abs().sqrt(precision)?;
            let root = Complex::real(root);
            return Ok(if right { root } else { root.times_i() });
        }
        let inner = precision + GUARD;
        let upper = self.im.sign();
        if !right && upper.is_none() {
            return Err(Trouble::Undecided);
        }
        // The larger part of the root first, so that nothing cancels; the other is the imaginary part over twice that.
        let size = self.abs(inner)?;
        let sum = if right { size.plus(&self.re, inner) } else { size.minus(&self.re, inner) };
        let larger = sum.scaled(-1).sqrt(inner)?;
        let smaller = self.im.over(&larger.scaled(1), precision)?;
        let larger = larger.rounded(precision);
        Ok(match (right, upper) {
            (true, _) => Complex { re: larger, im: smaller },
            (false, Some(Ordering::Less)) => Complex { re: smaller.negated(), im: larger.negated() },
            (false, _) => Complex { re: smaller, im: larger },
        })
    }

    /// A disk that holds the square roots, for a number that may be zero.
    fn root_around_zero(&self) -> Result<Complex, Trouble> {
        Ok(Complex::around_zero(Ball::bound(self.most()).sqrt(u64::BITS)?.most()))
    }
}
