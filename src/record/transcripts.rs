//! Transcripts: the completions of a group, token by token, with what explains the coefficient of each.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use oreal_algos::{Column, Columns, Credit, Layout, Level, Objective, Part, PartKind};
use oreal_models::Token;
use oreal_toy_envs::Prompt;
use serde::Serialize;

use super::step::mixed;
use crate::config::Record;
use crate::error::Result;
use crate::renderer::Renderer;
use crate::rollout::{Group, Trajectory};
use crate::run::Run;
use crate::train::Done;

/// Tokens of a completion whose parts are written; columns and cotangents are there for all.
const EXPLAINED: usize = 1024;

/// Tokens that are decoded together at most, where the text of one depends on others.
const WINDOW: usize = 16;

/// Makes the lines of `transcripts.jsonl`.
pub(crate) struct Transcripts {
    record: Record,
    credit: Credit,
    objective: Box<dyn Objective>,
    renderer: Arc<dyn Renderer>,
}

/// A line of `transcripts.jsonl`: a completion, and what explains the coefficient of each of its tokens.
#[derive(Serialize)]
pub(crate) struct Transcript<'a> {
    step: usize,
    prompt: &'a Prompt,
    answer: &'a str,
    completion: &'a str,
    /// Of the weights that drew it: how often the policy had moved.
    version: u64,
    verdict: String,
    reward: f64,
    kept: bool,
    tokens: &'a [Token],
    /// The text that each token adds.
    pieces: Vec<String>,
    sampled_logp: &'a Option<Vec<f64>>,
    advantage: Vec<f64>,
    /// Which of the step's updates learnt from it first, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    update: Option<usize>,
    /// Every other column, as that update saw it.
    columns: BTreeMap<&'static str, Of>,
    /// `dL/dsignal` of each signal in that update.
    cotangents: BTreeMap<&'static str, Of>,
    /// What the coefficient is made of.
    parts: Vec<Explained>,
}

/// A value for the trajectory, or one for each of its tokens.
#[derive(Serialize)]
#[serde(untagged)]
enum Of {
    One(f64),
    Each(Vec<f64>),
}

/// A part of a formula at the tokens of a trajectory.
#[derive(Serialize)]
struct Explained {
    /// Which formula it is a part of.
    of: &'static str,
    kind: PartKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    expression: String,
    level: Level,
    /// To six digits.
    value: Of,
}

impl Transcripts {
    pub(crate) fn new(run: &Run) -> Transcripts {
        let (credit, objective) = (run.credit().clone(), run.algorithm.objective());
        Transcripts { record: run.settings.record.clone(), credit, objective, renderer: run.renderer.clone() }
    }

    /// One group of a step whose transcripts are recorded, a line for each completion: the first group with right and wrong
    /// answers, or else the first.
    pub(crate) fn of<'a>(&self, done: &'a Done) -> Result<Vec<Transcript<'a>>> {
        let chosen = done.groups.iter().position(mixed).unwrap_or(0);
        let Some(group) = done.groups.get(chosen).filter(|_| self.record.transcripts_at(done.step)) else {
            return Ok(Vec::new());
        };
        let first = done.full.layout().spans(Level::Trajectory, Level::Group)[chosen].start;
        let credit = self.credit.parts(&done.full);
        let seen = done.learnt.seen.iter().map(|seen| self.objective.parts(&seen.batch));
        let objective: Vec<Vec<Part>> = seen.collect();
        let line = |(i, trajectory)| self.line(done, group, trajectory, first + i, (&credit, &objective));
        group.trajectories.iter().enumerate().map(line).collect()
    }

    /// A completion, which is trajectory `i` of the step, with the parts of the credit and of each update's objective.
    fn line<'a>(
        &self,
        done: &'a Done,
        group: &'a Group,
        trajectory: &'a Trajectory,
        i: usize,
        (credit, objective): (&[Part], &[Vec<Part>]),
    ) -> Result<Transcript<'a>> {
        let at = Place::new(done.full.layout(), i);
        let mut columns = at.columns(done.full.columns());
        let (mut parts, mut cotangents) = (at.parts("credit", credit), BTreeMap::new());
        let place = learnt_in(done, i);
        if let Some((update, place)) = place {
            let batch = &done.learnt.seen[update].batch;
            let at = Place::new(batch.layout(), place);
            columns.extend(at.columns(batch.columns()));
            parts.extend(at.parts("objective", &objective[update]));
            cotangents = at.columns(&done.learnt.losses[update].cotangents);
        }
        let advantage = match columns.remove(Column::ADVANTAGE.name()) {
            Some(Of::Each(values)) => values,
            _ => Vec::new(),
        };
        columns.retain(|name, _| ![Column::REWARD.name(), Column::SAMPLED_LOGP.name()].contains(name));
        Ok(Transcript {
            step: done.step,
            prompt: &group.problem.prompt,
            answer: &group.problem.answer,
            completion: &trajectory.text,
            version: trajectory.completion.version,
            verdict: format!("{:?}", trajectory.verdict),
            reward: trajectory.verdict.reward(),
            kept: done.kept[i],
            tokens: &trajectory.completion.tokens,
            pieces: pieces(&*self.renderer, &trajectory.completion.tokens)?,
            sampled_logp: &trajectory.completion.sampled_logp,
            advantage,
            update: place.map(|(update, _)| update),
            columns,
            cotangents,
            parts,
        })
    }
}

