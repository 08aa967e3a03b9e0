//! The laboratory: what an algorithm does in expectation, computed exactly.
//!
//! A [`Lab`] is a few [`Question`]s with every completion there is, exact tables in the roles, and a number of rollouts. It
//! goes through every group that can be drawn and every choice the algorithm can make, each with its probability, and runs
//! the algorithm's own credit, selection and objective on it, as the training loop does. So what it says of an algorithm is
//! a sum, not a sample: [`Lab::expected`] the gradient and its variance, [`Lab::law`] what is learnt from,
//! [`Lab::natural_step`] where training leads, [`report`] all of it at a glance, [`invariances`] what must
//! not matter.
//!
//! ```
//! use oreal::algos::Grpo;
//! use oreal::lab::{invariances, report, worlds};
//!
//! let dr_grpo = Grpo::dr_grpo();
//! let one_question = report(&dr_grpo, &worlds::arms(0.25, 8)?)?;
//! assert!(one_question.direction.angle < 1e-5);
//! assert!(invariances(&dr_grpo).iter().all(|invariance| invariance.holds()));
//! # Ok::<(), oreal::Error>(())
//! ```
//!
//! The gradient is that of the first update on the whole batch: before it nothing has moved, and there are no minibatches.

use std::collections::BTreeMap;

use oreal_algos::{Algorithm, Column, Experience, Role, Selection};
use oreal_models::{Optimiser, State, Table};

use crate::error::{Error, Result};

mod direction;
mod draws;
mod expected;
mod invariances;
mod known;
mod question;
mod random;
mod report;
pub mod worlds;

pub use direction::{Direction, norm};
pub use expected::{Expected, Moments};
pub use invariances::{Invariance, invariances};
pub use question::{Answer, Question};
pub use random::{random_batch, random_batch_on};
pub use report::{Report, report};

/// Questions, models and sizes of an exact experiment.
#[derive(Clone, Debug)]
pub struct Lab {
    questions: Vec<Question>,
    tables: BTreeMap<Role, Table>,
    /// Where completions are drawn from, when it is not the policy.
    sampler: Option<Table>,
    rollouts: usize,
    sharing: Sharing,
}

/// Which states of the policy have parameters in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// None: each state has its own logits.
    Nothing,
    /// States of different prompts with the same completion so far: their logits are a common row plus a constant that
    /// does not learn, so that a gradient is the sum over prompts.
    Prompts,
}

impl Lab {
    /// One batch is a group of `rollouts` completions of every question. The reference is a copy of the policy; critic and
    /// reward model say 0.
    pub fn new(questions: Vec<Question>, policy: Table, rollouts: usize) -> Result<Lab> {
        let wrong = |problem: &str| Err(Error::setting("lab", problem));
        if questions.is_empty() || rollouts == 0 {
            return wrong("there is nothing to learn from without a question and a rollout");
        }
        for (i, question) in questions.iter().enumerate() {
            question.validate(&format!("question {i}"), policy.vocabulary())?;
        }
        if (1..questions.len()).any(|i| questions[..i].iter().any(|other| other.prompt == questions[i].prompt)) {
            return wrong(
                "two questions have the same prompt: give each a prompt of its own, and share parameters instead",
            );
        }
        let silent = Table::new(policy.vocabulary(), &Optimiser::EXACT);
        let tables = BTreeMap::from([
            (Role::Reference, policy.clone()),
            (Role::Critic, silent.clone()),
            (Role::RewardModel, silent),
            (Role::Policy, policy),
        ]);
        Ok(Lab { questions, tables, sampler: None, rollouts, sharing: Sharing::Nothing })
    }

    /// With another model in a role.
    pub fn with(mut self, role: Role, table: Table) -> Lab {
        self.tables.insert(role, table);
        self
    }

    /// With completions drawn from another model than the policy, as if the policy had moved since.
    pub fn drawn_from(mut self, sampler: Table) -> Lab {
        self.sampler = Some(sampler);
        self
    }

    /// With another number of completions to a question.
    pub fn rollouts(mut self, rollouts: usize) -> Lab {
        self.rollouts = rollouts.max(1);
        self
    }

    /// With parameters that states have in common.
    pub fn sharing(mut self, sharing: Sharing) -> Lab {
        self.sharing = sharing;
        self
    }

    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The model in a role.
    pub fn table(&self, role: Role) -> &Table {
        &self.tables[&role]
    }

