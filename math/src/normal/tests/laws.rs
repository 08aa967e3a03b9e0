//! Laws that hold for every expression.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Zero};
use proptest::prelude::*;

use super::build::*;
use crate::expr::Expr;
use crate::normal::{Fraction, Work};

/// Polynomials in x and y.
fn polynomial() -> impl Strategy<Value = Formula> {
    let leaf = prop_oneof![(-9..10_i64, 1..5_i64).prop_map(|(a, b)| q(a, b)), Just(x()), Just(y())];
    leaf.prop_recursive(4, 20, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a + b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a - b),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a * b),
            (inner, 0..3_i64).prop_map(|(a, n)| if n == 0 { a } else { a.to(n) }),
        ]
    })
}

/// Its value at a point, if there is one.
fn at(expr: &Expr, point: &[(&str, BigRational)]) -> Option<BigRational> {
    match expr {
        Expr::Number(number) => Some(number.value.clone()),
        Expr::Symbol(name) => point.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()),
        Expr::Sum(parts) => parts.iter().try_fold(BigRational::zero(), |sum, part| Some(sum + at(part, point)?)),
        Expr::Product(parts) => parts.iter().try_fold(BigRational::one(), |all, part| Some(all * at(part, point)?)),
        Expr::Quotient(a, b) => Some(at(a, point)? / at(b, point).filter(|b| !b.is_zero())?),
        Expr::Power(a, b) => {
            let power = i32::try_from(at(b, point)?.to_integer()).ok()?;
            Some(at(a, point)?.pow(power))
        }
        _ => None,
    }
}

/// The expression with numbers in place of x and y.
fn put(expr: &Expr, point: &[(&str, BigRational)]) -> Expr {
    let all = |parts: &[Expr]| parts.iter().map(|part| put(part, point)).collect();
    match expr {
        Expr::Symbol(name) => point
            .iter()
            .find(|(own, _)| own == name)
            .map_or_else(|| expr.clone(), |(_, value)| Expr::rational(value.clone())),
        Expr::Sum(parts) => Expr::Sum(all(parts)),
        Expr::Product(parts) => Expr::Product(all(parts)),
        Expr::Quotient(a, b) => Expr::Quotient(Box::new(put(a, point)), Box::new(put(b, point))),
        Expr::Power(a, b) => Expr::Power(Box::new(put(a, point)), b.clone()),
        other => other.clone(),
    }
}

fn rational(above: i64, below: i64) -> BigRational {
    BigRational::new(BigInt::from(above), BigInt::from(below))
}

/// The form written as an expression again.
fn written(form: &Fraction) -> Formula {
    let polynomial = |polynomial: &crate::normal::Polynomial| {
        polynomial.terms().fold(n(0), |sum, (monomial, coefficient)| {
            let mut product = Formula(Expr::rational(coefficient.clone()));
            for (atom, exponent) in monomial.factors() {
                product = product * symbol(&atom.to_string()).pow(q(*exponent.numer(), *exponent.denom()));
            }
            sum + product
        })
    };
    let above = polynomial(form.numerator());
    form.denominator().map_or_else(|| above.clone(), |below| above.clone() / polynomial(below))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_form_is_the_form_of_itself(a in polynomial()) {
        let form = a.form();
        prop_assert_eq!(&written(&form).form(), &form);
    }

    #[test]
    fn a_product_equals_its_expansion(a in polynomial(), b in polynomial(), c in polynomial()) {
        let (left, right) = (a.clone() * (b.clone() + c.clone()), written(&(b * a.clone() + a * c).form()));
        let (left, right) = (left.form(), right.form());
        prop_assert!(left.same(&right));
        prop_assert!(!differ(&left, &right));
    }

    #[test]
    fn a_changed_coefficient_makes_a_difference(a in polynomial(), m in 0..3_i64, k in 0..3_i64, change in 1..9_i64) {
        let (left, right) = (a.form(), (a + q(change, 7) * x().to(m) * y().to(k)).form());
        prop_assert!(!left.same(&right));
        prop_assert!(differ(&left, &right));
    }

    #[test]
    fn values_are_those_of_the_expression(a in polynomial(), b in polynomial(), s in -9..10_i64, t in -9..10_i64) {
        let quotient = a / b;
        let point = [("x", rational(s, 7)), ("y", rational(t, 11))];
        let (Some(value), Ok(form)) = (at(&quotient.0, &point), crate::normal::normal(&quotient.0, &mut Work::new())) else { return Ok(()) };
        if let Some(again) = at(&written(&form).0, &point) {
            prop_assert_eq!(again, value.clone());
        }
        prop_assert_eq!(Formula(put(&quotient.0, &point)).form().constant(), Some(value));
    }

    #[test]
    fn fractions_are_a_field(a in polynomial(), b in polynomial(), c in polynomial()) {
        if !b.form().is_zero() && !c.form().is_zero() {
            let left = a.clone() / b.clone() + b.clone() / c.clone();
            let right = (a * c.clone() + b.clone().to(2)) / (b * c);
            prop_assert!(left.form().same(&right.form()));
        }
    }

    #[test]
    fn square_roots_of_numbers_multiply(a in -60..60_i64, b in 1..60_i64, c in -9..10_i64) {
        let root = sqrt(q(a, b));
        prop_assert!((root.clone() * root.clone()).form().same(&q(a, b).form()));
        prop_assert!((sqrt(n(b)) * sqrt(n(b * c * c))).form().same(&n(b * c.abs()).form()));
        let square = (n(c) + root.clone()).to(2);
        let expanded = n(c * c) + q(a, b) + n(2 * c) * root;
        prop_assert!(square.form().same(&expanded.form()));
    }
}
