//! Every completion of a lab with the models' columns on it, and the gradients of the signals.

use std::collections::BTreeMap;
use std::ops::Range;

use oreal_algos::{Column, Columns, Experience, Layout, Level, Role};
use oreal_models::{Sequence, State, Table};

use super::{Lab, Sharing, values};
use crate::error::{Error, Result};
use crate::roles::Roles;

/// A completion, by the index of its question and its index among that question's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerIndex {
    /// Index in [`Lab::questions`].
    pub question: usize,
    /// Index in [`super::Question::answers`].
    pub answer: usize,
}

/// All completions of all questions as one list, question by question, with the columns that models provide. Each
/// completion's log-prob gradient (and that of every other signal) is computed once and reused for every batch.
pub struct AnswerTable {
    indices: Vec<AnswerIndex>,
    /// Probability of each completion under the sampler.
    probabilities: Vec<f64>,
    columns: Experience,
    /// For each signal, its gradient at each token.
    gradients: BTreeMap<Column, Vec<Sparse>>,
    states: BTreeMap<Role, States>,
}

/// The non-zero elements of a gradient: index of the parameter, and derivative.
type Sparse = Vec<(usize, f64)>;

/// Index of each state's first parameter in a role's parameter vector.
#[derive(Clone, Debug, Default)]
pub struct States {
    first: BTreeMap<State, usize>,
    parameters: usize,
}

impl AnswerTable {
    /// Computes those of `columns` that models provide (others are ignored), and the gradients of the signals among
    /// them.
    pub fn new(lab: &Lab, columns: &[Column]) -> Result<AnswerTable> {
        let questions = lab.questions.iter().enumerate();
        let indices: Vec<AnswerIndex> = questions
            .flat_map(|(question, q)| (0..q.answers.len()).map(move |answer| AnswerIndex { question, answer }))
            .collect();
        let sampler = lab.sampler();
        let probabilities = lab.questions.iter().flat_map(|question| question.probabilities(sampler)).collect();
        let lengths: Vec<Vec<usize>> =
            lab.questions.iter().map(|q| q.answers.iter().map(|a| a.tokens.len()).collect()).collect();
        let mut found = AnswerTable {
            indices,
            probabilities,
            columns: Experience::new(Layout::new(&lengths)?),
            gradients: BTreeMap::new(),
            states: BTreeMap::new(),
        };
        let sequences: Vec<Sequence<'_>> = found.indices.iter().map(|index| sequence(lab, *index)).collect();
        found.columns.set(Column::OLD_LOGP, logp(lab.old(), &sequences)?)?;
        found.columns.set(Column::SAMPLED_LOGP, logp(sampler, &sequences)?)?;
        roles(&lab.tables).fill(&mut found.columns, columns, &sequences)?;
        values::fill(lab, &mut found.columns, columns, &found.indices)?;
        for &column in columns.iter().filter(|column| column.is_signal()) {
            found.differentiate(lab, column, &sequences)?;
        }
        Ok(found)
    }

    /// Question and answer of a completion.
    pub fn index(&self, completion: usize) -> AnswerIndex {
        self.indices[completion]
    }

    /// Every completion with its question and answer.
    pub fn indices(&self) -> impl Iterator<Item = (usize, AnswerIndex)> {
        self.indices.iter().copied().enumerate()
    }

    /// The completions of a question.
    pub fn of(&self, question: usize) -> Range<usize> {
        let first = self.indices.partition_point(|index| index.question < question);
        first..self.indices.partition_point(|index| index.question <= question)
    }

    /// Probability of a completion under the sampler.
    pub fn probability(&self, completion: usize) -> f64 {
        self.probabilities[completion]
    }

    /// Number of tokens of a completion.
    pub fn length(&self, completion: usize) -> usize {
        self.columns.layout().size(Level::Token, Level::Trajectory, completion)
    }

    /// The columns of these completions, concatenated.
    pub fn gather(&self, completions: &[usize]) -> Columns {
        let values = |column: Column, values: &Vec<f64>| {
            let of = |&i: &usize| values[self.columns.layout().range(column.level(), &(i..i + 1))].iter().copied();
            completions.iter().flat_map(of).collect()
        };
        self.columns.columns().iter().map(|(&column, all)| (column, values(column, all))).collect()
    }

