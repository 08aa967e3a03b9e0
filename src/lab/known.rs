//! What the models say of every completion, and how it moves with their parameters.

use std::collections::BTreeMap;
use std::ops::Range;

use oreal_algos::{Column, Columns, Experience, Layout, Level, Role};
use oreal_models::{Sequence, State, Table};

use super::{Lab, Sharing};
use crate::error::{Error, Result};
use crate::roles::Roles;

/// Which completion of which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub question: usize,
    pub answer: usize,
}

/// All completions of all questions, one after the other, with the columns that models provide.
pub struct Known {
    places: Vec<Place>,
    probabilities: Vec<f64>,
    table: Experience,
    /// Derivative of each token's signal with respect to the parameters that move it.
    slopes: BTreeMap<Column, Vec<Slope>>,
    states: BTreeMap<Role, States>,
}

/// Parameters and derivatives.
type Slope = Vec<(usize, f64)>;

/// Where the parameters of a state are among those of a model.
#[derive(Clone, Debug, Default)]
pub struct States {
    first: BTreeMap<State, usize>,
    parameters: usize,
}

impl Known {
    /// Reads `columns` (those that models provide; others are left out) and the derivatives of the signals among them.
    pub fn new(lab: &Lab, columns: &[Column]) -> Result<Known> {
        let questions = lab.questions.iter().enumerate();
        let places: Vec<Place> = questions
            .flat_map(|(question, q)| (0..q.answers.len()).map(move |answer| Place { question, answer }))
            .collect();
        let sampler = lab.sampler();
        let probabilities = lab.questions.iter().flat_map(|question| question.probabilities(sampler)).collect();
        let lengths: Vec<Vec<usize>> =
            lab.questions.iter().map(|q| q.answers.iter().map(|a| a.tokens.len()).collect()).collect();
        let mut known = Known {
            places,
            probabilities,
            table: Experience::new(Layout::new(&lengths)),
            slopes: BTreeMap::new(),
            states: BTreeMap::new(),
        };
        let sequences: Vec<Sequence<'_>> = known.places.iter().map(|place| sequence(lab, *place)).collect();
        let sampled_logp = sampled_logp(sampler, &sequences)?;
        known.table.set(Column::OldLogp, sampled_logp.clone());
        known.table.set(Column::SampledLogp, sampled_logp);
        roles(&lab.tables).fill(&mut known.table, columns, &sequences)?;
        for &column in columns.iter().filter(|column| column.is_signal()) {
            known.differentiate(lab, column, &sequences)?;
        }
        Ok(known)
    }

    pub fn place(&self, completion: usize) -> Place {
        self.places[completion]
    }

    pub fn places(&self) -> impl Iterator<Item = (usize, Place)> {
        self.places.iter().copied().enumerate()
    }

    /// The completions of a question.
    pub fn of(&self, question: usize) -> Range<usize> {
        let first = self.places.partition_point(|place| place.question < question);
        first..self.places.partition_point(|place| place.question <= question)
    }

    /// Probability of a completion where completions are drawn.
    pub fn probability(&self, completion: usize) -> f64 {
        self.probabilities[completion]
    }

    /// Tokens of a completion.
    pub fn length(&self, completion: usize) -> usize {
        self.table.layout().size(Level::Token, Level::Trajectory, completion)
    }

    /// The columns of these completions.
    pub fn gather(&self, completions: &[usize]) -> Columns {
        let values = |column: Column, values: &Vec<f64>| {
            let of = |&i: &usize| values[self.table.layout().range(column.level(), &(i..i + 1))].iter().copied();
            completions.iter().flat_map(of).collect()
        };
        self.table.columns().iter().map(|(&column, all)| (column, values(column, all))).collect()
    }

    /// Numbers that learn in a role.
    pub fn parameters(&self, role: Role) -> usize {
        self.states.get(&role).map_or(0, |states| states.parameters)
    }

    pub fn states(&self) -> &BTreeMap<Role, States> {
        &self.states
    }

    /// Adds to a gradient what the cotangents of a completion's signal contribute.
    pub fn pull(&self, completion: usize, column: Column, cotangents: &[f64], gradient: &mut [f64]) {
        let Some(slopes) = self.slopes.get(&column) else { return };
        let tokens = self.table.layout().range(Level::Token, &(completion..completion + 1));
        for (slope, cotangent) in slopes[tokens].iter().zip(cotangents) {
            slope.iter().for_each(|(parameter, slope)| gradient[*parameter] += cotangent * slope);
        }
    }

    /// By the table's own pullback of one cotangent at a time.
    fn differentiate(&mut self, lab: &Lab, column: Column, sequences: &[Sequence<'_>]) -> Result<()> {
        let Some(role) = column.role() else { return Ok(()) };
        let states = self.states.entry(role).or_default();
        let mut roles = roles(&BTreeMap::from([(role, lab.table(role).clone())]));
        let mut slopes = Vec::new();
        for sequence in sequences {
            for token in 0..sequence.completion.len() {
                let mut one = vec![0.0; sequence.completion.len()];
                one[token] = 1.0;
                let mut loss = |_: &Columns| Columns::from([(column, one.clone())]);
                roles.backward(&[column], &|_| true, &[*sequence], &mut loss)?;
                let table = roles.get_mut(role)?;
                slopes.push(states.slope(table, column, lab.sharing));
                table.clear_gradient();
            }
        }
        self.slopes.insert(column, slopes);
        Ok(())
    }
}

impl States {
    /// The gradient a table has accumulated, by parameter.
    fn slope(&mut self, table: &Table, column: Column, sharing: Sharing) -> Slope {
        let mut slope = Vec::new();
        for (state, row) in table.gradient() {
            let scalar = [row.scalar];
            let row: &[f64] = match column {
                Column::Logp | Column::Entropy => &row.logits,
                _ => &scalar,
            };
            let first = self.first(state, row.len(), sharing);
            slope.extend(row.iter().enumerate().map(|(i, g)| (first + i, *g)));
        }
        slope
    }

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

    /// Each state with its part of a gradient.
    pub fn rows<'a>(&'a self, gradient: &'a [f64]) -> impl Iterator<Item = (&'a State, &'a [f64])> {
        let width = self.parameters / self.first.len().max(1);
        self.first.iter().map(move |(state, &first)| (state, &gradient[first..first + width]))
    }
}

fn roles(tables: &BTreeMap<Role, Table>) -> Roles<Table> {
    Roles::of(tables.iter().map(|(role, table)| (*role, Box::new(table.clone()))).collect(), 1.0)
}

fn sequence(lab: &Lab, place: Place) -> Sequence<'_> {
    let question = &lab.questions[place.question];
    Sequence { prompt: &question.prompt, completion: &question.answers[place.answer].tokens }
}

fn sampled_logp(sampler: &Table, sequences: &[Sequence<'_>]) -> Result<Vec<f64>> {
    let role = roles(&BTreeMap::from([(Role::Policy, sampler.clone())]));
    let columns = role.read(Role::Policy, &[Column::Logp], sequences)?;
    columns.into_values().next().ok_or_else(|| Error::setting("lab", "the sampler reports no log-probability"))
}
