//! Input that is meant to take long, or to have no value.

use super::build::*;
use crate::expr::{Constant, Expr, Function::*};
use crate::limits::DEPTH;
use crate::normal::{Trouble, Work, normal};

fn assert_trouble(formulas: Vec<Formula>, wanted: Trouble) {
    for (place, formula) in formulas.into_iter().enumerate() {
        let found = normal(&formula.0, &mut Work::new());
        assert_eq!(found.as_ref().err(), Some(&wanted), "formula {place}: {found:?}");
    }
}

#[test]
fn what_has_no_value_is_undefined() {
    assert_trouble(
        vec![
            n(1) / n(0),
            n(1) / (x() - x()),
            n(1) / ((x() + n(1)).to(2) - x().to(2) - n(2) * x() - n(1)),
            n(0).to(0),
            n(0).to(-1),
            n(0).pow(q(-1, 2)),
            n(0).pow(x()),
            ln(n(0)),
            call(LogBase, [n(2), n(1)]),
            call(Tan, [degrees(90)]),
            call(Factorial, [n(-1)]),
            call(Binomial, [n(-1), n(2)]),
            call(Root, [n(2), n(0)]),
            call(Sin, [x(), y()]),
            n(1) / (sqrt(n(3) + n(2) * sqrt(n(2))) - n(1) - sqrt(n(2))),
        ],
        Trouble::Undefined,
    );
}

#[test]
fn infinity_is_not_computed_with() {
    let infinity = || Formula(Expr::Constant(Constant::Infinity));
    assert_trouble(vec![infinity() - infinity(), n(0) * infinity(), call(Arctan, [infinity()])], Trouble::Infinite);
}

#[test]
fn what_is_too_large_is_refused() {
    let huge = || n(1_000_000_000);
    let semiprime = n(1_000_000_007) * n(1_000_000_009) * n(1_000_000_021);
    assert_trouble(
        vec![
            n(10).pow(huge()),
            n(2).pow(n(2).pow(n(2).pow(n(2).pow(n(3))))),
            n(9).pow(n(9).pow(n(9))),
            x().pow(n(10).to(30)),
            call(Factorial, [huge()]),
            call(DoubleFactorial, [n(10_000)]),
            call(Binomial, [huge(), n(500_000_000)]),
            call(Binomial, [n(10).to(5000), n(2)]),
            sqrt(semiprime),
            sqrt(n(10).to(4000) + n(1)),
            (x() + y() + n(1)).to(30) * (x() + symbol("z")).to(40),
            n(2).pow(q(1_000_000_000, 3)),
        ],
        Trouble::TooLarge,
    );
}

#[test]
fn a_power_that_is_too_long_to_expand_is_an_atom() {
    let power = (n(1) + x()).to(1_000_000_000).form();
    assert_eq!(power.to_string(), "(x + 1)^1000000000");
    assert!(power.same(&(x() + n(1)).to(1_000_000_000).form()));
    assert!(!power.same(&(x() + n(1)).to(999_999_999).form()));
}

#[test]
fn deep_and_wide_expressions_end() {
    let nest = |step: &dyn Fn(Formula) -> Formula| (0..DEPTH - 2).fold(x(), |inner, _| step(inner));
    let formulas = vec![
        nest(&|inner| sqrt(inner + n(1))),
        nest(&|inner| call(Sin, [inner]) + n(1)),
        nest(&|inner| (call(Sin, [inner]) + n(1)).to(9)),
        nest(&|inner| n(1) / (inner + n(1))),
        nest(&|inner| n(2).pow(inner)),
        nest(&|inner| (inner + n(1)).to(2)),
        nest(&|inner| abs(inner - n(1))),
        nest(&|inner| cbrt(inner + y()).to(7)),
        (1..2000).fold(n(0), |sum, k| sum + q(1, k)),
        (1..400).fold(n(0), |sum, k| sum + n(1) / (x() + n(k))),
        (1..400).fold(n(0), |sum, k| sum + sqrt(n(k))).to(7),
        (1..400).fold(n(1), |product, k| product * (x() + sqrt(n(k)))),
        n(1) / (1..40).fold(n(0), |sum, k| sum + sqrt(n(k))),
        (1..2000).fold(n(0), |sum, _| sum + call(Factorial, [n(1500)])),
    ];
    for formula in formulas {
        let start = std::time::Instant::now();
        let form = normal(&formula.0, &mut Work::new());
        let text = form.map(|form| form.to_string().len());
        let seconds = start.elapsed().as_secs_f64();
        assert!(seconds < 5.0, "{seconds} s: {text:?}");
        if std::env::var_os("PRINT_TIMES").is_some() {
            eprintln!("{:.4} s {text:?}", seconds);
        }
    }
}
