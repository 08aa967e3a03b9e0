//! Pairs that are equal.

use super::build::*;
use crate::expr::Function::*;

fn check(pairs: Vec<(Formula, Formula)>) {
    for (place, (a, b)) in pairs.into_iter().enumerate() {
        let (a, b) = (a.form(), b.form());
        assert!(a.same(&b), "pair {place}: {a} and {b}");
        assert!(!differ(&a, &b), "pair {place}: {a} and {b}");
    }
}

#[test]
fn polynomials_and_rational_functions() {
    let n_ = || symbol("n");
    check(vec![
        ((x() + n(1)).to(2), x().to(2) + n(2) * x() + n(1)),
        ((x() + y()) * (x() - y()), x().to(2) - y().to(2)),
        (x() - x(), n(0)),
        (x() / x(), n(1)),
        (x().to(0), n(1)),
        ((x().to(2) - n(1)) / (x() - n(1)), x() + n(1)),
        ((x() - n(1)) / (x().to(2) - n(1)), n(1) / (x() + n(1))),
        (n(1) / (x() - n(1)) - n(1) / (x() + n(1)), n(2) / (x().to(2) - n(1))),
        ((x() + y()) / (n(2) * x() + n(2) * y()), q(1, 2)),
        (n(1) / (n(1) / x() + n(1) / y()), x() * y() / (x() + y())),
        ((x().to(2) + x()) / x(), x() + n(1)),
        ((x().to(3) - y().to(3)) / (x() - y()), x().to(2) + x() * y() + y().to(2)),
        ((n(2) * x() + n(4)).to(-2), q(1, 4) / (x() + n(2)).to(2)),
        ((x() - y()).to(2), (y() - x()).to(2)),
        (n_() * (n_() + n(1)) / n(2), q(1, 2) * n_().to(2) + n_() / n(2)),
        ((n(1) - x()) / (x() - n(1)), n(-1)),
        ((x() + n(1)).to(1000), (n(-1) - x()).to(1000)),
        ((n(2) * x() + n(2)).to(1000) / n(2).to(1000), (x() + n(1)).to(1000)),
        ((x() + n(1)).to(1_000_000) / (x() + n(1)).to(999_999), n(1) + x()),
    ]);
}

#[test]
fn numbers_with_roots() {
    let nested = |a, b, c| sqrt(n(a) + n(b) * sqrt(n(c)));
    check(vec![
        (sqrt(n(12)), n(2) * sqrt(n(3))),
        (n(1) / sqrt(n(3)), sqrt(n(3)) / n(3)),
        (sqrt(q(1, 2)), sqrt(n(2)) / n(2)),
        (sqrt(n(2)) * sqrt(n(8)), n(4)),
        (n(1) / (n(1) + sqrt(n(2))), sqrt(n(2)) - n(1)),
        (n(1) / (sqrt(n(2)) + sqrt(n(3)) + sqrt(n(5))), (n(2) * sqrt(n(3)) + n(3) * sqrt(n(2)) - sqrt(n(30))) / n(12)),
        (n(1) / (n(1) + cbrt(n(2))), (n(1) - cbrt(n(2)) + cbrt(n(4))) / n(3)),
        (cbrt(n(16)), n(2) * cbrt(n(2))),
        (n(2).pow(q(1, 2)) * n(2).pow(q(1, 3)), n(2).pow(q(5, 6))),
        (n(8).pow(q(2, 3)), n(4)),
        (sqrt(n(10_007 * 10_007)), n(10_007)),
        (sqrt(n(20_014) * n(20_014) * n(3)), n(20_014) * sqrt(n(3))),
        (sqrt(n(10).to(41)), n(10).to(20) * sqrt(n(10))),
        (nested(3, 2, 2), n(1) + sqrt(n(2))),
        (nested(3, -2, 2), sqrt(n(2)) - n(1)),
        (nested(2, 1, 3), (sqrt(n(6)) + sqrt(n(2))) / n(2)),
        (sqrt(n(2) + sqrt(n(2))).to(2), n(2) + sqrt(n(2))),
        (n(1) / sqrt(n(2) + sqrt(n(2))), sqrt(n(2) + sqrt(n(2))) / (n(2) + sqrt(n(2)))),
        (cbrt(n(-8)), n(-2)),
        (cbrt(n(-2)), -cbrt(n(2))),
        (call(Root, [n(4), q(1, 2)]), n(16)),
        (call(Root, [n(8), n(-3)]), q(1, 2)),
        ((n(1) + sqrt(n(5))).to(10) / n(1024), (n(123) + n(55) * sqrt(n(5))) / n(2)),
    ]);
}

