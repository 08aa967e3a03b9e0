//! One update: from a batch with its data columns in place to accumulated gradients, in parts that fit into memory.

use std::collections::BTreeMap;
use std::ops::Range;

use oreal_algos::{Column, Columns, Experience, Layout, Level, Loss, Objective, Role};
use oreal_models::{Model, Sequence};

use crate::error::{Error, Result};
use crate::roles::Roles;

/// How the cotangents of a batch that does not fit are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traversal {
    /// Part by part: each part's own cotangents, from its own forward pass.
    Streaming,
    /// All at once, from a first forward pass over every part without gradient; each part then has a second forward pass,
    /// for its backward pass.
    TwoPass,
}

/// What an update saw.
#[derive(Clone, Debug)]
pub struct Updated {
    /// Value, cotangents and metrics.
    pub loss: Loss,
    /// The batch with every signal in place, as they were before the update.
    pub batch: Experience,
}

/// An objective applied to a batch.
pub struct Update<'a> {
    /// The loss to minimise.
    pub objective: &'a dyn Objective,
    /// Signals read besides the objective's own, for the record.
    pub watched: &'a [Column],
    /// Most trajectories in one forward and backward pass; fewer where a device has no memory for so many.
    pub micro_batch: usize,
    /// Most tokens of one such pass, prompts included.
    pub micro_tokens: usize,
    /// How a batch that does not fit is differentiated.
    pub traversal: Traversal,
}

impl<'a> Update<'a> {
    /// Streams where the objective's coupling allows it.
    pub fn new(objective: &'a dyn Objective, watched: &'a [Column], micro_batch: usize) -> Self {
        let traversal = match objective.coupling() {
            Level::Batch => Traversal::TwoPass,
            _ => Traversal::Streaming,
        };
        Update { objective, watched, micro_batch, micro_tokens: usize::MAX, traversal }
    }

    /// With passes of at most so many tokens, prompts included; a unit that has more stands alone.
    pub fn at_most(self, micro_tokens: usize) -> Self {
        Update { micro_tokens, ..self }
    }

    /// Accumulates the gradient of every role that learns. After an error no role has any gradient left.
    pub fn accumulate<M: Model + ?Sized>(
        &self,
        roles: &mut Roles<M>,
        learns: &dyn Fn(Role) -> bool,
        batch: &Experience,
        sequences: &[Sequence<'_>],
    ) -> Result<Updated> {
        let updated = self.try_accumulate(roles, learns, batch, sequences);
        if updated.is_err() {
            roles.discard();
        }
        updated
    }

    fn try_accumulate<M: Model + ?Sized>(
        &self,
        roles: &mut Roles<M>,
        learns: &dyn Fn(Role) -> bool,
        batch: &Experience,
        sequences: &[Sequence<'_>],
    ) -> Result<Updated> {
        let parts = self.parts(roles, learns, batch.layout(), sequences)?;
        let split = match self.traversal {
            Traversal::Streaming => self.objective.by_parts(batch),
            Traversal::TwoPass => {
                let signals = self.first_pass(roles, &parts, batch, sequences)?;
                let cotangents = self.evaluate(batch, &signals)?.loss.cotangents;
                let layout = batch.layout().clone();
                Box::new(move |part: Range<usize>, _: &Columns| Ok(slice(&cotangents, &layout, &part)))
            }
        };
        let mut signals = Columns::new();
        for part in parts {
            let (seen, passes) = roles.forward(&self.signals(), learns, &sequences[part.clone()])?;
            let cotangents = split(part.clone(), &seen)?;
            if !is_finite(&cotangents) {
                self.evaluate(&batch.part(part), &seen)?;
                return Err(not_finite(batch.step(), f64::NAN, None));
            }
            passes.backward(&cotangents)?;
            append(&mut signals, &seen);
        }
        self.evaluate(batch, &signals)
    }

    /// Parts of the batch that are differentiated together: no more than was asked for, nor than there is memory for.
    fn parts<M: Model + ?Sized>(
        &self,
        roles: &Roles<M>,
        learns: &dyn Fn(Role) -> bool,
        layout: &Layout,
        sequences: &[Sequence<'_>],
    ) -> Result<Vec<Range<usize>>> {
        let fits = roles.fits(&self.signals(), learns)?;
        let tokens = |part: &[Sequence<'_>]| part.iter().map(|s| s.prompt.len() + s.completion.len()).sum::<usize>();
        let fits = |part: Range<usize>| {
            let (count, part) = (part.len(), &sequences[part]);
            count <= self.micro_batch && tokens(part) <= self.micro_tokens && fits(part)
        };
        Ok(parts(layout, self.objective.coupling(), &fits))
    }

    fn signals(&self) -> Vec<Column> {
        let read = self.objective.reads().into_iter().filter(|column| column.is_signal());
        let mut signals: Vec<Column> = read.chain(self.watched.iter().copied()).collect();
        signals.sort();
        signals.dedup();
        signals
    }

    fn first_pass<M: Model + ?Sized>(
        &self,
        roles: &Roles<M>,
        parts: &[Range<usize>],
        batch: &Experience,
        sequences: &[Sequence<'_>],
    ) -> Result<Columns> {
        let mut signals = Columns::new();
        for part in parts {
            let mut x = Experience::new(batch.layout().part(part.clone()));
            roles.fill(&mut x, &self.signals(), &sequences[part.clone()])?;
            append(&mut signals, x.columns());
        }
        Ok(signals)
    }

    /// The loss on a batch with these signals. It, and its cotangents, must be finite.
    fn evaluate(&self, batch: &Experience, signals: &Columns) -> Result<Updated> {
        let (mut batch, step) = (batch.clone(), batch.step());
        for (&column, values) in signals {
            batch.set(column, values.clone())?;
        }
        let loss = self.objective.evaluate(&batch);
        if loss.value.is_finite() && is_finite(&loss.cotangents) {
            return Ok(Updated { loss, batch });
        }
        Err(not_finite(step, loss.value, loss.not_finite))
    }
}

fn is_finite(cotangents: &Columns) -> bool {
    cotangents.values().flatten().all(|g| g.is_finite())
}

fn not_finite(step: u64, value: f64, node: Option<String>) -> Error {
    let node = node.unwrap_or_else(|| "the derivative of the loss".to_owned());
    Error::NotFinite { step, value, node }
}

/// As few ranges of trajectories that fit as can be, none of which cuts a unit of `coupling`: one that does not fit stands
/// alone.
pub fn parts(layout: &Layout, coupling: Level, fits: &dyn Fn(Range<usize>) -> bool) -> Vec<Range<usize>> {
    let unit = coupling.max(Level::Trajectory).min(Level::Group);
    let mut parts: Vec<Range<usize>> = Vec::new();
    for span in layout.spans(Level::Trajectory, unit) {
        match parts.last_mut() {
            Some(part) if fits(part.start..span.end) => part.end = span.end,
            _ => parts.push(span),
        }
    }
    parts
}

/// Tokens of each completion.
pub fn lengths(sequences: &[Sequence<'_>]) -> Vec<usize> {
    sequences.iter().map(|sequence| sequence.completion.len()).collect()
}

fn slice(columns: &Columns, layout: &Layout, part: &Range<usize>) -> Columns {
    columns.iter().map(|(&c, values)| (c, values[layout.range(c.level(), part)].to_vec())).collect()
}

fn append(columns: &mut Columns, more: &BTreeMap<Column, Vec<f64>>) {
    for (&column, values) in more {
        columns.entry(column).or_default().extend(values);
    }
}

#[cfg(test)]
mod tests;
