//! The laboratory: expected gradients of an algorithm and their variance, computed exactly by enumeration.
//!
//! A [`Lab`] has a few [`Question`]s with every possible completion, an exact table of logits or scalars in each role,
//! and a number of rollouts. It enumerates every batch that can be drawn and every selection the algorithm can make,
//! each with its probability, and runs the algorithm's own credit, selection and objective on it, as the training loop
//! does. The results are exact sums, not sample means:
//!
//! - [`Lab::expected`]: the expected gradient of each role, its variance, the expected loss and metrics;
//! - [`Lab::expected_counts`]: how often a selection keeps each completion;
//! - [`Lab::natural_step`]: the lab after one step of the policy along its expected natural gradient;
//! - [`report`]: a summary of one algorithm;
//! - [`invariances`]: changes of a batch that must not change the loss or its cotangents.
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
//! The gradient is that of the first update on the whole batch: the policy has not been updated since sampling, unless
//! [`Lab::drawn_from`] sets another sampler, and the batch is not cut into minibatches.

use std::collections::BTreeMap;

use oreal_algos::{Algorithm, Column, Experience, Role, Selection};
use oreal_models::{Optimiser, State, Table};

use crate::error::{Error, Result};

mod answer_table;
mod direction;
mod expected;
mod invariances;
mod multisets;
mod question;
mod random;
mod report;
mod values;
pub mod worlds;

use answer_table::AnswerTable;
pub use direction::{Direction, norm};
pub use expected::{Expected, GradientMoments};
pub use invariances::{Invariance, invariances};
pub use question::{Answer, Question};
pub use random::{random_batch, random_batch_on};
pub use report::{Report, report};

/// Questions, models and the number of rollouts of an exact experiment.
#[derive(Clone, Debug)]
pub struct Lab {
    questions: Vec<Question>,
    tables: BTreeMap<Role, Table>,
    drawn: Drawn,
    rollouts: usize,
    sharing: Sharing,
}

/// What completions are drawn from.
#[derive(Clone, Debug)]
enum Drawn {
    /// The policy.
    Policy,
    /// An earlier policy: `π_old` is its probability.
    Earlier(Table),
    /// Another program: `π_old` is the policy's probability.
    Elsewhere(Table),
}

/// Which states share parameters. A state is a prompt with the tokens generated so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// No states do: each has its own logits.
    Nothing,
    /// States of different prompts with the same tokens generated so far: their logits are a shared row of parameters
    /// plus a constant row for each prompt, so the gradient of the shared row is the sum over prompts.
    Prompts,
}

impl Lab {
    /// A batch is one group of `rollouts` completions for each question. The reference is a copy of the policy; the
    /// critic and the reward model output 0 everywhere.
    ///
    /// # Errors
    /// If there are no questions or no rollouts, if two questions have the same prompt, or if a question is invalid:
    /// without completions, with an empty, repeated or ungraded one, or with a token outside the policy's vocabulary.
    pub fn new(questions: Vec<Question>, policy: Table, rollouts: usize) -> Result<Lab> {
        let wrong = |problem: &str| Err(Error::setting("lab", problem));
        if questions.is_empty() || rollouts == 0 {
            return wrong("no batch can be drawn without a question and at least one rollout");
        }
        for (i, question) in questions.iter().enumerate() {
            question.validate(&format!("question {i}"), policy.vocabulary())?;
        }
        if (1..questions.len()).any(|i| questions[..i].iter().any(|other| other.prompt == questions[i].prompt)) {
            return wrong(
                "two questions have the same prompt: give each its own prompt, and share parameters with `sharing`",
            );
        }
        let zero = Table::new(policy.vocabulary(), &Optimiser::EXACT)?;
        let tables = BTreeMap::from([
            (Role::REFERENCE, policy.clone()),
            (Role::CRITIC, zero.clone()),
            (Role::REWARD_MODEL, zero),
            (Role::POLICY, policy),
        ]);
        Ok(Lab { questions, tables, drawn: Drawn::Policy, rollouts, sharing: Sharing::Nothing })
    }

    /// Sets the model of a role.
    pub fn with(mut self, role: Role, table: Table) -> Lab {
        self.tables.insert(role, table);
        self
    }

    /// Draws completions from `sampler` instead of the policy: off-policy data, as if the policy had been updated since
    /// sampling.
    pub fn drawn_from(mut self, sampler: Table) -> Lab {
        self.drawn = Drawn::Earlier(sampler);
        self
    }

    /// Draws completions from `sampler`, which is not the policy that it should be: `π_sampled` is its probability, and `π_old`
    /// the policy's.
    pub fn drawn_elsewhere(mut self, sampler: Table) -> Lab {
        self.drawn = Drawn::Elsewhere(sampler);
        self
    }

    /// Sets the number of completions per question, at least 1.
    pub fn rollouts(mut self, rollouts: usize) -> Lab {
        self.rollouts = rollouts.max(1);
        self
    }

    /// Sets which states share parameters.
    pub fn sharing(mut self, sharing: Sharing) -> Lab {
        self.sharing = sharing;
        self
    }

    /// The questions, in the order they were given.
    pub fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// The model of a role.
    pub fn table(&self, role: Role) -> &Table {
        &self.tables[&role]
    }

    /// Outcome reward of a completion, by the indices of question and completion.
    pub fn reward(&self, question: usize, answer: usize) -> f64 {
        self.questions[question].answers[answer].verdict.reward()
    }

