//! An algorithm of your own in the laboratory: its expected gradient, the angle to the gradient of the pass rate, its variance,
//! and the invariances it must have. Every number is computed by enumeration, none is sampled.
//!
//! `cargo run --release --example laboratory`

use oreal::algos::{Algorithm, Average, Data, Expr, Frozen, Group, Objective, Token, estimators, minimise};
use oreal::lab::{invariances, report, worlds};

/// Policy gradient that weighs hard questions more: the leave-one-out advantage times the group's failure rate.
#[derive(Debug)]
struct HardFirst {
    average: Average,
}

impl Algorithm for HardFirst {
    fn name(&self) -> &str {
        "hard_first"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let failure_rate = 1.0 - x.reward().mean::<Group>();
        (failure_rate * estimators::leave_one_out(x, x.reward())).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| -self.average.of(x.advantage() * x.logp()))
    }
}

fn main() -> oreal::Result<()> {
    let summed = HardFirst { average: Average::SUM };
    println!(
        "One question: the expected gradient is that of the pass rate times a factor that depends on the pass rate.\n"
    );
    for p in [0.1, 0.5, 0.9] {
        println!("{}", report(&summed, &worlds::arms(p, 4)?)?);
    }
    println!("Two questions with shared parameters: the factors differ, so the direction changes.\n");
    println!("{}", report(&summed, &worlds::crossed([0.1, 0.8], 4)?)?);

    println!("One question, answers of different lengths: a mean over tokens changes the direction.\n");
    println!("{}", report(&HardFirst { average: Average::Trajectory }, &worlds::ragged(0, 4)?)?);

    for invariance in invariances(&summed) {
        let mark = if invariance.holds() { "holds" } else { "BROKEN" };
        println!("{mark:6} {:75} off by {:.0e}", invariance.name, invariance.off);
    }
    Ok(())
}
