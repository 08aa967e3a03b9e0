//! The mean of what an algorithm does, and how far single batches are from it.

use std::collections::BTreeMap;
use std::ops::Range;

use oreal_algos::{Algorithm, Column, Columns, Experience, Layout, Level, Outcome, Role, Select, Selection, credit_of};
use oreal_models::State;
use oreal_toy_envs::Verdict;

use super::Lab;
use super::direction::norm;
use super::draws::{self, Group};
use super::known::{Known, Place, States};
use crate::error::{Error, Result};

/// What an algorithm does on average.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The direction that descends the loss, in each role that learns.
    pub roles: BTreeMap<Role, Moments>,
    /// Of batches of which something is kept; others count as 0.
    pub loss: f64,
    /// Every named node, likewise.
    pub metrics: BTreeMap<String, f64>,
    /// Probability that something of a batch is kept.
    pub kept: f64,
    /// Probability that a batch moves the policy.
    pub moves: f64,
    states: BTreeMap<Role, States>,
}

/// Mean and spread of a random vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    pub mean: Vec<f64>,
    /// Mean squared distance from the mean: the trace of the covariance.
    pub variance: f64,
}

impl Moments {
    /// Length of the mean over the standard deviation; infinite where nothing varies.
    pub fn signal_to_noise(&self) -> f64 {
        norm(&self.mean) / self.variance.max(0.0).sqrt()
    }
}

impl Expected {
    /// The expected step of the policy; empty where the policy does not learn.
    pub fn policy(&self) -> &[f64] {
        self.roles.get(&Role::Policy).map_or(&[], |moments| &moments.mean)
    }

    /// Each state with its part of the expected step of a role.
    pub fn by_state(&self, role: Role) -> impl Iterator<Item = (&State, &[f64])> {
        let moments = self.roles.get(&role).into_iter();
        moments.flat_map(move |moments| self.states[&role].rows(&moments.mean))
    }
}

pub fn expected(lab: &Lab, algorithm: &dyn Algorithm) -> Result<Expected> {
    let Select::Declared(selection) = algorithm.select() else {
        let problem = format!("the choices of {} cannot be enumerated: declare its selection", algorithm.name());
        return Err(Error::setting("lab", problem));
    };
    let (credit, objective) = (credit_of(algorithm), algorithm.objective());
    let reads: Vec<Column> = credit.reads().into_iter().chain(objective.reads()).collect();
    let known = Known::new(lab, &reads)?;
    let mut sums = Sums::new(&known);
    for batch in batches(lab, &known)? {
        let (all, mut full) = (batch.completions(), batch.experience(&known, lab));
        full.set(Column::Advantage, credit.evaluate(&full));
        for (probability, kept) in choices(selection, &full) {
            let (learnt, completions) = (full.keep(&kept), marked(&all, &kept));
            if completions.is_empty() {
                continue;
            }
            let loss = objective.evaluate(&learnt);
            if let Some(node) = loss.broken {
                return Err(Error::NotFinite { step: 0, value: loss.value, node });
            }
            let probability = batch.probability * probability;
            sums.add(&known, probability, &loss.cotangents, &completions);
            sums.kept += probability;
            sums.loss += probability * loss.value;
            for (name, value) in loss.metrics {
                *sums.metrics.entry(name).or_insert(0.0) += probability * value;
            }
        }
    }
    Ok(sums.expected(&known))
}

pub fn law(lab: &Lab, selection: Selection) -> Result<Vec<Vec<f64>>> {
    let known = Known::new(lab, &[])?;
    let mut law: Vec<Vec<f64>> = lab.questions.iter().map(|question| vec![0.0; question.answers.len()]).collect();
    for batch in batches(lab, &known)? {
        let all = batch.completions();
        for (probability, kept) in choices(selection, &batch.experience(&known, lab)) {
            for completion in marked(&all, &kept) {
                let Place { question, answer } = known.place(completion);
                law[question][answer] += batch.probability * probability;
            }
        }
    }
    Ok(law)
}

/// A group of every question.
pub struct Batch {
    pub probability: f64,
    groups: Vec<Vec<usize>>,
}

impl Batch {
    fn completions(&self) -> Vec<usize> {
        self.groups.concat()
    }

    /// With every column but the credit. Signals are in place already: before the first update they are what they are.
    pub fn experience(&self, known: &Known, lab: &Lab) -> Experience {
        let length = |&completion: &usize| known.length(completion);
        let lengths: Vec<Vec<usize>> = self.groups.iter().map(|group| group.iter().map(length).collect()).collect();
        let completions = self.completions();
        let mut x = Experience::new(Layout::new(&lengths));
        for (column, values) in known.gather(&completions) {
            x.set(column, values);
        }
        let verdict = |&completion: &usize| {
            let Place { question, answer } = known.place(completion);
            lab.questions[question].answers[answer].verdict
        };
        let verdicts = || completions.iter().map(verdict);
        x.set(Column::Reward, verdicts().map(Verdict::reward).collect());
        x.set(Column::Truncated, verdicts().map(|verdict| f64::from(verdict == Verdict::Truncated)).collect());
        let again = |i: usize| f64::from(completions[..i].contains(&completions[i]));
        x.set(Column::Duplicate, (0..completions.len()).map(again).collect());
        x
    }
}

/// Most batches that are gone through.
const MOST: f64 = 2e6;

