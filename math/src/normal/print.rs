//! Normal forms as plain text, as in `3*x^2 + 2*sqrt(5)`.

use std::fmt::{self, Display, Formatter};

use num_rational::BigRational;
use num_traits::{One, Signed};

use super::atom::{Atom, Opaque};
use super::fraction::Fraction;
use super::monomial::Monomial;
use super::polynomial::Polynomial;
use super::rational::Exponent;

impl Display for Fraction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.denominator() {
            None => write!(f, "{}", self.numerator()),
            Some(below) => write!(f, "({})/({below})", self.numerator()),
        }
    }
}

impl Display for Polynomial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0");
        }
        for (place, (monomial, coefficient)) in self.terms().rev().enumerate() {
            let sign = match (place, coefficient.is_negative()) {
                (0, false) => "",
                (0, true) => "-",
                (_, false) => " + ",
                (_, true) => " - ",
            };
            f.write_str(sign)?;
            write_term(f, monomial, &coefficient.abs())?;
        }
        Ok(())
    }
}

impl Display for Atom {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Symbol(name) => f.write_str(name),
            Atom::E => f.write_str("e"),
            Atom::Pi => f.write_str("pi"),
            Atom::Root(root) if *root < 0 => write!(f, "({root})"),
            Atom::Root(root) => write!(f, "{root}"),
            Atom::Opaque(_) => self.as_opaque().map_or(Ok(()), |opaque| write!(f, "{opaque}")),
        }
    }
}

impl Display for Opaque {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Opaque::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(Fraction::to_string).collect();
                write!(f, "{}({})", format!("{function:?}").to_lowercase(), arguments.join(", "))
            }
            Opaque::Power(base, exponent) if exponent.is_one() => write!(f, "({base})"),
            Opaque::Power(base, exponent) => write!(f, "(({base})^({exponent}))"),
            Opaque::Root(radicand, index) => write!(f, "root({radicand}, {index})"),
        }
    }
}

fn write_term(f: &mut Formatter<'_>, monomial: &Monomial, coefficient: &BigRational) -> fmt::Result {
    if monomial.is_one() || !coefficient.is_one() {
        write!(f, "{coefficient}")?;
    }
    let mut separator = if coefficient.is_one() { "" } else { "*" };
    let (symbols, numbers): (Vec<_>, Vec<_>) = monomial.factors().iter().partition(|(atom, _)| !atom.is_numeric());
    for (atom, exponent) in numbers.into_iter().chain(symbols) {
        f.write_str(separator)?;
        separator = "*";
        write_power(f, atom, *exponent)?;
    }
    Ok(())
}

fn write_power(f: &mut Formatter<'_>, atom: &Atom, exponent: Exponent) -> fmt::Result {
    let half = Exponent::new(1, 2);
    match atom {
        Atom::Root(-1) if exponent == half => f.write_str("i"),
        Atom::Root(root) if exponent == half => write!(f, "sqrt({root})"),
        _ if exponent.is_one() => write!(f, "{atom}"),
        _ if exponent.is_integer() && *exponent.numer() > 0 => write!(f, "{atom}^{exponent}"),
        _ => write!(f, "{atom}^({exponent})"),
    }
}
