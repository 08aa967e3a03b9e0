//! An algorithm of your own, registered nowhere: GSPO (arXiv 2507.18071), sequence-level ratios, on addition.
//!
//! `cargo run --release --example own_algorithm`

use oreal::Experiment;
use oreal::algos::{
    Algorithm, Batch, Coefficient, Data, Expr, Frozen, Objective, Passes, Token, Trajectory, credit_of, estimators,
    minimise,
};
use oreal::envs::Addition;

#[derive(Debug)]
struct Gspo {
    clip: Coefficient,
}

impl Algorithm for Gspo {
    fn name(&self) -> &str {
        "gspo"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        estimators::group_normalised(x, x.reward(), 1.0, 1e-4).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let (advantage, epsilon) = (x.advantage().mean::<Trajectory>(), x.setting("ε", self.clip));
            let ratio = (x.logp() - x.old_logp()).mean::<Trajectory>().exp().named("ratio");
            let clipped = ratio.clip(1.0 - epsilon, 1.0 + epsilon);
            -(ratio * advantage).min(clipped * advantage).mean::<Batch>()
        })
    }

    /// Four updates on each batch: with one, the ratio is 1 and never clipped.
    fn passes(&self) -> Passes {
        Passes { epochs: 1, minibatches: 4 }
    }
}

fn main() -> oreal::Result<()> {
    let gspo = Gspo { clip: 3e-4.into() };
    print!("{}{}", credit_of(&gspo).formula(), gspo.objective().formula());
    println!("coupling: {}", gspo.objective().coupling());

    let experiment = Experiment::new(Addition::default(), gspo).with(|s| {
        (s.train.steps, s.train.prompts) = (80, 32);
    });
    let report = experiment.run()?;
    println!("pass rate {} -> {}", report.before, report.after);
    Ok(())
}
