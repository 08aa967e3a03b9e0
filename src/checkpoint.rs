//! Checkpoints of a run: everything to go on byte for byte, in `checkpoints/step-N/` of its folder, where N is the number of steps
//! made. Which loop makes the steps is no matter: what it keeps besides models and records is its own type.
//!
//! A checkpoint has a file for each role (weights, moments, optimiser steps), `state.json` (counters, and how long the records
//! were), `rollouts.json` where steps to come are drawn already, and `manifest.json`, which is written last and has the SHA-256 of
//! each. It is written into a folder of another name, synced, and renamed: whatever ends the process, what has the name of a
//! checkpoint is whole, or is found to be damaged when it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use oreal_models::ModelState;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::error::{Error, Result};
use crate::folder::sync;
use crate::record::{MANIFEST, holds, pretty, read, save_policy};
use crate::renderer::Renderer;
use crate::resample::Drawn;
use crate::roles::Roles;

/// What a checkpoint keeps besides models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept<S> {
    /// The step that comes next.
    pub step: usize,
    /// Wall time of training so far.
    pub seconds: f64,
    /// What the best checkpoint has most of; `None` where nothing was measured.
    pub score: Option<f64>,
    /// Bytes of each record, by file name.
    pub lengths: BTreeMap<String, u64>,
    /// What the loop keeps besides.
    pub state: S,
    /// Rollouts of steps to come, in a file of their own.
    #[serde(skip)]
    pub drawn: Vec<Drawn>,
}

/// Every other file of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, Listed>,
}

/// A file as it was written.
#[derive(Serialize, Deserialize)]
struct Listed {
    bytes: u64,
    sha256: String,
}

const STATE: &str = "state.json";
const ROLLOUTS: &str = "rollouts.json";

/// Longest manifest and state that are read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Writes a checkpoint into a run's folder, and removes older ones but for the `last`. Where the best one is kept too, `best` writes
/// the policy into each as a folder of weights.
///
/// # Errors
/// One that could not be written, as on a disk that is full; it says which one is whole.
pub(crate) fn save<S: Serialize>(
    folder: &Path,
    roles: &Roles,
    kept: &Kept<S>,
    last: usize,
    best: Option<&dyn Renderer>,
) -> Result<()> {
    write(folder, roles, kept, best).map_err(|problem| unsaved(folder, kept.step, &problem))?;
    keep(folder, last, best.is_some())
}

fn write<S: Serialize>(folder: &Path, roles: &Roles, kept: &Kept<S>, renderer: Option<&dyn Renderer>) -> Result<()> {
    let all = place(folder);
    let partial = all.join(format!(".step-{}.partial", kept.step));
    remove(&partial)?;
    let written = fill(&partial, roles, kept, renderer).and_then(|()| {
        let place = all.join(name(kept.step));
        set_aside(&place, "replaced")?;
        fs::rename(&partial, &place).map_err(|problem| Error::file(&place, problem))?;
        sync(&all)
    });
    if written.is_err() {
        // The error is the first one; what is left is removed when the run goes on.
        let _ = remove(&partial);
    }
    written.and_then(|()| tidy(folder))
}

fn fill<S: Serialize>(partial: &Path, roles: &Roles, kept: &Kept<S>, renderer: Option<&dyn Renderer>) -> Result<()> {
    fs::create_dir_all(partial).map_err(|problem| Error::file(partial, problem))?;
    let mut files = BTreeMap::new();
    for (role, model) in roles.iter() {
        let name = file_of(role.name());
        let path = partial.join(&name);
        model.state().and_then(|state| state.write(&path)).map_err(Error::model(role.name()))?;
        files.insert(name, listed(&path)?);
    }
    files.insert(STATE.to_owned(), put(&partial.join(STATE), &pretty(kept)?)?);
    if !kept.drawn.is_empty() {
        let path = partial.join(ROLLOUTS);
        let drawn = serde_json::to_vec(&kept.drawn).map_err(|problem| Error::file(&path, problem))?;
        files.insert(ROLLOUTS.to_owned(), put(&path, &drawn)?);
    }
    if let Some(renderer) = renderer {
        save_policy(&partial.join("policy"), roles.policy()?, renderer)?;
    }
    put(&partial.join(MANIFEST), &pretty(&Manifest { files })?)?;
    sync(partial)
}

