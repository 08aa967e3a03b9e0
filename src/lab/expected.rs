//! Expected gradient of an algorithm and its variance, by enumeration of batches and selections.

use std::collections::BTreeMap;
use std::ops::Range;

use oreal_algos::{Algorithm, Column, Columns, Experience, Layout, Level, Outcome, Role, Select, Selection, credit_of};
use oreal_models::State;
use oreal_toy_envs::Verdict;

use super::Lab;
use super::answer_table::{AnswerIndex, AnswerTable, States};
use super::direction::norm;
use super::multisets::{self, Multiset};
use crate::error::{Error, Result};

/// Expectations over every batch that can be drawn and every selection the algorithm can make. A batch of which nothing
/// is kept has no update: it counts as a zero gradient, a zero loss and zero metrics.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Mean and variance of the negative gradient of the loss, the direction of descent, for each role that learns.
    pub roles: BTreeMap<Role, GradientMoments>,
    /// Expected loss.
    pub loss: f64,
    /// Expected value of every metric, by name.
    pub metrics: BTreeMap<String, f64>,
    /// Probability that at least one trajectory of a batch is kept.
    pub kept: f64,
    /// Probability that the policy's gradient is not zero.
    pub moves: f64,
    states: BTreeMap<Role, States>,
}

/// Mean and variance of a batch's gradient.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GradientMoments {
    /// The mean, one element for each parameter.
    pub mean: Vec<f64>,
    /// Mean squared distance from the mean: the trace of the covariance matrix.
    pub variance: f64,
}

impl GradientMoments {
    /// Norm of the mean over the standard deviation, `|mean| / √variance`; infinite if the variance is 0 and the mean
    /// is not, NaN if both are 0.
    pub fn signal_to_noise(&self) -> f64 {
        norm(&self.mean) / self.variance.max(0.0).sqrt()
    }
}

impl Expected {
    /// The policy's expected step; empty if the policy does not learn.
    pub fn policy(&self) -> &[f64] {
        self.roles.get(&Role::POLICY).map_or(&[], |moments| &moments.mean)
    }

    /// Each state with the elements of a role's expected step that belong to it. Without shared parameters a state's
    /// prompt is the question's; with them it is empty.
    pub fn by_state(&self, role: Role) -> impl Iterator<Item = (&State, &[f64])> {
        let moments = self.roles.get(&role).into_iter();
        moments.flat_map(move |moments| self.states[&role].rows(&moments.mean))
    }
}

/// See [`Lab::expected`].
pub fn expected(lab: &Lab, algorithm: &dyn Algorithm) -> Result<Expected> {
    let Select::Declared(selection) = algorithm.select() else {
        let problem = format!("the choices of {} cannot be enumerated: return Select::Declared", algorithm.name());
        return Err(Error::setting("lab", problem));
    };
    let (credit, objective) = (credit_of(algorithm), algorithm.objective());
    let reads: Vec<Column> = credit.reads().into_iter().chain(objective.reads()).collect();
    let answers = AnswerTable::new(lab, &reads)?;
    let mut sums = Sums::new(&answers);
    for batch in batches(lab, &answers)? {
        let (all, mut full) = (batch.completions(), batch.experience(&answers, lab)?);
        full.set(Column::ADVANTAGE, credit.evaluate(&full))?;
        for (probability, kept) in selections(selection, &full) {
            let (selected, completions) = (full.keep(&kept), retained(&all, &kept));
            if completions.is_empty() {
                continue;
            }
            let loss = objective.evaluate(&selected);
            if let Some(node) = loss.not_finite {
                return Err(Error::NotFinite { step: 0, value: loss.value, node });
            }
            let probability = batch.probability * probability;
            sums.add(&answers, probability, &loss.cotangents, &completions);
            sums.kept += probability;
            sums.loss += probability * loss.value;
            for (name, value) in loss.metrics {
                *sums.metrics.entry(name).or_insert(0.0) += probability * value;
            }
        }
    }
    Ok(sums.expected(&answers))
}

