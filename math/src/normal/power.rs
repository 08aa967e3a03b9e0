//! Powers and roots.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::logarithm::{exp, exponential, opaque_logarithm};
use super::monomial::Monomial;
use super::polynomial::Polynomial;
use super::prime::primes;
use super::rational::{Exponent, bounded, exponent, product, raised, rational, square_root};
use super::split::{Rest, Split};
use super::trigonometry::root_of_unity;
use super::work::{Trouble, Work};

/// `base ^ power`: the principal value.
pub(super) fn power(base: &Fraction, power: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    if let Some(value) = power.constant() {
        return rational_power(base, exponent(&value)?, work);
    }
    // b^(u + v) = b^u b^v for every b but zero.
    let mut all = Fraction::integer(1);
    for (monomial, coefficient) in power.numerator().terms() {
        let coefficient = exponent(coefficient)?;
        let factor = if monomial.is_one() && power.denominator().is_none() {
            rational_power(base, coefficient, work)?
        } else {
            let above = Polynomial::term(monomial.clone(), BigRational::one());
            let unit = Fraction::new(above, power.denominator().map_or_else(Polynomial::one, Clone::clone), work)?;
            symbolic_power(base, &unit, coefficient, work)?
        };
        all = all.times(&factor, work)?;
    }
    Ok(all)
}

/// `base ^ power`: the principal value.
pub(super) fn rational_power(base: &Fraction, power: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    if power.is_integer() {
        return base.raised(power.to_integer(), work);
    }
    if base.is_zero() {
        return if power > Exponent::zero() { Ok(Fraction::integer(0)) } else { Err(Trouble::Undefined) };
    }
    let Split { rational, positive, rest } = Split::of(base, work)?;
    let all = positive_power(&rational, &positive, power, work)?;
    let rest = match rest {
        Rest::Turn(turn) => root_of_unity(bounded(turn * power)?, work)?,
        Rest::Atom(atom, own) => Fraction::atom(atom, bounded(own * power)?, work)?,
        Rest::Other(other) => atom_power(&Atom::opaque(Opaque::Power(other, Fraction::integer(1)))?, power, work)?,
    };
    all.times(&rest, work)
}

/// The real n-th root of a real number for odd n, the principal value else.
pub(super) fn root(radicand: &Fraction, index: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
    let odd = index.constant().filter(|n| n.is_integer() && n.numer().bit(0)).and_then(|n| n.numer().to_i64());
    let inverse = Fraction::integer(1).over(index, work)?;
    let Some(odd) = odd.filter(|_| !radicand.is_zero()) else { return power(radicand, &inverse, work) };
    if odd < 0 {
        return Fraction::integer(1).over(&root(radicand, &Fraction::integer(-odd), work)?, work);
    }
    let exponent = bounded(Exponent::new(1, odd))?;
    let Split { rational, positive, rest } = Split::of(radicand, work)?;
    let all = positive_power(&rational, &positive, exponent, work)?;
    let rest = match rest {
        Rest::Turn(turn) if turn.is_one() => Fraction::integer(-1),
        Rest::Turn(turn) => root_of_unity(bounded(turn * exponent)?, work)?,
        Rest::Atom(atom, own) => real_root(Fraction::atom(atom, own, work)?, odd, work)?,
        Rest::Other(other) => real_root(other, odd, work)?,
    };
    all.times(&rest, work)
}

/// The root of a product of real numbers is the product of their roots, since the index is odd.
fn real_root(radicand: Fraction, index: i64, work: &mut Work) -> Result<Fraction, Trouble> {
    if !radicand.is_real() {
        return Fraction::opaque(Opaque::Root(radicand, index));
    }
    if let Some((monomial, coefficient)) = radicand.as_polynomial().and_then(Polynomial::single_term)
        && coefficient.abs().is_one()
    {
        let mut all = Fraction::rational(coefficient.clone());
        for (atom, exponent) in monomial.factors() {
            let base = Fraction::atom(atom.clone(), Exponent::one(), work)?;
            let root = Atom::opaque(Opaque::Root(base, index))?;
            all = all.times(&Fraction::atom(root, *exponent, work)?, work)?;
        }
        return Ok(all);
    }
    match radicand.leads_negative() {
        true => Ok(Fraction::opaque(Opaque::Root(radicand.negated(), index))?.negated()),
        false => Fraction::opaque(Opaque::Root(radicand, index)),
    }
}

/// The power of the positive factors of an expression.
fn positive_power(
    number: &BigRational,
    atoms: &[(Atom, Exponent)],
    power: Exponent,
    work: &mut Work,
) -> Result<Fraction, Trouble> {
    let mut all = number_power(number, power, work)?;
    for (atom, own) in atoms {
        all = all.times(&atom_power(atom, bounded(own * power)?, work)?, work)?;
    }
    Ok(all)
}

