//! Forms and expressions evaluated in complex floating-point numbers: every rule that a form uses must keep principal values.

use std::ops::{Add, Mul};

use num_traits::ToPrimitive;
use proptest::prelude::*;

use super::build::*;
use crate::expr::Function::*;
use crate::expr::{Constant, Expr, Function};
use crate::normal::atom::{Atom, Opaque};
use crate::normal::{Fraction, Polynomial, Work, normal};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Complex(f64, f64);

impl Add for Complex {
    type Output = Complex;
    fn add(self, other: Complex) -> Complex {
        Complex(self.0 + other.0, self.1 + other.1)
    }
}

impl Mul for Complex {
    type Output = Complex;
    fn mul(self, other: Complex) -> Complex {
        Complex(self.0 * other.0 - self.1 * other.1, self.0 * other.1 + self.1 * other.0)
    }
}

impl Complex {
    fn size(self) -> f64 {
        self.0.hypot(self.1)
    }

    fn reciprocal(self) -> Complex {
        let square = self.0 * self.0 + self.1 * self.1;
        Complex(self.0 / square, -self.1 / square)
    }

    fn exp(self) -> Complex {
        Complex(self.0.exp() * self.1.cos(), self.0.exp() * self.1.sin())
    }

    /// Without an imaginary part that is a rounding error; `None` where it may be one, or the number may be zero.
    fn clean(self) -> Option<Complex> {
        let part = self.1.abs() / self.size();
        match self.size() > 1e-6 && !(1e-13..=1e-7).contains(&part) {
            true => Some(Complex(self.0, if part < 1e-13 { 0.0 } else { self.1 })),
            false => None,
        }
    }

    fn ln(self) -> Option<Complex> {
        self.clean().map(|z| Complex(z.size().ln(), z.1.atan2(z.0)))
    }

    fn pow(self, power: Complex) -> Option<Complex> {
        if power.1 == 0.0 && power.0.fract() == 0.0 && power.0.abs() < 50.0 {
            let base = if power.0 < 0.0 { Some(self.reciprocal()).filter(|_| self.size() > 1e-9)? } else { self };
            return Some((0..power.0.abs() as i32).fold(Complex(1.0, 0.0), |all, _| all * base));
        }
        Some((power * self.ln()?).exp())
    }

    fn root(self, index: f64) -> Option<Complex> {
        let z = self.clean()?;
        match z.1 == 0.0 && index % 2.0 != 0.0 && index.fract() == 0.0 {
            true => Some(Complex(z.0.signum() * z.0.abs().powf(1.0 / index), 0.0)),
            false => z.pow(Complex(1.0 / index, 0.0)),
        }
    }
}

fn function(function: Function, arguments: &[Complex]) -> Option<Complex> {
    let z = *arguments.first()?;
    let real = Some(z.0).filter(|_| z.1 == 0.0);
    match function {
        Root => z.root(arguments.get(1)?.0),
        Abs => Some(Complex(z.size(), 0.0)),
        Ln => z.ln(),
        // A base that no rule can know.
        Log => Some(z.ln()? * Complex(0.3, 0.0)),
        LogBase => Some(z.ln()? * arguments.get(1)?.ln()?.reciprocal()),
        Sin => Some(Complex(z.0.sin() * z.1.cosh(), z.0.cos() * z.1.sinh())),
        Cos => Some(Complex(z.0.cos() * z.1.cosh(), -z.0.sin() * z.1.sinh())),
        Tan => Some(function_of(Sin, z)? * function_of(Cos, z)?.reciprocal()),
        Arctan => Some(Complex(real?.atan(), 0.0)),
        Arcsin => Some(Complex(real.filter(|x| x.abs() < 0.999)?.asin(), 0.0)),
        Arccos => Some(Complex(real.filter(|x| x.abs() < 0.999)?.acos(), 0.0)),
        Sinh => Some(Complex(real?.sinh(), 0.0)),
        Tanh => Some(Complex(real?.tanh(), 0.0)),
        _ => None,
    }
}

fn function_of(name: Function, z: Complex) -> Option<Complex> {
    function(name, &[z])
}

const POINTS: [(f64, f64); 3] = [(1.375, -0.625), (-2.25, 0.875), (-0.71, -1.9)];

fn value(expr: &Expr, (x, y): (f64, f64)) -> Option<Complex> {
    let all = |parts: &[Expr]| parts.iter().map(|part| value(part, (x, y))).collect::<Option<Vec<_>>>();
    let found = match expr {
        Expr::Number(number) => Complex(number.value.to_f64()?, 0.0),
        Expr::Constant(Constant::Pi) => Complex(std::f64::consts::PI, 0.0),
        Expr::Constant(Constant::E) => Complex(std::f64::consts::E, 0.0),
        Expr::Constant(Constant::I) => Complex(0.0, 1.0),
        Expr::Constant(_) => return None,
        Expr::Symbol(name) => Complex(if name == "x" { x } else { y }, 0.0),
        Expr::Sum(parts) => all(parts)?.into_iter().fold(Complex(0.0, 0.0), Add::add),
        Expr::Product(parts) => all(parts)?.into_iter().fold(Complex(1.0, 0.0), Mul::mul),
        Expr::Quotient(a, b) => value(a, (x, y))? * value(b, (x, y)).filter(|b| b.size() > 1e-9)?.reciprocal(),
        Expr::Power(a, b) => value(a, (x, y))?.pow(value(b, (x, y))?)?,
        Expr::Call(name, arguments) => function(*name, &all(arguments)?)?,
    };
    Some(found).filter(|found| found.size() < 1e6)
}