/// See [`Lab::expected_counts`].
pub fn counts(lab: &Lab, selection: Selection) -> Result<Vec<Vec<f64>>> {
    let answers = AnswerTable::new(lab, &[])?;
    let mut counts: Vec<Vec<f64>> = lab.questions.iter().map(|question| vec![0.0; question.answers.len()]).collect();
    for batch in batches(lab, &answers)? {
        let all = batch.completions();
        for (probability, kept) in selections(selection, &batch.experience(&answers, lab)?) {
            for completion in retained(&all, &kept) {
                let AnswerIndex { question, answer } = answers.index(completion);
                counts[question][answer] += batch.probability * probability;
            }
        }
    }
    Ok(counts)
}

/// One group of each question.
pub struct Batch {
    /// Total probability of all orders in which its groups can be drawn.
    pub probability: f64,
    /// Of each question, the rows of its completions in the [`AnswerTable`].
    groups: Vec<Vec<usize>>,
}

impl Batch {
    fn completions(&self) -> Vec<usize> {
        self.groups.concat()
    }

    /// The batch with every column but the advantage. Signals are included: at the first update they are the values
    /// that the models had before it.
    pub fn experience(&self, answers: &AnswerTable, lab: &Lab) -> Result<Experience> {
        let length = |&completion: &usize| answers.length(completion);
        let lengths: Vec<Vec<usize>> = self.groups.iter().map(|group| group.iter().map(length).collect()).collect();
        let completions = self.completions();
        let mut x = Experience::new(Layout::new(&lengths)?);
        for (column, values) in answers.gather(&completions) {
            x.set(column, values)?;
        }
        let verdict = |&completion: &usize| {
            let AnswerIndex { question, answer } = answers.index(completion);
            lab.questions[question].answers[answer].verdict
        };
        let verdicts = || completions.iter().map(verdict);
        x.set(Column::REWARD, verdicts().map(Verdict::reward).collect())?;
        x.set(Column::TRUNCATED, verdicts().map(|verdict| f64::from(verdict == Verdict::Truncated)).collect())?;
        let repeated = |i: usize| f64::from(completions[..i].contains(&completions[i]));
        x.set(Column::DUPLICATE, (0..completions.len()).map(repeated).collect())?;
        Ok(x)
    }
}

/// Most batches that are enumerated.
const MAX_BATCHES: f64 = 2e6;

/// Every batch that can be drawn, with its probability.
pub fn batches(lab: &Lab, answers: &AnswerTable) -> Result<Vec<Batch>> {
    let possible = |question: usize| answers.of(question).filter(|&i| answers.probability(i) > 0.0).collect::<Vec<_>>();
    let possible: Vec<Vec<usize>> = (0..lab.questions.len()).map(possible).collect();
    let count: f64 = possible.iter().map(|completions| multisets::count(completions.len(), lab.rollouts)).product();
    if count > MAX_BATCHES {
        let problem =
            format!("there are {count:.0} batches to enumerate, more than {MAX_BATCHES:.0}: ask for fewer rollouts");
        return Err(Error::setting("lab", problem));
    }
    let mut batches = vec![Batch { probability: 1.0, groups: Vec::new() }];
    for completions in possible {
        let probabilities: Vec<f64> = completions.iter().map(|&i| answers.probability(i)).collect();
        let groups = multisets::enumerate(&probabilities, lab.rollouts);
        let with = |batch: &Batch, Multiset { probability, completions: drawn }: &Multiset| {
            let drawn = drawn.iter().map(|&i| completions[i]).collect();
            let groups = batch.groups.iter().cloned().chain([drawn]).collect();
            Batch { probability: batch.probability * probability, groups }
        };
        batches = batches.iter().flat_map(|batch| groups.iter().map(move |group| with(batch, group))).collect();
    }
    Ok(batches)
}

/// Every outcome of a selection on a batch: its probability, and which trajectories it keeps. Outcomes that keep
/// trajectories with the same columns are merged.
fn selections(selection: Selection, x: &Experience) -> Vec<(f64, Vec<bool>)> {
    let mut selections = vec![(1.0, Vec::new())];
    for group in x.layout().spans(Level::Trajectory, Level::Group) {
        let outcomes = merged(x, &group, selection.outcomes(x, group.clone()));
        selections = selections
            .iter()
            .flat_map(|(p, kept): &(f64, Vec<bool>)| {
                outcomes.iter().map(move |(q, more)| (p * q, [kept.as_slice(), more].concat()))
            })
            .collect();
    }
    selections
}

