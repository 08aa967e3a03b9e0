//! An experiment's settings, as a TOML file says them. Every key has a default; an unknown key is an error.

use std::path::Path;

use oreal_models::{Device, Optimiser, Sampling, Schedule, Token};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::error::{Error, Result};

/// Everything a run depends on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    #[serde(flatten)]
    pub settings: Settings,
    pub env: oreal_toy_envs::BuiltIn,
    pub algorithm: oreal_algos::BuiltIn,
}

/// Everything besides the environment and the algorithm, which may be a user's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Every random choice follows from it.
    pub seed: u64,
    /// Where a transformer is.
    pub device: Device,
    pub model: Architecture,
    pub warm_up: WarmUp,
    pub train: Train,
    pub sampling: Draw,
    pub rates: Rates,
    pub optimiser: Optimiser,
    pub evaluation: Evaluation,
    pub record: Record,
}

/// What every role is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Architecture {
    /// One row of logits per prefix, in f64: exact, and without generalisation.
    Table {},
    /// Qwen2's architecture at this size (in the words of its `config.json`), in f32.
    Transformer {
        #[serde(default = "defaults::layers")]
        num_hidden_layers: usize,
        #[serde(default = "defaults::hidden_size")]
        hidden_size: usize,
        #[serde(default = "defaults::heads")]
        num_attention_heads: usize,
        /// Heads that keys and values have; queries share them in groups.
        #[serde(default = "defaults::kv_heads")]
        num_key_value_heads: usize,
        #[serde(default = "defaults::intermediate_size")]
        intermediate_size: usize,
    },
}

/// Imitation of an imperfect teacher, before any reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmUp {
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
    pub steps: usize,
    /// Problems a step.
    pub prompts: usize,
    /// Completions of each.
    pub rollouts: usize,
    /// Most trajectories that are differentiated together; fewer where a GPU has no memory for so many. No result depends
    /// on it, but for the last digits.
    pub micro_batch: usize,
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

/// Highest learning rate of each role that learns, and the course all of them take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    pub policy: f64,
    pub critic: f64,
    pub reward_model: f64,
    /// Steps to the highest rate.
    pub warmup: u64,
    /// Share of the highest rate that the cosine ends at.
    pub floor: f64,
}

/// The examination before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// Completions, one for each held-out problem; where there are fewer problems, equally many for each, at least so many
    /// together.
    pub completions: usize,
    /// 0 takes the most likely token.
    pub temperature: f64,
}

/// What is written down besides a line a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Record {
    /// Transcripts of one group every so many steps; 0 for none.
    pub transcripts_every: usize,
}

impl Config {
    /// Reads a file, with `section.key=value` settings put over it.
    pub fn from_file(path: &Path, overrides: &[String]) -> Result<Config> {
        let text = std::fs::read_to_string(path).map_err(|problem| Error::file(path, problem))?;
        Config::from_toml(&text, &path.display().to_string(), overrides)
    }

    /// Parses TOML; `place` is named in errors.
    pub fn from_toml(text: &str, place: &str, overrides: &[String]) -> Result<Config> {
        let mut table: Table = text.parse().map_err(|problem| Error::setting(place, problem))?;
        for setting in overrides {
            put(&mut table, setting)?;
        }
        let env = section(&mut table, "env", place)?.unwrap_or_else(|| named("addition"));
        let algorithm = section(&mut table, "algorithm", place)?.unwrap_or_else(|| named("oreal"));
        let config = Config {
            env: typed(env, "env", place)?,
            algorithm: typed(with_preset(algorithm, place)?, "algorithm", place)?,
            settings: settings(table, place)?,
        };
        config.settings.validate(place)?;
        Ok(config)
    }

    /// As a file that gives the same configuration.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }
}

impl Settings {
    /// That no number makes a run impossible; `place` is named in errors.
    pub fn validate(&self, place: &str) -> Result<()> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let rate = |x: f64| x >= 0.0 && x.is_finite();
        let table_elsewhere = self.model == Architecture::Table {} && self.device != Device::Cpu;
        let checks = [
            ("device", !table_elsewhere, "must be \"cpu\" where model.kind is \"table\""),
            ("warm_up.batch", self.warm_up.batch > 0, "must be at least 1"),
            ("warm_up.error_rate", share(self.warm_up.error_rate), "must be from 0 to 1"),
            ("warm_up.rate", rate(self.warm_up.rate), "must be 0 or more"),
            ("train.prompts", self.train.prompts > 0, "must be at least 1"),
            ("train.rollouts", self.train.rollouts > 0, "must be at least 1"),
            ("train.micro_batch", self.train.micro_batch > 0, "must be at least 1"),
            (
                "sampling.temperature",
                self.sampling.temperature > 0.0,
                "must be more than 0: training needs its logarithm",
            ),
            (
                "sampling.top_p",
                self.sampling.top_p > 0.0 && self.sampling.top_p <= 1.0,
                "must be more than 0, at most 1",
            ),
            ("rates.policy", rate(self.rates.policy), "must be 0 or more"),
            ("rates.critic", rate(self.rates.critic), "must be 0 or more"),
            ("rates.reward_model", rate(self.rates.reward_model), "must be 0 or more"),
            ("rates.floor", share(self.rates.floor), "must be from 0 to 1"),
            ("evaluation.completions", self.evaluation.completions > 0, "must be at least 1"),
            ("evaluation.temperature", rate(self.evaluation.temperature), "must be 0 or more"),
        ];
        match checks.iter().find(|(_, holds, _)| !holds) {
            Some((key, _, problem)) => Err(Error::setting(place, format!("{key} {problem}"))),
            None => Ok(()),
        }
    }
}

