//! An experiment's settings, as a TOML file says them. Every key has a default; an unknown key is an error.

mod model;
mod read;
mod sampler;
mod validate;

use std::collections::BTreeMap;
use std::path::Path;

use oreal_algos::{Added, Algorithm, Role};
use oreal_models::{Device, Optimiser, Sampling, Schedule, Token};
use oreal_toy_envs::Env;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::catalogue::{Catalogue, Chosen};
use crate::columns::DataColumn;
use crate::error::Result;
use crate::sentinels::SentinelSettings;
pub use model::{ModelSettings, TextSettings, TinkerSettings};
pub use sampler::{SamplerKind, SamplerSettings, WeightPrecision};
pub(crate) use validate::{algorithm as check_algorithm, env as check_env};

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// Everything besides the environment and the algorithm.
    #[serde(flatten)]
    pub settings: Settings,
    /// The environment, as `[env]`.
    pub env: Chosen<dyn Env>,
    /// The algorithm, as `[algorithm]`.
    pub algorithm: Chosen<dyn Algorithm>,
    /// Data columns of a user's own program, which no file says.
    #[serde(skip)]
    pub columns: Vec<DataColumn>,
}

/// Everything besides the environment and the algorithm, which may be a user's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Where a transformer is.
    pub device: Device,
    /// The models of all roles.
    pub model: ModelSettings,
    /// Between text and tokens.
    pub text: TextSettings,
    /// Imitation before training.
    pub warm_up: WarmUp,
    /// Size of the training.
    pub train: Train,
    /// How completions are drawn while training.
    pub sampling: Draw,
    /// The inference server that draws them; without one, the policy in this process does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampler: Option<SamplerSettings>,
    /// Learning rates.
    pub rates: Rates,
    /// Where the weights of roles other than the policy come from, by role.
    pub roles: BTreeMap<String, RoleSettings>,
    /// How a gradient becomes a step.
    pub optimiser: Optimiser,
    /// Terms added to the algorithm's reward and loss.
    pub added: Added,
    /// Pass rate before and after.
    pub evaluation: Evaluation,
    /// What is written besides metrics.
    pub record: Record,
    /// How a run watches itself.
    pub sentinels: SentinelSettings,
}

/// Imitation of an imperfect teacher, before any reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmUp {
    /// Updates.
    pub steps: usize,
    /// Demonstrations a step.
    pub batch: usize,
    /// Share of demonstrations that are wrong.
    pub error_rate: f64,
    /// Highest learning rate.
    pub rate: f64,
}

/// Size of the training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Training steps: each draws rollouts and learns from them.
    pub steps: usize,
    /// Problems a step.
    pub prompts: usize,
    /// Completions of each problem.
    pub rollouts: usize,
    /// Completions are drawn so many steps ahead, while the steps before train: those of step s from the weights before step
    /// s - `steps_ahead`. With 0 each step draws its own.
    pub steps_ahead: usize,
    /// What ends training before that.
    pub budget: Budget,
    /// Most trajectories in one forward and backward pass; fewer where a GPU has no memory for so many. No result depends
    /// on it, but for the last digits.
    pub micro_batch: usize,
    /// Most tokens of such a pass, prompts included; a trajectory that has more stands alone. No result depends on it, but for the
    /// last digits.
    pub micro_tokens: usize,
}

/// How completions are drawn while training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Draw {
    /// Log-probabilities are those at this temperature, in training too.
    pub temperature: f64,
    /// Smallest set of most likely tokens with at least this probability; 1 is all.
    pub top_p: f64,
    /// So many most likely tokens; 0 is all.
    pub top_k: usize,
}

/// Highest learning rate of each role that learns, and the schedule all of them follow: linear warm-up, then a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    /// Steps to the highest rate.
    pub warmup: u64,
    /// Share of the highest rate that the cosine ends at.
    pub floor: f64,
    /// Highest learning rate by role; a role without one has that of the reward model.
    #[serde(flatten)]
    pub roles: BTreeMap<String, f64>,
}

/// What a role other than the policy starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoleSettings {
    /// Its weights at the start of training.
    pub start: Weights,
}

/// Where the weights of a role come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weights {
    /// A copy of the policy before training, with a head of its own where it reports a scalar.
    #[default]
    Policy,
    /// Random weights of the same size.
    Fresh,
    /// A checkpoint of its own with the policy's tokens: a folder, or a name of the hub. Its scalar head is at zero where the
    /// checkpoint has none.
    Checkpoint(String),
}

/// Pass rate on held-out problems: before and after training, and in between where asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// Completions, one for each held-out problem; where there are fewer problems, equally many for each, at least so many
    /// together.
    pub completions: usize,
    /// 0 takes the most likely token.
    pub temperature: f64,
    /// Steps from one evaluation during training to the next; 0 for none.
    pub every: usize,
    /// Which of the held-out problems.
    pub part: Part,
}

/// A part of the held-out problems: settings that are chosen on the first half of them can be judged on the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of them. Where `completions` are fewer than half of the problems, they are of the first half.
    #[default]
    All,
    /// The first half of them, in the order of all evaluations: to choose settings on.
    Pilot,
    /// The second half: no choice is made on it.
    Final,
}

