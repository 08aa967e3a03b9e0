//! An experiment from Rust: the same words as in a file, with any environment and any algorithm.

mod resume;
mod running;
mod warm_up;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use oreal_algos::{Algorithm, Column, Role, Source};
use oreal_models::{InProcess, Model, Sampler};
use oreal_toy_envs::{Env, Problem, Split};

use crate::catalogue::Chosen;
use crate::columns::DataColumn;
use crate::config::{self, Config, Settings, Weights};
use crate::error::{Error, Result};
use crate::evaluate::PassRate;
use crate::model;
use crate::plan::Plan;
use crate::record::StepRecord;
use crate::renderer::{self, Renderer};
use crate::roles::{self, Roles, head};
use crate::rollout::Trajectory;
use crate::run::{self, Run};
use crate::sentinels::Finding;
use crate::stop::Stop;

pub use resume::SharedStart;
pub(crate) use resume::{check_config, differs};

/// An algorithm on an environment, with settings.
#[derive(Clone)]
pub struct Experiment {
    pub(crate) env: Arc<dyn Env>,
    pub(crate) algorithm: Arc<dyn Algorithm>,
    pub(crate) settings: Settings,
    renderer: Option<Arc<dyn Renderer>>,
    /// The renderer that the settings say, once it was asked for.
    opened: OnceLock<Arc<dyn Renderer>>,
    columns: Vec<DataColumn>,
    /// That of the settings where `None`.
    sampler: Option<Arc<dyn Fn() -> Box<dyn Sampler> + Send + Sync>>,
    folder: Option<PathBuf>,
    stop: Stop,
    /// What environment and algorithm are called in a file, where a file could say them.
    chosen: Option<(Chosen<dyn Env>, Chosen<dyn Algorithm>)>,
}

/// Where training starts: a policy that has imitated the environment's demonstrations, and how well it does.
pub struct WarmedUp {
    /// Between the task's text and the policy's tokens.
    pub renderer: Arc<dyn Renderer>,
    /// The policy. Training works on a copy.
    pub policy: Box<dyn Model>,
    /// The checkpoint whose weights the policy has, where it has not moved since.
    pub checkpoint: Option<String>,
    /// Its pass rate on held-out problems.
    pub pass_rate: PassRate,
    /// Of warm-up and evaluation.
    pub seconds: f64,
}

/// What happens while an experiment runs.
pub enum Progress<'a> {
    /// A step of the warm-up.
    WarmUp {
        /// Steps done.
        done: usize,
        /// Steps in all.
        total: usize,
    },
    /// A run that was stopped goes on.
    Resumed {
        /// The step that comes next, counted from 0.
        step: usize,
        /// Steps in all.
        total: usize,
        /// What a user should know of it: checkpoints that are damaged.
        notes: &'a [String],
    },
    /// A sentinel found something.
    Found(&'a Finding),
    /// A step of training.
    Step {
        /// What is recorded of it.
        record: &'a StepRecord,
        /// Steps in all.
        total: usize,
        /// How much of the training is done, from 0 to 1: of its steps, or of its budget where that is more.
        share: f64,
    },
}

impl Experiment {
    /// With default settings, recorded nowhere.
    pub fn new(env: impl Env + 'static, algorithm: impl Algorithm + 'static) -> Experiment {
        Experiment::of(Arc::new(env), Arc::new(algorithm))
    }

    /// As [`Experiment::new`], where types are known at run time only.
    pub fn of(env: Arc<dyn Env>, algorithm: Arc<dyn Algorithm>) -> Experiment {
        Experiment {
            env,
            algorithm,
            settings: Settings::default(),
            renderer: None,
            opened: OnceLock::new(),
            columns: Vec::new(),
            sampler: None,
            folder: None,
            stop: Stop::default(),
            chosen: None,
        }
    }

    /// From a file's settings.
    pub fn from_config(config: Config) -> Experiment {
        let Config { settings, env, algorithm, columns } = config;
        let mut experiment = Experiment::of(env.value.clone(), algorithm.value.clone());
        experiment.settings = settings;
        experiment.columns = columns;
        experiment.chosen = Some((env, algorithm));
        experiment
    }

    /// As a file would say it; `None` when the environment or the algorithm came as a value from Rust.
    pub fn config(&self) -> Option<Config> {
        let (env, algorithm) = self.chosen.clone()?;
        Some(Config { settings: self.settings.clone(), env, algorithm, columns: self.columns.clone() })
    }

    /// Changes settings: `.with(|s| s.train.steps = 20)` is `train.steps = 20` in a file.
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Experiment {
        change(&mut self.settings);
        self.opened = OnceLock::new();
        self
    }

    /// Records the run in a new folder at this path; its parents are made as needed.
    pub fn record_in(mut self, folder: impl Into<PathBuf>) -> Experiment {
        self.folder = Some(folder.into());
        self
    }

