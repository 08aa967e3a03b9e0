//! What a run leaves behind: `manifest.json`, `config.toml`, `metrics.jsonl`, `transcripts.jsonl`, `report.json`, weights.

mod difference;
mod files;
mod log;
mod step;
mod transcripts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use oreal_algos::{Column, Role};
use oreal_models::Model;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::budget::Spent;
use crate::config::{Config, Settings};
use crate::error::{Error, Result};
use crate::evaluate::PassRate;
use crate::folder::Held;
use crate::renderer::Renderer;
use crate::report;
use crate::run::{Run, reads};
use crate::sentinels::Finding;
use crate::tensorboard::{self, Events};
use crate::train::Done;
use transcripts::Transcripts;

pub(crate) use crate::folder::write;
pub(crate) use difference::{Difference, difference, difference_of_settings};
pub(crate) use files::{CONFIG, FINDINGS, MANIFEST, METRICS, REPORT, TRANSCRIPTS, check_holds_run, holds_run};
pub(crate) use log::{Line, Log, holds, records};
pub use step::StepRecord;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Name of the algorithm, or the label it was compared under.
    pub algorithm: String,
    /// The preset that its settings started from; `None` for an algorithm that came as a value from Rust.
    pub preset: Option<String>,
    /// Name of the environment.
    pub env: String,
    /// The seed of the run.
    pub seed: u64,
    /// Training steps that were made.
    pub steps: usize,
    /// What they spent.
    pub spent: Spent,
    /// On held-out problems, before training.
    pub before: PassRate,
    /// On held-out problems, after training.
    pub after: PassRate,
    /// Pass rate of the rollouts of the last tenth of the steps: on problems trained on.
    pub training: f64,
    /// Peak learning rate of the policy.
    pub rate: f64,
    /// Of training and evaluation.
    pub seconds: f64,
    /// What the sentinels found.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What the environment said after training; see [`oreal_toy_envs::Env::notices_after`].
    pub notices: Vec<String>,
    /// Where it is recorded.
    pub folder: Option<PathBuf>,
    /// Every setting, where a file could say them. It is not read back: only a [`Catalogue`](crate::Catalogue) knows what its
    /// names mean.
    #[serde(skip_deserializing)]
    pub config: Option<Config>,
}

/// Longest report that is read, in bytes.
const LONGEST: u64 = 1 << 24;

impl Report {
    /// Of the run in a folder, as it was when it finished, without its configuration; `None` where it has not finished.
    ///
    /// # Errors
    /// A file that cannot be read or is no report.
    pub fn read(folder: &Path) -> Result<Option<Report>> {
        let path = folder.join(REPORT);
        if !path.exists() {
            return Ok(None);
        }
        let report = serde_json::from_slice(&read(&path, LONGEST)?).map_err(|problem| Error::file(&path, problem))?;
        Ok(Some(Report { folder: Some(folder.to_owned()), ..report }))
    }
}

/// Writes a run's folder; does nothing for a run without one.
pub(crate) struct Recorder {
    folder: Option<Folder>,
    explained: Transcripts,
}

struct Folder {
    held: Held,
    metrics: Log,
    transcripts: Log,
    sentinels: Log,
    events: Option<Events>,
}

impl Recorder {
    /// Opens the records of a run, each at the length that it has at the run's step; without lengths, at its beginning.
    pub(crate) fn open(held: Option<Held>, lengths: &BTreeMap<String, u64>, run: &Run) -> Result<Recorder> {
        let explained = Transcripts::new(run);
        let Some(held) = held else {
            return Ok(Recorder { folder: None, explained });
        };
        let log = |name: &str| Log::open(held.path().join(name), lengths.get(name).copied().unwrap_or_default());
        let (metrics, transcripts, sentinels) = (log(METRICS)?, log(TRANSCRIPTS)?, log(FINDINGS)?);
        let events = run.settings.record.tensorboard.then(|| Events::new(log(tensorboard::NAME)?)).transpose()?;
        Ok(Recorder { folder: Some(Folder { held, metrics, transcripts, sentinels, events }), explained })
    }