#[test]
fn complex_numbers() {
    check(vec![
        (i().to(2), n(-1)),
        (i().to(-1), -i()),
        (i().to(103), -i()),
        (sqrt(n(-3)), i() * sqrt(n(3))),
        (sqrt(n(-3)) * sqrt(n(-3)), n(-3)),
        (n(1) / (n(1) + i()), (n(1) - i()) / n(2)),
        ((n(2) + i()) / (n(1) - n(2) * i()), i()),
        (sqrt(i()), (n(1) + i()) / sqrt(n(2))),
        (sqrt(n(3) + n(4) * i()), n(2) + i()),
        (sqrt(n(-3) - n(4) * i()), n(1) - n(2) * i()),
        (n(-8).pow(q(1, 3)), n(1) + sqrt(n(3)) * i()),
        (e().pow(i() * pi()), n(-1)),
        (e().pow(i() * pi() / n(3)), q(1, 2) + sqrt(n(3)) / n(2) * i()),
        ((e().pow(n(2) * pi() * i() / n(9))).to(3), n(-1) * q(1, 2) + sqrt(n(3)) / n(2) * i()),
        (abs(n(3) + n(4) * i()), n(5)),
        (abs(x() * i()), abs(x())),
        (ln(n(-1)), i() * pi()),
        (ln(-i()), -i() * pi() / n(2)),
        (sqrt(-i()), (n(1) - i()) / sqrt(n(2))),
    ]);
}

#[test]
fn powers() {
    let m = || symbol("n");
    check(vec![
        (n(2).pow(m() + n(1)), n(2) * n(2).pow(m())),
        (n(4).pow(m()), n(2).pow(n(2) * m())),
        (n(6).pow(m()), n(2).pow(m()) * n(3).pow(m())),
        (q(1, 2).pow(m()), n(2).pow(-m())),
        (x().pow(m()) * x(), x().pow(m() + n(1))),
        (x().pow(y()) * x().pow(m()), x().pow(m() + y())),
        ((x() + n(1)).pow(m() + n(1)), (x() + n(1)).pow(m()) * (x() + n(1))),
        (sqrt(n(2).pow(n(2) * m())), n(2).pow(m())),
        (sqrt(x()) * sqrt(x()), x()),
        (sqrt(x()).to(-2), n(1) / x()),
        (sqrt(sqrt(x())), x().pow(q(1, 4))),
        (sqrt(n(4) * x()), n(2) * sqrt(x())),
        (sqrt(n(1) + x()) * sqrt(n(1) + x()), x() + n(1)),
        ((n(1) + x()).pow(q(3, 2)), (n(1) + x()) * sqrt(x() + n(1))),
        ((n(1) + x()) / sqrt(n(1) + x()), sqrt(x() + n(1))),
        (n(1) / sqrt(x() - n(1)) - sqrt(x() - n(1)), (n(2) - x()) / sqrt(x() - n(1))),
        (sqrt(n(2) * x() + n(2)), sqrt(n(2)) * sqrt(x() + n(1))),
        (sqrt((n(1) + x()) / (n(1) - x())).to(2), (n(1) + x()) / (n(1) - x())),
        (cbrt(x()) * cbrt(x().to(2)), x()),
        (cbrt(-x()), -cbrt(x())),
        (cbrt(n(1) - x()), -cbrt(x() - n(1))),
        (cbrt(x()).to(4), x() * cbrt(x())),
        (n(1) / cbrt(x()), cbrt(x()).to(2) / x()),
        ((-x()).pow(n(3)), -(x().to(3))),
        (n(-1) * n(-1).pow(m()), n(-1).pow(m() + n(1))),
        (sqrt(pi().to(2)), pi()),
        (e().pow(x()) * e().pow(-x()), n(1)),
        (e().pow(x() + n(1)), e() * e().pow(x())),
        (e().pow(x()).to(2), e().pow(n(2) * x())),
    ]);
}

#[test]
fn logarithms() {
    let log = |a| call(Log, [a]);
    let base = |a, b| call(LogBase, [a, b]);
    check(vec![
        (ln(n(1)), n(0)),
        (ln(e()), n(1)),
        (ln(e().to(3)), n(3)),
        (ln(n(8)), n(3) * ln(n(2))),
        (ln(q(2, 3)), ln(n(2)) - ln(n(3))),
        (ln(sqrt(n(6))), (ln(n(2)) + ln(n(3))) / n(2)),
        (base(n(8), n(2)), n(3)),
        (base(n(4), n(8)), q(2, 3)),
        (base(n(100), n(10)), n(2)),
        (base(x(), n(4)), base(x(), n(2)) / n(2)),
        (n(2).pow(base(n(3), n(2))), n(3)),
        (n(2).pow(n(1) / ln(n(2))), e()),
        (e().pow(ln(x())), x()),
        (e().pow(n(2) * ln(x())), x().to(2)),
        (e().pow(-ln(n(3))), q(1, 3)),
        (n(4).pow(base(x() + n(1), n(2))), (x() + n(1)).to(2)),
        (log(n(6)), log(n(2)) + log(n(3))),
        (log(n(1)), n(0)),
        (log(n(8)) / log(n(2)), n(3)),
        (ln(n(2) * x() + n(2)), ln(n(2)) + ln(x() + n(1))),
        (ln(sqrt(x())), ln(x()) / n(2)),
    ]);
}

