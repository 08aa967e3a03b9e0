//! An algorithm of one's own in the laboratory: its expected gradient, the angle to the true one, its variance, and what must
//! not matter to it, all exact.
//!
//! `cargo run --release --example laboratory`

use oreal::algos::{Algorithm, Average, Data, Expr, Frozen, Group, Objective, Token, estimators, minimise};
use oreal::lab::{invariances, report, worlds};

/// Policy gradient that counts hard questions more: the leave-one-out advantage times the group's failure rate.
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
    let summed = HardFirst { average: Average::Constant(1.0) };
    println!("On one question it points the right way, by a factor that depends on the question:\n");
    for p in [0.1, 0.5, 0.9] {
        println!("{}", report(&summed, &worlds::arms(p, 4)?)?);
    }
    println!("Across two questions that share their parameters these factors turn it:\n");
    println!("{}", report(&summed, &worlds::crossed([0.1, 0.8], 4)?)?);

    println!("A mean over tokens turns it even on one question, where answers differ in length:\n");
    println!("{}", report(&HardFirst { average: Average::Trajectory }, &worlds::ragged(0, 4)?)?);

    for invariance in invariances(&summed) {
        let mark = if invariance.holds() { "holds" } else { "BROKEN" };
        println!("{mark:6} {:75} off by {:.0e}", invariance.name, invariance.off);
    }
    Ok(())
}
