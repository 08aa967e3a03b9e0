//! Expressions: what a formula says, as a tree.
//!
//! A tree has bounded depth and size (see [`crate::limits`]), because the parser builds no other. So every function that walks
//! one may recurse.

use std::collections::BTreeSet;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};

/// An expression in numbers, constants and symbols.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expr {
    /// A rational number.
    Number(Number),
    /// A constant with a name.
    Constant(Constant),
    /// A variable, by its name: `x`, `\alpha`, `x_1`.
    Symbol(String),
    /// The sum of all.
    Sum(Vec<Expr>),
    /// The product of all. A difference is a sum with a term `-1 * x`.
    Product(Vec<Expr>),
    /// The first divided by the second.
    Quotient(Box<Expr>, Box<Expr>),
    /// The first to the power of the second; the principal value where there are several.
    Power(Box<Expr>, Box<Expr>),
    /// A function of arguments; their number is the function's own, see [`Function`].
    Call(Function, Vec<Expr>),
}

/// A rational number as it was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// Its exact value as written.
    pub value: BigRational,
    /// Of a number with a decimal point: the power of ten of its last digit, so -2 for `3.14`. Such a number may be the
    /// rounding of another. `None` for a number that is exact.
    pub place: Option<i32>,
}

/// Constants with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Constant {
    /// The ratio of a circle's circumference to its diameter.
    Pi,
    /// The base of natural logarithms.
    E,
    /// The imaginary unit.
    I,
    /// One degree as a number: pi / 180.
    Degree,
    /// Positive infinity. Nothing is computed with it: expressions that hold it are equal only as they are written.
    Infinity,
}

/// Functions, with their arguments in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// `[x, n]`: the n-th root of x. For odd integers n and real x the real root, else the principal value.
    Root,
    /// `[x]`: absolute value.
    Abs,
    /// `[x]`: greatest integer not above.
    Floor,
    /// `[x]`: least integer not below.
    Ceiling,
    /// `[n]`: n!, for integers n >= 0.
    Factorial,
    /// `[n]`: n!!, the product n (n - 2) (n - 4) .., for integers n >= 0.
    DoubleFactorial,
    /// `[n, k]`: the number of subsets of size k of a set of n, for integers n, k >= 0.
    Binomial,
    /// `[x]`: the logarithm whose base was not written. Authors mean 10, e or 2 by it.
    Log,
    /// `[x]`: natural logarithm.
    Ln,
    /// `[x, b]`: logarithm to the base b.
    LogBase,
    /// `[x]`
    Sin,
    /// `[x]`
    Cos,
    /// `[x]`
    Tan,
    /// `[x]`
    Cot,
    /// `[x]`
    Sec,
    /// `[x]`
    Csc,
    /// `[x]`
    Arcsin,
    /// `[x]`
    Arccos,
    /// `[x]`
    Arctan,
    /// `[x]`: arctan(1 / x), and pi / 2 at 0.
    Arccot,
    /// `[x]`
    Arcsec,
    /// `[x]`
    Arccsc,
    /// `[x]`
    Sinh,
    /// `[x]`
    Cosh,
    /// `[x]`
    Tanh,
    /// `[x]`
    Coth,
    /// One or more arguments: the largest.
    Max,
    /// One or more arguments: the smallest.
    Min,
    /// One or more integers: their greatest common divisor.
    Gcd,
    /// One or more integers: their least common multiple.
    Lcm,
}

impl Number {
    /// An exact number.
    pub fn exact(value: BigRational) -> Number {
        Number { value, place: None }
    }
}

impl Expr {
    /// The integer n.
    pub fn integer(n: impl Into<BigInt>) -> Expr {
        Expr::Number(Number::exact(BigRational::from_integer(n.into())))
    }

    /// The exact rational number.
    pub fn rational(value: BigRational) -> Expr {
        Expr::Number(Number::exact(value))
    }

    /// The value of a number that stands alone.
    pub fn number(&self) -> Option<&BigRational> {
        match self {
            Expr::Number(number) => Some(&number.value),
            _ => None,
        }
    }

    /// `-self`.
    pub fn negated(self) -> Expr {
        match self {
            Expr::Number(Number { value, place }) => Expr::Number(Number { value: -value, place }),
            Expr::Product(mut factors) => match factors.first() {
                Some(Expr::Number(first)) if first.value == -BigRational::one() && factors.len() == 2 => {
                    factors.swap_remove(1)
                }
                _ => {
                    factors.insert(0, Expr::integer(-1));
                    Expr::Product(factors)
                }
            },
            other => Expr::Product(vec![Expr::integer(-1), other]),
        }
    }

    /// `self - other`.
    pub fn minus(self, other: Expr) -> Expr {
        if other.number().is_some_and(Zero::is_zero) { self } else { Expr::Sum(vec![self, other.negated()]) }
    }

    /// The parts of an expression, in order.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => Vec::new(),
            Expr::Sum(parts) | Expr::Product(parts) | Expr::Call(_, parts) => parts.iter().collect(),
            Expr::Quotient(a, b) | Expr::Power(a, b) => vec![a, b],
        }
    }

    /// Whether `found` holds for the expression or a part of it, at any depth.
    pub fn any(&self, found: &mut dyn FnMut(&Expr) -> bool) -> bool {
        found(self) || self.children().into_iter().any(|part| part.any(found))
    }

    /// The symbols that occur, added to those given.
    pub fn symbols<'a>(&'a self, found: &mut BTreeSet<&'a str>) {
        match self {
            Expr::Symbol(name) => {
                found.insert(name);
            }
            other => other.children().into_iter().for_each(|part| part.symbols(found)),
        }
    }

    /// Whether no symbol occurs.
    pub fn is_numeric(&self) -> bool {
        !self.any(&mut |part| matches!(part, Expr::Symbol(_)))
    }

    /// With another name for a symbol.
    pub fn renamed(&self, from: &str, to: &str) -> Expr {
        let all = |parts: &[Expr]| parts.iter().map(|part| part.renamed(from, to)).collect();
        let one = |part: &Expr| Box::new(part.renamed(from, to));
        match self {
            Expr::Symbol(name) if name == from => Expr::Symbol(to.to_owned()),
            Expr::Number(_) | Expr::Constant(_) | Expr::Symbol(_) => self.clone(),
            Expr::Sum(parts) => Expr::Sum(all(parts)),
            Expr::Product(parts) => Expr::Product(all(parts)),
            Expr::Call(function, parts) => Expr::Call(*function, all(parts)),
            Expr::Quotient(a, b) => Expr::Quotient(one(a), one(b)),
            Expr::Power(a, b) => Expr::Power(one(a), one(b)),
        }
    }
}