    /// Lets runs be asked to stop: they finish their step, save it where they are recorded, and end with
    /// [`Error::Stopped`]. [`Experiment::resume`] goes on with them.
    pub fn stopped_by(mut self, stop: Stop) -> Experiment {
        self.stop = stop;
        self
    }

    /// With another way from text to tokens than a token for each character of the environment's alphabet.
    pub fn renderer(mut self, renderer: impl Renderer + 'static) -> Experiment {
        self.renderer = Some(Arc::new(renderer));
        self
    }

    /// With a data column: its values for each judged completion, one for a column of trajectories, one per token for a
    /// column of tokens.
    pub fn column(
        mut self,
        column: Column,
        values: impl Fn(&Problem, &Trajectory) -> Vec<f64> + Send + Sync + 'static,
    ) -> Experiment {
        self.columns.push(DataColumn::new(column, values));
        self
    }

    /// With another sampler than that of the settings, which is the policy in this process unless they name a server. Each run
    /// makes one.
    pub fn sampler(mut self, make: impl Fn() -> Box<dyn Sampler> + Send + Sync + 'static) -> Experiment {
        self.sampler = Some(Arc::new(make));
        self
    }

    /// Refuses what cannot run, before any work: settings, the algorithm's among them, sizes that do not fit into memory,
    /// columns that nobody provides.
    pub fn check(&self) -> Result<()> {
        self.settings.validate()?;
        let algorithm = self.effective();
        config::check_algorithm(&*algorithm)?;
        config::check_env(&*self.env)?;
        let reads = run::reads(&*algorithm);
        let roles: Vec<Role> = reads.iter().filter_map(|column| column.role()).collect();
        self.settings.validate_roles(&roles)?;
        let provided = |column: &Column| self.columns.iter().any(|own| own.column == *column);
        if let Some(column) = reads.iter().find(|c| matches!(c.source(), Source::Data) && !provided(c)) {
            let problem =
                format!("reads the data column `{}`, which nobody provides: see Experiment::column", column.name());
            return Err(Error::setting(format!("algorithm {}", algorithm.name()), problem));
        }
        let reports = |column: &Column| roles::signal(*column).is_none_or(|signal| self.settings.model.reports(signal));
        if let Some(column) = reads.iter().find(|column| !reports(column)) {
            let problem = format!("reads `{}`, which a server of the Tinker API does not report", column.name());
            return Err(Error::setting(format!("algorithm {}", algorithm.name()), problem));
        }
        if self.settings.evaluation.part.of(self.env.count(Split::HeldOut)).1 == 0 {
            let problem = format!("{} has one held-out problem, which has no halves: set it to all", self.env.name());
            return Err(Error::setting("evaluation.part", problem));
        }
        if self.settings.warm_up.steps > 0 && self.env.teacher().is_none() {
            let problem = format!("{} has no teacher to imitate: set it to 0", self.env.name());
            return Err(Error::setting("warm_up.steps", problem));
        }
        self.plan()?.check()
    }

    /// What the run needs of memory.
    pub fn plan(&self) -> Result<Plan> {
        self.settings.validate()?;
        let (renderer, reads) = (self.new_renderer()?, run::reads(&*self.effective()));
        model::check(&self.settings, renderer.vocabulary())?;
        Plan::new(&self.settings, &*self.env, &*renderer, &reads)
    }

    /// What a user should know before the run starts: what the environment says, settings that cannot act, and an
    /// unoptimised build.
    pub fn notices(&self) -> Vec<String> {
        let key = |key: &str| if key.starts_with("added.") { key.to_owned() } else { format!("algorithm.{key}") };
        let inert = self.effective().inert().into_iter();
        let inert = inert.map(|inert| format!("{} cannot act: {}", key(&inert.key), inert.reason));
        let unoptimised = unoptimised(env!("OREAL_OPT_LEVEL"));
        self.env.notices().into_iter().chain(inert).chain(self.uncorrected()).chain(unoptimised).collect()
    }

    /// Where completions are drawn from older weights and the loss takes them for the policy's own.
    fn uncorrected(&self) -> Option<String> {
        let (algorithm, ahead) = (self.effective(), self.settings.train.steps_ahead);
        let passes = algorithm.passes();
        let behind = ahead * passes.epochs * passes.minibatches;
        let corrects = run::reads(&*algorithm).contains(&Column::SAMPLED_LOGP);
        (behind > 0 && self.settings.policy_learns() && !corrects).then(|| {
            format!(
                "train.steps_ahead = {ahead}: completions are of weights up to {behind} updates old, which the loss does not \
                 correct for: added.sampler_ratio does"
            )
        })
    }