#[test]
fn trigonometry() {
    let sin = |a| call(Sin, [a]);
    let cos = |a| call(Cos, [a]);
    let tan = |a| call(Tan, [a]);
    check(vec![
        (sin(n(2) * x()), sin(x() + x())),
        (sin(-x()), -sin(x())),
        (cos(y() - x()), cos(x() - y())),
        (tan(x()), sin(x()) / cos(x())),
        (tan(x()) * call(Cot, [x()]), n(1)),
        (call(Sec, [x()]) * cos(x()), n(1)),
        (sin(pi() / n(6)), q(1, 2)),
        (cos(degrees(30)), sqrt(n(3)) / n(2)),
        (tan(degrees(15)), n(2) - sqrt(n(3))),
        (tan(degrees(135)), n(-1)),
        (sin(degrees(18)), (sqrt(n(5)) - n(1)) / n(4)),
        (cos(degrees(75)), (sqrt(n(6)) - sqrt(n(2))) / n(4)),
        (sin(degrees(36)).to(2), (n(5) - sqrt(n(5))) / n(8)),
        (cos(pi() / n(8)), sqrt(n(2) + sqrt(n(2))) / n(2)),
        (sin(n(5) * pi() / n(7)), sin(n(2) * pi() / n(7))),
        (cos(n(10).to(30) * pi()), n(1)),
        (call(Csc, [degrees(30)]), n(2)),
        (call(Arcsin, [q(-1, 2)]), -pi() / n(6)),
        (call(Arccos, [q(-1, 2)]), n(2) * pi() / n(3)),
        (call(Arctan, [n(2) - sqrt(n(3))]), pi() / n(12)),
        (call(Arctan, [n(-1)]), -pi() / n(4)),
        (call(Arccot, [n(0)]), pi() / n(2)),
        (call(Arcsec, [n(2)]), pi() / n(3)),
        (call(Arccsc, [n(-1)]), -pi() / n(2)),
        (call(Arctan, [-x()]), -call(Arctan, [x()])),
        (call(Arcsin, [x()]) + call(Arccos, [x()]), pi() / n(2)),
        (call(Cosh, [x()]).to(2) - call(Sinh, [x()]).to(2), n(1)),
        (call(Tanh, [ln(n(2))]), q(3, 5)),
        (call(Coth, [x()]), n(1) / call(Tanh, [x()])),
    ]);
}

#[test]
fn functions_of_numbers() {
    let m = || symbol("n");
    let fact = |a| call(Factorial, [a]);
    check(vec![
        (abs(q(-3, 2)), q(3, 2)),
        (abs(n(-2) * x()), n(2) * abs(x())),
        (abs(x() - y()), abs(y() - x())),
        (abs(x() * y()), abs(x()) * abs(y())),
        (abs(n(1) - sqrt(n(2))), sqrt(n(2)) - n(1)),
        (abs(x() / (n(1) - x())), abs(x()) / abs(x() - n(1))),
        (abs(abs(x())), abs(x())),
        (call(Floor, [q(-7, 2)]), n(-4)),
        (call(Ceiling, [q(-7, 2)]), n(-3)),
        (call(Floor, [n(10) * sqrt(n(2))]), n(14)),
        (call(Ceiling, [pi()]), n(4)),
        (fact(n(5)), n(120)),
        (fact(n(0)), n(1)),
        (call(DoubleFactorial, [n(7)]), n(105)),
        (fact(m() + n(1)) / fact(m()), m() + n(1)),
        (fact(m()) / fact(m() - n(2)), m() * (m() - n(1))),
        (call(Binomial, [n(10), n(3)]), n(120)),
        (call(Binomial, [n(3), n(5)]), n(0)),
        (call(Binomial, [m(), n(2)]), m() * (m() - n(1)) / n(2)),
        (call(Binomial, [n(2) * m(), m()]), fact(n(2) * m()) / fact(m()).to(2)),
        (call(Gcd, [n(12), n(-18)]), n(6)),
        (call(Lcm, [n(4), n(6), n(10)]), n(60)),
        (call(Max, [sqrt(n(2)), q(7, 5), n(1)]), sqrt(n(2))),
        (call(Min, [x(), x() + n(1)]), x()),
        (call(Max, [x(), y(), x()]), call(Max, [y(), x()])),
    ]);
}
