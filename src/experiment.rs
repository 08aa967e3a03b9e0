//! An experiment from Rust: the same words as in a file, with any environment and any algorithm.

use std::path::PathBuf;
use std::time::Instant;

use oreal_algos::{Algorithm, Experience, Layout, Rft, Role};
use oreal_models::{Head, Model, Sequence, Table, Token, Tokenizer, TransformerConfig};
use oreal_toy_envs::{Env, Split};
use rand::RngExt;

use crate::config::{Architecture, Config, Settings};
use crate::error::{Error, Result};
use crate::evaluate::{PassRate, evaluate};
use crate::record::{Recorder, Report, StepRecord};
use crate::roles::Roles;
use crate::rollout::Rollout;
use crate::run::Run;
use crate::streams::{Purpose, stream};
use crate::train::train;
use crate::update::{Update, lengths};

/// An algorithm on an environment, with settings.
#[derive(Debug)]
pub struct Experiment {
    pub(crate) env: Box<dyn Env>,
    pub(crate) algorithm: Box<dyn Algorithm>,
    pub(crate) settings: Settings,
    folder: Option<PathBuf>,
    /// What environment and algorithm are called in a file, where a file could say them.
    built_in: Option<(oreal_toy_envs::BuiltIn, oreal_algos::BuiltIn)>,
}

/// Where training starts: a policy that has imitated the environment's demonstrations, and how well it does.
pub struct Start {
    pub tokenizer: Tokenizer,
    pub policy: Box<dyn Model>,
    pub pass_rate: PassRate,
    /// Of warm-up and evaluation.
    pub seconds: f64,
}

/// What happens while an experiment runs.
pub enum Progress<'a> {
    WarmUp { done: usize, total: usize },
    Step { record: &'a StepRecord, total: usize },
}

impl Experiment {
    /// With default settings, recorded nowhere.
    pub fn new(env: impl Env + 'static, algorithm: impl Algorithm + 'static) -> Experiment {
        Experiment::boxed(Box::new(env), Box::new(algorithm))
    }

    /// As [`Experiment::new`], where types are known at run time only.
    pub fn boxed(env: Box<dyn Env>, algorithm: Box<dyn Algorithm>) -> Experiment {
        Experiment { env, algorithm, settings: Settings::default(), folder: None, built_in: None }
    }

    /// From a file's settings.
    pub fn from_config(config: Config) -> Experiment {
        let Config { settings, env, algorithm } = config;
        let built_in = Some((env.clone(), algorithm.clone()));
        Experiment { settings, built_in, ..Experiment::boxed(env.into(), algorithm.into()) }
    }

    /// As a file would say it; none when the environment or the algorithm is a user's own.
    pub fn config(&self) -> Option<Config> {
        let (env, algorithm) = self.built_in.clone()?;
        Some(Config { settings: self.settings.clone(), env, algorithm })
    }

    /// Changes settings: `.with(|s| s.train.steps = 20)` is `train.steps = 20` in a file.
    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Experiment {
        change(&mut self.settings);
        self
    }

    /// Records the run in a new folder at this path; its parents are made as needed.
    pub fn record_in(mut self, folder: impl Into<PathBuf>) -> Experiment {
        self.folder = Some(folder.into());
        self
    }

    /// Warms a policy up and trains it.
    pub fn run(&self) -> Result<Report> {
        let start = self.start(&mut |_| {})?;
        self.train(&start, &mut |_| {})
    }