    /// The model that completions are drawn from.
    fn sampler(&self) -> &Table {
        match &self.drawn {
            Drawn::Policy => self.table(Role::POLICY),
            Drawn::Earlier(sampler) | Drawn::Elsewhere(sampler) => sampler,
        }
    }

    /// The model that `π_old` is of.
    fn old(&self) -> &Table {
        match &self.drawn {
            Drawn::Policy | Drawn::Elsewhere(_) => self.table(Role::POLICY),
            Drawn::Earlier(sampler) => sampler,
        }
    }

    /// Probability of each completion of a question under the policy, in the order of [`Question::answers`].
    pub fn probabilities(&self, question: usize) -> Vec<f64> {
        self.questions[question].probabilities(self.table(Role::POLICY))
    }

    /// Probability of a right completion of each question under the policy.
    pub fn pass_rates(&self) -> Vec<f64> {
        let policy = self.table(Role::POLICY);
        self.questions.iter().map(|question| question.pass_rate(policy)).collect()
    }

    /// Gradient of the mean pass rate over questions with respect to the policy's parameters: what policy-gradient
    /// methods estimate.
    pub fn pass_rate_gradient(&self) -> Result<Vec<f64>> {
        self.gradient_of_mean(&|question, answer| self.reward(question, answer) / self.questions.len() as f64)
    }

    /// Gradient of `sum over questions and completions s of π(s)·f(s)` with respect to the policy's parameters. `f`
    /// gets the indices of question and completion and is treated as a constant.
    pub fn gradient_of_mean(&self, f: &dyn Fn(usize, usize) -> f64) -> Result<Vec<f64>> {
        let answers = AnswerTable::new(self, &[Column::LOGP])?;
        let policy = self.table(Role::POLICY);
        let mut gradient = vec![0.0; answers.parameters(Role::POLICY)];
        for (completion, index) in answers.indices() {
            let answer = &self.questions[index.question].answers[index.answer];
            let probability = policy.probability(&self.questions[index.question].prompt, &answer.tokens);
            let weight = probability * f(index.question, index.answer);
            answers.add_gradient(completion, Column::LOGP, &vec![weight; answer.tokens.len()], &mut gradient);
        }
        Ok(gradient)
    }

    /// The expected gradient of an algorithm, with its variance, over every batch that can be drawn.
    ///
    /// # Errors
    /// If the algorithm's selection is not declared as data, if there are too many batches to enumerate, or if a loss
    /// is not finite.
    pub fn expected(&self, algorithm: &dyn Algorithm) -> Result<Expected> {
        expected::expected(self, algorithm)
    }

    /// Every batch that can be drawn, with its probability. Each has the data columns and those of `columns` that
    /// models provide; advantages are not computed.
    ///
    /// # Errors
    /// If there are too many batches to enumerate.
    pub fn batches(&self, columns: &[Column]) -> Result<Vec<(f64, Experience)>> {
        let answers = AnswerTable::new(self, columns)?;
        let batches = expected::batches(self, &answers)?.into_iter();
        batches.map(|batch| Ok((batch.probability, batch.experience(&answers, self)?))).collect()
    }

    /// Expected number of times that a selection keeps each completion in a batch, by question and completion.
    ///
    /// # Errors
    /// If there are too many batches to enumerate.
    pub fn expected_counts(&self, selection: Selection) -> Result<Vec<Vec<f64>>> {
        expected::counts(self, selection)
    }

    /// Every group that can be drawn for a question, as a multiset of indices of its completions in ascending order,
    /// with the total probability of all orders in which it can be drawn.
    pub fn groups(&self, question: usize) -> impl Iterator<Item = (f64, Vec<usize>)> {
        let probabilities = self.questions[question].probabilities(self.sampler());
        let groups = multisets::enumerate(&probabilities, self.rollouts).into_iter();
        groups.map(|group| (group.probability, group.completions))
    }

    /// The lab after one step of the policy along its expected natural gradient, scaled by `rate`: each logit's
    /// gradient is divided by the probability of its token, so that a small probability does not slow the step down.
    /// Its fixed points are the zeros of the expected gradient. It is the natural gradient exactly for questions with
    /// one state.
    ///
    /// # Errors
    /// Those of [`Lab::expected`].
    pub fn natural_step(&self, algorithm: &dyn Algorithm, rate: f64) -> Result<Lab> {
        let expected = self.expected(algorithm)?;
        let mut lab = self.clone();
        let policy = self.table(Role::POLICY);
        let mut updated = policy.clone();
        for (state, gradient) in expected.by_state(Role::POLICY) {
            let State { prompt, prefix } = state;
            let mut logits = policy.row(prompt, prefix).logits;
            for ((z, p), g) in logits.iter_mut().zip(next_token(policy, state)).zip(gradient) {
                *z += rate * g / p.max(f64::MIN_POSITIVE);
            }
            updated.set_logits(prompt, prefix, &logits);
        }
        lab.tables.insert(Role::POLICY, updated);
        Ok(lab)
    }
}

/// Probability of each token as the next one at a state.
pub(crate) fn next_token(table: &Table, state: &State) -> Vec<f64> {
    let logits = table.row(&state.prompt, &state.prefix).logits;
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logits.iter().map(|z| (z - most).exp()).sum();
    logits.iter().map(|z| (z - most).exp() / total).collect()
}
