//! Recorded rollouts through several algorithms: what each would do with every token of them, side by side.
//!
//! The coefficient of a token is `-dL/dlogp`: what `∇logπ` is multiplied by in a step of descent. It is all that a loss of
//! log-probabilities does. Rollouts are read from a run's `transcripts.jsonl`, or from a file written elsewhere; docs/replay.md
//! has the format. Coefficients that a trainer recorded are compared with those of each algorithm.

mod compare;
mod page;
mod recording;

use std::collections::BTreeSet;
use std::sync::Arc;

use oreal_algos::{Algorithm, Column, Level, credit_of};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::streams::{Purpose, stream};
pub use compare::{Compared, Extreme};
pub use page::page;
pub use recording::Recording;

/// An algorithm under the name that it is asked for by.
pub type Named = (String, Arc<dyn Algorithm>);

/// Every algorithm's coefficients on every token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// The file.
    pub file: String,
    /// How many batches, groups, completions and tokens it has.
    pub counts: Counts,
    /// What was taken in the place of columns that are not there.
    pub notes: Vec<String>,
    /// The algorithms that could be replayed, in the order they were asked for; first what the file recorded, where it did.
    pub algorithms: Vec<Replayed>,
    /// The algorithms that could not, each with what is missing.
    pub refused: Vec<String>,
    /// Every completion, in the order of the file.
    pub completions: Vec<Completion>,
    /// Each algorithm but the first against the first.
    pub compared: Vec<Compared>,
}

/// The size of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Training steps; each is a batch of its own.
    pub batches: usize,
    /// Problems, counted anew in each batch.
    pub groups: usize,
    /// Completions.
    pub completions: usize,
    /// Tokens of the completions.
    pub tokens: usize,
}

/// What an algorithm does with the whole recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// As it was asked for, or [`RECORDED`].
    pub name: String,
    /// Sum of the coefficients of all tokens.
    pub sum: f64,
    /// Sum of their absolute values.
    pub size: f64,
    /// The loss, mean over the batches of which something is learnt; `None` for what the file recorded.
    pub loss: Option<f64>,
}

/// The name of the coefficients that the file holds.
pub const RECORDED: &str = "recorded";

/// A completion, and what each algorithm does with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Completion {
    /// Its line or row in the file, from 1.
    pub line: u64,
    /// Its batch, as the file names it; empty where there is one only.
    pub step: String,
    /// Its group, counted from 1 over the whole file.
    pub group: usize,
    /// Its reward, where the file has one.
    pub reward: Option<f64>,
    /// The coefficients of its tokens, for each of [`Replay::algorithms`].
    pub coefficients: Vec<Vec<f64>>,
}

/// Puts a recording through algorithms. `seed` decides the choices of those that select at random.
///
/// # Errors
/// No algorithm that can be replayed, a column that only some completions have or that does not fit, coefficients that are not
/// finite.
pub fn replay(recording: &Recording, algorithms: &[Named], seed: u64) -> Result<Replay> {
    let mut replays: Vec<(String, OfTokens, Option<f64>)> = Vec::new();
    if let Some(recorded) = recording.recorded()? {
        replays.push((RECORDED.to_owned(), recorded, None));
    }
    let (mut refused, mut reads) = (Vec::new(), BTreeSet::new());
    for (name, algorithm) in algorithms {
        let read = reads_of(&**algorithm);
        match recording.lacks(&read) {
            Some(missing) => refused.push(format!("{name} {missing}")),
            None => {
                let (coefficients, loss) = of_algorithm(recording, name, &**algorithm, seed)?;
                replays.push((name.clone(), coefficients, Some(loss)));
                reads.extend(read);
            }
        }
    }
    if replays.iter().all(|(.., loss)| loss.is_none()) {
        return Err(Error::file(recording.file(), refused.join("; ")));
    }
    let completions = recording.completions(&replays.iter().map(|(_, values, _)| values).collect::<Vec<_>>())?;
    let names: Vec<&str> = replays.iter().map(|(name, ..)| name.as_str()).collect();
    Ok(Replay {
        file: recording.file().display().to_string(),
        counts: recording.counts(),
        notes: recording.notes(&reads),
        compared: compare::all(&names, &completions),
        algorithms: replays.iter().map(Replayed::new).collect(),
        refused,
        completions,
    })
}

/// Coefficients of the tokens of each completion, in the order of the recording.
type OfTokens = Vec<Vec<f64>>;

impl Replayed {
    fn new((name, values, loss): &(String, OfTokens, Option<f64>)) -> Replayed {
        let all = || values.iter().flatten();
        Replayed { name: name.clone(), sum: all().sum(), size: all().map(|c| c.abs()).sum(), loss: *loss }
    }
}

/// What credit and objective read of the recording.
fn reads_of(algorithm: &dyn Algorithm) -> BTreeSet<Column> {
    let reads = credit_of(algorithm).reads().into_iter().chain(algorithm.objective().reads());
    reads.filter(|&column| column != Column::ADVANTAGE).chain([Column::REWARD, Column::DUPLICATE]).collect()
}

/// The coefficients of one algorithm, and its loss.
fn of_algorithm(recording: &Recording, name: &str, algorithm: &dyn Algorithm, seed: u64) -> Result<(OfTokens, f64)> {
    let (credit, objective, reads) = (credit_of(algorithm), algorithm.objective(), reads_of(algorithm));
    let (mut coefficients, mut losses) = (Vec::new(), Vec::new());
    for number in 0..recording.counts().batches {
        let mut x = recording.experience(number, &reads)?;
        x.set(Column::ADVANTAGE, credit.evaluate(&x))?;
        let kept = algorithm.select().draw(&x, &mut stream(seed, Purpose::Select, number))?;
        let loss = objective.evaluate(&x.keep(&kept));
        if let Some(node) = loss.not_finite {
            let problem = format!("{name}: `{node}` is not finite on the rollouts{}", recording.batch_name(number));
            return Err(Error::file(recording.file(), problem));
        }
        losses.extend(kept.contains(&true).then_some(loss.value));
        let mut found = loss.cotangents.get(&Column::LOGP).into_iter().flatten().map(|g| -g);
        for (span, kept) in x.layout().spans(Level::Token, Level::Trajectory).into_iter().zip(kept) {
            let of_token = |_| if kept { found.next().unwrap_or(0.0) + 0.0 } else { 0.0 };
            coefficients.push(span.map(of_token).collect());
        }
    }
    let mean = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    Ok((coefficients, mean))
}

#[cfg(test)]
mod tests;
