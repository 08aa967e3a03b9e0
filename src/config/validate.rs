//! What no setting may be. Checked before any work starts; every refusal names its key.

use oreal_algos::{Algorithm, IllegalSetting, Role};
use oreal_engines::inference::Unreported;
use oreal_models::Device;
use oreal_toy_envs::{Env, Split};

use super::{Config, ModelSettings, Settings, TinkerSettings, Weights};
use crate::error::{Error, Result};

/// Temperatures that logits can be divided by in f32.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 1e-3..=1e3;

impl Config {
    /// Refuses what no run can be made of.
    pub fn validate(&self) -> Result<()> {
        self.settings.validate()?;
        algorithm(&*self.algorithm.value)
    }
}

impl Settings {
    /// Refuses values without sense; the error names the key.
    pub fn validate(&self) -> Result<()> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let rate = |x: f64| x >= 0.0 && x.is_finite();
        let table_elsewhere = self.model == ModelSettings::Table {} && self.device != Device::Cpu;
        let (draw, exam) = (&self.sampling, &self.evaluation);
        let range = format!("must be from {} to {}", TEMPERATURES.start(), TEMPERATURES.end());
        let checks = [
            ("device", !table_elsewhere, "must be \"cpu\" where model.kind is \"table\""),
            ("warm_up.batch", self.warm_up.batch > 0, "must be at least 1"),
            ("warm_up.error_rate", share(self.warm_up.error_rate), "must be from 0 to 1"),
            ("warm_up.rate", rate(self.warm_up.rate), "must be 0 or more"),
            ("train.prompts", self.train.prompts > 0, "must be at least 1"),
            ("train.rollouts", self.train.rollouts > 0, "must be at least 1"),
            ("train.budget", self.train.budget.is_valid(), "must be more than 0"),
            ("train.micro_batch", self.train.micro_batch > 0, "must be at least 1"),
            ("train.micro_tokens", self.train.micro_tokens > 0, "must be at least 1"),
            ("sampling.temperature", TEMPERATURES.contains(&draw.temperature), &range),
            ("sampling.top_p", draw.top_p > 0.0 && draw.top_p <= 1.0, "must be more than 0, at most 1"),
            ("rates.floor", share(self.rates.floor), "must be from 0 to 1"),
            ("evaluation.completions", exam.completions > 0, "must be at least 1"),
            ("record.keep_last", self.record.keep_last > 0, "must be at least 1"),
            (
                "evaluation.temperature",
                exam.temperature == 0.0 || TEMPERATURES.contains(&exam.temperature),
                &format!("{range}, or 0 for the most likely token"),
            ),
        ];
        if let Some((key, _, problem)) = checks.iter().find(|(_, holds, _)| !holds) {
            return Err(Error::setting(key, problem));
        }
        if let ModelSettings::Tinker(tinker) = &self.model {
            self.validate_elsewhere(tinker)?;
        }
        if let Some((role, _)) = self.rates.roles.iter().find(|(_, of)| !rate(**of)) {
            return Err(Error::setting(format!("rates.{role}"), "must be 0 or more"));
        }
        self.sampler()?;
        self.optimiser.validate()?;
        self.sentinels.validate()?;
        self.added.validate().map_err(|problem| illegal(problem.within("added")))
    }

    /// Refuses what a server of the Tinker API cannot do.
    fn validate_elsewhere(&self, tinker: &TinkerSettings) -> Result<()> {
        if let Some((key, problem)) = tinker.check() {
            return Err(Error::setting(format!("model.{key}"), problem));
        }
        let draw = &self.sampling;
        let checks = [
            (
                "device",
                self.device == Device::Cpu,
                "must be \"cpu\" where model.kind is \"tinker\": the server has its own",
            ),
            ("sampling.temperature", draw.temperature == 1.0, "must be 1: a server's log-probabilities are those at 1"),
            ("sampling.top_p", draw.top_p == 1.0, "must be 1: a server's log-probabilities are those of all tokens"),
            ("sampling.top_k", draw.top_k == 0, "must be 0: a server's log-probabilities are those of all tokens"),
        ];
        if let Some((key, _, problem)) = checks.iter().find(|(_, holds, _)| !holds) {
            return Err(Error::setting(*key, *problem));
        }
        match self.roles.iter().find(|(_, role)| role.start != Weights::Policy) {
            Some((role, _)) => {
                let problem = "must be \"policy\": every role of a server of the Tinker API starts from base_model";
                Err(Error::setting(format!("roles.{role}.start"), problem))
            }
            None => Ok(()),
        }
    }

    /// Refuses an inference server that cannot draw for this policy, and a sampling that it does not report.
    fn sampler(&self) -> Result<()> {
        let Some(sampler) = &self.sampler else { return Ok(()) };
        let illegal = |key: &str, problem: &str| Err(Error::setting(key, problem));
        let learns = self.policy_learns();
        let known = self.model.checkpoint().is_some() && self.warm_up.steps == 0;
        if matches!(self.model, ModelSettings::Table {} | ModelSettings::Tinker(_)) {
            let problem = "must be absent unless model.kind is \"transformer\" or \"checkpoint\": a server loads a checkpoint \
                           that is written here";
            return illegal("sampler.kind", problem);
        }
        if !learns && !known {
            let problem = "must be absent where the policy neither learns nor is that of a checkpoint without warm-up: the \
                           server would have other weights";
            return illegal("sampler.kind", problem);
        }
        let opened = sampler.open(learns).map(drop);
        opened.map_err(|wrong| Error::setting(format!("sampler.{}", wrong.key), wrong.problem))?;
        let (how, served) = (self.sampling.sampling(Vec::new(), 1, 1), sampler.served());
        let unreported = |wrong: Unreported| {
            Error::setting(format!("sampling.{}", wrong.key), format!("{} ({})", wrong.problem, served.name()))
        };
        served.reported().check(&how).map_err(unreported)
    }

    /// Whether the policy's weights move in training.
    pub(crate) fn policy_learns(&self) -> bool {
        self.rates.of(Role::POLICY) > 0.0
    }

    /// Refuses rates and settings of roles that nobody plays: `roles` are those of the run.
    pub(crate) fn validate_roles(&self, roles: &[Role]) -> Result<()> {
        let known: Vec<&str> = Role::ALL.iter().chain(roles).map(|role| role.name()).collect();
        let rates = self.rates.roles.keys().map(|role| ("rates", role));
        for (section, role) in rates.chain(self.roles.keys().map(|role| ("roles", role))) {
            if !known.contains(&role.as_str()) {
                let known = known.join(", ");
                return Err(Error::setting(format!("{section}.{role}"), format!("unknown role; there are {known}")));
            }
        }
        if self.roles.contains_key(Role::POLICY.name()) {
            return Err(Error::setting("roles.policy", "the policy starts from the warm-up"));
        }
        Ok(())
    }
}

/// Refuses an algorithm that cannot run, by the key of its setting.
pub(crate) fn algorithm(algorithm: &dyn Algorithm) -> Result<()> {
    oreal_algos::check(algorithm).map_err(|problem| match problem.key.starts_with("added.") {
        true => illegal(problem),
        false => illegal(problem.within("algorithm")),
    })
}

fn illegal(IllegalSetting { key, problem }: IllegalSetting) -> Error {
    Error::setting(key, problem)
}

/// Refuses an environment that cannot run, by the key of its setting, or that breaks its contract.
pub(crate) fn env(env: &dyn Env) -> Result<()> {
    env.check().map_err(|problem| Error::setting(format!("env.{}", problem.key), problem.problem))?;
    if env.max_tokens() == 0 {
        return Err(Error::part(env.name(), "max_tokens is 0: a completion has at least one token"));
    }
    for split in [Split::Train, Split::HeldOut] {
        if env.count(split) == 0 {
            return Err(Error::part(env.name(), format!("there are no problems in {split:?}")));
        }
    }
    Ok(())
}