    /// The policy that training starts from. It depends on everything but the algorithm, so that several experiments
    /// can share it.
    pub fn start(&self, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Start> {
        self.settings.validate("settings")?;
        let clock = Instant::now();
        let tokenizer = Tokenizer::characters(&self.env.alphabet()).map_err(Error::model("tokenizer"))?;
        let policy = self.warm_up(self.policy(&tokenizer)?, &tokenizer, watch)?;
        let pass_rate = PassRate::new(0, 0);
        let mut start = Start { tokenizer, policy, pass_rate, seconds: 0.0 };
        let examinee = start.policy.fork(Head::Vocabulary, &self.settings.optimiser);
        let mut examinee = examinee.map_err(Error::model("policy"))?;
        start.pass_rate = evaluate(&start.rollout(self), &mut *examinee, &self.settings.evaluation)?;
        start.seconds = clock.elapsed().as_secs_f64();
        Ok(start)
    }

    /// A run with models of its own, ready for [`train`].
    pub fn prepare<'a>(&'a self, start: &'a Start) -> Result<Run<'a>> {
        let policy = start.policy.fork(Head::Vocabulary, &self.settings.optimiser).map_err(Error::model("policy"))?;
        Run::new(&self.settings, &*self.algorithm, start.rollout(self), policy)
    }

    /// Trains from a start, which stays as it is.
    pub fn train(&self, start: &Start, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        self.settings.validate("settings")?;
        let clock = Instant::now();
        let total = self.settings.train.steps;
        let mut run = self.prepare(start)?;
        let mut recorder = Recorder::new(self.folder.as_deref(), self.config().as_ref(), &run)?;
        train(&mut run, &mut |done| {
            let record = StepRecord::new(done);
            recorder.step(&record, done)?;
            watch(Progress::Step { record: &record, total });
            Ok(())
        })?;
        let after = evaluate(&start.rollout(self), run.roles.policy()?, &self.settings.evaluation)?;
        let report = Report {
            algorithm: self.algorithm.name().to_owned(),
            env: self.env.name().to_owned(),
            steps: total,
            before: start.pass_rate,
            after,
            seconds: clock.elapsed().as_secs_f64(),
            folder: self.folder.clone(),
        };
        recorder.finish(&report, &run, &start.tokenizer)?;
        Ok(report)
    }

    fn policy(&self, tokenizer: &Tokenizer) -> Result<Box<dyn Model>> {
        let optimiser = &self.settings.optimiser;
        match self.settings.model {
            Architecture::Table {} => Ok(Box::new(Table::new(tokenizer.len(), optimiser))),
            Architecture::Transformer {
                num_hidden_layers,
                hidden_size,
                num_attention_heads,
                num_key_value_heads,
                intermediate_size,
            } => {
                let config = TransformerConfig {
                    vocab_size: tokenizer.len(),
                    hidden_size,
                    num_hidden_layers,
                    num_attention_heads,
                    num_key_value_heads,
                    intermediate_size,
                    rope_theta: 10_000.0,
                    rms_norm_eps: 1e-6,
                    tie_word_embeddings: true,
                };
                let seed = stream(self.settings.seed, Purpose::Weights, 0).random();
                let device = self.settings.device;
                device.transformer(config, Head::Vocabulary, optimiser, seed).map_err(Error::model("policy"))
            }
        }
    }

    /// Cloning of the environment's demonstrations, wrong ones included.
    fn warm_up(
        &self,
        policy: Box<dyn Model>,
        tokenizer: &Tokenizer,
        watch: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Box<dyn Model>> {
        let how = &self.settings.warm_up;
        let objective = Rft::default().objective();
        let update = Update::new(&*objective, &[], how.batch);
        let schedule = self.settings.rates.schedule(how.rate, how.steps);
        let mut roles = Roles::new(policy, &Default::default(), &self.settings.optimiser, 1.0)?;
        for step in 0..how.steps {
            let demonstrations = self.demonstrations(step, tokenizer)?;
            let sequences: Vec<Sequence<'_>> =
                demonstrations.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
            let batch = Experience::new(Layout::new(&[lengths(&sequences)]));
            update.accumulate(&mut roles, &|_| true, &batch, &sequences, step)?;
            roles.step(Role::Policy, schedule.rate(step as u64))?;
            watch(Progress::WarmUp { done: step + 1, total: how.steps });
        }
        roles.into_policy()
    }

    fn demonstrations(&self, step: usize, tokenizer: &Tokenizer) -> Result<Vec<(Vec<Token>, Vec<Token>)>> {
        let how = &self.settings.warm_up;
        let mut rng = stream(self.settings.seed, Purpose::Demonstrations, step);
        let mut demonstration = || {
            let problem = self.env.problem(Split::Train, &mut rng);
            let mut completion = tokenizer.encode(&self.env.demonstration(&problem, how.error_rate, &mut rng))?;
            completion.push(tokenizer.end());
            Ok((tokenizer.encode(&problem.prompt)?, completion))
        };
        (0..how.batch).map(|_| demonstration()).collect::<oreal_models::Result<_>>().map_err(Error::model("tokenizer"))
    }
}

impl Start {
    /// How completions are drawn from it in an experiment.
    pub fn rollout<'a>(&'a self, experiment: &'a Experiment) -> Rollout<'a> {
        let sampling = experiment.settings.sampling.sampling(self.tokenizer.end(), experiment.env.max_tokens());
        Rollout { env: &*experiment.env, tokenizer: &self.tokenizer, sampling, seed: experiment.settings.seed }
    }
}
