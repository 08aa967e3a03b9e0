//! Follows every run below a folder, as those of a comparison or an ablation.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;

use super::{HEAD, PAUSE, Print, Row, Rows, ended, line, total};
use crate::ablate::{Failures, one_line};
use crate::error::{Error, Result};
use crate::folder::held;
use crate::record::{METRICS, Report};
use crate::report::runs_below;

/// Prints where each run that is under way is, a line of it every so many steps, and one when a run has finished or failed,
/// until nobody works on any of them; returns how they ended.
///
/// # Errors
/// A folder below which there is no run.
pub(super) fn follow(folder: &Path, every: u64, print: Print<'_>) -> Result<String> {
    let mut all = All { folder, runs: BTreeMap::new(), failed: BTreeMap::new(), head: false };
    loop {
        // Asked before the runs are looked at, so that the last lines of them are seen.
        let running = held(folder);
        let found = runs_below(folder)?;
        if found.is_empty() && !running {
            return Err(Error::file(folder, "there is no run, and none below it"));
        }
        let mut lines = Vec::new();
        let mut under_way = false;
        for path in found {
            under_way |= all.look(path, every, &mut lines)?;
        }
        all.look_for_failures(&mut lines)?;
        if all.print(&lines, print)?.is_break() {
            return Ok(String::new());
        }
        if !running && !under_way {
            return Ok(all.end());
        }
        thread::sleep(PAUSE);
    }
}

/// The name of a run, and what is said of it.
type Line = (String, String);

struct All<'a> {
    folder: &'a Path,
    runs: BTreeMap<PathBuf, Followed>,
    /// Messages of failed runs that were printed.
    failed: BTreeMap<String, String>,
    /// Whether the headings were printed.
    head: bool,
}

/// How much of a run was seen.
#[derive(Default)]
struct Followed {
    rows: Rows,
    steps: Option<u64>,
    seen: bool,
    finished: bool,
}

impl All<'_> {
    /// What is new of a run; whether a process works on it.
    fn look(&mut self, path: PathBuf, every: u64, lines: &mut Vec<Line>) -> Result<bool> {
        let name = one_line(&path.strip_prefix(self.folder).unwrap_or(&path).display().to_string());
        let run = self.runs.entry(path.clone()).or_default();
        if run.finished {
            return Ok(false);
        }
        // Asked before the lines are read, so that the last of them are.
        let (report, running) = (Report::read(&path)?, held(&path));
        run.finished = report.is_some();
        run.steps = run.steps.or_else(|| total(&path));
        let (before, steps, mut newest) = (!run.seen, run.steps, None);
        let mut show = |row: Row| {
            let last = steps.is_some_and(|total| row.step + 1 == total);
            if before {
                newest = Some(line(&row));
            } else if row.step.is_multiple_of(every) || last {
                lines.push((name.clone(), line(&row)));
            }
            Ok(ControlFlow::Continue(()))
        };
        // It shows all of them.
        let _ = run.rows.each_new(&path.join(METRICS), &mut show)?;
        run.seen = true;
        lines.extend(newest.filter(|_| running).map(|line| (name.clone(), line)));
        lines.extend(report.map(|report| (name, ended(&report))));
        Ok(running)
    }

    /// Runs that have failed since the last look.
    fn look_for_failures(&mut self, lines: &mut Vec<Line>) -> Result<()> {
        for (name, problem) in Failures::read(self.folder)?.iter() {
            let path = self.folder.join(name);
            let finished = self.runs.get(&path).is_some_and(|run| run.finished);
            if finished || held(&path) || self.failed.get(name).is_some_and(|before| before == problem) {
                continue;
            }
            self.failed.insert(name.to_owned(), problem.to_owned());
            lines.push((one_line(name), format!("failed: {}\n", one_line(problem))));
        }
        Ok(())
    }

    fn print(&mut self, lines: &[Line], print: Print<'_>) -> Result<ControlFlow<()>> {
        let names = self.runs.keys().map(|path| path.strip_prefix(self.folder).unwrap_or(path).as_os_str().len());
        let width = names.max().unwrap_or(0).max(3);
        if !self.head && !lines.is_empty() {
            self.head = true;
            if print(&format!("{:width$}  {HEAD}", "run"))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        for (name, what) in lines {
            if print(&format!("{name:width$}  {what}"))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// How many have finished, and how to go on where some have not.
    fn end(&self) -> String {
        let finished = self.runs.values().filter(|run| run.finished).count();
        let (command, planned) = match crate::ablate::planned(self.folder) {
            Some(planned) => (Some("ablate"), planned),
            None => {
                crate::compare::planned(self.folder).map_or((None, self.runs.len()), |runs| (Some("compare"), runs))
            }
        };
        let done = format!("{finished} of {planned} runs have finished");
        match command {
            _ if finished == planned => format!("{done}\n"),
            None => format!("{done}; no process works on the others\n"),
            Some(command) => format!(
                "{done}; no process works on the others; to go on: oreal {command} --resume {}\n",
                self.folder.display()
            ),
        }
    }
}
