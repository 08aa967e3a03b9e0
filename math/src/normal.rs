//! Normal forms: two expressions with the same one are equal.
//!
//! The form is a quotient of two polynomials with rational coefficients in [`Atom`]s: symbols, pi, e, roots of integers, and
//! expressions that are not taken apart, whose parts are normal forms themselves. Equal polynomials, equal rational functions
//! and equal numbers made of rationals, roots of rationals, i, pi and e are found to be equal. Of other expressions some are.
//!
//! Equality is that of the principal values wherever both sides have one: `x / x` equals 1, but `(x^2)^(1/2)` is not x.

mod atom;
mod cancel;
mod fraction;
mod function;
mod logarithm;
mod monomial;
mod polynomial;
mod power;
mod prime;
mod print;
mod rational;
mod sign;
mod split;
#[cfg(test)]
mod tests;
mod trigonometry;
mod work;

use num_bigint::BigInt;
use num_rational::BigRational;

pub(crate) use self::atom::Atom;
pub(crate) use self::fraction::Fraction;
pub(crate) use self::polynomial::Polynomial;
pub(crate) use self::rational::Exponent;
pub(crate) use self::work::{Trouble, Work};
use crate::expr::{Constant, Expr};
use crate::limits::BITS;

/// The normal form of an expression. Numbers are taken as exact.
pub(crate) fn normal(expr: &Expr, work: &mut Work) -> Result<Fraction, Trouble> {
    form(expr, work.next())
}

/// Whether two forms are certainly not equal: a difference that is not zero, in symbols, i, roots of primes, and one of pi
/// and e. Its monomials are linearly independent functions over the rational numbers: roots of different primes by
/// Besicovitch's theorem, pi and e because they are transcendental.
pub(crate) fn certainly_different(a: &Fraction, b: &Fraction, work: &mut Work) -> bool {
    let Ok(difference) = a.clone().minus(b.clone(), work.next()) else { return false };
    let independent = |(atom, exponent): &(Atom, Exponent)| match atom {
        Atom::Symbol(_) | Atom::E | Atom::Pi => true,
        Atom::Root(-1) => *exponent.denom() == 2,
        Atom::Root(_) => atom.is_prime(),
        Atom::Opaque(_) => false,
    };
    let above = difference.numerator();
    let holds = |wanted: Atom| above.factors().any(|(atom, _)| *atom == wanted);
    !above.is_zero() && above.factors().all(independent) && !(holds(Atom::E) && holds(Atom::Pi))
}

impl Fraction {
    /// Whether both are certainly equal.
    pub(crate) fn equals(&self, other: &Fraction, work: &mut Work) -> bool {
        if self == other {
            return true;
        }
        // Settled polynomials are equal only if they are the same.
        let denominators = self.denominator().is_some() || other.denominator().is_some();
        denominators && self.clone().minus(other.clone(), work.next()).is_ok_and(|difference| difference.is_zero())
    }

    /// A polynomial without negative exponents that is zero where the fraction is: the side of an equation whose other side
    /// is 0, apart from points where the fraction has no value.
    pub(crate) fn cleared(&self, work: &mut Work) -> Result<Polynomial, Trouble> {
        cancel::cleared(self.numerator(), work.next())
    }
}

impl Polynomial {
    /// The number r, with `self = r * other`, neither being the sum of nothing. Its sign is [`Fraction::sign`].
    pub(crate) fn proportional(&self, other: &Polynomial, work: &mut Work) -> Option<Fraction> {
        let work = work.next();
        let (a, b) = self.ratio(other, work).ok()??;
        Fraction::new(a, b, work).ok()
    }
}

fn form(expr: &Expr, work: &mut Work) -> Result<Fraction, Trouble> {
    work.spend(1)?;
    match expr {
        Expr::Number(number) if number.value.numer().bits() + number.value.denom().bits() > BITS => {
            Err(Trouble::TooLarge)
        }
        Expr::Number(number) => Ok(Fraction::rational(number.value.clone())),
        Expr::Constant(name) => constant(*name, work),
        Expr::Symbol(name) => Fraction::atom(Atom::Symbol(name.as_str().into()), Exponent::from_integer(1), work),
        Expr::Sum(parts) => {
            let zero = Fraction::integer(0);
            parts.iter().try_fold(zero, |sum, part| sum.plus(form(part, work)?, work))
        }
        Expr::Product(parts) => {
            let one = Fraction::integer(1);
            parts.iter().try_fold(one, |product, part| form(part, work)?.times(&product, work))
        }
        Expr::Quotient(a, b) => form(a, work)?.over(&form(b, work)?, work),
        Expr::Power(a, b) => power::power(&form(a, work)?, &form(b, work)?, work),
        Expr::Call(function, arguments) => {
            let arguments = arguments.iter().map(|part| form(part, work)).collect::<Result<_, _>>()?;
            function::call(*function, arguments, work)
        }
    }
}

fn constant(constant: Constant, work: &mut Work) -> Result<Fraction, Trouble> {
    let one = Exponent::from_integer(1);
    match constant {
        Constant::Pi => Fraction::atom(Atom::Pi, one, work),
        Constant::E => Fraction::atom(Atom::E, one, work),
        Constant::I => Fraction::atom(Atom::Root(-1), one / 2, work),
        Constant::Degree => {
            let degree = BigRational::new(BigInt::from(1), BigInt::from(180));
            Fraction::atom(Atom::Pi, one, work)?.scaled(&degree, work)
        }
        Constant::Infinity => Err(Trouble::Infinite),
    }
}
