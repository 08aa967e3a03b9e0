//! Training the cells that are not finished.

use std::any::Any;
use std::fs;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use oreal_models::Device;

use super::cells::{Ablation, Cell};
use super::failures::Failures;
use super::settings::Matched;
use super::variants::same_start;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress, SharedStart};
use crate::folder::Held;
use crate::record::{Report, write};
use crate::stop::Stop;

/// What happens while cells are trained.
pub enum Event<'a> {
    /// Something in the run of a cell.
    Running {
        /// Which.
        cell: &'a Cell,
        /// What.
        progress: &'a Progress<'a>,
    },
    /// A cell is finished or has failed.
    Done {
        /// Which.
        cell: &'a Cell,
        /// What it came to.
        result: std::result::Result<&'a Report, &'a Error>,
        /// Cells done, those that were finished before among them.
        done: usize,
        /// Cells in all.
        total: usize,
    },
}

/// A cell that could not be trained. The others went on.
#[derive(Debug)]
pub struct Failure {
    /// Its folder, within that of the ablation.
    pub cell: String,
    /// Why.
    pub error: Error,
}

/// Trains one cell from a start that it shares with others, and records it in `folder`. A run that was stopped goes on. This is
/// the one place where an ablation trains.
///
/// # Errors
/// Those of [`Experiment::complete`].
pub fn cell(
    experiment: Experiment,
    start: &SharedStart,
    folder: &Path,
    watch: &mut dyn FnMut(Progress<'_>),
) -> Result<Report> {
    experiment.record_in(folder).complete(start, watch)
}

/// The file that gives an ablation again, in its folder.
pub(crate) const ABLATION: &str = "ablation.toml";

/// Who is told of events. Cells that are trained at the same time tell it one after the other.
pub type Watch<'a> = &'a mut (dyn FnMut(Event<'_>) + Send);

/// Trains the cells that are not finished, in `folder`, and returns those that failed, by an error or a panic: the others went on,
/// and another call tries them again. Finished cells are never run again.
///
/// Seeds run at the same time, as [`Ablation::settings`] says; the variants of a seed run one after the other from one
/// warm-up. No result depends on that.
///
/// # Errors
/// Before any work: a folder with runs of other settings, or one that another program is working in. [`Error::Stopped`] where it
/// was asked to stop before all cells were done: each that was trained has saved its step, and another call goes on with it.
pub fn run(ablation: &Ablation, folder: &Path, stop: &Stop, watch: Watch<'_>) -> Result<Vec<Failure>> {
    fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    let _held = Held::take(folder)?;
    ablation.check_folder(folder)?;
    write(&folder.join(ABLATION), ablation.to_toml().as_bytes())?;
    let open: Vec<&Cell> = ablation.cells.iter().filter(|cell| !cell.is_finished(folder)).collect();
    let units = units(&open);
    let (workers, next, total) = (workers(ablation, &units)?, AtomicUsize::new(0), ablation.cells.len());
    let recorded = Failures::read(folder)?;
    let course =
        Course { folder, watch, done: total - open.len(), total, failed: Vec::new(), recorded, unrecorded: None };
    let course = Mutex::new(course);
    thread::scope(|scope| {
        for _ in 0..workers {
            let ticket = || units.get(next.fetch_add(1, Ordering::Relaxed));
            let course = &course;
            scope.spawn(move || std::iter::from_fn(ticket).for_each(|unit| train(unit, stop, course)));
        }
    });
    let Course { done, mut failed, unrecorded, .. } = course.into_inner().unwrap_or_else(PoisonError::into_inner);
    unrecorded.map_or(Ok(()), Err)?;
    if stop.asked() && done < total {
        let after = format!("after {done} of {total} runs; what the others had done is saved");
        return Err(Error::Stopped { after, folder: Some(folder.to_owned()) });
    }
    failed.sort_by(|a, b| a.cell.cmp(&b.cell));
    Ok(failed)
}

/// How far an ablation is.
struct Course<'a> {
    folder: &'a Path,
    watch: Watch<'a>,
    done: usize,
    total: usize,
    failed: Vec<Failure>,
    recorded: Failures,
    /// Why failures could not be recorded.
    unrecorded: Option<Error>,
}

impl Course<'_> {
    fn done(&mut self, cell: &Cell, result: Result<Report>) {
        self.done += 1;
        (self.watch)(Event::Done { cell, result: result.as_ref(), done: self.done, total: self.total });
        let name = cell.name();
        let changed = match &result {
            Ok(_) => self.recorded.remove(&name),
            Err(error) => self.recorded.insert(&name, error),
        };
        if changed && let Err(problem) = self.recorded.write(self.folder) {
            self.unrecorded.get_or_insert(problem);
        }
        self.failed.extend(result.err().map(|error| Failure { cell: name, error }));
    }
}

fn locked<'a, 'b>(course: &'a Mutex<Course<'b>>) -> MutexGuard<'a, Course<'b>> {
    course.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cells with the same start, in the order of variants.
fn units<'a>(cells: &[&'a Cell]) -> Vec<Vec<&'a Cell>> {
    let mut units: Vec<Vec<&Cell>> = Vec::new();
    for &cell in cells {
        let alike = |unit: &&mut Vec<&Cell>| same_start(&unit[0].config, &cell.config);
        match units.iter_mut().find(alike) {
            Some(unit) => unit.push(cell),
            None => units.push(vec![cell]),
        }
    }
    units
}

/// Every cell of a start, which is made when the first of them needs it, until it is asked to stop.
fn train(unit: &[&Cell], stop: &Stop, course: &Mutex<Course<'_>>) {
    let start = SharedStart::default();
    for cell in unit {
        if stop.asked() {
            return;
        }
        let folder = locked(course).folder.join(&cell.folder);
        let experiment = Experiment::from_config(cell.config.clone()).stopped_by(stop.clone());
        let mut watch = |progress: Progress<'_>| (locked(course).watch)(Event::Running { cell, progress: &progress });
        let result = unless_it_panics(|| self::cell(experiment, &start, &folder, &mut watch));
        if matches!(result, Err(Error::Stopped { .. })) {
            return;
        }
        locked(course).done(cell, result);
    }
}

/// A panic, as one in an environment of a user's own, is the error of its cell.
fn unless_it_panics<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a cell shares with others is a start, which is whole or not there, and its environment.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(Error::part("panic", said(&*panic))))
}

fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// How many units are trained at once: as the settings say, else one for each core, as far as the memory holds that many. On a
/// GPU, and where wall time is matched, one.
fn workers(ablation: &Ablation, units: &[Vec<&Cell>]) -> Result<usize> {
    let first = units.iter().filter_map(|unit| unit.first());
    let mut most = thread::available_parallelism().map_or(1, NonZero::get);
    if ablation.settings.matched == Matched::Seconds {
        most = 1;
    }
    for cell in first {
        if cell.config.settings.device != Device::Cpu {
            most = 1;
        }
        let plan = Experiment::from_config(cell.config.clone()).plan()?;
        // The start stands beside the run that is trained.
        let needs = plan.total() + plan.resident();
        most = most.min(plan.available.map_or(most, |free| (free / needs.max(1.0)) as usize)).max(1);
    }
    Ok(ablation.settings.parallel.unwrap_or(most).min(units.len()))
}