/// What is written down besides a line a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Transcripts of one group every so many steps; 0 for none.
    pub transcripts_every: usize,
    /// A checkpoint to go on from every so many steps, with one before the first step and one after the last; 0 for none, but
    /// where the run is asked to stop.
    pub checkpoint_every: usize,
    /// So many of the newest checkpoints are kept. With 1 there is none to fall back to if the newest is damaged.
    pub keep_last: usize,
    /// Also keeps the checkpoint whose steps, those since the checkpoint before it, have the highest mean pass rate in training.
    /// Each checkpoint then holds the policy as a folder of weights too, to be evaluated.
    pub keep_best: bool,
    /// Writes every number of `metrics.jsonl` to an event file of TensorBoard too.
    pub tensorboard: bool,
    /// Whether the run's folder gets a page to look at, `report.html`, when the run ends.
    pub report: bool,
}

/// The text of a configuration file, which is not read where it is too long for one.
pub(crate) fn file_text(path: &Path) -> Result<String> {
    read::text(path)
}

impl Catalogue {
    /// Reads a file, with `section.key=value` settings put over it.
    pub fn config_from_file(&self, path: &Path, overrides: &[String]) -> Result<Config> {
        read::config(&read::text(path)?, &path.display().to_string(), overrides, self)
    }

    /// Parses TOML; `place` is named in errors.
    pub fn config_from_toml(&self, text: &str, place: &str, overrides: &[String]) -> Result<Config> {
        read::config(text, place, overrides, self)
    }
}

/// The table of a file, as it stands.
pub(crate) fn table_from_file(path: &Path) -> Result<toml::Table> {
    read::parse(&read::text(path)?, &path.display().to_string())
}

/// Puts `section.key=value` into a table.
pub(crate) fn put(table: &mut toml::Table, setting: &str) -> Result<()> {
    read::put(table, setting).map(drop)
}

/// Reads a file of sections with defaults, with `section.key=value` settings put over it.
pub(crate) fn sections_from_file<T: read::Sections>(path: &Path, overrides: &[String]) -> Result<T> {
    read::sections_of(&read::text(path)?, &path.display().to_string(), overrides)
}

impl Config {
    /// Reads a file that names what is built in, with `section.key=value` settings put over it.
    /// [`Catalogue::config_from_file`] reads one that names a user's own.
    pub fn from_file(path: &Path, overrides: &[String]) -> Result<Config> {
        Catalogue::built_in().config_from_file(path, overrides)
    }

    /// The same from TOML; `place` is named in errors.
    pub fn from_toml(text: &str, place: &str, overrides: &[String]) -> Result<Config> {
        Catalogue::built_in().config_from_toml(text, place, overrides)
    }

    /// As a file that gives the same configuration.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

impl Weights {
    /// Folder or name of the checkpoint.
    pub(crate) fn checkpoint(&self) -> Option<&str> {
        match self {
            Weights::Checkpoint(path) => Some(path),
            Weights::Policy | Weights::Fresh => None,
        }
    }
}

impl Record {
    /// Whether transcripts of this step are recorded.
    pub(crate) fn transcripts_at(&self, step: usize) -> bool {
        self.transcripts_every > 0 && step.is_multiple_of(self.transcripts_every)
    }
}

impl Draw {
    pub(crate) fn sampling(&self, stop: Vec<Token>, max_tokens: usize, vocabulary: usize) -> Sampling {
        let Draw { temperature, top_p, top_k } = *self;
        Sampling { temperature, top_p, top_k, stop, max_tokens, vocabulary: Some(vocabulary) }
    }
}

impl Rates {
    /// Highest learning rate of a role.
    pub fn of(&self, role: Role) -> f64 {
        let of = |role: Role| self.roles.get(role.name()).copied();
        of(role).or_else(|| of(Role::REWARD_MODEL)).unwrap_or_default()
    }

    pub(crate) fn schedule(&self, peak: f64, steps: usize) -> Schedule {
        Schedule { peak, warmup: self.warmup, total: steps as u64, floor: self.floor }
    }
}

impl Default for Config {
    fn default() -> Self {
        // The built-in defaults are valid, which a test asserts.
        Config::from_toml("", "defaults", &[]).expect("the defaults are valid")
    }
}

impl Default for WarmUp {
    fn default() -> Self {
        WarmUp { steps: 1200, batch: 128, error_rate: 0.5, rate: 3e-3 }
    }
}

impl Default for Train {
    fn default() -> Self {
        Train {
            steps: 180,
            prompts: 48,
            rollouts: 16,
            steps_ahead: 0,
            budget: Budget::Off,
            micro_batch: 256,
            micro_tokens: 16_384,
        }
    }
}

impl Default for Draw {
    fn default() -> Self {
        Draw { temperature: 1.0, top_p: 1.0, top_k: 0 }
    }
}

impl Default for Rates {
    fn default() -> Self {
        let roles = [(Role::POLICY, 5e-4), (Role::CRITIC, 1e-3), (Role::REWARD_MODEL, 1e-3)];
        let roles = roles.map(|(role, rate)| (role.name().to_owned(), rate)).into();
        Rates { warmup: 5, floor: 0.2, roles }
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Evaluation { completions: 500, temperature: 1.0, every: 0, part: Part::All }
    }
}

impl Default for Record {
    fn default() -> Self {
        Record {
            transcripts_every: 10,
            checkpoint_every: 50,
            keep_last: 2,
            keep_best: false,
            tensorboard: false,
            report: true,
        }
    }
}