/// A file that was written, once it is on the disk.
fn listed(path: &Path) -> Result<Listed> {
    let synced = File::open(path).and_then(|file| file.sync_all().and_then(|()| file.metadata()));
    let bytes = synced.map_err(|problem| Error::file(path, problem))?.len();
    Ok(Listed { bytes, sha256: digest::of_file(path)? })
}

/// Writes a file to the disk.
fn put(path: &Path, bytes: &[u8]) -> Result<Listed> {
    let written = File::create(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|problem| Error::file(path, problem))?;
    Ok(Listed { bytes: bytes.len() as u64, sha256: digest::of_bytes(bytes) })
}

/// Takes up the newest checkpoint that is whole, and whose records `check` finds whole. Others that are newer are named in `notes`
/// and set aside. `None` where there is none; the models may have been changed then.
pub(crate) fn newest<S: DeserializeOwned>(
    folder: &Path,
    roles: &mut Roles,
    notes: &mut Vec<String>,
    check: &mut dyn FnMut(&Kept<S>) -> Result<()>,
) -> Result<Option<Kept<S>>> {
    tidy(folder)?;
    for step in steps(folder)?.into_iter().rev() {
        let place = place(folder).join(name(step));
        let found = state(folder, &place, step).and_then(|(kept, manifest)| {
            check(&kept)?;
            restore(&place, &manifest, roles).map(|()| kept)
        });
        match found {
            Ok(kept) => return Ok(Some(kept)),
            Err(problem) => {
                notes.push(format!("a checkpoint is damaged, and the one before it is taken: {problem}"));
                set_aside(&place, "damaged")?;
            }
        }
    }
    Ok(None)
}

/// What a checkpoint keeps besides models, where the records are as long as it says.
fn state<S: DeserializeOwned>(folder: &Path, place: &Path, step: usize) -> Result<(Kept<S>, Manifest)> {
    let path = place.join(MANIFEST);
    let manifest: Manifest =
        serde_json::from_slice(&read(&path, LONGEST)?).map_err(|problem| Error::file(&path, problem))?;
    let path = place.join(STATE);
    let mut kept: Kept<S> =
        serde_json::from_slice(&whole(place, STATE, &manifest)?).map_err(|problem| Error::file(&path, problem))?;
    if manifest.files.contains_key(ROLLOUTS) {
        let (path, bytes) = (place.join(ROLLOUTS), whole(place, ROLLOUTS, &manifest)?);
        kept.drawn = serde_json::from_slice(&bytes).map_err(|problem| Error::file(&path, problem))?;
    }
    if kept.step != step {
        return Err(Error::file(&path, format!("a checkpoint of step {}", kept.step)));
    }
    kept.lengths.iter().try_for_each(|(name, length)| holds(&record_of(folder, name)?, *length))?;
    Ok((kept, manifest))
}

fn restore(place: &Path, manifest: &Manifest, roles: &mut Roles) -> Result<()> {
    roles.restore(&mut |role| {
        let file = file_of(role.name());
        let state = ModelState::from_bytes(&whole(place, &file, manifest)?).map_err(Error::model(role.name()))?;
        Ok(Cow::Owned(state))
    })
}

/// A file of a checkpoint, if it is as it was written.
fn whole(place: &Path, name: &str, manifest: &Manifest) -> Result<Vec<u8>> {
    let path = place.join(name);
    let listed = manifest.files.get(name).ok_or_else(|| Error::file(&path, "its manifest does not name it"))?;
    let bytes = read(&path, listed.bytes)?;
    if bytes.len() as u64 != listed.bytes {
        let problem = format!("{} bytes where {} were written", bytes.len(), listed.bytes);
        return Err(Error::file(&path, problem));
    }
    if digest::of_bytes(&bytes) != listed.sha256 {
        return Err(Error::file(&path, "its SHA-256 is another than when it was written"));
    }
    Ok(bytes)
}

