//! Short names for expressions.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::expr::{Constant, Expr, Function};
use crate::normal::{Fraction, Work, certainly_different, normal};

/// An expression with operators.
#[derive(Clone, Debug)]
pub struct Formula(pub Expr);

pub fn n(value: i64) -> Formula {
    Formula(Expr::integer(value))
}

pub fn q(above: i64, below: i64) -> Formula {
    n(above) / n(below)
}

pub fn symbol(name: &str) -> Formula {
    Formula(Expr::Symbol(name.to_owned()))
}

pub fn x() -> Formula {
    symbol("x")
}

pub fn y() -> Formula {
    symbol("y")
}

pub fn i() -> Formula {
    Formula(Expr::Constant(Constant::I))
}

pub fn e() -> Formula {
    Formula(Expr::Constant(Constant::E))
}

pub fn pi() -> Formula {
    Formula(Expr::Constant(Constant::Pi))
}

pub fn degrees(value: i64) -> Formula {
    n(value) * Formula(Expr::Constant(Constant::Degree))
}

pub fn call<const N: usize>(function: Function, arguments: [Formula; N]) -> Formula {
    Formula(Expr::Call(function, arguments.into_iter().map(|argument| argument.0).collect()))
}

pub fn sqrt(a: Formula) -> Formula {
    call(Function::Root, [a, n(2)])
}

pub fn cbrt(a: Formula) -> Formula {
    call(Function::Root, [a, n(3)])
}

pub fn ln(a: Formula) -> Formula {
    call(Function::Ln, [a])
}

pub fn abs(a: Formula) -> Formula {
    call(Function::Abs, [a])
}

impl Formula {
    pub fn pow(self, power: Formula) -> Formula {
        Formula(Expr::Power(Box::new(self.0), Box::new(power.0)))
    }

    pub fn to(self, power: i64) -> Formula {
        self.pow(n(power))
    }

    pub fn form(&self) -> Fraction {
        normal(&self.0, &mut Work::new()).unwrap_or_else(|trouble| panic!("{trouble:?}: {self:?}"))
    }
}

impl Add for Formula {
    type Output = Formula;
    fn add(self, other: Formula) -> Formula {
        Formula(Expr::Sum(vec![self.0, other.0]))
    }
}

impl Sub for Formula {
    type Output = Formula;
    fn sub(self, other: Formula) -> Formula {
        Formula(self.0.minus(other.0))
    }
}

impl Mul for Formula {
    type Output = Formula;
    fn mul(self, other: Formula) -> Formula {
        Formula(Expr::Product(vec![self.0, other.0]))
    }
}

impl Div for Formula {
    type Output = Formula;
    fn div(self, other: Formula) -> Formula {
        Formula(Expr::Quotient(Box::new(self.0), Box::new(other.0)))
    }
}

impl Neg for Formula {
    type Output = Formula;
    fn neg(self) -> Formula {
        Formula(self.0.negated())
    }
}

/// [`certainly_different`] with all the work it may take.
pub(super) fn differ(a: &Fraction, b: &Fraction) -> bool {
    certainly_different(a, b, &mut Work::new())
}

impl Fraction {
    /// [`Fraction::equals`] with all the work it may take.
    pub(super) fn same(&self, other: &Fraction) -> bool {
        self.equals(other, &mut Work::new())
    }
}
