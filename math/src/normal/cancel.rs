//! Common factors of a numerator and a denominator, as far as they are found without a greatest common divisor.

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::atom::Atom;
use super::fraction::Fraction;
use super::monomial::Monomial;
use super::polynomial::Polynomial;
use super::rational::Exponent;
use super::work::{Trouble, Work};

/// Most steps of one division of polynomials.
const STEPS: usize = 100;

/// The quotient of two settled polynomials: square roots in a number below the line are removed, the leading coefficient
/// there is 1, and if one polynomial divides the other it does.
pub(super) fn cancelled(above: Polynomial, below: Polynomial, work: &mut Work) -> Result<Fraction, Trouble> {
    if above.is_zero() {
        return Ok(Fraction::integer(0));
    }
    let (above, below) = rationalised(above, below, work)?;
    let (shift, below) = without_common(&below, work)?;
    let above = over_monomial(&above, &shift, work)?;
    let Some(leading) = below.leading_term().map(|(_, leading)| leading.clone()) else {
        return Err(Trouble::Undefined);
    };
    let (above, below) = (above.divided(&leading), below.divided(&leading));
    if below.single_term().is_some() {
        return Fraction::new(above, below, work);
    }
    let (shift, core) = without_common(&above, work)?;
    let shift = Polynomial::term(shift, BigRational::one());
    if let Some(quotient) = divided(&core, &below, work) {
        return Fraction::new(quotient.times(&shift, work)?, Polynomial::one(), work);
    }
    if core.single_term().is_none()
        && let Some(quotient) = divided(&below, &core, work)
    {
        return Fraction::new(shift, quotient, work);
    }
    Ok(Fraction::of_parts(above, below))
}

/// Multiplied by the atoms that have negative exponents, until none has.
pub(super) fn cleared(polynomial: &Polynomial, work: &mut Work) -> Result<Polynomial, Trouble> {
    let negative = common(polynomial).part(|_, exponent| exponent < Exponent::zero());
    over_monomial(polynomial, &negative, work)
}

/// With a denominator that is a number of rationals and square roots multiplied by conjugates until no root is left:
/// (a + b r)(a - b r) = a^2 - b^2 r^2.
fn rationalised(
    mut above: Polynomial,
    mut below: Polynomial,
    work: &mut Work,
) -> Result<(Polynomial, Polynomial), Trouble> {
    let square_root = |(atom, exponent): &(Atom, Exponent)| matches!(atom, Atom::Root(_)) && *exponent.denom() == 2;
    while below.factors().all(square_root) {
        let Some((root, _)) = below.factors().next().cloned() else { break };
        let conjugate = below.conjugate(&root);
        above = above.times(&conjugate, work)?;
        below = below.times(&conjugate, work)?;
    }
    Ok((above, below))
}

/// The product of the powers that all terms share, and the polynomial divided by it. Roots stay where they are.
fn without_common(polynomial: &Polynomial, work: &mut Work) -> Result<(Monomial, Polynomial), Trouble> {
    let common = common(polynomial).part(|atom, _| !matches!(atom, Atom::Root(_)) && atom.radicand().is_none());
    let rest = over_monomial(polynomial, &common, work)?;
    Ok((common, rest))
}

fn common(polynomial: &Polynomial) -> Monomial {
    let mut monomials = polynomial.terms().map(|(monomial, _)| monomial);
    let first = monomials.next().cloned().unwrap_or_default();
    monomials.fold(first, |common, monomial| common.common(monomial))
}

fn over_monomial(polynomial: &Polynomial, divisor: &Monomial, work: &mut Work) -> Result<Polynomial, Trouble> {
    let mut coefficient = BigRational::one();
    let inverse = divisor.raised(-1, &mut coefficient)?;
    polynomial.times(&Polynomial::term(inverse, coefficient), work)
}

/// The quotient, if it is found to leave no remainder.
fn divided(dividend: &Polynomial, divisor: &Polynomial, work: &mut Work) -> Option<Polynomial> {
    let (leading, coefficient) = divisor.leading_term()?;
    let mut inverse = coefficient.recip();
    let leading = leading.raised(-1, &mut inverse).ok()?;
    let (mut rest, mut quotient) = (dividend.clone(), Polynomial::zero());
    for _ in 0..STEPS {
        let Some((monomial, coefficient)) = rest.leading_term() else { return Some(quotient) };
        let mut coefficient = coefficient * &inverse;
        let monomial = monomial.times(&leading, &mut coefficient).ok()?;
        if monomial.factors().iter().any(|(_, exponent)| *exponent < Exponent::zero()) {
            return None;
        }
        let term = Polynomial::term(monomial, coefficient);
        rest = rest.plus(divisor.times(&term, work).ok()?.negated(), work).ok()?;
        quotient = quotient.plus(term, work).ok()?;
    }
    None
}