/// A positive rational number to a rational power.
pub(super) fn number_power(value: &BigRational, power: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    if power.is_integer() || value.is_one() {
        return Ok(Fraction::rational(raised(value, power.to_integer())?));
    }
    let (mut all, mut coefficient) = (Monomial::one(), BigRational::one());
    for (prime, own) in primes(value, work)? {
        let exponent = bounded(power * bounded(Exponent::from_integer(own))?)?;
        if exponent.is_integer() {
            let whole = raised(&BigRational::from_integer(prime), exponent.to_integer())?;
            coefficient = product(&coefficient, &whole);
        } else {
            let atom = Atom::Root(prime.to_i64().ok_or(Trouble::TooLarge)?);
            all = Monomial::power(atom, exponent, &mut coefficient)?.times(&all, &mut coefficient)?;
        }
    }
    Ok(Fraction::polynomial(Polynomial::term(all, coefficient)))
}

/// A power of an atom; square roots of a sum are simplified.
fn atom_power(atom: &Atom, power: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    if let Some((1, radicand)) = atom.radicand()
        && *power.denom() == 2
        && let Some(root) = denested(radicand, work)?
    {
        return root.raised(*power.numer(), work);
    }
    Fraction::atom(atom.clone(), power, work)
}

/// The square root of `z = a + b r` with `r^2` rational as `sqrt((a + d) / 2) + sign(b) sqrt((a - d) / 2)`, where
/// `d^2 = a^2 - (b r)^2` is the square of a rational number: the square of that is a + sign(b) sqrt((b r)^2) = z. It is the
/// principal value: for real z with a > 0 neither summand is imaginary and the first is larger; for complex z the first is
/// positive.
fn denested(z: &Fraction, work: &mut Work) -> Result<Option<Fraction>, Trouble> {
    let terms: Vec<_> =
        z.as_polynomial().filter(|z| z.terms().len() == 2).into_iter().flat_map(Polynomial::terms).collect();
    let &[(one, a), (root, b)] = terms.as_slice() else { return Ok(None) };
    let square_roots = root.factors().iter().all(|(atom, e)| matches!(atom, Atom::Root(_)) && *e.denom() == 2);
    if !one.is_one() || !square_roots {
        return Ok(None);
    }
    let mut square = b * b;
    root.times(root, &mut square)?;
    let Some(d) = square_root(&(a * a - &square)) else { return Ok(None) };
    if !a.is_positive() && !square.is_negative() {
        return Ok(None);
    }
    let two = BigRational::from_integer(BigInt::from(2));
    let half = Exponent::new(1, 2);
    let first = number_power(&((a + &d) / &two), half, work)?;
    let second = (a - &d) / &two;
    let second = match second.is_negative() {
        true => number_power(&-second, half, work)?.times(&root_of_unity(half, work)?, work)?,
        false => number_power(&second, half, work)?,
    };
    first.plus(if b.is_negative() { second.negated() } else { second }, work).map(Some)
}

/// `base ^ (coefficient * unit)` for a unit that is no number.
fn symbolic_power(
    base: &Fraction,
    unit: &Fraction,
    coefficient: Exponent,
    work: &mut Work,
) -> Result<Fraction, Trouble> {
    let Split { rational: number, positive, rest } = Split::of(base, work)?;
    let mut all = Fraction::integer(1);
    for (prime, own) in primes(&number, work)? {
        let exponent = bounded(coefficient * bounded(Exponent::from_integer(own))?)?;
        all = all.times(&prime_power(prime, unit, exponent, work)?, work)?;
    }
    for (atom, own) in positive {
        let exponent = bounded(own * coefficient)?;
        let factor = match (&atom, atom.as_opaque()) {
            (Atom::E, _) => exponential(unit, exponent, work)?,
            (_, Some(Opaque::Power(inner, outer))) => {
                let product = outer.times(unit, work)?.scaled(&rational(exponent), work)?;
                if outer.is_one() {
                    opaque_power(inner.clone(), unit, exponent, work)?
                } else {
                    power(inner, &product, work)?
                }
            }
            _ => opaque_power(Fraction::atom(atom, Exponent::one(), work)?, unit, exponent, work)?,
        };
        all = all.times(&factor, work)?;
    }
    let rest = match rest {
        Rest::Turn(turn) => opaque_power(Fraction::integer(-1), unit, bounded(turn * coefficient)?, work)?,
        Rest::Atom(atom, own) => {
            opaque_power(Fraction::atom(atom, Exponent::one(), work)?, unit, bounded(own * coefficient)?, work)?
        }
        Rest::Other(other) => opaque_power(other, unit, coefficient, work)?,
    };
    all.times(&rest, work)
}

/// `prime ^ (coefficient * unit)`; by the natural exponential function if the unit is a multiple of 1 / ln(prime).
fn prime_power(prime: BigInt, unit: &Fraction, coefficient: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    let logarithm = opaque_logarithm(Fraction::integer(prime.clone()))?;
    let inverse = unit.numerator().factors().any(|(atom, e)| *e == -Exponent::one() && logarithm.is_atom(atom));
    match inverse {
        true => exp(&unit.times(&logarithm, work)?.scaled(&rational(coefficient), work)?, work),
        false => opaque_power(Fraction::integer(prime), unit, coefficient, work),
    }
}

/// `base ^ (coefficient * unit)` as an atom.
pub(super) fn opaque_power(
    base: Fraction,
    unit: &Fraction,
    coefficient: Exponent,
    work: &mut Work,
) -> Result<Fraction, Trouble> {
    Fraction::atom(Atom::opaque(Opaque::Power(base, unit.clone()))?, coefficient, work)
}
