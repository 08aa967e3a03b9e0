//! The loop. It knows no algorithm: credit, selection and objective come from the run, columns from the roles.

use std::ops::Range;
use std::time::Instant;

use oreal_algos::{Column, Experience, Layout, Level, Loss, Role};
use oreal_models::Sequence;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::columns;
use crate::error::Result;
use crate::resample::Drawn;
use crate::rescored::Rescored;
use crate::roles;
use crate::rollout::{Group, Took, experience, sequences};
use crate::run::Run;
use crate::sentinels::{Probe, Probed};
use crate::streams::{Purpose, stream};
use crate::update::{Update, Updated};

/// A step that has been made: what was drawn, kept and learnt from it.
pub struct Done {
    /// Counted from 0.
    pub step: usize,
    /// How often the policy had moved before it.
    pub version: u64,
    /// What was drawn, without completions that could not be graded.
    pub groups: Vec<Group>,
    /// Completions that could not be graded, and those that failed to be drawn.
    pub lost: Lost,
    /// Problems that were drawn in place of others of which nothing is selected.
    pub resampled: usize,
    /// A few completions of the policy's current weights scored again, where an inference server drew them.
    pub rescored: Option<Rescored>,
    /// Every graded trajectory, with credit.
    pub full: Experience,
    /// One mark per trajectory: learnt from.
    pub kept: Vec<bool>,
    /// The step's updates.
    pub learnt: Learnt,
    /// Wall time.
    pub seconds: Seconds,
}

/// Completions that are no evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// The judge could not decide.
    pub ungraded: usize,
    /// The sampler failed.
    pub failed: usize,
}

/// Wall time of a step's stages, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seconds {
    /// Drawing completions; where they are drawn ahead, waiting for them.
    pub sample: f64,
    /// Judging them, where that is not done ahead.
    pub judge: f64,
    /// Reading the columns that models report, credit and selection.
    pub fill: f64,
    /// Objective, gradients and optimisers.
    pub update: f64,
    /// Drawing and judging that went on while earlier steps trained: no part of the step's wall time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ahead: f64,
}

