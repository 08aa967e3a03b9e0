//! Training the cells that are not finished.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use oreal_models::Device;

use super::cells::{Ablation, Cell};
use super::settings::Matched;
use super::variants::same_start;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress, SharedStart};
use crate::folder::Held;
use crate::record::{Report, write};

/// What happens while cells are trained.
#[derive(Debug)]
pub enum Event<'a> {
    /// A step of a warm-up or of training was made.
    Step,
    /// A cell is finished or has failed.
    Done {
        /// Which.
        cell: &'a Cell,
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

/// Trains the cells that are not finished, in `folder`, and returns those that failed. Finished cells are never run again.
///
/// Seeds run at the same time, as [`Ablation::settings`] says; the variants of a seed run one after the other from one
/// warm-up. No result depends on that.
///
/// # Errors
/// Before any work: a folder with runs of other settings, or one that another program is working in.
pub fn run(ablation: &Ablation, folder: &Path, watch: &mut dyn FnMut(Event<'_>)) -> Result<Vec<Failure>> {
    fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
    let _held = Held::take(folder)?;
    ablation.check_folder(folder)?;
    write(&folder.join(ABLATION), ablation.to_toml().as_bytes())?;
    let open: Vec<&Cell> = ablation.cells.iter().filter(|cell| !cell.is_finished(folder)).collect();
    let units = units(&open);
    let workers = workers(ablation, &units)?;
    let (next, (send, arrivals)) = (AtomicUsize::new(0), channel());
    let total = ablation.cells.len();
    let mut failures = Vec::new();
    thread::scope(|scope| {
        for send in vec![send; workers] {
            let ticket = || units.get(next.fetch_add(1, Ordering::Relaxed));
            scope.spawn(move || std::iter::from_fn(ticket).for_each(|unit| train(unit, folder, &send)));
        }
        let mut done = total - open.len();
        for arrival in arrivals {
            let Some((cell, error)) = arrival else {
                watch(Event::Step);
                continue;
            };
            done += 1;
            failures.extend(error.map(|error| Failure { cell: cell.folder.display().to_string(), error }));
            watch(Event::Done { cell, done, total });
        }
    });
    failures.sort_by(|a, b| a.cell.cmp(&b.cell));
    Ok(failures)
}

/// A step, or a cell that is done, with its error.
type Arrival<'a> = Option<(&'a Cell, Option<Error>)>;

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

/// Every cell of a start, which is made when the first of them needs it.
fn train<'a>(unit: &[&'a Cell], folder: &Path, send: &Sender<Arrival<'a>>) {
    let start = SharedStart::default();
    for cell in unit {
        let experiment = Experiment::from_config(cell.config.clone());
        let mut watch = |progress: Progress<'_>| {
            if matches!(progress, Progress::WarmUp { .. } | Progress::Step { .. }) {
                // Sending fails only if the receiver is gone, which needs no handling.
                send.send(None).unwrap_or_default();
            }
        };
        let report = self::cell(experiment, &start, &folder.join(&cell.folder), &mut watch);
        send.send(Some((cell, report.err()))).unwrap_or_default();
    }
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
