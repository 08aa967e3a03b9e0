//! Logarithms and the natural exponential function.

use num_rational::BigRational;
use num_traits::One;

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::polynomial::Polynomial;
use super::power::{opaque_power, power};
use super::prime::primes;
use super::rational::{Exponent, rational};
use super::split::{Rest, Split};
use super::trigonometry::i_pi;
use super::work::{Trouble, Work};
use crate::expr::Function;

/// The principal value of the natural logarithm.
pub(super) fn ln(z: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    // ln(c z) = ln(c) + ln(z) for c > 0.
    let Split { rational: number, positive, rest } = Split::of(z, work)?;
    let mut all = match rest {
        Rest::Turn(turn) => i_pi(work)?.scaled(&rational(turn), work)?,
        Rest::Atom(atom, exponent) => ln_atom(atom, work)?.scaled(&rational(exponent), work)?,
        Rest::Other(other) => opaque_logarithm(other)?,
    };
    for (prime, exponent) in primes(&number, work)? {
        let term = opaque_logarithm(Fraction::integer(prime))?;
        all = all.plus(term.scaled(&BigRational::from_integer(exponent.into()), work)?, work)?;
    }
    for (atom, exponent) in positive {
        all = all.plus(ln_atom(atom, work)?.scaled(&rational(exponent), work)?, work)?;
    }
    Ok(all)
}

/// The logarithm whose base b was not written: a multiple of the natural one. The factor, 1 / ln(b), is the atom log(e).
pub(super) fn log(z: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    let e = Fraction::atom(Atom::E, Exponent::one(), work)?;
    ln(z, work)?.times(&Fraction::opaque(Opaque::Call(Function::Log, vec![e]))?, work)
}

/// The natural logarithm as an atom.
pub(super) fn opaque_logarithm(z: Fraction) -> Result<Fraction, Trouble> {
    Fraction::opaque(Opaque::Call(Function::Ln, vec![z]))
}

/// e^(coefficient * unit) for a unit that is no number.
pub(super) fn exponential(unit: &Fraction, coefficient: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    let Some((monomial, _)) = unit.as_polynomial().and_then(Polynomial::single_term) else {
        return opaque_power(Fraction::atom(Atom::E, Exponent::one(), work)?, unit, coefficient, work);
    };
    // e^(v ln z) = z^v, and so e^(v i pi) = (-1)^v.
    let half = Exponent::new(1, 2);
    if monomial.exponent(&Atom::Root(-1)) == half && monomial.exponent(&Atom::Pi).is_one() {
        let rest = unit.over(&i_pi(work)?, work)?.scaled(&rational(coefficient), work)?;
        return power(&Fraction::integer(-1), &rest, work);
    }
    for (atom, exponent) in monomial.factors() {
        if let Some(Opaque::Call(Function::Ln, arguments)) = atom.as_opaque()
            && let ([z], true) = (arguments.as_slice(), exponent.is_one())
        {
            let logarithm = Fraction::atom(atom.clone(), Exponent::one(), work)?;
            let rest = unit.over(&logarithm, work)?.scaled(&rational(coefficient), work)?;
            return power(z, &rest, work);
        }
    }
    opaque_power(Fraction::atom(Atom::E, Exponent::one(), work)?, unit, coefficient, work)
}

/// e^z.
pub(super) fn exp(z: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    power(&Fraction::atom(Atom::E, Exponent::one(), work)?, z, work)
}

/// The logarithm of an atom, which is positive if it is a power with an exponent other than 1.
fn ln_atom(atom: Atom, work: &mut Work) -> Result<Fraction, Trouble> {
    if atom == Atom::E {
        return Ok(Fraction::integer(1));
    }
    if let Atom::Root(root) = atom {
        return opaque_logarithm(Fraction::integer(root));
    }
    match atom.as_opaque() {
        Some(Opaque::Power(base, exponent)) if exponent.is_one() => opaque_logarithm(base.clone()),
        Some(Opaque::Power(base, exponent)) => ln(base, work)?.times(exponent, work),
        _ => opaque_logarithm(Fraction::atom(atom, Exponent::one(), work)?),
    }
}
