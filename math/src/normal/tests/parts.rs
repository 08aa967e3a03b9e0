//! What a normal form tells about itself.

use std::cmp::Ordering;

use super::build::*;
use crate::expr::Function::*;
use crate::normal::{Exponent, Work};

#[test]
fn printed() {
    let cases = vec![
        (n(2) * sqrt(n(5)) + n(3) * x().to(2), "3*x^2 + 2*sqrt(5)"),
        (n(1) - x(), "-x + 1"),
        (x() - x(), "0"),
        (n(3) / (x() * n(2)), "3/2*x^(-1)"),
        (y() / (n(2) * x() + n(2)), "(1/2*y)/(x + 1)"),
        (sqrt(n(-3)) / n(2), "1/2*i*sqrt(3)"),
        (cbrt(n(2)) * pi() * x(), "pi*2^(1/3)*x"),
        (call(Sin, [x() + x()]) * e().to(2), "e^2*sin(2*x)"),
        (n(2).pow(x() + n(1)), "2*((2)^(x))"),
        (sqrt(x() + n(1)), "(x + 1)^(1/2)"),
        (cbrt(x() + n(1)), "root(x + 1, 3)"),
    ];
    for (formula, text) in cases {
        assert_eq!(formula.form().to_string(), text);
    }
}

#[test]
fn proportional_equations() {
    let ratio = |a: Formula, b: Formula| {
        a.form().numerator().proportional(b.form().numerator(), &mut Work::new()).map(|r| r.to_string())
    };
    let line = || n(2) * x() + n(4) * y() - n(6);
    assert_eq!(ratio(line(), x() + n(2) * y() - n(3)).as_deref(), Some("2"));
    assert_eq!(ratio(n(3) - x() - n(2) * y(), line()).as_deref(), Some("-1/2"));
    assert_eq!(ratio(sqrt(n(2)) * x() + n(2), x() + sqrt(n(2))).as_deref(), Some("sqrt(2)"));
    assert_eq!(ratio(x() + cbrt(n(2)), cbrt(n(4)) * x() + n(2)).as_deref(), Some("1/2*2^(1/3)"));
    assert_eq!(ratio(line(), x() + n(2) * y() - n(4)), None);
    assert_eq!(ratio(line(), (x() + n(2) * y() - n(3)) * x()), None);
    assert_eq!(ratio(x(), n(0)), None);
    assert_eq!(ratio(n(0), n(0)), None);
}

#[test]
fn cleared_of_negative_exponents() {
    let text = |a: Formula| a.form().cleared(&mut Work::new()).unwrap().to_string();
    assert_eq!(text(x() - n(1) / y()), "x*y - 1");
    assert_eq!(text(x().to(2) - x()), "x^2 - x");
    assert_eq!(text((n(2) * x() - n(1)) / (x() + n(1))), "2*x - 1");
    assert_eq!(text(n(0)), "0");
}

#[test]
fn linear_in_a_symbol() {
    let parts =
        |formula: Formula| formula.form().numerator().linear_in("x").map(|(a, b)| (a.to_string(), b.to_string()));
    let text = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
    assert_eq!(parts(n(3) * x() - n(7)), text("3", "-7"));
    assert_eq!(parts(y() * x() + sqrt(n(2)) * x() + y().to(2)), text("y + sqrt(2)", "y^2"));
    assert_eq!(parts(y()), text("0", "y"));
    assert_eq!(parts(x().to(2) + x()), None);
    assert_eq!(parts(sqrt(x())), None);
    assert_eq!(parts(n(1) / x()), None);
    assert_eq!(parts(x() + call(Sin, [x()])), None);
}

#[test]
fn degrees_symbols_and_values() {
    let degree = |formula: Formula| formula.form().numerator().degree("x");
    assert_eq!(degree(x().to(3) * y() + x()), Some(Exponent::from_integer(3)));
    assert_eq!(degree(y()), Some(Exponent::from_integer(0)));
    assert_eq!(degree(n(2).pow(x())), None);
    let symbols =
        |formula: Formula| formula.form().numerator().symbols().into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(symbols(y() + call(Sin, [n(2).pow(x())]) + x() * pi()), ["x", "y"]);
    assert_eq!(symbols(x() - x() + sqrt(n(2))), [""; 0]);
    let value = |formula: Formula| formula.form().constant().map(|value| value.to_string());
    assert_eq!(value(sqrt(q(9, 4))).as_deref(), Some("3/2"));
    assert_eq!(value(n(0)).as_deref(), Some("0"));
    assert_eq!(value(x()), None);
}

#[test]
fn signs_are_right_or_unknown() {
    let near = 1_000_000_000;
    let cases = vec![
        (sqrt(n(2)) - q(141_421_356, 100_000_000), Some(Ordering::Greater)),
        (pi() - q(355, 113), Some(Ordering::Less)),
        (e().pow(pi()) - pi().pow(e()), Some(Ordering::Greater)),
        (ln(n(2)) - q(7, 10), Some(Ordering::Less)),
        (n(1) / (sqrt(n(2)) - cbrt(n(3))), Some(Ordering::Less)),
        (sqrt(n(near * near + 1)) - n(near), None),
        (x(), None),
        (i(), None),
        (sqrt(n(2)) - sqrt(n(2)), Some(Ordering::Equal)),
    ];
    for (formula, sign) in cases {
        assert_eq!(formula.form().sign(), sign, "{formula:?}");
    }
}