    /// Outcome reward of a completion of a question.
    pub fn reward(&self, question: usize, answer: usize) -> f64 {
        self.questions[question].answers[answer].verdict.reward()
    }

    /// Where completions are drawn from.
    fn sampler(&self) -> &Table {
        self.sampler.as_ref().unwrap_or(self.table(Role::Policy))
    }

    /// Probability of each completion of a question, under the policy.
    pub fn probabilities(&self, question: usize) -> Vec<f64> {
        self.questions[question].probabilities(self.table(Role::Policy))
    }

    /// Probability of a right answer to each question, under the policy.
    pub fn pass_rates(&self) -> Vec<f64> {
        let policy = self.table(Role::Policy);
        self.questions.iter().map(|question| question.pass_rate(policy)).collect()
    }

    /// Gradient of the mean pass rate with respect to the policy's parameters: what policy gradients estimate.
    pub fn pass_rate_gradient(&self) -> Result<Vec<f64>> {
        self.gradient_of_mean(&|question, answer| self.reward(question, answer) / self.questions.len() as f64)
    }

    /// Gradient, with respect to the policy's parameters, of `sum over questions and completions of π(s)·f(s)` with `f`, of
    /// the places of question and completion, held where it is.
    pub fn gradient_of_mean(&self, f: &dyn Fn(usize, usize) -> f64) -> Result<Vec<f64>> {
        let known = known::Known::new(self, &[Column::Logp])?;
        let policy = self.table(Role::Policy);
        let mut gradient = vec![0.0; known.parameters(Role::Policy)];
        for (completion, place) in known.places() {
            let answer = &self.questions[place.question].answers[place.answer];
            let probability = policy.probability(&self.questions[place.question].prompt, &answer.tokens);
            let weight = probability * f(place.question, place.answer);
            known.pull(completion, Column::Logp, &vec![weight; answer.tokens.len()], &mut gradient);
        }
        Ok(gradient)
    }

    /// The mean of what an algorithm does over everything that can be drawn.
    pub fn expected(&self, algorithm: &dyn Algorithm) -> Result<Expected> {
        expected::expected(self, algorithm)
    }

    /// Every batch that can be drawn, with its probability: the data, and of what models provide these columns. Credit is not
    /// in place.
    pub fn batches(&self, columns: &[Column]) -> Result<Vec<(f64, Experience)>> {
        let known = known::Known::new(self, columns)?;
        let batches = expected::batches(self, &known)?.into_iter();
        Ok(batches.map(|batch| (batch.probability, batch.experience(&known, self))).collect())
    }

    /// How often, on average, a selection keeps each completion of each question of a batch.
    pub fn law(&self, selection: Selection) -> Result<Vec<Vec<f64>>> {
        expected::law(self, selection)
    }

    /// Every group that can be drawn for a question, as places among its completions, with its probability in any order.
    pub fn groups(&self, question: usize) -> impl Iterator<Item = (f64, Vec<usize>)> {
        let law = self.questions[question].probabilities(self.sampler());
        draws::groups(&law, self.rollouts).into_iter().map(|group| (group.probability, group.completions))
    }

    /// The lab after a step of the policy along its expected natural gradient: each state's gradient is divided by the
    /// probabilities of that state's tokens, so that a vanishing probability does not slow it down. It rests where the
    /// expected gradient does. Exact for questions with one state.
    pub fn natural_step(&self, algorithm: &dyn Algorithm, rate: f64) -> Result<Lab> {
        let expected = self.expected(algorithm)?;
        let mut lab = self.clone();
        let policy = self.table(Role::Policy);
        let mut moved = policy.clone();
        for (state, gradient) in expected.by_state(Role::Policy) {
            let State { prompt, prefix } = state;
            let mut logits = policy.row(prompt, prefix).logits;
            for ((z, p), g) in logits.iter_mut().zip(next_token(policy, state)).zip(gradient) {
                *z += rate * g / p.max(f64::MIN_POSITIVE);
            }
            moved.set_logits(prompt, prefix, &logits);
        }
        lab.tables.insert(Role::Policy, moved);
        Ok(lab)
    }
}

/// Probability of each token at a state.
pub(crate) fn next_token(table: &Table, state: &State) -> Vec<f64> {
    let logits = table.row(&state.prompt, &state.prefix).logits;
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|z| (z - most).exp()).sum();
    logits.iter().map(|z| (z - most).exp() / total).collect()
}