/// Merges outcomes that keep the same columns in the same order, and adds their probabilities.
fn merged(x: &Experience, group: &Range<usize>, outcomes: Vec<Outcome>) -> Vec<(f64, Vec<bool>)> {
    if outcomes.len() == 1 {
        return outcomes.into_iter().map(|outcome| (outcome.probability, outcome.kept)).collect();
    }
    let alone: Vec<Experience> = group.clone().map(|i| x.part(i..i + 1)).collect();
    // For each trajectory, the first one with the same columns.
    let alike: Vec<usize> = alone.iter().map(|one| alone.iter().position(|other| other == one).unwrap_or(0)).collect();
    let mut merged: BTreeMap<Vec<usize>, (f64, Vec<bool>)> = BTreeMap::new();
    for Outcome { probability, kept } in outcomes {
        let (sum, _) = merged.entry(retained(&alike, &kept)).or_insert((0.0, kept));
        *sum += probability;
    }
    merged.into_values().collect()
}

/// The completions that are kept.
fn retained(completions: &[usize], kept: &[bool]) -> Vec<usize> {
    completions.iter().zip(kept).filter(|(_, kept)| **kept).map(|(completion, _)| *completion).collect()
}

/// The gradient of a loss by role, from its cotangents on the signals of these completions.
fn gradient(answers: &AnswerTable, cotangents: &Columns, completions: &[usize]) -> BTreeMap<Role, Vec<f64>> {
    let mut gradients = BTreeMap::new();
    for (&column, values) in cotangents {
        let Some(role) = column.role() else { continue };
        let gradient = gradients.entry(role).or_insert_with(|| vec![0.0; answers.parameters(role)]);
        let mut first = 0;
        for &completion in completions {
            let tokens = first..first + answers.length(completion);
            first = tokens.end;
            answers.add_gradient(completion, column, &values[tokens], gradient);
        }
    }
    gradients
}

/// Sums over batches, each weighted by its probability.
struct Sums {
    mean: BTreeMap<Role, Vec<f64>>,
    /// Mean squared norm of the gradient.
    squares: BTreeMap<Role, f64>,
    loss: f64,
    metrics: BTreeMap<String, f64>,
    kept: f64,
    moves: f64,
}

impl Sums {
    fn new(answers: &AnswerTable) -> Sums {
        let zero = |role: &Role| (*role, vec![0.0; answers.parameters(*role)]);
        Sums {
            mean: answers.states().keys().map(zero).collect(),
            squares: BTreeMap::new(),
            loss: 0.0,
            metrics: BTreeMap::new(),
            kept: 0.0,
            moves: 0.0,
        }
    }

    fn add(&mut self, answers: &AnswerTable, probability: f64, cotangents: &Columns, completions: &[usize]) {
        for (role, gradient) in gradient(answers, cotangents, completions) {
            let square: f64 = gradient.iter().map(|g| g * g).sum();
            *self.squares.entry(role).or_insert(0.0) += probability * square;
            if role == Role::POLICY && square > 0.0 {
                self.moves += probability;
            }
            let mean = self.mean.entry(role).or_default().iter_mut();
            mean.zip(gradient).for_each(|(sum, g)| *sum -= probability * g);
        }
    }

    fn expected(self, answers: &AnswerTable) -> Expected {
        let squares = self.squares;
        let moments = |(role, mean): (Role, Vec<f64>)| {
            let square: f64 = mean.iter().map(|g| g * g).sum();
            let variance = (squares.get(&role).copied().unwrap_or(0.0) - square).max(0.0);
            (role, GradientMoments { mean, variance })
        };
        Expected {
            roles: self.mean.into_iter().map(moments).collect(),
            loss: self.loss,
            metrics: self.metrics,
            kept: self.kept,
            moves: self.moves,
            states: answers.states().clone(),
        }
    }
}
