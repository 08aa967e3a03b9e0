//! What a run leaves behind: `manifest.json`, `config.toml`, `metrics.jsonl`, `transcripts.jsonl`, `report.json`, weights.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use oreal_algos::{Column, Experience, Level, Loss, Role};
use oreal_models::Model;
use oreal_toy_envs::Verdict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::budget::Spent;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::evaluate::PassRate;
use crate::folder::taken;
use crate::renderer::Renderer;
use crate::rollout::{Group, Trajectory};
use crate::run::{Run, reads};
use crate::train::{Done, Seconds};

/// A line of `metrics.jsonl`. Rates and means of the batch are over its graded trajectories; those of the loss are over the
/// step's updates; those of signals are over the tokens of the first update, before any weight has moved, and absent without
/// an update.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Counted from 0.
    pub step: usize,
    /// Mean outcome reward.
    pub reward: f64,
    /// Share of completions judged right.
    pub pass_rate: f64,
    /// Share of completions cut at the token limit.
    pub truncated: f64,
    /// Share of completions not in the form the environment asks for.
    pub unparsable: f64,
    /// Share of groups with both right and wrong answers.
    pub mixed_groups: f64,
    /// Graded trajectories.
    pub trajectories: usize,
    /// Completions that could not be graded: no evidence, never trained on.
    pub ungraded: usize,
    /// Completions that the sampler failed to draw.
    pub failed: usize,
    /// Version of the policy's weights that the oldest completion was drawn from: how often the policy had moved.
    pub version: Option<u64>,
    /// Trajectories learnt from.
    pub kept: usize,
    /// Mean tokens of a completion, end token included.
    pub length: f64,
    /// The objective's value.
    pub loss: Option<f64>,
    /// Mean of every named node of the formula.
    pub terms: BTreeMap<String, f64>,
    /// Gradient norm of each role before clipping, mean over the step's updates.
    pub gradient_norm: BTreeMap<String, f64>,
    /// Learning rate of each role.
    pub rate: BTreeMap<String, f64>,
    /// Divergence of the policy from the reference, nats a token, estimated by k3; absent without a reference.
    pub kl_to_reference: Option<f64>,
    /// Mean entropy of the policy, nats a token.
    pub entropy: Option<f64>,
    /// Mean of the policy's probability over the sampler's at the first update: 1 when both agree.
    pub first_update_ratio: Option<f64>,
    /// Optimiser steps.
    pub updates: usize,
    /// Tokens of completions in the batches of all of them: a token counts once for each update.
    pub trained_tokens: usize,
    /// Wall time of each stage.
    pub seconds: Seconds,
}

