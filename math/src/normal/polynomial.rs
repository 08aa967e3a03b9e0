//! Sums of monomials with rational coefficients.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, HashMap};

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::atom::Atom;
use super::monomial::Monomial;
use super::rational::{Exponent, bits, content, product, sum};
use super::work::{Trouble, Work, work_of};
use crate::limits::{BITS, PRODUCTS, TERMS};

/// A sum of different monomials with coefficients that are not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Polynomial {
    terms: BTreeMap<Monomial, BigRational>,
}

impl Polynomial {
    /// The sum of nothing.
    pub(crate) fn zero() -> Polynomial {
        Polynomial::default()
    }

    /// A number.
    pub(super) fn rational(value: BigRational) -> Polynomial {
        Polynomial::term(Monomial::one(), value)
    }

    /// The number 1.
    pub(super) fn one() -> Polynomial {
        Polynomial::rational(BigRational::one())
    }

    /// One term.
    pub(super) fn term(monomial: Monomial, coefficient: BigRational) -> Polynomial {
        let mut terms = BTreeMap::new();
        if !coefficient.is_zero() {
            terms.insert(monomial, coefficient);
        }
        Polynomial { terms }
    }

    /// Whether it is the sum of nothing. A polynomial that is not may still be zero, if it has opaque atoms.
    pub(crate) fn is_zero(&self) -> bool {
        self.terms.is_empty()
    }

    /// Its value, if it has no atoms.
    pub(crate) fn constant(&self) -> Option<BigRational> {
        match self.single_term() {
            None => self.is_zero().then(BigRational::zero),
            Some((monomial, coefficient)) => monomial.is_one().then(|| coefficient.clone()),
        }
    }

    /// The coefficient of the term without atoms.
    pub(super) fn constant_term(&self) -> BigRational {
        self.terms.get(&Monomial::one()).cloned().unwrap_or_else(BigRational::zero)
    }

    /// The term, if there is one only.
    pub(super) fn single_term(&self) -> Option<(&Monomial, &BigRational)> {
        if self.terms.len() == 1 { self.terms.first_key_value() } else { None }
    }

    /// The term with the largest monomial.
    pub(super) fn leading_term(&self) -> Option<(&Monomial, &BigRational)> {
        self.terms.last_key_value()
    }

    /// All terms, by rising monomials.
    pub(super) fn terms(&self) -> impl DoubleEndedIterator<Item = (&Monomial, &BigRational)> + ExactSizeIterator {
        self.terms.iter()
    }

    /// All atoms with their exponents, once for each term.
    pub(super) fn factors(&self) -> impl Iterator<Item = &(Atom, Exponent)> {
        self.terms.keys().flat_map(Monomial::factors)
    }

    /// The names of its symbols, also those inside functions.
    pub(crate) fn symbols(&self) -> BTreeSet<&str> {
        let mut symbols = BTreeSet::new();
        self.factors().for_each(|(atom, _)| atom.add_symbols(&mut symbols));
        symbols
    }

    /// The highest exponent of a symbol; `None` where it also stands inside a function, in an exponent, or under a root.
    #[cfg(test)]
    pub(crate) fn degree(&self, symbol: &str) -> Option<Exponent> {
        let symbol = Atom::Symbol(symbol.into());
        self.is_free_of_hidden(&symbol)
            .then(|| self.terms.keys().map(|monomial| monomial.exponent(&symbol)).max().unwrap_or_else(Exponent::zero))
    }

    /// The a and b, free of the symbol, of a polynomial that is `a * symbol + b`.
    pub(crate) fn linear_in(&self, symbol: &str) -> Option<(Polynomial, Polynomial)> {
        let symbol = Atom::Symbol(symbol.into());
        let (mut slope, mut rest) = (Polynomial::zero(), Polynomial::zero());
        for (monomial, coefficient) in &self.terms {
            let exponent = monomial.exponent(&symbol);
            let part = match exponent.numer() {
                0 => &mut rest,
                1 if exponent.is_one() => &mut slope,
                _ => return None,
            };
            part.terms.insert(monomial.without(&symbol), coefficient.clone());
        }
        self.is_free_of_hidden(&symbol).then_some((slope, rest))
    }

    /// Two numbers a and b with `b * self = a * other`, if there are any.
    pub(super) fn ratio(
        &self,
        other: &Polynomial,
        work: &mut Work,
    ) -> Result<Option<(Polynomial, Polynomial)>, Trouble> {
        let (Some((own, _)), Some((others, _))) = (self.leading_term(), other.leading_term()) else { return Ok(None) };
        let (own, others) = (own.part(|atom, _| !atom.is_numeric()), others.part(|atom, _| !atom.is_numeric()));
        if own != others {
            return Ok(None);
        }
        let (a, b) = (self.numeric_factor(&own), other.numeric_factor(&others));
        let equal = self.times(&b, work)? == other.times(&a, work)?;
        Ok(equal.then_some((a, b)))
    }

    /// `self + other`.
    pub(super) fn plus(self, other: Polynomial, work: &mut Work) -> Result<Polynomial, Trouble> {
        let (mut larger, smaller) = if self.terms.len() < other.terms.len() { (other, self) } else { (self, other) };
        for (monomial, coefficient) in smaller.terms {
            larger.add(monomial, coefficient, work)?;
        }
        Ok(larger)
    }

    /// `-self`.
    pub(super) fn negated(mut self) -> Polynomial {
        self.terms.values_mut().for_each(|coefficient| *coefficient = -std::mem::take(coefficient));
        self
    }