impl Seconds {
    /// Wall time of the step.
    pub fn wall(&self) -> f64 {
        self.sample + self.judge + self.fill + self.update
    }
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// What a step's updates were.
#[derive(Default)]
pub struct Learnt {
    /// The batch of the first of them with its signals, before any role has moved.
    pub first: Option<Experience>,
    /// Tokens of completions in the batches of all of them.
    pub tokens: usize,
    /// The objective at each of them.
    pub losses: Vec<Loss>,
    /// Of each role that learns: mean gradient norm before clipping, where it is told, and learning rate.
    pub roles: Vec<(Role, Option<f64>, f64)>,
    /// What a look at the models found, where it was time for one.
    pub probed: Option<Probed>,
    /// What each update of the first epoch saw, where the step's transcripts are recorded.
    pub seen: Vec<Seen>,
}

/// The batch of an update.
pub struct Seen {
    /// One mark per trajectory that the step learns from: in this batch.
    pub marks: Vec<bool>,
    /// With its signals as they were before the update.
    pub batch: Experience,
}

/// Signals that are read for the record, whether the objective reads them or not.
const WATCHED: [Column; 2] = [Column::LOGP, Column::ENTROPY];

/// Trains until the run has made as many steps as its settings say, or has spent its budget; `observe` is told of each.
pub fn train(run: &mut Run, observe: &mut dyn FnMut(&Done) -> Result<()>) -> Result<()> {
    while !run.is_over() {
        observe(&step(run)?)?;
    }
    Ok(())
}

/// One step: rollouts, credit, selection, updates.
pub fn step(run: &mut Run) -> Result<Done> {
    let (step, version) = (run.step, run.version);
    let (drawn, waited) = run.draw()?;
    let Drawn { groups, lost, took, resampled, rescored, continued, .. } = drawn;

    let filling = Instant::now();
    let sequences = sequences(&groups);
    let full = credited(run, &groups, continued, &sequences)?;
    let kept = run.algorithm.select().draw(&full, &mut stream(run.settings.seed, Purpose::Select, step))?;
    let (mut batch, selected) = (full.keep(&kept), marked(&sequences, &kept));
    let data: Vec<Column> = run.objective.reads().into_iter().filter(|column| !column.is_signal()).collect();
    run.roles.fill(&mut batch, &data, &selected)?;
    columns::check_finite(&batch, step as u64)?;
    let fill = filling.elapsed().as_secs_f64();

    let updating = Instant::now();
    let learnt = learn(run, &batch, &selected)?;
    let update = updating.elapsed().as_secs_f64();
    drop(sequences);
    run.step += 1;
    let seconds = Seconds { fill, update, ..drawing(run, took, waited) };
    let rollouts = full.layout().count(Level::Trajectory) + lost.ungraded + lost.failed;
    spend(run, rollouts, &learnt, seconds);
    Ok(Done { step, version, groups, lost, resampled, rescored, full, kept, learnt, seconds })
}

/// Wall time of drawing, of which a step waited for some.
fn drawing(run: &Run, Took { sample, judge }: Took, waited: f64) -> Seconds {
    match run.settings.train.steps_ahead {
        0 => Seconds { sample, judge, ..Seconds::default() },
        _ => Seconds { sample: waited, ahead: (sample + judge - waited).max(0.0), ..Seconds::default() },
    }
}

/// Counts what a step took.
fn spend(run: &mut Run, rollouts: usize, learnt: &Learnt, took: Seconds) {
    run.spent.rollouts += rollouts as u64;
    run.spent.updates += learnt.losses.len() as u64;
    run.spent.tokens += learnt.tokens as u64;
    if matches!(run.settings.train.budget, Budget::Seconds(_)) {
        run.spent.seconds += took.wall();
    }
}

/// Whole groups with the columns that credit, selection and objective read of them, and with credit. `continued` are the values of
/// those that come from further rollouts.
fn credited(
    run: &mut Run,
    groups: &[Group],
    continued: Vec<Vec<f64>>,
    sequences: &[Sequence<'_>],
) -> Result<Experience> {
    let at = run.step as u64;
    let mut full = experience(groups, at)?;
    columns::fill(&mut full, &run.reads(), &run.columns, groups, at)?;
    run.continued().zip(continued).try_for_each(|(column, values)| full.set(column, values))?;
    run.roles.fill(&mut full, &run.credit.reads(), sequences)?;
    columns::check_finite(&full, at)?;
    let credit = run.credit.evaluate(&full);
    full.set(Column::ADVANTAGE, credit)?;
    columns::check_finite(&full, at)?;
    Ok(full)
}

/// Every epoch and minibatch of a step.
fn learn(run: &mut Run, batch: &Experience, sequences: &[Sequence<'_>]) -> Result<Learnt> {
    let passes = run.algorithm.passes();
    let learners = run.learners(run.step);
    let record = |&(role, rate): &(Role, f64)| (role, Some(0.0), rate);
    let mut learnt = Learnt { roles: learners.iter().map(record).collect(), ..Default::default() };
    let mut rng = stream(run.settings.seed, Purpose::Minibatch, run.step);
    let probe = probe(run, &learners, sequences)?;
    let recorded = run.settings.record.transcripts_at(run.step);
    for epoch in 0..passes.epochs {
        for kept in minibatches(batch.layout(), run.objective.minibatch_unit(), passes.minibatches, &mut rng) {
            let (batch, sequences) = (batch.keep(&kept), marked(sequences, &kept));
            learnt.tokens += batch.layout().count(Level::Token);
            let Updated { loss, batch } = update(run, &learners, &batch, &sequences, &mut learnt.roles)?;
            if recorded && epoch == 0 {
                learnt.seen.push(Seen { marks: kept, batch: batch.clone() });
            }
            learnt.first.get_or_insert(batch);
            learnt.losses.push(loss);
        }
    }
    let updates = learnt.losses.len().max(1) as f64;
    learnt.roles.iter_mut().for_each(|(_, norm, _)| *norm = norm.map(|norm| norm / updates));
    let norm = |role| learnt.roles.iter().find(|(learner, ..)| *learner == role)?.1;
    learnt.probed = probe.map(|probe| probe.compare(&run.roles, &norm)).transpose()?;
    Ok(learnt)
}

/// A look at the models before the updates, in every so many steps.
fn probe(run: &Run, learners: &[(Role, f64)], sequences: &[Sequence<'_>]) -> Result<Option<Probe>> {
    let every = run.settings.sentinels.probe_every;
    let due = every > 0 && (run.step + 1).is_multiple_of(every);
    let signals: Vec<Column> = run.objective.reads().into_iter().filter(|column| column.is_signal()).collect();
    due.then(|| Probe::read(&run.roles, &signals, learners, sequences)).transpose()
}

/// One update of every role that learns.
fn update(
    run: &mut Run,
    learners: &[(Role, f64)],
    batch: &Experience,
    sequences: &[Sequence<'_>],
    record: &mut [(Role, Option<f64>, f64)],
) -> Result<Updated> {
    let learns = |role| learners.iter().any(|(learner, _)| *learner == role);
    let (how, watched) = (&run.settings.train, watched(run)?);
    let update = Update::new(&*run.objective, &watched, how.micro_batch).at_most(how.micro_tokens);
    let updated = update.accumulate(&mut run.roles, &learns, batch, sequences)?;
    let norms = run.roles.step(learners)?;
    record.iter_mut().zip(norms).for_each(|(record, norm)| record.1 = record.1.zip(norm).map(|(sum, norm)| sum + norm));
    if learners.iter().any(|&(role, rate)| role == Role::POLICY && rate > 0.0) {
        run.version += 1;
    }
    Ok(updated)
}

/// The signals to record that the policy can report.
fn watched(run: &Run) -> Result<Vec<Column>> {
    let policy = run.roles.policy()?;
    Ok(WATCHED
        .into_iter()
        .filter(|&column| roles::signal(column).is_some_and(|signal| policy.reports(signal)))
        .collect())
}

/// A random partition of a batch into so many minibatches, as marks on its trajectories; none is empty, and none cuts a unit
/// that must stay whole.
fn minibatches(layout: &Layout, unit: Level, count: usize, rng: &mut dyn Rng) -> Vec<Vec<bool>> {
    let mut units = layout.spans(Level::Trajectory, unit.clamp(Level::Trajectory, Level::Group));
    if layout.count(Level::Trajectory) == 0 {
        return Vec::new();
    }
    if count > 1 {
        units.shuffle(rng);
    }
    let marks = |units: &[Range<usize>]| {
        let mut marks = vec![false; layout.count(Level::Trajectory)];
        units.iter().cloned().flatten().for_each(|trajectory| marks[trajectory] = true);
        marks
    };
    units.chunks(units.len().div_ceil(count.max(1)).max(1)).map(marks).collect()
}

fn marked<'a>(sequences: &[Sequence<'a>], kept: &[bool]) -> Vec<Sequence<'a>> {
    let pairs = sequences.iter().zip(kept);
    pairs.filter(|(_, kept)| **kept).map(|(sequence, _)| *sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minibatches_part_the_batch_along_its_units() {
        let layout = Layout::new(&[vec![1, 2, 3], vec![1, 1], vec![4], vec![2, 2]]).unwrap();
        for (unit, count) in [(Level::Token, 1), (Level::Trajectory, 3), (Level::Group, 2), (Level::Batch, 9)] {
            let parts = minibatches(&layout, unit, count, &mut stream(1, Purpose::Minibatch, 0));
            assert!(parts.len() <= count && parts.iter().all(|part| part.contains(&true)), "{unit} {count}");
            let times = |i: usize| parts.iter().filter(|part| part[i]).count();
            assert!((0..8).all(|i| times(i) == 1), "{unit} {count}: each trajectory is in one part");
            let whole = |part: &Vec<bool>| {
                let groups = layout.spans(Level::Trajectory, Level::Group).into_iter();
                groups.map(|group| part[group].to_vec()).all(|marks| marks.windows(2).all(|w| w[0] == w[1]))
            };
            assert!(unit < Level::Group || parts.iter().all(whole), "{unit} {count}: a group is cut");
        }
    }
}
