//! Which values are exact, and which there are not.

use std::cmp::Ordering;

use super::super::ball::Ball;
use super::super::bound::Bound;
use super::super::complex::Complex;
use super::*;
use crate::certified::Base;
use crate::expr::Function::*;

fn exact(expr: &Expr) -> BigRational {
    match at(64, expr) {
        Ok(Value::Exact(q)) => q,
        other => panic!("{expr:?}: {other:?}"),
    }
}

#[test]
fn short_rational_numbers_stay_exact() {
    let cases = [
        (sum([rational(1, 3), rational(1, 6)]), q(1, 2)),
        (product([rational(2, 3), rational(3, 4)]), q(1, 2)),
        (quotient(int(1), int(3)), q(1, 3)),
        (product([int(0), PI]), q(0, 1)),
        (power(rational(2, 3), int(-2)), q(9, 4)),
        (power(int(-1), Expr::integer(BigInt::from(10).pow(100))), q(1, 1)),
        (power(int(0), PI), q(0, 1)),
        (power(PI, int(0)), q(1, 1)),
        (power(I, int(2)), q(-1, 1)),
        (sqrt(rational(9, 4)), q(3, 2)),
        (power(rational(8, 27), rational(-2, 3)), q(9, 4)),
        (call(Root, [int(-8), int(3)]), q(-2, 1)),
        (call(Root, [int(-8), int(-3)]), q(-1, 2)),
        (call(Abs, [rational(-5, 2)]), q(5, 2)),
        (call(Floor, [rational(-5, 2)]), q(-3, 1)),
        (call(Ceiling, [rational(-5, 2)]), q(-2, 1)),
        (call(Floor, [PI]), q(3, 1)),
        (call(Ceiling, [PI.negated()]), q(-3, 1)),
        (call(Factorial, [int(5)]), q(120, 1)),
        (call(Factorial, [int(0)]), q(1, 1)),
        (call(DoubleFactorial, [int(7)]), q(105, 1)),
        (call(DoubleFactorial, [int(8)]), q(384, 1)),
        (call(Binomial, [int(10), int(3)]), q(120, 1)),
        (call(Binomial, [int(3), int(10)]), q(0, 1)),
        (call(Max, [rational(22, 7), PI, int(3)]), q(22, 7)),
        (call(Min, [rational(22, 7), PI, int(3)]), q(3, 1)),
        (call(Gcd, [int(12), int(-18), int(8)]), q(2, 1)),
        (call(Lcm, [int(4), int(6)]), q(12, 1)),
        (call(Log, [int(1_000)]), q(3, 1)),
        (call(LogBase, [rational(1, 8), int(2)]), q(-3, 1)),
        (call(LogBase, [int(8), rational(1, 2)]), q(-3, 1)),
        (call(Ln, [int(1)]), q(0, 1)),
        (call(Sin, [int(0)]), q(0, 1)),
        (call(Arcsin, [int(0)]), q(0, 1)),
        (call(Sinh, [int(0)]), q(0, 1)),
    ];
    for (expr, value) in cases {
        assert_eq!(exact(&expr), value, "{expr:?}");
    }
}

#[test]
fn a_long_integer_is_enclosed() {
    let value = at(64, &power(int(2), int(5_000))).unwrap();
    assert!(matches!(value, Value::Enclosed(_)));
    assert_eq!(value.accuracy_bits(), 5_001);
    assert!(matches!(at(64, &call(Factorial, [int(2_000)])).unwrap(), Value::Enclosed(_)));
}

#[test]
fn what_is_undefined() {
    let infinity = Expr::Constant(Constant::Infinity);
    let cases = [
        quotient(PI, int(0)),
        quotient(int(1), sum([rational(1, 2), rational(-1, 2)])),
        power(int(0), int(0)),
        power(int(0), int(-1)),
        power(int(0), I),
        call(Root, [int(2), int(0)]),
        call(Factorial, [int(-1)]),
        call(Factorial, [rational(1, 2)]),
        call(Factorial, [PI]),
        call(Factorial, [I]),
        call(Floor, [I]),
        call(Max, [int(1), I]),
        call(Binomial, [int(3), int(-1)]),
        call(Gcd, [rational(1, 2), int(3)]),
        call(Ln, [int(0)]),
        call(Log, [int(0)]),
        call(LogBase, [int(3), int(1)]),
        call(Cot, [int(0)]),
        call(Csc, [int(0)]),
        call(Coth, [int(0)]),
        call(Arctan, [I]),
        call(Arcsec, [int(0)]),
        infinity,
        Expr::Symbol("x".to_owned()),
        // Calls with a wrong number of arguments.
        call(Sin, []),
        call(Max, []),
        call(Binomial, [int(3)]),
        call(Abs, [int(3), int(4)]),
    ];
    for expr in cases {
        assert_eq!(at(64, &expr).unwrap_err(), Trouble::Undefined, "{expr:?}");
    }
}

