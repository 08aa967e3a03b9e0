//! How long operations take: `cargo test --release -p oreal-math timing -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::super::ball::Ball;
use super::*;
use crate::expr::Function::*;

#[test]
#[ignore = "prints timings"]
fn operations() {
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}  us",
        "bits", "plus", "times", "over", "sqrt", "exp", "ln", "sin"
    );
    for precision in [64, 128, 256, 512, 1_024, 4_096] {
        let x = Ball::integer(10).over(&Ball::integer(7), precision).unwrap();
        let y = Ball::integer(11).over(&Ball::integer(13), precision).unwrap();
        let times = [
            measured(|| drop(black_box(&x).plus(&y, precision))),
            measured(|| drop(black_box(&x).times(&y, precision))),
            measured(|| drop(black_box(&x).over(&y, precision))),
            measured(|| drop(black_box(&x).sqrt(precision))),
            measured(|| drop(black_box(&x).exp(precision))),
            measured(|| drop(black_box(&x).ln(precision))),
            measured(|| drop(black_box(&x).cos_sin(precision))),
            measured(|| drop(black_box(&y).atan(precision))),
        ];
        print!("{precision:>9}");
        times.iter().for_each(|time| print!(" {time:>9.3}"));
        println!();
    }
}

/// Large trees at the highest precision: each takes about a second at most, or runs out of work.
#[test]
#[ignore = "prints timings"]
fn large_trees() {
    let long =
        |shift: i64| Expr::rational(BigRational::new(BigInt::from(7).pow(350) + shift, BigInt::from(3).pow(600)));
    let many = |n: usize, part: &dyn Fn(i64) -> Expr| Expr::Sum((1..=n as i64).map(part).collect());
    let complex = |k: i64| sum([rational(k, 7), I]);
    let trees = [
        ("sin of real", many(1_300, &|k| call(Sin, [rational(k, 7)]))),
        ("ln of real", many(1_300, &|k| call(Ln, [rational(k, 7)]))),
        ("exp of real", many(1_300, &|k| power(E, rational(k, 7)))),
        ("arccsc of real", many(1_300, &|k| call(Arccsc, [rational(k, 7)]))),
        ("arccos of complex", many(700, &|k| call(Arccos, [complex(k)]))),
        ("coth of complex", many(700, &|k| call(Coth, [complex(k)]))),
        ("complex to complex", many(450, &|k| power(complex(k), complex(k)))),
        ("root of complex", many(600, &|k| call(Root, [complex(k), int(3)]))),
        ("complex to a long integer", many(600, &|k| power(complex(k), power(int(2), int(30))))),
        ("i to a long integer", many(600, &|_| power(I, power(int(2), int(511))))),
        ("products of complex", Expr::Product((1..800).map(|k| quotient(complex(k), complex(-k))).collect())),
        ("logarithms", many(1_300, &|k| call(LogBase, [rational(k, 7), int(2)]))),
        ("factorials", many(1_300, &|k| call(Factorial, [int(5_000 - k)]))),
        ("binomials", many(1_300, &|k| call(Binomial, [int(10_000), int(5_000 - k)]))),
        ("binomials of long numbers", many(600, &|k| call(Binomial, [power(int(7), int(600)), int(k)]))),
        ("exact sums", many(4_000, &|k| rational(1, 1_000_003 + k))),
        ("exact products", many(1_300, &|k| product([long(k), long(-k)]))),
        ("exact quotients", many(1_300, &|k| quotient(long(k), long(-k)))),
        ("least common multiples", call_all(Lcm, (1..4_000).map(|k| int(2_000 * k)))),
        ("greatest common divisors", call_all(Gcd, (1..4_000).map(|k| power(int(30), int(100 + k % 300))))),
        ("exact roots", many(600, &|k| call(Root, [long(k), int(3)]))),
        ("roots of high degree", many(600, &|k| call(Root, [long(k), int(k)]))),
        ("largest", call_all(Max, (1..1_300).map(|k| product([int(k), PI])))),
        ("floors", many(1_300, &|k| call(Floor, [product([int(k), PI])]))),
        ("long numbers", many(4_000, &|k| Expr::integer(BigInt::from(7).pow(20_000) + k))),
    ];
    for (name, tree) in trees {
        for precision in [128, 4_096] {
            let start = Instant::now();
            let outcome = at(precision, &tree).map(|_| ());
            println!("{name:>28} {precision:>5} bits: {:>8.3} s {outcome:?}", start.elapsed().as_secs_f64());
        }
    }
}

fn call_all(function: Function, arguments: impl Iterator<Item = Expr>) -> Expr {
    Expr::Call(function, arguments.collect())
}

/// Microseconds per call, in the fastest of many short batches.
fn measured(work: impl Fn()) -> f64 {
    let batch = || {
        let start = Instant::now();
        (0..20).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e6 / 20.0
    };
    (0..100).map(|_| batch()).fold(f64::INFINITY, f64::min)
}