impl StepRecord {
    /// Of a step.
    pub fn new(done: &Done) -> StepRecord {
        let Done { step, groups, lost, kept, learnt, seconds, .. } = done;
        let all: Vec<&Trajectory> = groups.iter().flat_map(|group| &group.trajectories).collect();
        let share = |verdict| mean(all.iter().map(|t| f64::from(t.verdict == verdict)));
        let first = learnt.first.as_ref();
        StepRecord {
            step: *step,
            reward: mean(all.iter().map(|t| t.verdict.reward())),
            pass_rate: share(Verdict::Right),
            truncated: mean(all.iter().map(|t| f64::from(t.completion.ending == oreal_models::Ending::Truncated))),
            unparsable: share(Verdict::Unparsable),
            mixed_groups: mean(groups.iter().map(|group| f64::from(mixed(group)))),
            trajectories: all.len(),
            ungraded: lost.ungraded,
            failed: lost.failed,
            version: all.iter().map(|t| t.completion.version).min(),
            kept: kept.iter().filter(|&&kept| kept).count(),
            length: mean(all.iter().map(|t| t.completion.tokens.len() as f64)),
            loss: first.map(|_| mean(learnt.losses.iter().map(|loss| loss.value))),
            terms: terms(&learnt.losses),
            gradient_norm: learnt.roles.iter().map(|&(role, norm, _)| (role.name().to_owned(), norm)).collect(),
            rate: learnt.roles.iter().map(|&(role, _, rate)| (role.name().to_owned(), rate)).collect(),
            kl_to_reference: first.and_then(divergence),
            entropy: first.and_then(|first| Some(mean(first.column(Column::ENTROPY)?.iter().copied()))),
            first_update_ratio: first.and_then(|first| {
                let columns = pairs(first, Column::LOGP, Column::SAMPLED_LOGP)?;
                Some(mean(columns.map(|(new, sampled)| (new - sampled).exp())))
            }),
            updates: learnt.losses.len(),
            trained_tokens: learnt.tokens,
            seconds: *seconds,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Of training and evaluation.
    pub seconds: f64,
    /// What the environment said after training; see [`oreal_toy_envs::Env::notices_after`].
    pub notices: Vec<String>,
    /// Where it is recorded.
    pub folder: Option<PathBuf>,
    /// Every setting, where a file could say them.
    pub config: Option<Config>,
}

/// Writes a run's folder; does nothing for a run without one.
pub(crate) struct Recorder {
    folder: Option<Folder>,
    transcripts_every: usize,
}

struct Folder {
    path: PathBuf,
    metrics: File,
    transcripts: File,
}

impl Recorder {
    /// Writes what is known before the first step into a folder, which must be new or reserved for this run.
    pub(crate) fn new(path: Option<&Path>, config: Option<&Config>, notices: &[String], run: &Run) -> Result<Recorder> {
        let transcripts_every = run.settings.record.transcripts_every;
        let Some(path) = path else {
            return Ok(Recorder { folder: None, transcripts_every });
        };
        fs::create_dir_all(path).map_err(|problem| Error::file(path, problem))?;
        let create = |name: &str| match File::create_new(path.join(name)) {
            Err(problem) if problem.kind() == ErrorKind::AlreadyExists => Err(taken(path)),
            made => made.map_err(|problem| Error::file(&path.join(name), problem)),
        };
        let (metrics, transcripts) = (create("metrics.jsonl")?, create("transcripts.jsonl")?);
        write(&path.join("manifest.json"), &pretty(&manifest(config, notices, run))?)?;
        if let Some(config) = config {
            write(&path.join("config.toml"), config.to_toml().as_bytes())?;
        }
        Ok(Recorder { folder: Some(Folder { path: path.to_owned(), metrics, transcripts }), transcripts_every })
    }

    /// One line of metrics, and the step's first group when it is time for one.
    pub(crate) fn step(&mut self, record: &StepRecord, done: &Done) -> Result<()> {
        let Some(folder) = &mut self.folder else {
            return Ok(());
        };
        line(&mut folder.metrics, &folder.path.join("metrics.jsonl"), record)?;
        if self.transcripts_every > 0 && record.step.is_multiple_of(self.transcripts_every) {
            for transcript in transcripts(done) {
                line(&mut folder.transcripts, &folder.path.join("transcripts.jsonl"), &transcript)?;
            }
        }
        Ok(())
    }

    /// The result, and the weights of everything that learnt.
    pub(crate) fn finish(&mut self, report: &Report, run: &Run) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        for (role, model) in run.roles.iter().filter(|(role, _)| *role != Role::REFERENCE) {
            save_model(&folder.path.join(role.name()), role, model, &*run.renderer)?;
        }
        write(&folder.path.join("report.json"), &pretty(report)?)
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

fn manifest(config: Option<&Config>, notices: &[String], run: &Run) -> Value {
    let columns: BTreeSet<&str> = reads(&*run.algorithm).into_iter().map(Column::name).collect();
    let parameters: BTreeMap<&str, usize> =
        run.roles.iter().map(|(role, model)| (role.name(), model.parameters())).collect();
    let said =
        |section: Option<Value>, value: &dyn std::fmt::Debug| section.unwrap_or_else(|| json!(format!("{value:?}")));
    let env = config.map(|config| json!(config.env));
    let algorithm = config.map(|config| json!(config.algorithm));
    json!({
        "versions": { "oreal": env!("CARGO_PKG_VERSION"), "dfdx": "0.13.0" },
        "machine": { "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
        "device": { "name": run.settings.device, "products": run.settings.device.products() },
        "seed": run.settings.seed,
        "settings": run.settings,
        "env": said(env, &run.env),
        "algorithm": said(algorithm, &run.algorithm),
        "preset": config.and_then(|config| config.algorithm.preset.as_ref()),
        "notices": notices,
        "credit": run.credit.formula().lines().collect::<Vec<_>>(),
        "objective": run.objective.formula().lines().collect::<Vec<_>>(),
        "selection": format!("{:?}", run.algorithm.select()),
        "columns": columns,
        "coupling": run.objective.coupling(),
        "parameters": parameters,
    })
}

/// The first group of the batch, a line for each completion.
fn transcripts(done: &Done) -> Vec<serde_json::Value> {
    let credit = done.full.column(Column::ADVANTAGE).unwrap_or_default();
    let tokens = done.full.layout().spans(Level::Token, Level::Trajectory);
    let Some(group) = done.groups.first() else {
        return Vec::new();
    };
    let of = |(i, t): (usize, &Trajectory)| {
        json!({
            "step": done.step, "prompt": group.problem.prompt, "answer": group.problem.answer, "completion": t.text,
            "verdict": format!("{:?}", t.verdict), "reward": t.verdict.reward(), "kept": done.kept[i],
            "tokens": t.completion.tokens, "sampled_logp": t.completion.sampled_logp, "advantage": credit[tokens[i].clone()],
        })
    };
    group.trajectories.iter().enumerate().map(of).collect()
}

/// Each named node's mean over the updates.
fn terms(losses: &[Loss]) -> BTreeMap<String, f64> {
    let names = losses.iter().take(1).flat_map(|loss| loss.metrics.keys());
    let of = |name: &String| mean(losses.iter().filter_map(|loss| loss.metrics.get(name).copied()));
    names.map(|name| (name.clone(), of(name))).collect()
}

fn divergence(x: &Experience) -> Option<f64> {
    let difference = pairs(x, Column::REF_LOGP, Column::LOGP)?.map(|(reference, new)| reference - new);
    Some(mean(difference.map(|d| d.exp() - d - 1.0)))
}

fn pairs(x: &Experience, a: Column, b: Column) -> Option<impl Iterator<Item = (f64, f64)>> {
    Some(x.column(a)?.iter().copied().zip(x.column(b)?.iter().copied()))
}

fn mixed(group: &Group) -> bool {
    let right = |t: &Trajectory| t.verdict == Verdict::Right;
    group.trajectories.iter().any(right) && !group.trajectories.iter().all(right)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

pub(crate) fn pretty(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|problem| Error::part("record", problem))
}

pub(crate) fn line(file: &mut File, path: &Path, value: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec(value).map_err(|problem| Error::file(path, problem))?;
    bytes.push(b'\n');
    file.write_all(&bytes).map_err(|problem| Error::file(path, problem))
}

/// Whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path)).map_err(|problem| Error::file(path, problem))
}
