//! Signs of real numbers, by floating-point numbers with bounds of their errors.

use std::cmp::Ordering;

use num_traits::{Signed, ToPrimitive, Zero};

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::polynomial::Polynomial;
use super::rational::Exponent;
use crate::expr::Function;

/// Relative error that is assumed of each operation: some hundred times that of a correctly rounded one.
const EPSILON: f64 = 1e-13;

/// A real number within `error` of `value`; both are finite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Approximate {
    pub(super) value: f64,
    pub(super) error: f64,
}

impl Fraction {
    /// How it compares with zero, if it is known to be a real number and not too close to zero to tell.
    pub(crate) fn sign(&self) -> Option<Ordering> {
        if let Some(value) = self.constant() {
            return Some(value.cmp(&num_rational::BigRational::zero()));
        }
        let Approximate { value, error } = self.approximate()?;
        if value.abs() > error { value.partial_cmp(&0.0) } else { None }
    }

    /// Its value, if it is known to be a real number.
    pub(super) fn approximate(&self) -> Option<Approximate> {
        let above = polynomial(self.numerator())?;
        match self.denominator() {
            None => Some(above),
            Some(below) => above.over(polynomial(below)?),
        }
    }
}

impl Approximate {
    fn new(value: f64, error: f64) -> Option<Approximate> {
        (value.is_finite() && error.is_finite()).then_some(Approximate { value, error })
    }

    fn rounded(value: f64) -> Option<Approximate> {
        Approximate::new(value, value.abs() * EPSILON)
    }

    /// The error as a part of the value, of a number that is clearly not zero.
    fn relative(self) -> Option<f64> {
        let relative = self.error / self.value.abs();
        (relative < 1e-3).then_some(relative * 1.01)
    }

    fn times(self, other: Approximate) -> Option<Approximate> {
        let value = self.value * other.value;
        let error = self.error * (other.value.abs() + other.error) + self.value.abs() * other.error;
        Approximate::new(value, error + value.abs() * EPSILON)
    }

    fn over(self, other: Approximate) -> Option<Approximate> {
        let relative = other.relative()?;
        self.times(Approximate::new(other.value.recip(), other.value.abs().recip() * (relative + EPSILON))?)
    }

    /// `self ^ power` for a positive number: d ln(b^p) = p db / b + ln(b) dp.
    fn raised(self, power: Approximate) -> Option<Approximate> {
        let relative = self.relative().filter(|_| self.value > 0.0)?;
        let logarithm = (power.value.abs() + power.error) * relative + self.value.ln().abs() * power.error * 1.01;
        let logarithm = logarithm + (self.value.ln() * power.value).abs() * EPSILON + EPSILON;
        let value = self.value.powf(power.value);
        if logarithm < 1e-3 { Approximate::new(value, value * logarithm * 1.01) } else { None }
    }
}

fn polynomial(polynomial: &Polynomial) -> Option<Approximate> {
    let mut all = Approximate::new(0.0, 0.0)?;
    for (monomial, coefficient) in polynomial.terms() {
        // A number too small for the type is not zero, so its error is not zero either.
        let mut term = Approximate::rounded(coefficient.to_f64()?)?;
        for (atom, exponent) in monomial.factors() {
            term = term.times(power(atom, *exponent)?)?;
        }
        let error = all.error + term.error + (all.value.abs() + term.value.abs()) * EPSILON + f64::MIN_POSITIVE;
        all = Approximate::new(all.value + term.value, error)?;
    }
    Some(all)
}

fn power(atom: &Atom, exponent: Exponent) -> Option<Approximate> {
    let exponent = Approximate::rounded(exponent.to_f64()?)?;
    let base = match atom {
        Atom::Symbol(_) => return None,
        Atom::E => Approximate::rounded(std::f64::consts::E)?,
        Atom::Pi => Approximate::rounded(std::f64::consts::PI)?,
        Atom::Root(root) if root.is_positive() => Approximate::rounded(root.to_f64()?)?,
        Atom::Root(_) => return None,
        Atom::Opaque(_) => match atom.as_opaque()? {
            Opaque::Power(base, outer) => return base.approximate()?.raised(outer.approximate()?.times(exponent)?),
            Opaque::Call(Function::Ln, arguments) => logarithm(arguments.first()?.approximate()?)?,
            _ => return None,
        },
    };
    base.raised(exponent)
}

fn logarithm(of: Approximate) -> Option<Approximate> {
    let relative = of.relative().filter(|_| of.value > 0.0)?;
    let value = of.value.ln();
    Approximate::new(value, relative * 1.01 + value.abs() * EPSILON + EPSILON)
}
