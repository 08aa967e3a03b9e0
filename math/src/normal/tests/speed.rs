//! How long comparisons take. To measure: `cargo test --release -p oreal-math speed -- --ignored --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use super::build::*;
use crate::expr::Function::*;

#[test]
#[ignore = "a measurement, for optimised builds"]
fn small_comparisons_take_microseconds() {
    let pairs = [
        ("integers", n(42), n(6) * n(7)),
        ("square", (x() + n(1)).to(2), x().to(2) + n(2) * x() + n(1)),
        ("cubic", (x() - n(1)) * (x() - n(2)) * (x() - n(3)), x().to(3) - n(6) * x().to(2) + n(11) * x() - n(6)),
        ("radical", sqrt(n(12)), n(2) * sqrt(n(3))),
        ("conjugate", n(1) / (n(1) + sqrt(n(2))), sqrt(n(2)) - n(1)),
        ("rational function", n(1) / (x() - n(1)) - n(1) / (x() + n(1)), n(2) / (x().to(2) - n(1))),
        ("exponential", n(4).pow(x() + n(1)), n(4) * n(2).pow(n(2) * x())),
        ("angle", call(Cos, [degrees(75)]), (sqrt(n(6)) - sqrt(n(2))) / n(4)),
        ("arctan", call(Arctan, [sqrt(n(3))]), pi() / n(3)),
    ];
    for (name, a, b) in pairs {
        let batch = || {
            let start = Instant::now();
            for _ in 0..100 {
                assert!(black_box(&a).form().same(&black_box(&b).form()));
            }
            start.elapsed().as_secs_f64() * 1e6 / 100.0
        };
        // The shortest time is the one that other programs have disturbed least.
        let microseconds = (0..50).map(|_| batch()).fold(f64::INFINITY, f64::min);
        eprintln!("{name}: {microseconds:.2} us");
        assert!(microseconds < 100.0, "{name}");
    }
}