    /// A run with models of its own, ready for [`train`].
    pub fn prepare(&self, start: &WarmedUp) -> Result<Run> {
        let (settings, algorithm) = (self.settings.clone(), self.effective());
        let policy = start.policy.fork(oreal_models::Head::Vocabulary, &settings.optimiser);
        let reads = run::reads(&*algorithm);
        let vocabulary = start.renderer.vocabulary();
        let weights = |role: Role| settings.roles.get(role.name()).map_or(&Weights::Policy, |role| &role.start);
        let signals = algorithm.objective().reads();
        let learns = |role: Role| signals.iter().any(|column| column.is_signal() && column.role() == Some(role));
        let make = |role: Role, policy: &dyn Model| match weights(role) {
            Weights::Policy => match &start.checkpoint {
                Some(path) if !learns(role) => model::to_read(&settings, path, head(role), role),
                _ => policy.fork(head(role), &settings.optimiser).map_err(Error::model(role.name())),
            },
            Weights::Fresh => model::fresh(&settings, vocabulary, head(role), role),
            Weights::Checkpoint(path) if !learns(role) => model::to_read(&settings, path, head(role), role),
            Weights::Checkpoint(path) => model::load(&settings, path, head(role), role),
        };
        let policy = policy.map_err(Error::model("policy"))?;
        let mut roles = Roles::new(policy, &reads, settings.sampling.temperature, &make)?;
        if *weights(Role::REFERENCE) == Weights::Policy {
            roles = roles.reference_is_policy();
        }
        let (env, renderer, columns) = (self.env.clone(), start.renderer.clone(), self.columns.clone());
        let sampler = self.new_sampler()?;
        Run::new(settings, env, renderer, algorithm, columns, sampler, roles)
    }

    /// The algorithm with the terms of the settings added to it.
    pub(crate) fn effective(&self) -> Arc<dyn Algorithm> {
        Arc::from(self.settings.added.to(Box::new(self.algorithm.clone())))
    }

    fn new_sampler(&self) -> Result<Box<dyn Sampler>> {
        match (&self.sampler, &self.settings.sampler) {
            (Some(make), _) => Ok(make()),
            (None, None) => Ok(Box::new(InProcess::default())),
            (None, Some(server)) => match server.open(self.settings.policy_learns()) {
                Ok(sampler) => Ok(Box::new(sampler)),
                Err(wrong) => Err(Error::setting(format!("sampler.{}", wrong.key), wrong.problem)),
            },
        }
    }

    pub(crate) fn new_renderer(&self) -> Result<Arc<dyn Renderer>> {
        if let Some(renderer) = self.renderer.as_ref().or_else(|| self.opened.get()) {
            return Ok(renderer.clone());
        }
        let opened = renderer::of(&self.settings.model, &self.settings.text, Some(&*self.env))?;
        Ok(self.opened.get_or_init(|| opened).clone())
    }
}

impl std::fmt::Debug for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Experiment");
        shown.field("env", &self.env).field("algorithm", &self.algorithm).field("settings", &self.settings);
        shown.finish_non_exhaustive()
    }
}

/// A program of a user's own is built unoptimised unless its profile says otherwise.
fn unoptimised(level: &str) -> Option<String> {
    let advice = "this program was built without optimisation, which makes it about 50 times slower: build with --release, or \
                  put `[profile.dev.package.\"*\"]` and `opt-level = 3` into your Cargo.toml";
    (level == "0").then(|| advice.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_completions_that_a_loss_does_not_correct_for_are_said() {
        use oreal_algos::{Grpo, Rft};
        let said = |experiment: Experiment| {
            let experiment = experiment.with(|s| s.train.steps_ahead = 2);
            experiment.notices().into_iter().find(|notice| notice.contains("steps_ahead"))
        };
        let env = oreal_toy_envs::Bandit::default;
        let rft = said(Experiment::new(env(), Rft::default())).unwrap();
        assert!(rft.contains("up to 2 updates old") && rft.contains("added.sampler_ratio"), "{rft}");
        let grpo = said(Experiment::new(env(), Grpo { epochs: 3, minibatches: 4, ..Grpo::default() })).unwrap();
        assert!(grpo.contains("up to 24 updates old"), "its ratio is to the policy before the step: {grpo}");
        let fixed =
            Experiment::new(env(), Rft::default()).with(|s| s.rates.roles.values_mut().for_each(|rate| *rate = 0.0));
        assert_eq!(said(fixed), None, "its weights have no age");
        let text = "algorithm.name = \"grpo\"\n[added]\nsampler_ratio = { truncated = 2.0 }";
        assert_eq!(said(Experiment::from_config(Config::from_toml(text, "test", &[]).unwrap())), None);
    }

    #[test]
    fn an_unoptimised_build_is_said() {
        assert!(unoptimised("0").is_some_and(|notice| notice.contains("opt-level = 3")));
        assert!(unoptimised("2").is_none() && unoptimised("s").is_none());
    }
}
