//! Pairs that are not equal, some of them tempting.

use super::build::*;
use crate::expr::Function::*;

#[test]
fn tempting_pairs_are_not_equal() {
    let m = || symbol("n");
    // Its square less 1 has a root that is nearer to it than floating-point numbers tell.
    let big = || n(1_000_000_000);
    let near = || sqrt(big().to(2) - n(1));
    let half_root = |a: Formula| sqrt(a / n(2));
    let pairs = vec![
        (call(Floor, [near()]), big()),
        (sqrt(near() - big()), i() * (half_root(big() - n(1)) + half_root(big() + n(1)))),
        (sqrt(x().to(2)), x()),
        (sqrt(x()) * sqrt(y()), sqrt(x() * y())),
        (x().to(6).pow(q(1, 3)), x().to(2)),
        ((x().to(-1)).pow(q(1, 2)), x().pow(q(-1, 2))),
        (sqrt((x() - n(1)).to(2)), x() - n(1)),
        (sqrt(-x()), i() * sqrt(x())),
        (sqrt(x() / y()), sqrt(x()) / sqrt(y())),
        (x().to(2).pow(y()), x().pow(n(2) * y())),
        ((x() * y()).pow(m()), x().pow(m()) * y().pow(m())),
        (x().pow(m()).pow(q(1, 2)), x().pow(m() / n(2))),
        (sqrt(n(-2)) * sqrt(n(-3)), sqrt(n(6))),
        (n(-8).pow(q(1, 3)), n(-2)),
        (cbrt(x()), x().pow(q(1, 3))),
        ((n(-1)).pow(n(2) * m()), n(1)),
        (ln(x().to(2)), n(2) * ln(x())),
        (ln(x() * y()), ln(x()) + ln(y())),
        (ln(e().pow(i() * x())), i() * x()),
        (ln(-x()), ln(x())),
        (call(Log, [n(100)]), n(2)),
        (call(Log, [x()]), ln(x())),
        (abs(x()), x()),
        (abs(x() + y()), abs(x()) + abs(y())),
        (abs(x()).to(2), x().to(2)),
        (e().pow(n(2) * pi() * i() * x()), n(1)),
        (call(Arcsin, [call(Sin, [x()])]), x()),
        (call(Sin, [n(30)]), q(1, 2)),
        (call(Sin, [x() + y()]), call(Sin, [x()]) + call(Sin, [y()])),
        (call(Floor, [x()]), x()),
        (call(Floor, [n(10_000_000_000_000) * sqrt(n(2))]), n(14_142_135_623_731)),
        (call(Max, [x(), y()]), x()),
        (call(Max, [x(), y()]), call(Min, [x(), y()])),
        (call(Arccot, [n(-1)]), n(3) * pi() / n(4)),
        (e(), n(3)),
    ];
    for (place, (a, b)) in pairs.into_iter().enumerate() {
        let (a, b) = (a.form(), b.form());
        assert!(!a.same(&b), "pair {place}: {a} and {b}");
    }
}

#[test]
fn differences_are_proved_without_opaque_atoms() {
    let pairs = vec![
        (x() + n(1), x() + n(2)),
        ((x() + n(1)).to(2), x().to(2) + n(1)),
        (x(), y()),
        (n(1) / x(), x()),
        (n(1) / (x() + n(1)), n(1) / (x() + n(2))),
        (sqrt(n(2)), q(141_421_356, 100_000_000)),
        (sqrt(n(2)) + sqrt(n(3)), sqrt(n(10))),
        (cbrt(n(2)), sqrt(n(2))),
        (i(), n(1)),
        (sqrt(n(-3)), -sqrt(n(-3))),
        (pi(), q(355, 113)),
        (pi(), sqrt(n(10))),
        (e(), q(2718, 1000)),
        (sqrt(x()), x()),
        (sqrt(n(2)) * x(), x()),
    ];
    for (place, (a, b)) in pairs.into_iter().enumerate() {
        let (a, b) = (a.form(), b.form());
        assert!(differ(&a, &b), "pair {place}: {a} and {b}");
        assert!(!a.same(&b), "pair {place}: {a} and {b}");
    }
}

#[test]
fn a_difference_without_a_proof_is_left_open() {
    let big_prime = 1_000_000_007;
    let pairs = vec![
        (call(Sin, [x()]).to(2), n(1) - call(Cos, [x()]).to(2)),
        (sqrt(x().to(2)), abs(x())),
        (sqrt(n(5) + n(2) * sqrt(n(6)) + sqrt(n(2))), n(1)),
        (pi() + e(), n(6)),
        (ln(n(2)), q(7, 10)),
        (e().pow(n(2) * pi() * i() / n(5)), n(1)),
        (sqrt(n(big_prime * big_prime - 4)), n(big_prime)),
        (call(Log, [n(100)]), n(2)),
    ];
    for (place, (a, b)) in pairs.into_iter().enumerate() {
        let (a, b) = (a.form(), b.form());
        assert!(!differ(&a, &b), "pair {place}: {a} and {b}");
    }
}
