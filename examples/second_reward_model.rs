//! A role of your own: a second reward model that learns to grade prefixes, and whose grade is part of the reward.
//!
//! `cargo run --release --example second_reward_model`

use oreal::Experiment;
use oreal::algos::{
    Algorithm, Batch, Coefficient, Data, Expr, Frozen, Head, Live, Objective, Output, Role, Term, Terms, Token,
    Trajectory, credit_of, estimators, minimise,
};
use oreal::envs::Addition;

/// The second reward model: a number for each token.
const GRADER: Role = Role::new("grader", Head::Scalar);
/// Its output at the prefix that ends with the token, as a signal: the grader learns.
const GRADE: Term<Token, Live> = Term::signal("grade", "s", GRADER, Output::ScalarAfter);
/// The same before the step's first update, without gradient: for credit.
const OLD_GRADE: Term<Token, Frozen> = Term::constant("old_grade", "s_old", GRADER, Output::ScalarAfter);
/// What it learns: 1 for a token that the answer has in the same place, else 0.
const IN_PLACE: Term<Token, Frozen> = Term::data("in_place", "m");

#[derive(Debug)]
struct Guided {
    /// Weight of the grader's mean probability in the reward.
    guidance: Coefficient,
}

impl Guided {
    fn reward<'g>(&self, x: Data<'g>) -> Expr<'g, Trajectory, Frozen> {
        let grade = x.term(OLD_GRADE).sigmoid().mean::<Trajectory>();
        (x.reward() + x.setting("c", self.guidance) * grade).named("guided_reward")
    }

    fn loss<'g>(&self, x: Terms<'g>) -> Expr<'g, Batch, Live> {
        let policy = -(x.advantage() * x.logp()).mean::<Batch>();
        let grader = estimators::cross_entropy(x.term(GRADE), x.term(IN_PLACE)).mean::<Batch>().named("grader_loss");
        policy + grader
    }
}

impl Algorithm for Guided {
    fn name(&self) -> &str {
        "guided"
    }

    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        estimators::leave_one_out(x, self.reward(x)).spread()
    }

    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| self.loss(x))
    }
}

/// One value per token; the end token is in place after an answer of full length.
fn in_place(answer: &str, completion: &str, tokens: usize) -> Vec<f64> {
    let (answer, completion): (Vec<char>, Vec<char>) = (answer.chars().collect(), completion.chars().collect());
    (0..tokens).map(|i| f64::from(answer.get(i) == completion.get(i))).collect()
}

pub fn guided() -> impl Algorithm {
    Guided { guidance: 0.5.into() }
}

pub fn experiment(env: Addition) -> Experiment {
    Experiment::new(env, guided())
        .column(IN_PLACE.column(), |problem, trajectory| {
            in_place(&problem.answer, &trajectory.text, trajectory.completion.tokens.len())
        })
        .with(|s| {
            s.rates.roles.insert("grader".into(), 1e-3);
        })
}

fn main() -> oreal::Result<()> {
    print!("{}{}", credit_of(&guided()).formula(), guided().objective().formula());
    let report = experiment(Addition::default()).with(|s| s.train.steps = 100).run()?;
    println!("pass rate {} -> {}", report.before, report.after);
    Ok(())
}
