//! A run: an experiment's parts, brought together and ready to be trained.

use std::collections::BTreeSet;

use oreal_algos::{Algorithm, Column, Credit, Objective, Role, credit_of};
use oreal_models::Model;
use oreal_toy_envs::{Problem, Split};

use crate::config::Settings;
use crate::error::Result;
use crate::roles::Roles;
use crate::rollout::Rollout;
use crate::streams::{Purpose, stream};

/// Everything the loop needs.
pub struct Run<'a> {
    pub settings: &'a Settings,
    pub algorithm: &'a dyn Algorithm,
    pub rollout: Rollout<'a>,
    pub roles: Roles,
    pub credit: Credit,
    pub objective: Box<dyn Objective>,
    /// Columns of the objective that are no signals.
    pub data: Vec<Column>,
    /// Signals that are read for the record, whether the objective reads them or not.
    pub watched: Vec<Column>,
}

impl<'a> Run<'a> {
    /// The roles that the algorithm's columns ask for start from `policy`.
    pub fn new(
        settings: &'a Settings,
        algorithm: &'a dyn Algorithm,
        rollout: Rollout<'a>,
        policy: Box<dyn Model>,
    ) -> Result<Run<'a>> {
        let (credit, objective) = (credit_of(algorithm), algorithm.objective());
        let reads: BTreeSet<Column> = credit.reads().into_iter().chain(objective.reads()).collect();
        let roles = Roles::new(policy, &reads, &settings.optimiser, settings.sampling.temperature)?;
        let data = reads.iter().copied().filter(|column| !column.is_signal() && column.role().is_some()).collect();
        let watched = vec![Column::Logp, Column::Entropy];
        Ok(Run { settings, algorithm, rollout, roles, credit, objective, data, watched })
    }

    /// The problems of a step.
    pub fn problems(&self, step: usize) -> Vec<Problem> {
        let mut rng = stream(self.settings.seed, Purpose::Problems, step);
        (0..self.settings.train.prompts).map(|_| self.rollout.env.problem(Split::Train, &mut rng)).collect()
    }

    /// The roles whose weights move at a step, with their learning rates.
    pub fn learners(&self, step: usize) -> Vec<(Role, f64)> {
        let signals = self.objective.reads().into_iter().filter(|column| column.is_signal());
        let roles: BTreeSet<Role> = signals.filter_map(Column::role).collect();
        let free = roles.into_iter().filter(|&role| step >= self.algorithm.frozen_steps(role));
        free.map(|role| (role, self.rate(role, step))).collect()
    }

    fn rate(&self, role: Role, step: usize) -> f64 {
        let rates = &self.settings.rates;
        let peak = match role {
            Role::Policy => rates.policy,
            Role::Reference => 0.0,
            Role::Critic => rates.critic,
            Role::RewardModel => rates.reward_model,
        };
        rates.schedule(peak, self.settings.train.steps).rate(step as u64)
    }
}