    /// `self * other`, with exponents added, see [`Polynomial::is_settled`].
    pub(super) fn times(&self, other: &Polynomial, work: &mut Work) -> Result<Polynomial, Trouble> {
        if other.is_one() {
            return Ok(self.clone());
        }
        work.spend(self.terms.len().saturating_mul(other.terms.len()))?;
        work.spend(self.weight().saturating_mul(other.terms.len()))?;
        work.spend(other.weight().saturating_mul(self.terms.len()))?;
        let mut all = Polynomial::zero();
        for (m, a) in &self.terms {
            for (n, b) in &other.terms {
                let mut coefficient = product(a, b);
                let monomial = m.times(n, &mut coefficient)?;
                all.add(monomial, coefficient, work)?;
            }
        }
        Ok(all)
    }

    /// `self ^ power`, with exponents added, see [`Polynomial::is_settled`].
    pub(super) fn raised(&self, power: i64, work: &mut Work) -> Result<Polynomial, Trouble> {
        let mut result = Polynomial::one();
        for bit in (0..i64::BITS - power.leading_zeros()).rev() {
            result = result.times(&result, work)?;
            if power >> bit & 1 == 1 {
                result = result.times(self, work)?;
            }
        }
        Ok(result)
    }

    /// Whether a power of it is expanded, rather than an atom.
    pub(super) fn is_expanded(&self, power: i64) -> bool {
        let largest = self.dimension();
        let terms = |power: i64| {
            let mut count: usize = 1;
            for i in 1..self.terms.len() {
                // The binomial coefficient of power + i over i.
                let Ok(power) = usize::try_from(power) else { return usize::MAX };
                count = count.saturating_mul(power.saturating_add(i)) / i;
                if count > PRODUCTS {
                    break;
                }
            }
            count.min(largest)
        };
        let half = terms(power / 2 + power % 2);
        terms(power) <= TERMS && half * half <= PRODUCTS / 2
    }

    /// The greatest rational number, without sign, that leaves integers without a common factor.
    pub(super) fn content(&self) -> BigRational {
        content(self.terms.values())
    }

    /// Divided by a rational number.
    pub(super) fn divided(mut self, divisor: &BigRational) -> Polynomial {
        if !divisor.is_one() && !divisor.is_zero() {
            self.terms.values_mut().for_each(|coefficient| *coefficient = &*coefficient / divisor);
        }
        self
    }

    /// Whether it is the number 1.
    pub(super) fn is_one(&self) -> bool {
        self.single_term().is_some_and(|(monomial, coefficient)| monomial.is_one() && coefficient.is_one())
    }

    /// With the sign changed of all terms that hold the atom.
    pub(super) fn conjugate(&self, atom: &Atom) -> Polynomial {
        let mut changed = self.clone();
        for (monomial, coefficient) in &mut changed.terms {
            if !monomial.exponent(atom).is_zero() {
                *coefficient = -std::mem::take(coefficient);
            }
        }
        changed
    }

    fn add(&mut self, monomial: Monomial, coefficient: BigRational, work: &mut Work) -> Result<(), Trouble> {
        if bits(&coefficient) > BITS {
            return Err(Trouble::TooLarge);
        }
        work.spend(work_of(&coefficient))?;
        match self.terms.entry(monomial) {
            Entry::Vacant(entry) => {
                entry.insert(coefficient);
            }
            Entry::Occupied(mut entry) => {
                let total = sum(entry.get(), &coefficient);
                work.spend(work_of(&total))?;
                if total.is_zero() {
                    entry.remove();
                } else {
                    entry.insert(total);
                }
            }
        }
        if self.terms.len() > TERMS { Err(Trouble::TooLarge) } else { Ok(()) }
    }

    /// The sum of all terms with the same symbols, divided by these.
    fn numeric_factor(&self, symbols: &Monomial) -> Polynomial {
        let same = self.terms.iter().filter(|(monomial, _)| monomial.part(|atom, _| !atom.is_numeric()) == *symbols);
        let terms =
            same.map(|(monomial, coefficient)| (monomial.part(|atom, _| atom.is_numeric()), coefficient.clone()));
        Polynomial { terms: terms.collect() }
    }

    /// The work of operations on its terms, beyond that on small ones.
    fn weight(&self) -> usize {
        let weights = self.terms.iter().map(|(m, c)| m.hidden_atoms() / 32 + work_of(c));
        weights.fold(0, usize::saturating_add)
    }

    fn is_free_of_hidden(&self, symbol: &Atom) -> bool {
        let Atom::Symbol(name) = symbol else { return true };
        self.factors().filter(|(atom, _)| atom.as_opaque().is_some()).all(|(atom, _)| {
            let mut symbols = BTreeSet::new();
            atom.add_symbols(&mut symbols);
            !symbols.contains::<str>(name)
        })
    }

    /// How many terms a power has at most because of roots, if all atoms are roots.
    fn dimension(&self) -> usize {
        let mut denominators: HashMap<i64, i64> = HashMap::new();
        for (atom, exponent) in self.factors() {
            let Atom::Root(root) = atom else { return usize::MAX };
            let own = denominators.entry(*root).or_insert(1);
            *own = num_integer::lcm(*own, *exponent.denom());
        }
        denominators.values().fold(1, |all, own| all.saturating_mul(usize::try_from(*own).unwrap_or(usize::MAX)))
    }
}
