//! Tests of certified numbers.

mod balls;
mod consistency;
mod exactness;
mod golden;
mod hostile;
mod timing;

use num_bigint::BigInt;
use num_rational::BigRational;

use super::{Budget, Point, Trouble, Value, evaluate};
use crate::expr::{Constant, Expr, Function};

const PI: Expr = Expr::Constant(Constant::Pi);
const E: Expr = Expr::Constant(Constant::E);
const I: Expr = Expr::Constant(Constant::I);

fn at(precision: u32, expr: &Expr) -> Result<Value, Trouble> {
    evaluate(expr, &Point::default(), precision, &mut Budget::COMPARISON.clone())
}

fn q(numerator: i64, denominator: i64) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}

fn int(n: i64) -> Expr {
    Expr::integer(n)
}

fn rational(numerator: i64, denominator: i64) -> Expr {
    Expr::rational(q(numerator, denominator))
}

fn sum<const N: usize>(terms: [Expr; N]) -> Expr {
    Expr::Sum(terms.into())
}

fn product<const N: usize>(factors: [Expr; N]) -> Expr {
    Expr::Product(factors.into())
}

fn quotient(a: Expr, b: Expr) -> Expr {
    Expr::Quotient(Box::new(a), Box::new(b))
}

fn power(a: Expr, b: Expr) -> Expr {
    Expr::Power(Box::new(a), Box::new(b))
}

fn sqrt(a: Expr) -> Expr {
    power(a, rational(1, 2))
}

fn call<const N: usize>(function: Function, arguments: [Expr; N]) -> Expr {
    Expr::Call(function, arguments.into())
}

/// `1.5 - 1.75 i`.
fn z() -> Expr {
    sum([rational(3, 2), product([rational(-7, 4), I])])
}

/// The number that decimal digits name.
fn decimal(digits: &str) -> BigRational {
    let places = digits.split_once('.').map_or(0, |(_, places)| places.len());
    let numerator: BigInt = digits.replace('.', "").parse().unwrap();
    BigRational::new(numerator, BigInt::from(10).pow(places as u32))
}
