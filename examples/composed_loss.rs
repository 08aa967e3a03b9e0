//! A built-in loss with a term of your own: OREAL with an entropy bonus that ends after 50 steps.
//!
//! `cargo run --release --example composed_loss`

use oreal::Experiment;
use oreal::algos::{Algorithm, Batch, Coefficient, Oreal, with_loss};
use oreal::envs::Addition;

pub fn curious() -> impl Algorithm {
    let weight = Coefficient::Linear { from: 0.05, to: 0.0, steps: 50 };
    with_loss("curious", Oreal::outcome(), move |oreal, x| {
        oreal.loss(x) - x.setting("κ", weight) * x.entropy().mean::<Batch>()
    })
}

pub fn experiment(env: Addition) -> Experiment {
    Experiment::new(env, curious())
}

fn main() -> oreal::Result<()> {
    print!("{}", curious().objective().formula());
    let report = experiment(Addition::default()).with(|s| s.train.steps = 100).run()?;
    println!("pass rate {} -> {}", report.before, report.after);
    Ok(())
}
