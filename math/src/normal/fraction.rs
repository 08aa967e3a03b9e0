//! Quotients of polynomials.

use std::collections::BTreeSet;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, Zero};

use super::atom::{Atom, Opaque};
use super::cancel::cancelled;
use super::monomial::Monomial;
use super::polynomial::Polynomial;
use super::rational::{Exponent, bounded, raised};
use super::trigonometry::root_of_unity;
use super::work::{Trouble, Work};

/// A quotient of two polynomials, where common factors may remain. Denominators of one term are in the numerator.
///
/// Both polynomials are settled: no power of a root can be replaced by what stands under the root, see [`Fraction::new`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fraction {
    numerator: Polynomial,
    /// `None` for the number 1.
    denominator: Option<Box<Polynomial>>,
}

impl Fraction {
    /// The quotient.
    pub(super) fn new(numerator: Polynomial, denominator: Polynomial, work: &mut Work) -> Result<Fraction, Trouble> {
        if denominator.is_zero() {
            return Err(Trouble::Undefined);
        }
        if let Some((monomial, coefficient)) = denominator.single_term() {
            let mut coefficient = coefficient.recip();
            let monomial = monomial.raised(-1, &mut coefficient)?;
            return settled(numerator.times(&Polynomial::term(monomial, coefficient), work)?, work);
        }
        if is_settled(&numerator) && is_settled(&denominator) {
            return cancelled(numerator, denominator, work);
        }
        let denominator = settled(denominator, work)?;
        settled(numerator, work)?.over(&denominator, work)
    }

    /// A quotient of settled polynomials without a common factor of one term, the denominator not being a single term.
    pub(super) fn of_parts(numerator: Polynomial, denominator: Polynomial) -> Fraction {
        Fraction { numerator, denominator: Some(Box::new(denominator)) }
    }

    /// A settled polynomial.
    pub(super) fn polynomial(numerator: Polynomial) -> Fraction {
        Fraction { numerator, denominator: None }
    }

    /// A rational number.
    pub(super) fn rational(value: BigRational) -> Fraction {
        Fraction::polynomial(Polynomial::rational(value))
    }

    /// An integer.
    pub(super) fn integer(value: impl Into<BigInt>) -> Fraction {
        Fraction::rational(BigRational::from_integer(value.into()))
    }

    /// A power of an atom.
    pub(super) fn atom(atom: Atom, exponent: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
        let mut coefficient = BigRational::one();
        let monomial = Monomial::power(atom, exponent, &mut coefficient)?;
        settled(Polynomial::term(monomial, coefficient), work)
    }

    /// The expression as an atom.
    pub(super) fn opaque(opaque: Opaque) -> Result<Fraction, Trouble> {
        let monomial = Monomial::power(Atom::opaque(opaque)?, Exponent::one(), &mut BigRational::one())?;
        Ok(Fraction::polynomial(Polynomial::term(monomial, BigRational::one())))
    }

    /// The polynomial above the line.
    pub(crate) fn numerator(&self) -> &Polynomial {
        &self.numerator
    }

    /// The polynomial below the line, if it is not 1.
    pub(crate) fn denominator(&self) -> Option<&Polynomial> {
        self.denominator.as_deref()
    }

    /// Its value, if it is a rational number.
    pub(crate) fn constant(&self) -> Option<BigRational> {
        self.as_polynomial()?.constant()
    }

    /// The polynomial that it is, if it has no denominator.
    pub(super) fn as_polynomial(&self) -> Option<&Polynomial> {
        self.denominator.is_none().then_some(&self.numerator)
    }

