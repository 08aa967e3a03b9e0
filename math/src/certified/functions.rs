//! Circular and hyperbolic functions of complex numbers, and their inverses: the principal values.

use super::ball::Ball;
use super::complex::{Complex, GUARD};
use super::trouble::Trouble;

type Outcome = Result<Complex, Trouble>;

impl Complex {
    /// Sine.
    pub(crate) fn sin(&self, precision: u32) -> Outcome {
        self.circular(precision).map(|[_, sin]| sin)
    }

    /// Cosine.
    pub(crate) fn cos(&self, precision: u32) -> Outcome {
        self.circular(precision).map(|[cos, _]| cos)
    }

    /// Tangent.
    pub(crate) fn tan(&self, precision: u32) -> Outcome {
        let [cos, sin] = self.circular(precision + GUARD)?;
        sin.over(&cos, precision)
    }

    /// Cotangent.
    pub(crate) fn cot(&self, precision: u32) -> Outcome {
        let [cos, sin] = self.circular(precision + GUARD)?;
        cos.over(&sin, precision)
    }

    /// Secant.
    pub(crate) fn sec(&self, precision: u32) -> Outcome {
        self.cos(precision + GUARD)?.inverse(precision)
    }

    /// Cosecant.
    pub(crate) fn csc(&self, precision: u32) -> Outcome {
        self.sin(precision + GUARD)?.inverse(precision)
    }

    /// Hyperbolic sine.
    pub(crate) fn sinh(&self, precision: u32) -> Outcome {
        self.hyperbolic(precision).map(|[_, sinh]| sinh)
    }

    /// Hyperbolic cosine.
    pub(crate) fn cosh(&self, precision: u32) -> Outcome {
        self.hyperbolic(precision).map(|[cosh, _]| cosh)
    }

    /// Hyperbolic tangent.
    pub(crate) fn tanh(&self, precision: u32) -> Outcome {
        let [cosh, sinh] = self.hyperbolic(precision + GUARD)?;
        sinh.over(&cosh, precision)
    }

    /// Hyperbolic cotangent.
    pub(crate) fn coth(&self, precision: u32) -> Outcome {
        let [cosh, sinh] = self.hyperbolic(precision + GUARD)?;
        cosh.over(&sinh, precision)
    }

    /// Arctangent.
    pub(crate) fn atan(&self, precision: u32) -> Outcome {
        if self.is_real() {
            return Ok(Complex::real(self.re.atan(precision)?));
        }
        // arctan(z) = i (ln(1 - i z) - ln(1 + i z)) / 2.
        let inner = precision + GUARD;
        let (one, turned) = (Complex::integer(1), self.times_i());
        let minus = one.minus(&turned, inner).ln(inner)?;
        let plus = one.plus(&turned, inner).ln(inner)?;
        Ok(minus.minus(&plus, precision).times_i().scaled(-1))
    }

    /// Arccotangent: the arctangent of the inverse, and pi / 2 at 0.
    pub(crate) fn acot(&self, precision: u32) -> Outcome {
        if self.is_zero() {
            return Ok(Complex::real(Ball::pi(precision).scaled(-1)));
        }
        self.inverse(precision + GUARD)?.atan(precision)
    }

    /// Arcsine.
    pub(crate) fn asin(&self, precision: u32) -> Outcome {
        // With w = arcsin(z): tan(w / 2) = sin(w) / (1 + cos(w)), where cos(w) = sqrt(1 - z^2) because |Re w| <= pi / 2.
        let inner = precision + GUARD;
        let one = Complex::integer(1);
        let square = one.minus(self, inner).times(&one.plus(self, inner), inner);
        let divisor = one.plus(&square.sqrt(inner)?, inner);
        Ok(self.over(&divisor, inner)?.atan(precision)?.scaled(1))
    }

    /// Arccosine: pi / 2 less the arcsine.
    pub(crate) fn acos(&self, precision: u32) -> Outcome {
        let inner = precision + GUARD;
        let right_angle = Complex::real(Ball::pi(inner).scaled(-1));
        Ok(right_angle.minus(&self.asin(inner)?, precision))
    }

    /// Arcsecant.
    pub(crate) fn asec(&self, precision: u32) -> Outcome {
        self.inverse(precision + GUARD)?.acos(precision)
    }

    /// Arccosecant.
    pub(crate) fn acsc(&self, precision: u32) -> Outcome {
        self.inverse(precision + GUARD)?.asin(precision)
    }

    /// `1 / self`.
    fn inverse(&self, precision: u32) -> Outcome {
        Complex::integer(1).over(self, precision)
    }

    /// Cosine and sine.
    fn circular(&self, precision: u32) -> Result<[Complex; 2], Trouble> {
        if self.is_real() {
            return Ok(self.re.cos_sin(precision)?.map(Complex::real));
        }
        // cos(a + b i) = cos(a) cosh(b) - i sin(a) sinh(b), sin(a + b i) = sin(a) cosh(b) + i cos(a) sinh(b).
        let inner = precision + GUARD;
        let [cos, sin] = self.re.cos_sin(inner)?;
        let [up, down] = [self.im.exp(inner)?, self.im.negated().exp(inner)?];
        let cosh = up.plus(&down, inner).scaled(-1);
        let sinh = up.minus(&down, inner).scaled(-1);
        let product = |a: &Ball, b: &Ball| a.times(b, precision);
        Ok([
            Complex { re: product(&cos, &cosh), im: product(&sin, &sinh).negated() },
            Complex { re: product(&sin, &cosh), im: product(&cos, &sinh) },
        ])
    }

    /// Hyperbolic cosine and sine.
    fn hyperbolic(&self, precision: u32) -> Result<[Complex; 2], Trouble> {
        // cosh(z) = cos(i z), sinh(z) = -i sin(i z).
        let [cos, sin] = self.times_i().circular(precision)?;
        Ok([cos, sin.times_i().negated()])
    }
}
