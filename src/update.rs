//! One update: from a batch with its data in place to new weights, in pieces that fit.

use std::collections::BTreeMap;
use std::ops::Range;

use oreal_algos::{Column, Columns, Experience, Layout, Level, Loss, Objective, Role};
use oreal_models::{Model, Sequence};

use crate::error::{Error, Result};
use crate::roles::Roles;

/// How the cotangents of a batch that does not fit are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traversal {
    /// Each part's own, while its forward pass is still at hand.
    Streaming,
    /// All at once from a first pass over every part; each part is then computed again for its backward pass.
    TwoPass,
}

/// What an update saw.
#[derive(Clone, Debug)]
pub struct Updated {
    pub loss: Loss,
    /// The batch with every signal in place, as they were before the update.
    pub batch: Experience,
}

/// An objective applied to a batch.
pub struct Update<'a> {
    pub objective: &'a dyn Objective,
    /// Signals read besides the objective's own, for the record.
    pub watched: &'a [Column],
    /// Most trajectories that are differentiated together; fewer where a device has no memory for so many.
    pub micro_batch: usize,
    pub traversal: Traversal,
}

impl<'a> Update<'a> {
    /// Streams where the objective's coupling allows it.
    pub fn new(objective: &'a dyn Objective, watched: &'a [Column], micro_batch: usize) -> Self {
        let traversal = match objective.coupling() {
            Level::Batch => Traversal::TwoPass,
            _ => Traversal::Streaming,
        };
        Update { objective, watched, micro_batch, traversal }
    }

    /// Accumulates the gradient of every role that learns. `step` is only named in errors.
    pub fn accumulate<M: Model + ?Sized>(
        &self,
        roles: &mut Roles<M>,
        learns: &dyn Fn(Role) -> bool,
        batch: &Experience,
        sequences: &[Sequence<'_>],
        step: usize,
    ) -> Result<Updated> {
        let parts = self.parts(roles, learns, batch.layout(), sequences)?;
        let split = match self.traversal {
            Traversal::Streaming => self.objective.split(batch),
            Traversal::TwoPass => {
                let signals = self.first_pass(roles, &parts, sequences)?;
                let cotangents = self.evaluate(batch, &signals, step)?.loss.cotangents;
                let tokens = batch.layout().clone();
                Box::new(move |part: Range<usize>, _: &Columns| slice(&cotangents, &tokens, &part))
            }
        };
        let mut signals = Columns::new();
        for part in parts {
            roles.backward(&self.signals(), learns, &sequences[part.clone()], &mut |seen| {
                append(&mut signals, seen);
                split(part.clone(), seen)
            })?;
        }
        self.evaluate(batch, &signals, step)
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
        let fits = |part: Range<usize>| part.len() <= self.micro_batch && fits(&sequences[part]);
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
        sequences: &[Sequence<'_>],
    ) -> Result<Columns> {
        let mut signals = Columns::new();
        for part in parts {
            let mut x = Experience::new(Layout::new(&[lengths(&sequences[part.clone()])]));
            roles.fill(&mut x, &self.signals(), &sequences[part.clone()])?;
            append(&mut signals, x.columns());
        }
        Ok(signals)
    }

    fn evaluate(&self, batch: &Experience, signals: &Columns, step: usize) -> Result<Updated> {
        let mut batch = batch.clone();
        signals.iter().for_each(|(&column, values)| batch.set(column, values.clone()));
        let loss = self.objective.evaluate(&batch);
        let finite = loss.value.is_finite() && loss.cotangents.values().flatten().all(|g| g.is_finite());
        if finite {
            return Ok(Updated { loss, batch });
        }
        let node = loss.broken.unwrap_or_else(|| "the derivative of the loss".to_owned());
        Err(Error::NotFinite { step, value: loss.value, node })
    }
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
