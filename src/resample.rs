//! The rollouts of a step: more problems are drawn in place of those that teach nothing, as often as the algorithm allows and until
//! enough teach something.

use std::sync::Arc;
use std::time::Instant;

use oreal_algos::{Algorithm, Column, Level, Select};
use oreal_models::{Model, Sampler};
use oreal_toy_envs::{Env, Problem, Split};
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::renderer::Renderer;
use crate::rescored::Rescored;
use crate::rollout::{Group, Rollout, Took, experience, graded};
use crate::run::{problems, rollout};
use crate::streams::Purpose;
use crate::train::Lost;

/// What the rollouts of a step follow from, besides the policy and the sampler.
#[derive(Clone)]
pub(crate) struct Drawing {
    pub(crate) settings: Settings,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) renderer: Arc<dyn Renderer>,
    pub(crate) algorithm: Arc<dyn Algorithm>,
    /// The columns that come from further rollouts.
    pub(crate) continued: Vec<Column>,
}

/// What is drawn for a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// The step, counted from 0.
    pub(crate) step: usize,
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
    /// Values of the columns that come from further rollouts, in the order of [`Drawing::continued`].
    pub(crate) continued: Vec<Vec<f64>>,
}

impl Drawing {
    /// The rollouts of a step, from a policy whose weights have this version. Problems that could not be graded are not replaced.
    pub(crate) fn draw(
        &self,
        step: usize,
        (policy, version): (&dyn Model, u64),
        sampler: &mut dyn Sampler,
    ) -> Result<Drawn> {
        sampler.moved(policy, version).map_err(Error::model("sampler"))?;
        let Drawing { settings, algorithm, .. } = self;
        let usual = rollout(settings, &*self.env, &*self.renderer);
        let (mut drawn, mut asked, mut missing) = (Drawn { step, ..Drawn::default() }, 0, settings.train.prompts);
        let enough = (algorithm.enough() * missing as f64).ceil() as usize;
        let may_lack = missing.saturating_sub(enough);
        for round in 0..=algorithm.resamples() as u64 {
            if round > 0 && missing <= may_lack {
                break;
            }
            let problems = self.problems(step, asked, missing);
            let seed = if round == 0 { usual.seed } else { Purpose::Resample.seed(usual.seed.wrapping_add(round)) };
            let of_round = Rollout { seed, sampling: usual.sampling.clone(), ..usual };
            let (groups, took) = of_round.groups(policy, sampler, step as u64, problems, settings.train.rollouts)?;
            if round == 0 && settings.sampler.is_some() {
                drawn.rescored = Rescored::read(policy, settings.sampling.temperature, version, &groups)?;
            }
            drawn.resampled += if round == 0 { 0 } else { missing };
            asked += missing;
            missing = drawn.add(groups, took, &algorithm.teaches())?;
        }
        let continuing = Instant::now();
        for &column in &self.continued {
            let column = (column, algorithm.continuations());
            drawn.continued.push(usual.continued(policy, sampler, step as u64, &drawn.groups, column)?);
        }
        drawn.took.sample += continuing.elapsed().as_secs_f64();
        Ok(drawn)
    }

    /// `count` of the problems that a step may draw, from number `from` on. Each step has as many as its rounds may draw, so that
    /// the problems of a step depend on no other; those it does not need are passed over in this epoch.
    pub(crate) fn problems(&self, step: usize, from: usize, count: usize) -> Vec<Problem> {
        let each = self.settings.train.prompts.saturating_mul(1 + self.algorithm.resamples());
        let position = step.saturating_mul(each).saturating_add(from);
        problems(&*self.env, Split::Train, self.settings.seed, Purpose::Problems, position, count)
    }
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
