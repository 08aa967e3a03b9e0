//! A run: everything that training needs, owned, so that it can be moved, saved and taken up again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oreal_algos::{Algorithm, Column, Credit, Objective, Role, credit_of};
use oreal_models::{ModelState, Sampler};
use oreal_toy_envs::{Env, Problem, Split};

use crate::budget::Spent;
use crate::columns::DataColumn;
use crate::config::Settings;
use crate::epoch;
use crate::error::{Error, Result};
use crate::renderer::Renderer;
use crate::roles::Roles;
use crate::rollout::Rollout;
use crate::streams::{Purpose, stream};

/// Everything the loop needs.
pub struct Run {
    /// The experiment's settings.
    pub settings: Settings,
    /// The task.
    pub env: Arc<dyn Env>,
    /// Between the task's text and tokens.
    pub renderer: Arc<dyn Renderer>,
    /// What is learnt by.
    pub algorithm: Arc<dyn Algorithm>,
    /// Data columns of a user's own.
    pub columns: Vec<DataColumn>,
    /// Where completions come from.
    pub sampler: Box<dyn Sampler>,
    /// The models.
    pub roles: Roles,
    pub(crate) credit: Credit,
    pub(crate) objective: Box<dyn Objective>,
    /// The step that comes next, counted from 0.
    pub(crate) step: usize,
    /// How often the policy has moved. Completions carry the version they were drawn from.
    pub(crate) version: u64,
    /// What the steps so far have spent.
    pub(crate) spent: Spent,
}

/// What a run must be given back to go on as if it had never stopped: counters, and of each role weights, moments and the
/// optimiser's step count. (Random numbers are keyed by the step, so they have no state; the reference is a role.)
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// The step that comes next.
    pub step: usize,
    /// How often the policy has moved.
    pub version: u64,
    /// What the steps so far have spent.
    pub spent: Spent,
    /// Each role's model, by name.
    pub models: BTreeMap<String, ModelState>,
}

/// Every column that an algorithm reads, in its credit and its objective.
pub(crate) fn reads(algorithm: &dyn Algorithm) -> BTreeSet<Column> {
    credit_of(algorithm).reads().into_iter().chain(algorithm.objective().reads()).collect()
}

impl Run {
    pub(crate) fn new(
        settings: Settings,
        env: Arc<dyn Env>,
        renderer: Arc<dyn Renderer>,
        algorithm: Arc<dyn Algorithm>,
        columns: Vec<DataColumn>,
        sampler: Box<dyn Sampler>,
        roles: Roles,
    ) -> Result<Run> {
        let (credit, objective) = (credit_of(&*algorithm), algorithm.objective());
        let (step, version, spent) = (0, 0, Spent::default());
        let mut run = Run {
            settings,
            env,
            renderer,
            algorithm,
            columns,
            sampler,
            roles,
            credit,
            objective,
            step,
            version,
            spent,
        };
        run.tell_sampler()?;
        Ok(run)
    }

    /// The formula that gives each token its credit.
    pub fn credit(&self) -> &Credit {
        &self.credit
    }

    /// What is minimised.
    pub fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    /// The step that comes next, counted from 0.
    pub fn next_step(&self) -> usize {
        self.step
    }

    /// Whether training has ended: all steps are made, or the budget is spent.
    pub fn is_over(&self) -> bool {
        let train = &self.settings.train;
        self.step >= train.steps || train.budget.is_spent(&self.spent)
    }

    /// What must be kept to go on later.
    pub fn state(&self) -> Result<TrainingState> {
        let model = |(role, model): (Role, &dyn oreal_models::Model)| {
            Ok((role.name().to_owned(), model.state().map_err(Error::model(role.name()))?))
        };
        let models = self.roles.iter().map(model).collect::<Result<_>>()?;
        Ok(TrainingState { step: self.step, version: self.version, spent: self.spent, models })
    }

    /// Goes on from a state of a run with the same settings. Every role must be in it.
    pub fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.roles.restore(&mut |role| {
            let problem = || Error::part("training state", format!("the role {} is not in it", role.name()));
            Ok(Cow::Borrowed(state.models.get(role.name()).ok_or_else(problem)?))
        })?;
        self.at(state.step, state.version, state.spent)
    }

    /// Says which step comes next, how often the policy has moved and what was spent, where the models are those of that step.
    pub(crate) fn at(&mut self, step: usize, version: u64, spent: Spent) -> Result<()> {
        (self.step, self.version, self.spent) = (step, version, spent);
        self.tell_sampler()
    }

    /// The problems of a step: the next of the epoch, and what each leaves open drawn from a stream of its own.
    pub fn problems(&self, step: usize) -> Vec<Problem> {
        self.problems_from(step, 0, self.settings.train.prompts)
    }

    /// `count` of the problems that a step may draw, from number `from` on. Each step has as many as its rounds may draw, so that
    /// the problems of a step depend on no other; those it does not need are passed over in this epoch.
    pub(crate) fn problems_from(&self, step: usize, from: usize, count: usize) -> Vec<Problem> {
        let each = self.settings.train.prompts.saturating_mul(1 + self.algorithm.resamples());
        let position = step.saturating_mul(each).saturating_add(from);
        problems(&*self.env, Split::Train, self.settings.seed, Purpose::Problems, position, count)
    }

    /// The roles whose weights move at a step, with their learning rates.
    pub(crate) fn learners(&self, step: usize) -> Vec<(Role, f64)> {
        let signals = self.objective.reads().into_iter().filter(|column| column.is_signal());
        let roles: BTreeSet<Role> = signals.filter_map(Column::role).collect();
        let free = roles.into_iter().filter(|&role| step >= self.algorithm.frozen_steps(role));
        free.map(|role| (role, self.rate(role, step))).collect()
    }

    /// How completions are drawn, and what from.
    pub fn rollout(&self) -> Rollout<'_> {
        rollout(&self.settings, &*self.env, &*self.renderer)
    }

    /// After the policy has moved.
    pub(crate) fn tell_sampler(&mut self) -> Result<()> {
        self.sampler.moved(self.roles.policy()?, self.version).map_err(Error::model("sampler"))
    }

    fn rate(&self, role: Role, step: usize) -> f64 {
        let (rates, train) = (&self.settings.rates, &self.settings.train);
        // With a budget, the place in the schedule is the share of it that is spent.
        let place = train.budget.share(&self.spent).map_or(step, |share| (share * train.steps as f64) as usize);
        rates.schedule(rates.of(role), train.steps).rate(place as u64)
    }
}

/// How completions are drawn in training.
pub(crate) fn rollout<'a>(settings: &Settings, env: &'a dyn Env, renderer: &'a dyn Renderer) -> Rollout<'a> {
    let sampling = settings.sampling.sampling(renderer.stop(), env.max_tokens(), renderer.vocabulary());
    Rollout { env, renderer, sampling, seed: settings.seed }
}

/// `count` problems of a split from a position of the run on: the data set is passed over without replacement, in an order of
/// its own for each epoch, seed and purpose.
pub(crate) fn problems(
    env: &dyn Env,
    split: Split,
    seed: u64,
    purpose: Purpose,
    position: usize,
    count: usize,
) -> Vec<Problem> {
    let (total, order) = (env.count(split), purpose.seed(seed));
    let problem = |position: usize| {
        let index = epoch::index(order, total, position as u64);
        env.problem(split, index, &mut stream(seed, purpose, position))
    };
    (position..position + count).map(problem).collect()
}
