//! The loop. It knows no algorithm: credit, selection and objective come from the run, columns from the roles.

use std::ops::Range;
use std::time::Instant;

use oreal_algos::{Column, Experience, Layout, Level, Loss};
use oreal_models::Sequence;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::Serialize;

use crate::error::Result;
use crate::rollout::{Group, experience, graded, sequences};
use crate::run::Run;
use crate::streams::{Purpose, stream};
use crate::update::{Update, Updated};

/// A step that has been made: what was drawn, kept and learnt from it.
pub struct Done<'a> {
    /// Counted from 0.
    pub step: usize,
    pub groups: &'a [Group],
    /// Every trajectory, with credit.
    pub full: &'a Experience,
    /// One mark per trajectory.
    pub kept: &'a [bool],
    pub learnt: &'a Learnt,
    pub seconds: Seconds,
}

/// Wall time of a step's stages, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    pub sample: f64,
    pub judge: f64,
    /// Reading the columns that models provide, credit and selection.
    pub fill: f64,
    /// Objective, gradients and optimisers.
    pub update: f64,
}

/// Trains for as many steps as the run has; `observe` is told of each.
pub fn train(run: &mut Run<'_>, observe: &mut dyn FnMut(&Done<'_>) -> Result<()>) -> Result<()> {
    for step in 0..run.settings.train.steps {
        let problems = run.problems(step);
        let (groups, took) =
            run.rollout.groups(run.roles.policy()?, step as u64, problems, run.settings.train.rollouts)?;
        let groups = graded(groups);

        let filling = Instant::now();
        let (mut full, sequences) = (experience(&groups), sequences(&groups));
        run.roles.fill(&mut full, &run.credit.reads(), &sequences)?;
        full.set(Column::Advantage, run.credit.evaluate(&full));
        let kept = run.algorithm.select().draw(&full, &mut stream(run.settings.seed, Purpose::Select, step));
        let (mut batch, learnt) = (full.keep(&kept), marked(&sequences, &kept));
        run.roles.fill(&mut batch, &run.data, &learnt)?;
        let fill = filling.elapsed().as_secs_f64();

        let updating = Instant::now();
        let learnt = learn(run, step, &batch, &learnt)?;
        let update = updating.elapsed().as_secs_f64();
        let seconds = Seconds { sample: took.sample, judge: took.judge, fill, update };
        observe(&Done { step, groups: &groups, full: &full, kept: &kept, learnt: &learnt, seconds })?;
    }
    Ok(())
}

/// What a step's updates were.
#[derive(Default)]
pub struct Learnt {
    /// The batch of the first of them with its signals, before which nothing has moved.
    pub first: Option<Experience>,
    /// The objective at each of them.
    pub losses: Vec<Loss>,
    /// Mean gradient norm of each role, and its learning rate.
    pub roles: Vec<(&'static str, f64, f64)>,
}

/// Every epoch and minibatch of a step.
fn learn(run: &mut Run<'_>, step: usize, batch: &Experience, sequences: &[Sequence<'_>]) -> Result<Learnt> {
    let passes = run.algorithm.passes();
    let learners = run.learners(step);
    let update = Update::new(&*run.objective, &run.watched, run.settings.train.micro_batch);
    let mut learnt =
        Learnt { roles: learners.iter().map(|(role, rate)| (role.name(), 0.0, *rate)).collect(), ..Default::default() };
    let mut rng = stream(run.settings.seed, Purpose::Minibatch, step);
    for _ in 0..passes.epochs {
        for kept in minibatches(batch.layout(), run.objective.coupling(), passes.minibatches, &mut rng) {
            let (batch, sequences) = (batch.keep(&kept), marked(sequences, &kept));
            let learns = |role| learners.iter().any(|(learner, _)| *learner == role);
            let Updated { loss, batch } = update.accumulate(&mut run.roles, &learns, &batch, &sequences, step)?;
            for ((role, rate), record) in learners.iter().zip(&mut learnt.roles) {
                record.1 += run.roles.step(*role, *rate)?;
            }
            learnt.first.get_or_insert(batch);
            learnt.losses.push(loss);
        }
    }
    learnt.roles.iter_mut().for_each(|(_, norm, _)| *norm /= learnt.losses.len().max(1) as f64);
    Ok(learnt)
}

/// A random partition of a batch into so many minibatches, as marks on its trajectories; none is empty, and none cuts a unit
/// that must be differentiated together.
fn minibatches(layout: &Layout, coupling: Level, count: usize, rng: &mut dyn Rng) -> Vec<Vec<bool>> {
    let mut units = layout.spans(Level::Trajectory, coupling.clamp(Level::Trajectory, Level::Group));
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
    fn minibatches_part_the_batch_along_its_coupling() {
        let layout = Layout::new(&[vec![1, 2, 3], vec![1, 1], vec![4], vec![2, 2]]);
        for (coupling, count) in [(Level::Token, 1), (Level::Trajectory, 3), (Level::Group, 2), (Level::Batch, 9)] {
            let parts = minibatches(&layout, coupling, count, &mut stream(1, Purpose::Minibatch, 0));
            assert!(parts.len() <= count && parts.iter().all(|part| part.contains(&true)), "{coupling} {count}");
            let times = |i: usize| parts.iter().filter(|part| part[i]).count();
            assert!((0..8).all(|i| times(i) == 1), "{coupling} {count}: each trajectory is in one part");
            let whole = |part: &Vec<bool>| {
                let groups = layout.spans(Level::Trajectory, Level::Group).into_iter();
                groups.map(|group| part[group].to_vec()).all(|marks| marks.windows(2).all(|w| w[0] == w[1]))
            };
            assert!(coupling < Level::Group || parts.iter().all(whole), "{coupling} {count}: a group is cut");
        }
    }
}
