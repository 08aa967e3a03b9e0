//! A data column of your own: a graded reward, the share of digits that are right, beside the outcome reward.
//!
//! `cargo run --release --example graded_reward`

use oreal::Experiment;
use oreal::algos::{
    Algorithm, Batch, Data, Expr, Frozen, Objective, Term, Token, Trajectory, credit_of, estimators, minimise,
};
use oreal::envs::Addition;

/// Share of characters of the answer that the completion has in the same place, from 0 to 1.
const GRADE: Term<Trajectory, Frozen> = Term::data("grade", "g");

#[derive(Debug)]
struct Graded;

impl Algorithm for Graded {
    fn name(&self) -> &str {
        "graded"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        let reward = (0.5 * x.reward() + 0.5 * x.term(GRADE)).named("graded_reward");
        estimators::leave_one_out(x, reward).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| -(x.advantage() * x.logp()).mean::<Batch>())
    }
}

fn grade(answer: &str, completion: &str) -> f64 {
    let right = answer.chars().zip(completion.chars()).filter(|(a, b)| a == b).count();
    right as f64 / answer.chars().count().max(completion.chars().count()).max(1) as f64
}

pub fn experiment(env: Addition) -> Experiment {
    Experiment::new(env, Graded).column(GRADE.column(), |problem, trajectory| {
        vec![grade(&problem.answer, &trajectory.text)] // one value per trajectory
    })
}

fn main() -> oreal::Result<()> {
    print!("{}{}", credit_of(&Graded).formula(), Graded.objective().formula());
    let report = experiment(Addition::default()).with(|s| s.train.steps = 100).run()?;
    println!("pass rate {} -> {}", report.before, report.after);
    Ok(())
}