    /// Whether it is certainly zero.
    pub(crate) fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }

    /// Whether it is 1.
    pub(super) fn is_one(&self) -> bool {
        self.denominator.is_none() && self.numerator.is_one()
    }

    /// Whether it is the atom.
    pub(super) fn is_atom(&self, atom: &Atom) -> bool {
        let term = self.as_polynomial().and_then(Polynomial::single_term);
        term.is_some_and(|(monomial, coefficient)| {
            coefficient.is_one() && matches!(monomial.factors(), [(own, exponent)] if own == atom && exponent.is_one())
        })
    }

    /// Whether the leading coefficient of the numerator is negative: of an expression and its negative, this holds for one.
    pub(super) fn leads_negative(&self) -> bool {
        self.numerator.leading_term().is_some_and(|(_, leading)| leading.is_negative())
    }

    /// Whether it holds no symbol.
    pub(crate) fn is_numeric(&self) -> bool {
        self.polynomials().flat_map(Polynomial::factors).all(|(atom, _)| atom.is_numeric())
    }

    /// Whether it is known to be a real number, where symbols are.
    pub(super) fn is_real(&self) -> bool {
        self.polynomials().flat_map(Polynomial::factors).all(|(atom, exponent)| atom.is_real(*exponent))
    }

    /// Whether an integer power of it is expanded, rather than an atom.
    pub(super) fn is_expanded(&self, power: i64) -> bool {
        self.polynomials().all(|polynomial| polynomial.is_expanded(power))
    }

    /// How many atoms it is made of.
    pub(super) fn atoms(&self) -> usize {
        self.polynomials().flat_map(Polynomial::factors).map(|(atom, _)| atom.atoms()).fold(0, usize::saturating_add)
    }

    /// Adds the names of its symbols.
    pub(super) fn add_symbols<'a>(&'a self, symbols: &mut BTreeSet<&'a str>) {
        self.polynomials().for_each(|polynomial| symbols.append(&mut polynomial.symbols()));
    }

    /// `self + other`.
    pub(crate) fn plus(self, other: Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
        match (&self.denominator, &other.denominator) {
            (None, None) => Ok(Fraction::polynomial(self.numerator.plus(other.numerator, work)?)),
            (Some(a), Some(b)) if a == b => {
                let denominator = (**a).clone();
                Fraction::new(self.numerator.plus(other.numerator, work)?, denominator, work)
            }
            _ => {
                let left = multiplied(&self.numerator, other.denominator(), work)?;
                let right = multiplied(&other.numerator, self.denominator(), work)?;
                let below = multiplied(&self.below(), other.denominator(), work)?;
                Fraction::new(left.plus(right, work)?, below, work)
            }
        }
    }

    /// `-self`.
    pub(super) fn negated(self) -> Fraction {
        Fraction { numerator: self.numerator.negated(), denominator: self.denominator }
    }

    /// `self - other`.
    pub(crate) fn minus(self, other: Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
        self.plus(other.negated(), work)
    }

    /// `self * other`.
    pub(crate) fn times(&self, other: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
        let above = self.numerator.times(&other.numerator, work)?;
        match (&self.denominator, &other.denominator) {
            (None, None) => settled(above, work),
            _ => Fraction::new(above, multiplied(&self.below(), other.denominator(), work)?, work),
        }
    }

    /// `self / other`.
    pub(crate) fn over(&self, other: &Fraction, work: &mut Work) -> Result<Fraction, Trouble> {
        let above = multiplied(&self.numerator, other.denominator(), work)?;
        Fraction::new(above, multiplied(&other.numerator, self.denominator(), work)?, work)
    }

    /// `self * value`.
    pub(super) fn scaled(&self, value: &BigRational, work: &mut Work) -> Result<Fraction, Trouble> {
        let numerator = self.numerator.times(&Polynomial::rational(value.clone()), work)?;
        Ok(Fraction { numerator, denominator: if value.is_zero() { None } else { self.denominator.clone() } })
    }

    /// The integer power.
    pub(super) fn raised(&self, power: i64, work: &mut Work) -> Result<Fraction, Trouble> {
        match power {
            0 if self.is_zero() => return Err(Trouble::Undefined),
            0 => return Ok(Fraction::integer(1)),
            1 => return Ok(self.clone()),
            ..0 => return Fraction::integer(1).over(&self.raised(power.saturating_neg(), work)?, work),
            _ => {}
        }
        let above = power_of(&self.numerator, power, work)?;
        match self.denominator() {
            None => Ok(above),
            Some(below) => above.over(&power_of(below, power, work)?, work),
        }
    }

    fn below(&self) -> Polynomial {
        self.denominator().map_or_else(Polynomial::one, Polynomial::clone)
    }

    fn polynomials(&self) -> impl Iterator<Item = &Polynomial> {
        std::iter::once(&self.numerator).chain(self.denominator())
    }
}

fn multiplied(polynomial: &Polynomial, factor: Option<&Polynomial>, work: &mut Work) -> Result<Polynomial, Trouble> {
    factor.map_or_else(|| Ok(polynomial.clone()), |factor| polynomial.times(factor, work))
}

fn power_of(base: &Polynomial, power: i64, work: &mut Work) -> Result<Fraction, Trouble> {
    if let Some((monomial, coefficient)) = base.single_term() {
        let mut coefficient = raised(coefficient, power)?;
        let monomial = monomial.raised(power, &mut coefficient)?;
        return settled(Polynomial::term(monomial, coefficient), work);
    }
    if base.is_expanded(power) {
        return settled(base.raised(power, work)?, work);
    }
    let negative = base.leading_term().is_some_and(|(_, leading)| leading.is_negative());
    let content = if negative { -base.content() } else { base.content() };
    let primitive = Fraction::polynomial(base.clone().divided(&content));
    let atom = Atom::opaque(Opaque::Power(primitive, Fraction::integer(1)))?;
    let power = bounded(Exponent::from_integer(power))?;
    Fraction::atom(atom, power, work)?.scaled(&raised(&content, power.to_integer())?, work)
}

/// Whether the factor stands as it is: no whole power of a radicand, no root of unity with a simple value.
fn stands(atom: &Atom, exponent: Exponent) -> bool {
    match atom {
        Atom::Root(-1) => !matches!(exponent.denom(), 3 | 4 | 6 | 12),
        _ => atom.excess(exponent) == 0,
    }
}

fn is_settled(polynomial: &Polynomial) -> bool {
    polynomial.factors().all(|(atom, exponent)| stands(atom, *exponent))
}

/// The polynomial, with powers of roots replaced by what stands under the roots: with t = (1 + x)^(1/2), both t^2 by 1 + x
/// and t^(-1) by t / (1 + x).
fn settled(polynomial: Polynomial, work: &mut Work) -> Result<Fraction, Trouble> {
    if is_settled(&polynomial) {
        return Ok(Fraction::polynomial(polynomial));
    }
    let mut all = Fraction::integer(0);
    for (monomial, coefficient) in polynomial.terms() {
        let mut product = Fraction::polynomial(Polynomial::term(monomial.part(stands), coefficient.clone()));
        for (atom, exponent) in monomial.factors().iter().filter(|(atom, exponent)| !stands(atom, *exponent)) {
            product = product.times(&replaced(atom, *exponent, work)?, work)?;
        }
        all = all.plus(product, work)?;
    }
    Ok(all)
}

fn replaced(atom: &Atom, exponent: Exponent, work: &mut Work) -> Result<Fraction, Trouble> {
    let Some((index, radicand)) = atom.radicand() else { return root_of_unity(exponent, work) };
    let times = atom.excess(exponent);
    let rest = Fraction::atom(atom.clone(), exponent - times * index, work)?;
    radicand.raised(times, work)?.times(&rest, work)
}
