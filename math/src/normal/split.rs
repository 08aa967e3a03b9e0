//! Which factors of an expression are positive. Powers and logarithms may be taken of these one by one.

use std::cmp::Ordering;

use num_rational::BigRational;
use num_traits::{One, Signed};

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::monomial::Monomial;
use super::polynomial::Polynomial;
use super::rational::{Exponent, content};
use super::work::{Trouble, Work};

/// An expression as `rational * positive * rest`.
pub(super) struct Split {
    /// A positive number.
    pub(super) rational: BigRational,
    /// Atoms that are positive, with their exponents.
    pub(super) positive: Vec<(Atom, Exponent)>,
    /// All other factors.
    pub(super) rest: Rest,
}

/// An expression without positive factors.
pub(super) enum Rest {
    /// (-1)^t, with t above -1 and at most 1. So its logarithm is i pi t.
    Turn(Exponent),
    /// `atom^a` with `(atom^a)^b = atom^(a * b)` for every b, see [`Atom::allows_power_of`].
    Atom(Atom, Exponent),
    /// Anything else.
    Other(Fraction),
}

impl Split {
    /// Splits an expression; undefined for zero.
    pub(super) fn of(whole: &Fraction, work: &mut Work) -> Result<Split, Trouble> {
        if whole.is_zero() {
            return Err(Trouble::Undefined);
        }
        if let Some((monomial, coefficient)) = whole.as_polynomial().and_then(Polynomial::single_term) {
            return Ok(Split::of_term(monomial, coefficient));
        }
        let rational = content(whole.numerator().terms().map(|(_, coefficient)| coefficient));
        let rest = whole.scaled(&rational.recip(), work)?;
        let (positive, rest) = match rest.sign() {
            Some(Ordering::Greater) => (vec![sum(rest)?], Rest::Turn(Exponent::from_integer(0))),
            Some(Ordering::Less) => (vec![sum(rest.negated())?], Rest::Turn(Exponent::one())),
            _ => (Vec::new(), Rest::Other(rest)),
        };
        Ok(Split { rational, positive, rest })
    }

    fn of_term(monomial: &Monomial, coefficient: &BigRational) -> Split {
        let (positive, others): (Vec<_>, Vec<_>) =
            monomial.factors().iter().cloned().partition(|(atom, _)| atom.is_positive());
        let sign = Exponent::from_integer(i64::from(coefficient.is_negative()));
        let rest = match others.as_slice() {
            [] => Rest::Turn(sign),
            // The exponent t is between 0 and 1, and -(-1)^t = (-1)^(t - 1).
            [(Atom::Root(-1), turn)] => Rest::Turn(turn - sign),
            [(atom, exponent)] if !coefficient.is_negative() && atom.allows_power_of(*exponent) => {
                Rest::Atom(atom.clone(), *exponent)
            }
            _ => Rest::Other(Fraction::polynomial(Polynomial::term(
                monomial.part(|atom, _| !atom.is_positive()),
                coefficient.signum(),
            ))),
        };
        Split { rational: coefficient.abs(), positive, rest }
    }
}

fn sum(positive: Fraction) -> Result<(Atom, Exponent), Trouble> {
    Ok((Atom::opaque(Opaque::Power(positive, Fraction::integer(1)))?, Exponent::one()))
}