/// A number that is zero, which no precision shows.
fn hidden_zero() -> Expr {
    sum([sqrt(int(2)), sqrt(int(3)), sqrt(sum([int(5), product([int(2), sqrt(int(6))])])).negated()])
}

#[test]
fn what_is_undecided() {
    let near_minus_one = sum([int(-1), product([I, hidden_zero()])]);
    let cases = [
        quotient(int(1), hidden_zero()),
        call(Ln, [hidden_zero()]),
        call(Floor, [hidden_zero()]),
        call(Factorial, [hidden_zero()]),
        call(Arccot, [hidden_zero()]),
        call(Ln, [near_minus_one.clone()]),
        sqrt(near_minus_one.clone()),
        call(Root, [near_minus_one.clone(), int(3)]),
        call(Floor, [near_minus_one]),
        power(hidden_zero(), int(0)),
        power(int(0), hidden_zero()),
    ];
    for expr in cases {
        for precision in [64, 1_024] {
            assert_eq!(at(precision, &expr).unwrap_err(), Trouble::Undecided, "{expr:?}");
        }
    }
}

#[test]
fn continuous_functions_at_a_hidden_zero_are_small() {
    let one = || sum([int(1), hidden_zero()]);
    let cases = [
        hidden_zero(),
        sqrt(hidden_zero()),
        call(Root, [hidden_zero(), int(3)]),
        power(hidden_zero(), rational(2, 3)),
        call(Abs, [hidden_zero()]),
        call(Max, [int(0), hidden_zero()]),
        call(Sin, [hidden_zero()]),
        call(Arccos, [one()]),
        sum([call(Arcsin, [one()]), product([rational(-1, 2), PI])]),
    ];
    for expr in cases {
        let value = at(512, &expr).unwrap();
        assert!(!value.is_certainly_nonzero() && !value.is_exactly_zero(), "{expr:?}");
        assert!(value.accuracy_bits() < -160, "{expr:?}: {}", value.accuracy_bits());
    }
}

#[test]
fn signs_of_real_values() {
    assert_eq!(at(64, &PI.negated()).unwrap().sign(), Ok(Ordering::Less));
    assert_eq!(at(64, &int(0)).unwrap().sign(), Ok(Ordering::Equal));
    assert_eq!(at(64, &hidden_zero()).unwrap().sign(), Err(Trouble::Undecided));
    assert_eq!(at(64, &I).unwrap().sign(), Err(Trouble::Undefined));
}

#[test]
fn an_argument_is_as_accurate_as_its_larger_part() {
    let large = Ball::integer(1);
    let small = Ball::integer(1).scaled(-100).widened(Bound::new(1, -101));
    for z in [Complex { re: large.clone(), im: small.clone() }, Complex { re: small, im: large }] {
        let angle = z.argument(128).unwrap();
        assert!(angle.radius().top().is_some_and(|top| top < -90), "{angle:?}");
    }
}

#[test]
fn a_higher_precision_decides() {
    // The square root of 10^80 + 1 exceeds 10^40 by 5 10^-41.
    let wide = sqrt(sum([power(int(10), int(80)), int(1)]));
    let difference = sum([wide, power(int(10), int(40)).negated()]);
    assert_eq!(at(64, &difference).unwrap().sign(), Err(Trouble::Undecided));
    assert_eq!(at(512, &difference).unwrap().sign(), Ok(Ordering::Greater));
}

#[test]
fn a_point_gives_symbols_and_the_base_of_logarithms() {
    let log = call(Log, [Expr::Symbol("x".to_owned())]);
    let mut point = Point { symbols: [("x".to_owned(), q(8, 1))].into(), base: Base::Two };
    let mut value = |base| {
        point.base = base;
        evaluate(&log, &point, 64, &mut Budget::COMPARISON.clone()).unwrap()
    };
    assert!(matches!(value(Base::Two), Value::Exact(three) if three == q(3, 1)));
    let [ten, e] = [value(Base::Ten), value(Base::E)];
    let [log, ln] = [at(64, &call(LogBase, [int(8), int(10)])).unwrap(), at(64, &call(Ln, [int(8)])).unwrap()];
    assert!(ten.minus(&log, 64).unwrap().accuracy_bits() < -50);
    assert!(e.minus(&ln, 64).unwrap().accuracy_bits() < -50);
}
