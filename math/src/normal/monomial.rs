//! Products of powers of atoms.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

use super::atom::Atom;
use super::rational::{Exponent, bounded, product, raised};
use super::work::Trouble;

/// A product of powers of different atoms, sorted by atom. No exponent is zero, and those of roots are between 0 and 1.
///
/// The order is lexicographic by exponents, where an atom that is missing has exponent 0. So `a < b` implies `a c < b c`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Monomial {
    factors: Vec<(Atom, Exponent)>,
}

impl Monomial {
    /// The product of nothing.
    pub(super) fn one() -> Monomial {
        Monomial::default()
    }

    /// `coefficient * atom^exponent`, whose coefficient is changed by whole powers of a root.
    pub(super) fn power(atom: Atom, exponent: Exponent, coefficient: &mut BigRational) -> Result<Monomial, Trouble> {
        let exponent = reduced(&atom, exponent, coefficient)?;
        Ok(Monomial { factors: if exponent.is_zero() { Vec::new() } else { vec![(atom, exponent)] } })
    }

    /// Whether it is the product of nothing.
    pub(super) fn is_one(&self) -> bool {
        self.factors.is_empty()
    }

    /// The factors, sorted by atom.
    pub(super) fn factors(&self) -> &[(Atom, Exponent)] {
        &self.factors
    }

    /// The exponent of an atom.
    pub(super) fn exponent(&self, atom: &Atom) -> Exponent {
        self.factors.iter().find(|(own, _)| own == atom).map_or_else(Exponent::zero, |(_, exponent)| *exponent)
    }

    /// Without the factors of an atom.
    pub(super) fn without(&self, atom: &Atom) -> Monomial {
        self.part(|own, _| own != atom)
    }

    /// The factors that are wanted.
    pub(super) fn part(&self, wanted: impl Fn(&Atom, Exponent) -> bool) -> Monomial {
        Monomial { factors: self.factors.iter().filter(|(atom, exponent)| wanted(atom, *exponent)).cloned().collect() }
    }

    /// How many atoms it is made of, apart from its own.
    pub(super) fn hidden_atoms(&self) -> usize {
        self.factors.iter().map(|(atom, _)| atom.atoms() - 1).sum()
    }

    /// The product. Whole powers of roots go to the coefficient.
    pub(super) fn times(&self, other: &Monomial, coefficient: &mut BigRational) -> Result<Monomial, Trouble> {
        if other.is_one() {
            return Ok(self.clone());
        }
        let mut factors = Vec::with_capacity(self.factors.len() + other.factors.len());
        let (mut left, mut right) = (self.factors.as_slice(), other.factors.as_slice());
        while let ([(a, m), rest_left @ ..], [(b, n), rest_right @ ..]) = (left, right) {
            match a.cmp(b) {
                Ordering::Less => {
                    factors.push((a.clone(), *m));
                    left = rest_left;
                }
                Ordering::Greater => {
                    factors.push((b.clone(), *n));
                    right = rest_right;
                }
                Ordering::Equal => {
                    let exponent = reduced(a, m + n, coefficient)?;
                    if !exponent.is_zero() {
                        factors.push((a.clone(), exponent));
                    }
                    (left, right) = (rest_left, rest_right);
                }
            }
        }
        factors.extend_from_slice(left);
        factors.extend_from_slice(right);
        Ok(Monomial { factors })
    }

    /// The integer power, `coefficient` being changed by whole powers of roots.
    pub(super) fn raised(&self, power: i64, coefficient: &mut BigRational) -> Result<Monomial, Trouble> {
        let power = bounded(Exponent::from_integer(power))?;
        let mut factors = Vec::with_capacity(self.factors.len());
        for (atom, exponent) in &self.factors {
            let exponent = reduced(atom, exponent * power, coefficient)?;
            if !exponent.is_zero() {
                factors.push((atom.clone(), exponent));
            }
        }
        Ok(Monomial { factors })
    }

    /// The smaller exponent of each atom.
    pub(super) fn common(&self, other: &Monomial) -> Monomial {
        let mut factors = Vec::new();
        for (atom, exponent) in &self.factors {
            factors.push((atom.clone(), *exponent.min(&other.exponent(atom))));
        }
        for (atom, exponent) in &other.factors {
            if self.exponent(atom).is_zero() {
                factors.push((atom.clone(), *exponent.min(&Exponent::zero())));
            }
        }
        factors.retain(|(_, exponent)| !exponent.is_zero());
        factors.sort();
        Monomial { factors }
    }
}

impl PartialOrd for Monomial {
    fn partial_cmp(&self, other: &Monomial) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Monomial {
    fn cmp(&self, other: &Monomial) -> Ordering {
        let zero = Exponent::zero();
        let (mut left, mut right) = (self.factors.iter(), other.factors.iter());
        loop {
            let order = match (left.next(), right.next()) {
                (None, None) => return Ordering::Equal,
                (Some((_, m)), None) => m.cmp(&zero),
                (None, Some((_, n))) => zero.cmp(n),
                (Some((a, m)), Some((b, n))) => match a.cmp(b) {
                    Ordering::Less => m.cmp(&zero),
                    Ordering::Greater => zero.cmp(n),
                    Ordering::Equal => m.cmp(n),
                },
            };
            if order.is_ne() {
                return order;
            }
        }
    }
}

/// The exponent that is left when whole powers of roots are in the coefficient.
fn reduced(atom: &Atom, exponent: Exponent, coefficient: &mut BigRational) -> Result<Exponent, Trouble> {
    let exponent = bounded(exponent)?;
    let Atom::Root(root) = atom else { return Ok(exponent) };
    let whole = exponent.floor().to_integer();
    if whole != 0 {
        let root = BigRational::new_raw(BigInt::from(*root), BigInt::one());
        *coefficient = product(coefficient, &raised(&root, whole)?);
    }
    Ok(exponent - whole)
}
