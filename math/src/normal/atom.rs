//! What monomials are products of.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use num_traits::{One, Zero};

use super::fraction::Fraction;
use super::rational::Exponent;
use super::work::Trouble;
use crate::expr::Function;
use crate::limits::{ATOMS, TRIAL};

/// A factor of a monomial. `atom^c` is the principal power, but for [`Opaque::Power`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Atom {
    /// A variable. It stands for a real number where it is an exponent or the argument of a real root.
    Symbol(Arc<str>),
    /// An expression that is not taken apart.
    Opaque(Shared),
    /// The base of natural logarithms.
    E,
    /// The ratio of a circle's circumference to its diameter.
    Pi,
    /// An integer whose powers are roots: -1 or a prime. Exponents are between 0 and 1; so i is (-1)^(1/2). A factor of an
    /// integer that was too long to split stands as it is, see [`Atom::is_prime`].
    Root(i64),
}

/// An expression that is not taken apart.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Opaque {
    /// A function.
    Call(Function, Vec<Fraction>),
    /// The first to the power of the second; `atom^c` stands for `base^(c * exponent)`.
    Power(Fraction, Fraction),
    /// The n-th root of the first for an odd n: the real root of a real number.
    Root(Fraction, i64),
}

/// An opaque expression that many terms may hold.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    atoms: usize,
    numeric: bool,
    opaque: Arc<Opaque>,
}

impl Atom {
    /// The expression as an atom.
    pub(super) fn opaque(opaque: Opaque) -> Result<Atom, Trouble> {
        let atoms = opaque.parts().iter().map(|part| part.atoms()).fold(1, usize::saturating_add);
        if atoms > ATOMS {
            return Err(Trouble::TooLarge);
        }
        let numeric = opaque.parts().iter().all(|part| part.is_numeric());
        Ok(Atom::Opaque(Shared { atoms, numeric, opaque: Arc::new(opaque) }))
    }

    /// Whether it holds no symbol.
    pub(crate) fn is_numeric(&self) -> bool {
        match self {
            Atom::Symbol(_) => false,
            Atom::Opaque(shared) => shared.numeric,
            Atom::E | Atom::Pi | Atom::Root(_) => true,
        }
    }

    /// Whether it is the root of a proved prime.
    pub(crate) fn is_prime(&self) -> bool {
        matches!(self, Atom::Root(n) if (2..TRIAL * TRIAL).contains(n))
    }

    /// How many atoms it is made of.
    pub(super) fn atoms(&self) -> usize {
        match self {
            Atom::Opaque(shared) => shared.atoms,
            _ => 1,
        }
    }

    /// The expression that is not taken apart.
    pub(super) fn as_opaque(&self) -> Option<&Opaque> {
        match self {
            Atom::Opaque(shared) => Some(&shared.opaque),
            _ => None,
        }
    }

    /// Adds the names of its symbols.
    pub(super) fn add_symbols<'a>(&'a self, symbols: &mut BTreeSet<&'a str>) {
        match self {
            Atom::Symbol(name) => {
                symbols.insert(name);
            }
            Atom::Opaque(shared) if !shared.numeric => {
                shared.opaque.parts().into_iter().for_each(|part| part.add_symbols(symbols));
            }
            _ => {}
        }
    }

    /// Whether its value is known to be positive, or zero as absolute values may be.
    pub(super) fn is_positive(&self) -> bool {
        match self {
            Atom::E | Atom::Pi => true,
            Atom::Root(n) => *n > 0,
            Atom::Symbol(_) => false,
            Atom::Opaque(shared) => match &*shared.opaque {
                Opaque::Call(function, _) => *function == Function::Abs,
                Opaque::Power(base, exponent) => base.sign() == Some(Ordering::Greater) && exponent.is_real(),
                Opaque::Root(..) => false,
            },
        }
    }

    /// Whether the power is known to be a real number, where symbols are.
    pub(super) fn is_real(&self, exponent: Exponent) -> bool {
        let Atom::Opaque(shared) = self else {
            return self.is_positive() || (exponent.is_integer() && matches!(self, Atom::Symbol(_)));
        };
        let inner = match &*shared.opaque {
            Opaque::Call(Function::Sin | Function::Cos | Function::Arctan, arguments) => arguments,
            Opaque::Root(radicand, _) => std::slice::from_ref(radicand),
            _ => &[],
        };
        self.is_positive() || (exponent.is_integer() && !inner.is_empty() && inner.iter().all(Fraction::is_real))
    }

    /// The n and the z of an atom whose n-th power is z.
    pub(super) fn radicand(&self) -> Option<(i64, &Fraction)> {
        match self.as_opaque()? {
            Opaque::Power(base, exponent) if exponent.is_one() => Some((1, base)),
            Opaque::Root(radicand, index) => Some((*index, radicand)),
            _ => None,
        }
    }

    /// How often the n-th power of an atom with a radicand is to be replaced by it, for an exponent.
    pub(super) fn excess(&self, exponent: Exponent) -> i64 {
        let Some((index, radicand)) = self.radicand() else { return 0 };
        let times = (exponent / index).floor().to_integer();
        if times.is_zero() || !radicand.is_expanded(times.abs()) { 0 } else { times }
    }

    /// Whether the power rule `(atom^a)^b = atom^(a * b)` holds for every b. The argument of the value of `atom^a` is
    /// a times that of the atom, which is in (-pi, pi].
    pub(super) fn allows_power_of(&self, a: Exponent) -> bool {
        let principal = match self.as_opaque() {
            Some(Opaque::Power(_, exponent)) => exponent.is_one(),
            _ => true,
        };
        principal && a > -Exponent::one() && a <= Exponent::one()
    }
}

impl Opaque {
    fn parts(&self) -> Vec<&Fraction> {
        match self {
            Opaque::Call(_, arguments) => arguments.iter().collect(),
            Opaque::Power(base, exponent) => vec![base, exponent],
            Opaque::Root(radicand, _) => vec![radicand],
        }
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Shared {}

impl PartialOrd for Shared {
    fn partial_cmp(&self, other: &Shared) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Shared {
    fn cmp(&self, other: &Shared) -> Ordering {
        if Arc::ptr_eq(&self.opaque, &other.opaque) {
            return Ordering::Equal;
        }
        self.atoms.cmp(&other.atoms).then_with(|| self.opaque.cmp(&other.opaque))
    }
}