impl Draw {
    pub(crate) fn sampling(&self, stop: Token, max_tokens: usize) -> Sampling {
        Sampling { temperature: self.temperature, top_p: self.top_p, top_k: self.top_k, stop: vec![stop], max_tokens }
    }
}

impl Rates {
    pub(crate) fn schedule(&self, peak: f64, steps: usize) -> Schedule {
        Schedule { peak, warmup: self.warmup, total: steps as u64, floor: self.floor }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            settings: Settings::default(),
            env: oreal_toy_envs::Addition::default().into(),
            algorithm: oreal_algos::BuiltIn::Oreal(oreal_algos::Oreal::default()),
        }
    }
}

impl Default for Architecture {
    fn default() -> Self {
        Architecture::Transformer {
            num_hidden_layers: defaults::layers(),
            hidden_size: defaults::hidden_size(),
            num_attention_heads: defaults::heads(),
            num_key_value_heads: defaults::kv_heads(),
            intermediate_size: defaults::intermediate_size(),
        }
    }
}

impl Default for WarmUp {
    fn default() -> Self {
        WarmUp { steps: 1200, batch: 128, error_rate: 0.5, rate: 3e-3 }
    }
}

impl Default for Train {
    fn default() -> Self {
        Train { steps: 180, prompts: 48, rollouts: 16, micro_batch: 256 }
    }
}

impl Default for Draw {
    fn default() -> Self {
        Draw { temperature: 1.0, top_p: 1.0, top_k: 0 }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Rates { policy: 5e-4, critic: 1e-3, reward_model: 1e-3, warmup: 5, floor: 0.2 }
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Evaluation { completions: 500, temperature: 1.0 }
    }
}

impl Default for Record {
    fn default() -> Self {
        Record { transcripts_every: 10 }
    }
}

mod defaults {
    pub(super) fn layers() -> usize {
        2
    }
    pub(super) fn hidden_size() -> usize {
        64
    }
    pub(super) fn heads() -> usize {
        4
    }
    pub(super) fn kv_heads() -> usize {
        2
    }
    pub(super) fn intermediate_size() -> usize {
        128
    }
}

fn named(name: &str) -> Table {
    Table::from_iter([("name".to_owned(), Value::from(name))])
}

/// Takes a section out of a file; it must be a table with a name.
fn section(table: &mut Table, key: &str, place: &str) -> Result<Option<Table>> {
    match table.remove(key) {
        None => Ok(None),
        Some(Value::Table(section)) if section.contains_key("name") => Ok(Some(section)),
        Some(_) => Err(Error::setting(place, format!("[{key}] needs a name: see `oreal list`"))),
    }
}

/// An algorithm's settings, over those of the preset it names.
fn with_preset(mut section: Table, place: &str) -> Result<Table> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text(section.get("name"));
    let Some(preset) = section.remove("preset") else {
        return Ok(section);
    };
    let preset = text(Some(&preset));
    let presets = oreal_algos::BuiltIn::presets(&name);
    let Some((_, algorithm)) = presets.iter().find(|(known, _)| *known == preset) else {
        let known: Vec<&str> = presets.iter().map(|(known, _)| *known).collect();
        let problem = format!("algorithm.preset: {name} has no preset {preset:?}; it has {}", known.join(", "));
        return Err(Error::setting(place, problem));
    };
    let mut settings = Table::try_from(algorithm).map_err(|problem| Error::setting(place, problem))?;
    settings.extend(section);
    Ok(settings)
}

fn typed<T: DeserializeOwned>(section: Table, name: &str, place: &str) -> Result<T> {
    section
        .try_into()
        .map_err(|problem: toml::de::Error| Error::setting(place, format!("[{name}] {}", problem.message())))
}

/// Each section by itself, so that a mistake is told with its section's name. A section that does not say its kind is of
/// the default one.
fn settings(mut table: Table, place: &str) -> Result<Settings> {
    for (section, kind, default) in [("model", "kind", "transformer"), ("optimiser", "rule", "adamw")] {
        if let Some(Value::Table(section)) = table.get_mut(section) {
            section.entry(kind).or_insert_with(|| Value::from(default));
        }
    }
    for (name, value) in &table {
        let alone = Table::from_iter([(name.clone(), value.clone())]);
        alone.try_into::<Settings>().map_err(|problem| {
            let problem = problem.message().to_owned();
            Error::setting(place, if value.is_table() { format!("[{name}] {problem}") } else { problem })
        })?;
    }
    table.try_into().map_err(|problem: toml::de::Error| Error::setting(place, problem.message()))
}

/// `section.key=value`; a value that is no TOML is taken as text.
fn put(table: &mut Table, setting: &str) -> Result<()> {
    let wrong = |problem: &str| Error::setting(format!("--set {setting}"), problem);
    let (path, value) = setting.split_once('=').ok_or_else(|| wrong("expected section.key=value"))?;
    let value = format!("value = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    let value = value.unwrap_or_else(|| Value::from(setting.split_once('=').map_or("", |(_, text)| text)));
    let mut keys: Vec<&str> = path.split('.').map(str::trim).collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or_else(|| wrong("expected section.key=value"))?;
    let mut place = table;
    for key in keys {
        let next = place.entry(key).or_insert_with(|| Value::Table(Table::new()));
        place = next.as_table_mut().ok_or_else(|| wrong(&format!("{key} is a value, not a section")))?;
    }
    place.insert(last.to_owned(), value);
    Ok(())
}
