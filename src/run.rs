//! A run: everything that training needs, owned, so that it can be moved, saved and taken up again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oreal_algos::{Algorithm, Column, Credit, Objective, Role, Source, credit_of};
use oreal_models::{ModelState, Sampler};
use oreal_toy_envs::{Env, Problem, Split};

use crate::ahead::Drawer;
use crate::budget::Spent;
use crate::columns::DataColumn;
use crate::config::Settings;
use crate::epoch;
use crate::error::{Error, Result};
use crate::renderer::Renderer;
use crate::resample::{Drawing, Drawn};
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
    /// The models.
    pub roles: Roles,
    pub(crate) drawer: Drawer,
    pub(crate) credit: Credit,
    pub(crate) objective: Box<dyn Objective>,
    /// The step that comes next, counted from 0.
    pub(crate) step: usize,
    /// How often the policy has moved. Completions carry the version they were drawn from.
    pub(crate) version: u64,
    /// What the steps so far have spent.
    pub(crate) spent: Spent,
}

/// What a run must be given back to go on as if it had never stopped: counters, of each role weights, moments and the
/// optimiser's step count, and rollouts that are not trained on yet. (Random numbers are keyed by the step, so they have no
/// state; the reference is a role.)
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
    /// The rollouts of the next steps that are drawn already.
    pub drawn: Vec<Drawn>,
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
        let drawer = Drawer::new(sampler, settings.train.steps_ahead)?;
        let (step, version, spent) = (0, 0, Spent::default());
        Ok(Run { settings, env, renderer, algorithm, columns, roles, drawer, credit, objective, step, version, spent })
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

    /// What must be kept to go on later. Rollouts that are being drawn for later steps are waited for.
    pub fn state(&mut self) -> Result<TrainingState> {
        let model = |(role, model): (Role, &dyn oreal_models::Model)| {
            Ok((role.name().to_owned(), model.state().map_err(Error::model(role.name()))?))
        };
        let models = self.roles.iter().map(model).collect::<Result<_>>()?;
        let drawn = self.drawer.drawn()?;
        Ok(TrainingState { step: self.step, version: self.version, spent: self.spent, models, drawn })
    }

    /// Goes on from a state of a run with the same settings. Every role must be in it.
    pub fn restore(&mut self, state: &TrainingState) -> Result<()> {
        self.roles.restore(&mut |role| {
            let problem = || Error::part("training state", format!("the role {} is not in it", role.name()));
            Ok(Cow::Borrowed(state.models.get(role.name()).ok_or_else(problem)?))
        })?;
        self.at(state.step, (state.version, state.spent), state.drawn.clone())
    }

    /// Says which step comes next, how often the policy has moved, what was spent and what is drawn already, where the models are
    /// those of that step.
    pub(crate) fn at(&mut self, step: usize, (version, spent): (u64, Spent), drawn: Vec<Drawn>) -> Result<()> {
        self.drawer.restore(step, drawn)?;
        (self.step, self.version, self.spent) = (step, version, spent);
        Ok(())
    }

    /// The rollouts of the next step, and how long it had to wait for them, in seconds.
    pub(crate) fn draw(&mut self) -> Result<(Drawn, f64)> {
        let drawing = self.drawing();
        self.drawer.next(drawing, self.step, (self.roles.policy()?, self.version))
    }

    /// What rollouts follow from.
    pub(crate) fn drawing(&self) -> Drawing {
        Drawing {
            settings: self.settings.clone(),
            env: self.env.clone(),
            renderer: self.renderer.clone(),
            algorithm: self.algorithm.clone(),
            continued: self.continued().collect(),
        }
    }

    /// Every column that credit and objective read.
    pub(crate) fn reads(&self) -> BTreeSet<Column> {
        self.credit.reads().into_iter().chain(self.objective.reads()).collect()
    }

    /// The columns that come from further rollouts.
    pub(crate) fn continued(&self) -> impl Iterator<Item = Column> + use<> {
        self.reads().into_iter().filter(|column| matches!(column.source(), Source::Continued(_)))
    }

    /// The problems of a step: the next of the epoch, and what each leaves open drawn from a stream of its own.
    pub fn problems(&self, step: usize) -> Vec<Problem> {
        self.drawing().problems(step, 0, self.settings.train.prompts)
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