/// Every batch that can be drawn.
pub fn batches(lab: &Lab, known: &Known) -> Result<Vec<Batch>> {
    let possible = |question: usize| known.of(question).filter(|&i| known.probability(i) > 0.0).collect::<Vec<_>>();
    let possible: Vec<Vec<usize>> = (0..lab.questions.len()).map(possible).collect();
    let count: f64 = possible.iter().map(|completions| draws::count(completions.len(), lab.rollouts)).product();
    if count > MOST {
        let problem =
            format!("there are {count:.0} batches to go through, more than {MOST:.0}: ask for fewer rollouts");
        return Err(Error::setting("lab", problem));
    }
    let mut batches = vec![Batch { probability: 1.0, groups: Vec::new() }];
    for completions in possible {
        let law: Vec<f64> = completions.iter().map(|&i| known.probability(i)).collect();
        let groups = draws::groups(&law, lab.rollouts);
        let with = |batch: &Batch, Group { probability, completions: drawn }: &Group| {
            let drawn = drawn.iter().map(|&i| completions[i]).collect();
            let groups = batch.groups.iter().cloned().chain([drawn]).collect();
            Batch { probability: batch.probability * probability, groups }
        };
        batches = batches.iter().flat_map(|batch| groups.iter().map(move |group| with(batch, group))).collect();
    }
    Ok(batches)
}

/// What a selection can do to a batch, with probabilities. Choices that keep the same columns are one.
fn choices(selection: Selection, x: &Experience) -> Vec<(f64, Vec<bool>)> {
    let mut choices = vec![(1.0, Vec::new())];
    for group in x.layout().spans(Level::Trajectory, Level::Group) {
        let outcomes = distinct(x, &group, selection.outcomes(x, group.clone()));
        choices = choices
            .iter()
            .flat_map(|(p, kept): &(f64, Vec<bool>)| {
                outcomes.iter().map(move |(q, more)| (p * q, [kept.as_slice(), more].concat()))
            })
            .collect();
    }
    choices
}

/// Outcomes that keep the same columns in the same order are one.
fn distinct(x: &Experience, group: &Range<usize>, outcomes: Vec<Outcome>) -> Vec<(f64, Vec<bool>)> {
    if outcomes.len() == 1 {
        return outcomes.into_iter().map(|outcome| (outcome.probability, outcome.kept)).collect();
    }
    let alone: Vec<Experience> = group.clone().map(|i| x.part(i..i + 1)).collect();
    let alike: Vec<usize> = alone.iter().map(|one| alone.iter().position(|other| other == one).unwrap_or(0)).collect();
    let mut distinct: BTreeMap<Vec<usize>, (f64, Vec<bool>)> = BTreeMap::new();
    for Outcome { probability, kept } in outcomes {
        let (sum, _) = distinct.entry(marked(&alike, &kept)).or_insert((0.0, kept));
        *sum += probability;
    }
    distinct.into_values().collect()
}

fn marked(completions: &[usize], kept: &[bool]) -> Vec<usize> {
    completions.iter().zip(kept).filter(|(_, kept)| **kept).map(|(completion, _)| *completion).collect()
}

/// The gradient of a loss from its cotangents on completions, by role.
fn gradient(known: &Known, cotangents: &Columns, completions: &[usize]) -> BTreeMap<Role, Vec<f64>> {
    let mut gradients = BTreeMap::new();
    for (&column, values) in cotangents {
        let Some(role) = column.role() else { continue };
        let gradient = gradients.entry(role).or_insert_with(|| vec![0.0; known.parameters(role)]);
        let mut first = 0;
        for &completion in completions {
            let tokens = first..first + known.length(completion);
            first = tokens.end;
            known.pull(completion, column, &values[tokens], gradient);
        }
    }
    gradients
}

struct Sums {
    mean: BTreeMap<Role, Vec<f64>>,
    squares: BTreeMap<Role, f64>,
    loss: f64,
    metrics: BTreeMap<String, f64>,
    kept: f64,
    moves: f64,
}

impl Sums {
    fn new(known: &Known) -> Sums {
        let zero = |role: &Role| (*role, vec![0.0; known.parameters(*role)]);
        Sums {
            mean: known.states().keys().map(zero).collect(),
            squares: BTreeMap::new(),
            loss: 0.0,
            metrics: BTreeMap::new(),
            kept: 0.0,
            moves: 0.0,
        }
    }

    fn add(&mut self, known: &Known, probability: f64, cotangents: &Columns, completions: &[usize]) {
        for (role, gradient) in gradient(known, cotangents, completions) {
            let square: f64 = gradient.iter().map(|g| g * g).sum();
            *self.squares.entry(role).or_insert(0.0) += probability * square;
            if role == Role::Policy && square > 0.0 {
                self.moves += probability;
            }
            let mean = self.mean.entry(role).or_default().iter_mut();
            mean.zip(gradient).for_each(|(sum, g)| *sum -= probability * g);
        }
    }

    fn expected(self, known: &Known) -> Expected {
        let squares = self.squares;
        let moments = |(role, mean): (Role, Vec<f64>)| {
            let square: f64 = mean.iter().map(|g| g * g).sum();
            let variance = (squares.get(&role).copied().unwrap_or(0.0) - square).max(0.0);
            (role, Moments { mean, variance })
        };
        Expected {
            roles: self.mean.into_iter().map(moments).collect(),
            loss: self.loss,
            metrics: self.metrics,
            kept: self.kept,
            moves: self.moves,
            states: known.states().clone(),
        }
    }
}