/// The first update that learnt from a trajectory of the step, and its place in the update's batch.
fn learnt_in(done: &Done, trajectory: usize) -> Option<(usize, usize)> {
    let count = |marks: &[bool]| marks.iter().filter(|&&mark| mark).count();
    let kept = done.kept[trajectory].then(|| count(&done.kept[..trajectory]))?;
    let update = done.learnt.seen.iter().position(|seen| seen.marks[kept])?;
    Some((update, count(&done.learnt.seen[update].marks[..kept])))
}

/// Where a trajectory's values lie in those of a batch.
struct Place([Range<usize>; 4]);

impl Place {
    fn new(layout: &Layout, trajectory: usize) -> Place {
        let range = |level| layout.range(level, &(trajectory..trajectory + 1));
        Place([Level::Token, Level::Trajectory, Level::Group, Level::Batch].map(range))
    }

    /// The trajectory's own values of a column of the batch.
    fn own<'v>(&self, level: Level, values: &'v [f64]) -> &'v [f64] {
        &values[self.0[level as usize].clone()]
    }

    fn columns(&self, columns: &Columns) -> BTreeMap<&'static str, Of> {
        let of = |(column, values): (&Column, &Vec<f64>)| {
            let own = self.own(column.level(), values);
            (column.name(), if column.level() == Level::Token { Of::Each(own.to_vec()) } else { Of::One(own[0]) })
        };
        columns.iter().map(of).collect()
    }

    fn parts(&self, of: &'static str, parts: &[Part]) -> Vec<Explained> {
        let explained = |part: &Part| {
            let own = self.own(part.level, &part.values).iter().take(EXPLAINED).map(|&value| rounded(value));
            let own: Vec<f64> = own.collect();
            let value = if part.level == Level::Token { Of::Each(own) } else { Of::One(own[0]) };
            let (name, expression) = (part.name.clone(), part.expression.clone());
            Explained { of, kind: part.kind, name, expression, level: part.level, value }
        };
        parts.iter().map(explained).collect()
    }
}

/// To six significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The text that each token adds to that of the tokens before it. A character of several tokens comes with the last of them.
fn pieces(renderer: &dyn Renderer, tokens: &[Token]) -> Result<Vec<String>> {
    let (mut start, mut shown, mut before) = (0, 0, String::new());
    let mut pieces = Vec::with_capacity(tokens.len());
    for end in 1..=tokens.len() {
        let text = renderer.text(&tokens[start..end])?;
        let added = text.strip_prefix(before.as_str()).filter(|added| !added.is_empty());
        let whole = added.is_some_and(|added| !added.ends_with(char::REPLACEMENT_CHARACTER));
        if !whole && end - shown < WINDOW {
            pieces.push(String::new());
            continue;
        }
        pieces.push(added.unwrap_or_default().to_owned());
        (start, shown) = (shown, end);
        before = renderer.text(&tokens[start..shown])?;
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::renderer::Characters;

    #[test]
    fn the_pieces_of_a_completion_are_its_text() {
        let renderer = Characters::new("0123456789+=é").unwrap();
        let tokens = renderer.completion("12+é=7").unwrap();
        let pieces = pieces(&renderer, &tokens).unwrap();
        assert_eq!(pieces.concat(), "12+é=7");
        assert_eq!((pieces.len(), pieces[3].as_str(), pieces[6].as_str()), (7, "é", ""), "the end has no text");
    }
}