    /// Number of parameters of a role.
    pub fn parameters(&self, role: Role) -> usize {
        self.states.get(&role).map_or(0, |states| states.parameters)
    }

    /// The states of each role that has signals among the columns.
    pub fn states(&self) -> &BTreeMap<Role, States> {
        &self.states
    }

    /// Adds to `gradient` the vector-Jacobian product of a completion's signal with `cotangents`, one for each token.
    pub fn add_gradient(&self, completion: usize, column: Column, cotangents: &[f64], gradient: &mut [f64]) {
        let Some(gradients) = self.gradients.get(&column) else { return };
        let tokens = self.columns.layout().range(Level::Token, &(completion..completion + 1));
        for (derivatives, cotangent) in gradients[tokens].iter().zip(cotangents) {
            derivatives.iter().for_each(|(parameter, derivative)| gradient[*parameter] += cotangent * derivative);
        }
    }

    /// Computes the gradient of a signal at each token by the table's own backward pass with a one-hot cotangent.
    fn differentiate(&mut self, lab: &Lab, column: Column, sequences: &[Sequence<'_>]) -> Result<()> {
        let Some(role) = column.role() else { return Ok(()) };
        let states = self.states.entry(role).or_default();
        let mut roles = roles(&BTreeMap::from([(role, lab.table(role).clone())]));
        let mut gradients = Vec::new();
        for sequence in sequences {
            for token in 0..sequence.completion.len() {
                let mut one_hot = vec![0.0; sequence.completion.len()];
                one_hot[token] = 1.0;
                let (_, passes) = roles.forward(&[column], &|_| true, &[*sequence])?;
                passes.backward(&Columns::from([(column, one_hot)]))?;
                gradients.push(states.sparse(roles.get(role)?, column, lab.sharing));
                roles.discard();
            }
        }
        self.gradients.insert(column, gradients);
        Ok(())
    }
}

impl States {
    /// The gradient that a table has accumulated, by parameter.
    fn sparse(&mut self, table: &Table, column: Column, sharing: Sharing) -> Sparse {
        let mut gradient = Vec::new();
        for (state, row) in table.gradient() {
            let scalar = [row.scalar];
            let row: &[f64] = match column {
                column if column.role() == Some(Role::POLICY) => &row.logits,
                _ => &scalar,
            };
            let first = self.first(state, row.len(), sharing);
            gradient.extend(row.iter().enumerate().map(|(i, g)| (first + i, *g)));
        }
        gradient
    }

    /// Index of a state's first parameter; a new state gets the next `width` indices.
    fn first(&mut self, state: &State, width: usize, sharing: Sharing) -> usize {
        let prompt = match sharing {
            Sharing::Nothing => state.prompt.as_slice(),
            Sharing::Prompts => &[],
        };
        *self.first.entry(State::new(prompt, &state.prefix)).or_insert_with(|| {
            self.parameters += width;
            self.parameters - width
        })
    }

    /// Each state with its elements of a gradient.
    pub fn rows<'a>(&'a self, gradient: &'a [f64]) -> impl Iterator<Item = (&'a State, &'a [f64])> {
        let width = self.parameters / self.first.len().max(1);
        self.first.iter().map(move |(state, &first)| (state, &gradient[first..first + width]))
    }
}

fn roles(tables: &BTreeMap<Role, Table>) -> Roles<Table> {
    Roles::of(tables.iter().map(|(role, table)| (*role, Box::new(table.clone()))).collect(), 1.0)
}

fn sequence(lab: &Lab, index: AnswerIndex) -> Sequence<'_> {
    let question = &lab.questions[index.question];
    Sequence { prompt: &question.prompt, completion: &question.answers[index.answer].tokens }
}

fn logp(table: &Table, sequences: &[Sequence<'_>]) -> Result<Vec<f64>> {
    let role = roles(&BTreeMap::from([(Role::POLICY, table.clone())]));
    let columns = role.read(Role::POLICY, &[Column::LOGP], sequences)?;
    columns.into_values().next().ok_or_else(|| Error::setting("lab", "the sampler reports no log-probability"))
}
