//! Expressions that would take forever.

use super::*;
use crate::expr::Function::*;

fn tower(levels: u32, n: i64) -> Expr {
    (1..levels).fold(int(n), |exponent, _| power(int(n), exponent))
}

fn huge(exponent: i64) -> Expr {
    power(int(10), int(exponent))
}

#[test]
fn what_is_too_large() {
    let cases = [
        tower(4, 9),
        power(rational(1, 3), tower(3, 9).negated()).negated(),
        power(PI, huge(400)),
        power(int(2), power(int(2), int(500))),
        product([power(E, power(int(2), int(39))), power(E, power(int(2), int(39)))]),
        power(sum([int(1), I]), huge(30)),
        call(Sin, [huge(100_000)]),
        call(Sin, [power(int(2), int(5_000))]),
        call(Cosh, [huge(20)]),
        call(Factorial, [huge(9)]),
        call(Factorial, [huge(1_000_000)]),
        call(Binomial, [huge(100), huge(50)]),
        call(Floor, [huge(1_000_000)]),
        call(Gcd, [huge(1_000_000), int(6)]),
        power(E, huge(50)),
        power(E, huge(50).negated()),
    ];
    for expr in cases {
        for precision in [64, 4_096] {
            assert_eq!(at(precision, &expr).unwrap_err(), Trouble::TooLarge, "{expr:?}");
        }
    }
}

#[test]
fn large_numbers_compare() {
    assert!(at(64, &sum([tower(3, 9), huge(369_693_099).negated()])).unwrap().is_certainly_nonzero());
    assert!(at(64, &quotient(huge(1_000_000_000), huge(999_999_999))).unwrap().accuracy_bits() == 4);
}

#[test]
fn work_is_counted() {
    let spent = |expr: &Expr, budget: &mut Budget| evaluate(expr, &Point::default(), 4_096, budget).map(|_| ());
    let one = call(Arcsin, [rational(1, 3)]);
    let mut budget = Budget::new(5_000_000);
    assert_eq!(spent(&one, &mut budget), Ok(()));
    assert_eq!(spent(&Expr::Sum(vec![one.clone(); 10]), &mut budget), Err(Trouble::TooLarge));
    assert_eq!(spent(&int(1), &mut budget), Err(Trouble::TooLarge));
    // These cost much more than the numbers in them.
    for dear in
        [one, power(int(2), PI), call(Root, [int(2), int(3)]), call(Log, [PI]), call(Factorial, [int(4_000)]), E]
    {
        let mut budget = Budget::new(300_000);
        assert_eq!(spent(&dear, &mut budget), Err(Trouble::TooLarge), "{dear:?}");
    }
    for cheap in [sum([int(1), int(2)]), product([PI]), quotient(PI, int(3)), int(7)] {
        let mut budget = Budget::new(40_000_000);
        assert_eq!(spent(&Expr::Sum(vec![cheap.clone(); 4_000]), &mut budget), Err(Trouble::TooLarge), "{cheap:?}");
    }
    assert!(at(128, &Expr::Sum(vec![call(Arcsin, [rational(1, 3)]); 4_000])).is_ok());
}