/// A record that a checkpoint names: a file of the run's folder itself.
fn record_of(folder: &Path, name: &str) -> Result<PathBuf> {
    match Path::new(name).components().collect::<Vec<_>>()[..] {
        [std::path::Component::Normal(_)] => Ok(folder.join(name)),
        _ => Err(Error::file(folder, format!("{name:?} is no record"))),
    }
}

/// For a checkpoint that could not be written.
fn unsaved(folder: &Path, step: usize, problem: &Error) -> Error {
    let last = steps(folder).ok().and_then(|steps| steps.last().copied());
    let rest = match last {
        Some(last) => format!("the checkpoint of step {last} is whole: make room, then go on from it with --resume"),
        None => "there is none before it: make room, then start again with --resume".to_owned(),
    };
    Error::file(folder, format!("no checkpoint of step {step} could be written ({problem}); {rest}"))
}

/// Removes all checkpoints but the newest ones, and with `best` the one with the highest score.
fn keep(folder: &Path, last: usize, best: bool) -> Result<()> {
    let steps = steps(folder)?;
    let best = if best { best_of(folder, &steps) } else { None };
    let old = &steps[..steps.len().saturating_sub(last)];
    for &step in old.iter().filter(|&&step| Some(step) != best) {
        set_aside(&place(folder).join(name(step)), "removed")?;
    }
    tidy(folder)
}

/// The checkpoint with the highest score, of several the newest.
fn best_of(folder: &Path, steps: &[usize]) -> Option<usize> {
    let score = |step: usize| {
        let state = read(&place(folder).join(name(step)).join(STATE), LONGEST).ok()?;
        Some((serde_json::from_slice::<Kept<IgnoredAny>>(&state).ok()?.score?, step))
    };
    steps
        .iter()
        .filter_map(|&step| score(step))
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
        .map(|(_, step)| step)
}

/// Steps of the checkpoints in a run's folder, in ascending order, whether whole or not.
pub(crate) fn steps(folder: &Path) -> Result<Vec<usize>> {
    let entries = entries(folder)?;
    let numbers = entries.iter().filter_map(|entry| entry.strip_prefix("step-")?.parse().ok());
    let mut steps: Vec<usize> = numbers.filter(|&step| entries.contains(&name(step))).collect();
    steps.sort_unstable();
    Ok(steps)
}

/// Gives a checkpoint, where there is one, a name that says what became of it.
fn set_aside(place: &Path, what: &str) -> Result<()> {
    if !place.exists() {
        return Ok(());
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let aside = place.with_file_name(format!(".{name}.{what}"));
    remove(&aside)?;
    fs::rename(place, &aside).map_err(|problem| Error::file(place, problem))
}

/// Removes what was written in part, replaced, or not to be kept. What is damaged stays for whoever wants to know why.
fn tidy(folder: &Path) -> Result<()> {
    for entry in entries(folder)? {
        let left = [".partial", ".replaced", ".removed"].iter().any(|end| entry.ends_with(end));
        if entry.starts_with(".step-") && left {
            remove(&place(folder).join(entry))?;
        }
    }
    Ok(())
}

fn remove(place: &Path) -> Result<()> {
    match fs::remove_dir_all(place) {
        Err(problem) if problem.kind() != std::io::ErrorKind::NotFound => Err(Error::file(place, problem)),
        _ => Ok(()),
    }
}

/// Names in the folder of checkpoints; none where there is no such folder.
fn entries(folder: &Path) -> Result<Vec<String>> {
    let all = place(folder);
    let failed = |problem: std::io::Error| Error::file(&all, problem);
    if !all.exists() {
        return Ok(Vec::new());
    }
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    fs::read_dir(&all).map_err(failed)?.map(name).collect::<std::io::Result<_>>().map_err(failed)
}

fn place(folder: &Path) -> PathBuf {
    folder.join("checkpoints")
}

fn name(step: usize) -> String {
    format!("step-{step}")
}

fn file_of(role: &str) -> String {
    format!("{role}.safetensors")
}
