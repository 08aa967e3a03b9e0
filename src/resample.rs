//! The rollouts of a step: more problems are drawn in place of those that teach nothing, as often as the algorithm allows and until
//! enough teach something.

use oreal_algos::{Level, Select};

use crate::error::Result;
use crate::rescored::Rescored;
use crate::rollout::{Group, Rollout, Took, experience, graded};
use crate::run::{Run, rollout};
use crate::streams::Purpose;
use crate::train::Lost;

/// What a step has drawn.
#[derive(Default)]
pub(crate) struct Drawn {
    /// Graded completions in their groups, those of every round.
    pub(crate) groups: Vec<Group>,
    /// What is no evidence.
    pub(crate) lost: Lost,
    /// Times of drawing and judging.
    pub(crate) took: Took,
    /// Problems that were drawn in place of others.
    pub(crate) resampled: usize,
    /// A few completions of the first round scored again, where they were drawn elsewhere.
    pub(crate) rescored: Option<Rescored>,
}

/// The rollouts of the run's next step. Problems that could not be graded are not replaced.
pub(crate) fn draw(run: &mut Run) -> Result<Drawn> {
    let (mut drawn, mut asked, mut missing) = (Drawn::default(), 0, run.settings.train.prompts);
    let enough = (run.algorithm.enough() * missing as f64).ceil() as usize;
    let may_lack = missing.saturating_sub(enough);
    for round in 0..=run.algorithm.resamples() as u64 {
        if round > 0 && missing <= may_lack {
            break;
        }
        let problems = run.problems_from(run.step, asked, missing);
        let usual = rollout(&run.settings, &*run.env, &*run.renderer);
        let seed = if round == 0 { usual.seed } else { Purpose::Resample.seed(usual.seed.wrapping_add(round)) };
        let (policy, count) = (run.roles.policy()?, run.settings.train.rollouts);
        let (groups, took) =
            Rollout { seed, ..usual }.groups(policy, &mut *run.sampler, run.step as u64, problems, count)?;
        if round == 0 && run.settings.sampler.is_some() {
            drawn.rescored = Rescored::read(&run.roles, run.version, &groups)?;
        }
        drawn.resampled += if round == 0 { 0 } else { missing };
        asked += missing;
        missing = drawn.add(groups, took, &run.algorithm.teaches())?;
    }
    Ok(drawn)
}

impl Drawn {
    /// Takes a round in; the number of its groups that nothing is selected of.
    fn add(&mut self, groups: Vec<Group>, took: Took, select: &Select) -> Result<usize> {
        let completions = |groups: &[Group]| groups.iter().map(|group| group.trajectories.len()).sum::<usize>();
        let all = completions(&groups);
        self.lost.failed += groups.iter().map(|group| group.failures.len()).sum::<usize>();
        let groups = graded(groups);
        self.lost.ungraded += all - completions(&groups);
        self.took.sample += took.sample;
        self.took.judge += took.judge;
        let useless = useless(&groups, select)?;
        self.groups.extend(groups);
        Ok(useless)
    }
}

/// How many groups nothing is selected of. What a function selects is not known before it is called.
fn useless(groups: &[Group], select: &Select) -> Result<usize> {
    let Select::Declared(selection) = select else { return Ok(0) };
    let x = experience(groups, 0)?;
    let spans = x.layout().spans(Level::Trajectory, Level::Group).into_iter();
    Ok(spans.filter(|group| !selection.keeps_any(&x, group.clone())).count())
}

#[cfg(test)]
mod tests;