    /// Where the run is recorded.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.folder.as_ref().map(|folder| folder.held.path())
    }

    /// A pass rate on held-out problems, after so many steps.
    pub(crate) fn evaluated(&mut self, step: usize, pass_rate: &PassRate) -> Result<()> {
        let events = self.folder.as_mut().and_then(|folder| folder.events.as_mut());
        events.map_or(Ok(()), |events| events.numbers(step, &json!({ "held_out": { "pass_rate": pass_rate.rate } })))
    }

    /// One line of metrics, and one of the step's groups when it is time for one.
    pub(crate) fn step(&mut self, record: &StepRecord, done: &Done) -> Result<()> {
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        folder.metrics.line(record)?;
        if let Some(events) = &mut folder.events {
            events.numbers(record.step, &json!(record))?;
        }
        for transcript in self.explained.of(done)? {
            folder.transcripts.line(&transcript)?;
        }
        Ok(())
    }

    /// What a sentinel found.
    pub(crate) fn found(&mut self, finding: &Finding) -> Result<()> {
        self.folder.as_mut().map_or(Ok(()), |folder| folder.sentinels.line(finding))
    }

    /// Makes what was written last, and says how long each file is.
    pub(crate) fn lengths(&self) -> Result<BTreeMap<String, u64>> {
        let Some(folder) = &self.folder else {
            return Ok(BTreeMap::new());
        };
        let logs = [&folder.metrics, &folder.transcripts, &folder.sentinels]
            .into_iter()
            .chain(folder.events.as_ref().map(Events::log));
        logs.map(|log| log.sync().map(|()| (log.name(), log.length()))).collect()
    }

    /// The result, the weights of everything that learnt, and the page about the run.
    pub(crate) fn finish(&mut self, outcome: &Report, run: &Run) -> Result<()> {
        let Some(folder) = self.path() else {
            return Ok(());
        };
        for (role, model) in run.roles.iter().filter(|(role, _)| *role != Role::REFERENCE) {
            save_model(&folder.join(role.name()), role, model, &*run.renderer)?;
        }
        write(&folder.join(REPORT), &pretty(outcome)?)?;
        if run.settings.record.report {
            report::write(std::slice::from_ref(&folder.to_owned()), &folder.join(report::NAME))?;
        }
        Ok(())
    }
}

/// A policy as a checkpoint: weights, sizes, and what its text needs.
pub(crate) fn save_policy(folder: &Path, policy: &dyn Model, renderer: &dyn Renderer) -> Result<()> {
    save_model(folder, Role::POLICY, policy, renderer)
}

fn save_model(folder: &Path, role: Role, model: &dyn Model, renderer: &dyn Renderer) -> Result<()> {
    fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    renderer.save(folder)?;
    model.save(folder).map_err(Error::model(role.name()))
}

/// What is known of a run before its first step.
pub(crate) fn manifest(config: Option<&Config>, notices: &[String], run: &Run) -> Value {
    let columns: BTreeSet<&str> = reads(&*run.algorithm).into_iter().map(Column::name).collect();
    let parameters: BTreeMap<&str, usize> = run
        .roles
        .iter()
        .map(|(role, model)| (role.name(), model.parameters()))
        .filter(|(_, count)| *count > 0)
        .collect();
    let places: BTreeMap<&str, String> =
        run.roles.iter().filter_map(|(role, model)| Some((role.name(), model.place()?))).collect();
    let said =
        |section: Option<Value>, value: &dyn std::fmt::Debug| section.unwrap_or_else(|| json!(format!("{value:?}")));
    let env = config.map(|config| json!(config.env));
    let algorithm = config.map(|config| json!(config.algorithm));
    json!({
        "versions": { "oreal": env!("CARGO_PKG_VERSION"), "dfdx": "0.13.0" },
        "machine": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
        "device": device(&run.settings),
        "seed": run.settings.seed,
        "settings": run.settings,
        "env": said(env, &run.env),
        "algorithm": said(algorithm, &run.algorithm),
        "preset": config.and_then(|config| config.algorithm.preset.as_ref()),
        "notices": notices,
        "credit": run.credit.formula().lines().collect::<Vec<_>>(),
        "objective": run.objective.formula().lines().collect::<Vec<_>>(),
        "mathml": { "credit": run.credit.mathml(), "objective": run.objective.mathml() },
        "selection": format!("{:?}", run.algorithm.select()),
        "columns": columns,
        "coupling": run.objective.coupling(),
        "parameters": parameters,
        "places": places,
    })
}

/// Where roles that learn are computed, and what they multiply: bf16 is rounded by a unit of the processor.
fn device(settings: &Settings) -> Value {
    let products = settings.model.train_products();
    match products.unit() {
        Some(unit) => json!({ "name": settings.device, "products": products, "unit": unit }),
        None => json!({ "name": settings.device, "products": settings.device.products() }),
    }
}

pub(crate) fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|problem| Error::part("record", problem))
}

/// The bytes of a regular file that is no longer than this.
pub(crate) fn read(path: &Path, longest: u64) -> Result<Vec<u8>> {
    let failed = |problem: std::io::Error| Error::file(path, problem);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::file(path, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(longest.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > longest {
        return Err(Error::file(path, format!("longer than {longest} bytes, which it cannot be")));
    }
    Ok(bytes)
}

/// The same as a text.
pub(crate) fn read_text(path: &Path, longest: u64) -> Result<String> {
    String::from_utf8(read(path, longest)?).map_err(|_| Error::file(path, "not UTF-8 text"))
}
