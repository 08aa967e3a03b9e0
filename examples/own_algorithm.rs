//! An algorithm of one's own, registered nowhere: sequence-level ratios (GSPO, arXiv 2507.18071) on addition.
//!
//! `cargo run --release --example own_algorithm`

use oreal::Experiment;
use oreal::algos::{
    Algorithm, Batch, Data, Expr, Frozen, Objective, Token, Trajectory, credit_of, estimators, minimise,
};
use oreal::envs::Addition;

#[derive(Debug)]
struct Gspo {
    clip: f64,
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
            let advantage = x.advantage().mean::<Trajectory>();
            let ratio = (x.logp() - x.old_logp()).mean::<Trajectory>().exp().named("ratio");
            let clipped = ratio.clip(1.0 - self.clip, 1.0 + self.clip);
            -(ratio * advantage).min(clipped * advantage).mean::<Batch>()
        })
    }
}

fn main() -> oreal::Result<()> {
    let gspo = Gspo { clip: 3e-4 };
    print!("{}{}", credit_of(&gspo).formula(), gspo.objective().formula());
    println!("couples each {}", gspo.objective().coupling());

    let experiment = Experiment::new(Addition::default(), gspo).with(|s| {
        (s.warm_up.steps, s.warm_up.error_rate) = (1200, 0.5);
        (s.train.steps, s.train.prompts) = (80, 32);
    });
    let report = experiment.run()?;
    println!("pass rate {} -> {}", report.before, report.after);
    Ok(())
}