fn fraction(form: &Fraction, point: (f64, f64)) -> Option<Complex> {
    let above = polynomial(form.numerator(), point)?;
    match form.denominator() {
        None => Some(above),
        Some(below) => Some(above * polynomial(below, point).filter(|below| below.size() > 1e-9)?.reciprocal()),
    }
}

fn polynomial(form: &Polynomial, point: (f64, f64)) -> Option<Complex> {
    let mut all = Complex(0.0, 0.0);
    for (monomial, coefficient) in form.terms() {
        let mut term = Complex(coefficient.to_f64()?, 0.0);
        for (atom, exponent) in monomial.factors() {
            term = term * power(atom, Complex(exponent.to_f64()?, 0.0), point)?;
        }
        all = all + term;
    }
    Some(all).filter(|all| all.size() < 1e8)
}

fn power(atom: &Atom, exponent: Complex, point: (f64, f64)) -> Option<Complex> {
    let base = match (atom, atom.as_opaque()) {
        (Atom::Symbol(name), _) => Complex(if &**name == "x" { point.0 } else { point.1 }, 0.0),
        (Atom::E, _) => Complex(std::f64::consts::E, 0.0),
        (Atom::Pi, _) => Complex(std::f64::consts::PI, 0.0),
        (Atom::Root(root), _) => Complex(root.to_f64()?, 0.0),
        (_, Some(Opaque::Power(base, outer))) => {
            return fraction(base, point)?.pow(exponent * fraction(outer, point)?);
        }
        (_, Some(Opaque::Root(radicand, index))) => fraction(radicand, point)?.root(index.to_f64()?)?,
        (_, Some(Opaque::Call(name, arguments))) => {
            function(*name, &arguments.iter().map(|a| fraction(a, point)).collect::<Option<Vec<_>>>()?)?
        }
        _ => return None,
    };
    base.pow(exponent)
}

/// Expressions with roots, powers and functions. Exponents are real.
fn expression() -> impl Strategy<Value = Formula> {
    let small = || (-6..7_i64, 1..4_i64).prop_map(|(a, b)| q(a, b));
    let leaf = prop_oneof![
        small(),
        Just(x()),
        Just(y()),
        Just(i()),
        Just(pi()),
        Just(e()),
        (2..30_i64).prop_map(|a| sqrt(n(a))),
    ];
    leaf.prop_recursive(4, 16, 2, move |inner| {
        let functions = prop_oneof![
            Just(Abs),
            Just(Ln),
            Just(Log),
            Just(Sin),
            Just(Cos),
            Just(Tan),
            Just(Arctan),
            Just(Arcsin),
            Just(Arccos),
            Just(Sinh),
            Just(Tanh)
        ];
        let exponents = prop_oneof![small(), Just(x()), Just(y() - n(1)), Just(sqrt(n(2))), Just(n(2) * x()), small()];
        prop_oneof![
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| a + b),
            2 => (inner.clone(), inner.clone()).prop_map(|(a, b)| a * b),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| a / b),
            3 => (inner.clone(), exponents).prop_map(|(a, b)| a.pow(b)),
            2 => (inner.clone(), 2..5_i64).prop_map(|(a, k)| call(Root, [a, n(k)])),
            2 => (functions, inner.clone()).prop_map(|(name, a)| call(name, [a])),
            1 => (inner.clone(), inner).prop_map(|(a, b)| call(LogBase, [a, b])),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_form_has_the_value_of_its_expression(formula in expression()) {
        let Ok(form) = normal(&formula.0, &mut Work::new()) else { return Ok(()) };
        for point in POINTS {
            if let (Some(a), Some(b)) = (value(&formula.0, point), fraction(&form, point)) {
                let distance = (a + b * Complex(-1.0, 0.0)).size();
                prop_assert!(distance < 1e-5 * (1.0 + a.size()), "{a:?} and {b:?} at {point:?}: {form}");
            }
        }
    }
}

#[test]
fn the_evaluation_sees_a_wrong_rule() {
    let (right, wrong) = (sqrt(x().to(2)), x().form());
    let point = (-2.0, 1.0);
    assert!((value(&right.0, point).unwrap().0 - 2.0).abs() < 1e-9);
    assert!((fraction(&wrong, point).unwrap().0 + 2.0).abs() < 1e-9);
}
