//! A run that was stopped goes on from its folder as if it had never stopped.

use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;

use super::running::{Course, Position};
use super::{Experiment, Progress, WarmedUp};
use crate::checkpoint::{self, Kept};
use crate::config::ModelSettings;
use crate::error::{Error, Result};
use crate::evaluate::PassRate;
use crate::folder::Held;
use crate::record::{
    CONFIG, Difference, MANIFEST, METRICS, Report, check_holds_run, difference, difference_of_settings, holds_run,
    manifest, read, read_text, records,
};
use crate::run::Run;

/// A warmed-up policy that several experiments start from, made when the first of them needs it. They may differ in their
/// algorithm and in what belongs to it, in nothing else.
#[derive(Default)]
pub struct SharedStart(Mutex<Option<WarmedUp>>);

impl SharedStart {
    /// One that is made already.
    pub fn of(start: WarmedUp) -> SharedStart {
        SharedStart(Mutex::new(Some(start)))
    }

    /// How long warm-up and evaluation took; `None` where nobody needed them.
    pub fn seconds(&self) -> Option<f64> {
        self.locked().as_ref().map(|start| start.seconds)
    }

    /// A run from it, and the policy's pass rate.
    fn prepare(&self, what: &Experiment, watch: &mut dyn FnMut(Progress<'_>)) -> Result<(Run, PassRate)> {
        let mut start = self.locked();
        let start = match &mut *start {
            Some(start) => start,
            none => none.insert(what.warm_up(watch)?),
        };
        Ok((what.prepare(start)?, start.pass_rate))
    }

    /// A thread that panicked has left either no policy or a whole one.
    fn locked(&self) -> std::sync::MutexGuard<'_, Option<WarmedUp>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Experiment {
    /// Goes on with the run in this experiment's folder, from the newest checkpoint that is whole; where there is none, from the
    /// beginning. What is then recorded is, apart from wall times, what would have been recorded had it never stopped.
    ///
    /// # Errors
    /// A folder without a run or with one that has finished; a run with other settings, but for the device; one that another
    /// process is working on.
    pub fn resume(&self, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        self.check()?;
        let Some(folder) = &self.folder else {
            return Err(Error::part("experiment", "has no folder to go on in: see Experiment::record_in"));
        };
        check_holds_run(folder)?;
        let held = Held::take(folder)?;
        if Report::read(folder)?.is_some() {
            return Err(Error::file(folder, "this run has finished: report.json is what it came to"));
        }
        self.go_on(held, &SharedStart::default(), watch)
    }

    /// Runs this experiment in its folder, or goes on with the run that is there, or returns the report of one that has
    /// finished: what a list of experiments is done with, which may be stopped at any moment and begun again.
    ///
    /// # Errors
    /// As of [`Experiment::resume`], but for a folder that does not exist and a run that has finished.
    pub fn complete(&self, start: &SharedStart, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        self.check()?;
        let Some(folder) = &self.folder else {
            let (run, before) = start.prepare(self, watch)?;
            return self.course(None, run, before)?.finish(self, watch);
        };
        if holds_run(folder) {
            let held = Held::take(folder)?;
            return match Report::read(folder)? {
                Some(report) => {
                    self.check_same(folder)?;
                    Ok(Report { config: self.config(), ..report })
                }
                None => self.go_on(held, start, watch),
            };
        }
        let held = self.begin()?;
        let (run, before) = self.unless_it_fails(start.prepare(self, watch))?;
        self.course(held, run, before)?.finish(self, watch)
    }

    /// Writes the folder that [`Experiment::complete`] begins in, with nothing but the settings in it.
    pub(crate) fn lay_out(&self) -> Result<()> {
        self.begin().map(drop)
    }

    fn go_on(&self, held: Held, start: &SharedStart, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        let folder = held.path().to_owned();
        self.check_same(&folder)?;
        let (mut notes, total) = (Vec::new(), self.settings.train.steps);
        if !checkpoint::steps(&folder)?.is_empty() {
            let mut run = self.prepare(&self.without_warm_up()?)?;
            self.check_manifest(&folder, &run)?;
            let mut earlier = Vec::new();
            let mut check = |kept: &Kept<Position>| {
                let length = kept.lengths.get(METRICS).copied().unwrap_or_default();
                earlier.clear();
                records(&folder.join(METRICS), length, kept.step, &mut |record| earlier.push(record))
            };
            if let Some(kept) = checkpoint::newest(&folder, &mut run.roles, &mut notes, &mut check)? {
                let course = Course::taken_up(held, run, kept, &earlier)?;
                watch(Progress::Resumed { step: course.step(), total, notes: &notes });
                return course.finish(self, watch);
            }
        }
        if folder.join(MANIFEST).exists() {
            notes.push("there is no checkpoint to go on from: the run begins anew".to_owned());
            watch(Progress::Resumed { step: 0, total, notes: &notes });
        }
        let (run, before) = start.prepare(self, watch)?;
        self.course(Some(held), run, before)?.finish(self, watch)
    }

    /// Refuses a folder whose configuration is another one. Where the models are may differ.
    fn check_same(&self, folder: &Path) -> Result<()> {
        let path = folder.join(CONFIG);
        let Some(config) = self.config().filter(|_| path.exists()) else { return Ok(()) };
        check_config(&path, &config.to_toml())
    }

    /// Refuses a folder of another run, as its manifest says: formulas and sizes are in it too, and what came from Rust.
    fn check_manifest(&self, folder: &Path, run: &Run) -> Result<()> {
        let path = folder.join(MANIFEST);
        let parsed = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|problem| Error::file(&path, problem));
        let mut there: Value = parsed(&read(&path, 1 << 24)?)?;
        let here = manifest(self.config().as_ref(), &[], run);
        // Through text, as the other one went.
        let mut here: Value = parsed(here.to_string().as_bytes())?;
        // A table has a row for each prefix that it has seen.
        let grows = matches!(self.settings.model, ModelSettings::Table {});
        for value in [&mut there, &mut here] {
            without(value, &["versions", "machine", "device", "preset", "notices"]);
            without(value, if grows { &["parameters"] } else { &[] });
            value.get_mut("settings").into_iter().for_each(|settings| without(settings, &["device"]));
        }
        differs(&path, &there, &here)
    }
}

/// Refuses a file of settings that are not these. Where the models are may differ.
pub(crate) fn check_config(path: &Path, settings: &str) -> Result<()> {
    let found = difference_of_settings(path, &read_text(path, 1 << 20)?, settings, &["device"])?;
    found.map_or(Ok(()), |difference| Err(other(path, difference)))
}

fn without(value: &mut Value, keys: &[&str]) {
    if let Value::Object(fields) = value {
        fields.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

/// An error that names the first thing that differs.
pub(crate) fn differs(path: &Path, there: &Value, here: &Value) -> Result<()> {
    difference(there, here).map_or(Ok(()), |difference| Err(other(path, difference)))
}

fn other(path: &Path, Difference { key, there, here }: Difference) -> Error {
    let advice = "a run goes on with the settings that it began with; start a new run with others";
    Error::file(path, format!("{key} is {there} there and {here} here: {advice}"))
}
