//! What an ablation shows while it goes on.

use std::collections::BTreeMap;
use std::time::Instant;

#[cfg(test)]
use indicatif::ProgressDrawTarget;
use indicatif::{MultiProgress, ProgressBar};
use serde::Serialize;

use super::{clock, print, style, width};
use crate::ablate::{Event, one_line};
use crate::error::Error;
use crate::experiment::Progress;
use crate::record::Report;

/// A line for each run that is done, and below them a bar for each that is trained and one for all; or JSON on standard output,
/// a line for each run that is done.
pub struct Grid {
    quiet: bool,
    json: bool,
    bars: MultiProgress,
    /// The look of a run's bar.
    look: String,
    whole: ProgressBar,
    running: BTreeMap<String, Running>,
    clock: Instant,
    /// Runs that are finished or failed, and all of them.
    counts: (usize, usize),
    /// What was trained since the beginning, in runs, without the runs that are under way.
    trained: f64,
}

/// A run that is under way: the shares of it that are done, and that were done when it was taken up.
struct Running {
    bar: ProgressBar,
    done: f64,
    before: f64,
}

impl Grid {
    /// Of so many runs, some of which are finished. Nothing but warnings is shown where `quiet`, and beside JSON.
    pub fn new(quiet: bool, json: bool, finished: usize, total: usize) -> Grid {
        let bars = MultiProgress::new();
        Grid::on(bars, width(), quiet || json, json, (finished, total))
    }

    fn on(bars: MultiProgress, width: usize, quiet: bool, json: bool, counts: (usize, usize)) -> Grid {
        let whole = if quiet { ProgressBar::hidden() } else { bars.add(ProgressBar::new(1000)) };
        whole.set_style(style("{prefix} {wide_bar} {elapsed} {msg}"));
        // The name takes what a narrow terminal has room for.
        let look = format!("{{prefix:{}!}} {{wide_bar}} {{pos}}/{{len}} {{msg:10}}", width.clamp(36, 52) - 28);
        let (running, clock, trained) = (BTreeMap::new(), Instant::now(), 0.0);
        let mut grid = Grid { quiet, json, bars, look, whole, running, clock, counts, trained };
        grid.show_whole();
        grid
    }

    /// Shows what happens.
    pub fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Running { cell, progress } => self.run(&cell.name(), progress),
            Event::Done { cell, result, done, total } => {
                self.counts = (*done, *total);
                self.done(&cell.name(), *result);
            }
        }
        self.show_whole();
    }

    /// Removes the bars.
    pub fn finish(&mut self) {
        std::mem::take(&mut self.running).values().for_each(|run| run.bar.finish_and_clear());
        self.whole.finish_and_clear();
    }

    fn run(&mut self, name: &str, progress: &Progress<'_>) {
        let (place, share, message) = match progress {
            Progress::Found(finding) => {
                self.above(&format!("warning: {name}: {finding}"));
                return;
            }
            Progress::Resumed { step, total, notes } => {
                notes.iter().for_each(|note| self.above(&format!("note: {name}: {note}")));
                let run = self.running(name);
                run.before = *step as f64 / (*total).max(1) as f64;
                (Some((*step, *total)), run.before, String::new())
            }
            Progress::WarmUp { done, total } => (Some((*done, *total)), 0.0, "warm-up".to_owned()),
            Progress::Step { record, total, share } => {
                (Some((record.step + 1, *total)), *share, format!("right {:.0}%", 100.0 * record.pass_rate))
            }
        };
        let run = self.running(name);
        run.done = share;
        if let Some((step, total)) = place {
            run.bar.set_length(total as u64);
            run.bar.set_position(step as u64);
        }
        run.bar.set_message(message);
    }

    /// A run that is under way, with its bar.
    fn running(&mut self, name: &str) -> &mut Running {
        let (bars, look, whole, quiet) = (&self.bars, &self.look, &self.whole, self.quiet);
        self.running.entry(name.to_owned()).or_insert_with(|| {
            let bar = if quiet { ProgressBar::hidden() } else { bars.insert_before(whole, ProgressBar::new(1)) };
            bar.set_style(style(look));
            bar.set_prefix(name.to_owned());
            Running { bar, done: 0.0, before: 0.0 }
        })
    }

    fn done(&mut self, name: &str, result: Result<&Report, &Error>) {
        let before = self.running.remove(name).map_or(0.0, |run| {
            run.bar.finish_and_clear();
            run.before
        });
        self.trained += 1.0 - before;
        if self.json {
            // Training goes on where nobody reads any more.
            let _ = print(&(json(name, result) + "\n"));
        }
        if self.quiet {
            return;
        }
        let (done, total) = self.counts;
        let what = match result {
            Ok(report) => format!(
                "{:.1}% before, {:.1}% after, {:.1} s",
                100.0 * report.before.rate,
                100.0 * report.after.rate,
                report.seconds
            ),
            Err(error) => format!("failed: {}", one_line(&error.to_string())),
        };
        // The bar says it where there is one.
        let left = self.left().filter(|_| self.bars.is_hidden() && done < total);
        let left = left.map_or_else(String::new, |left| format!("; left {}", clock(left)));
        self.above(&format!("{done}/{total} {name}: {what}{left}"));
    }

    fn show_whole(&mut self) {
        let (done, total) = self.counts;
        let under_way: f64 = self.running.values().map(|run| run.done).sum();
        self.whole.set_position((1000.0 * (done as f64 + under_way) / total.max(1) as f64) as u64);
        self.whole.set_prefix(format!("{done}/{total} runs"));
        self.whole.set_message(self.left().map_or_else(String::new, |left| format!("left {}", clock(left))));
    }

    /// Seconds until all runs are done, if the rest goes on as what was trained so far.
    fn left(&self) -> Option<f64> {
        let under_way = |of: fn(&Running) -> f64| self.running.values().map(of).sum::<f64>();
        let trained = self.trained + under_way(|run| run.done - run.before);
        let open = (self.counts.1 - self.counts.0) as f64 - under_way(|run| run.done);
        (trained > 0.0).then(|| self.clock.elapsed().as_secs_f64() * open.max(0.0) / trained)
    }

    /// A line on standard error, above the bars where there are some.
    fn above(&self, line: &str) {
        self.bars.suspend(|| eprintln!("{line}"));
    }
}

/// A run that is done as a line of JSON.
fn json(name: &str, result: Result<&Report, &Error>) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        run: &'a str,
        #[serde(flatten)]
        report: Option<&'a Report>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failed: Option<String>,
    }
    let line = Line { run: name, report: result.ok(), failed: result.err().map(ToString::to_string) };
    serde_json::to_string(&line).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::ablate::Cell;
    use crate::config::Config;
    use crate::record::StepRecord;
    use crate::table::tests::report;

    fn cell(folder: &str) -> Cell {
        let config = Config::from_toml("[env]\nname = \"bandit\"\n[algorithm]\nname = \"rft\"\n", "test", &[]).unwrap();
        Cell { variant: 0, task: 0, seed: 0, folder: PathBuf::from(folder), config }
    }

    fn step(grid: &mut Grid, cell: &Cell, step: usize, share: f64) {
        let record = StepRecord { step, pass_rate: 0.5, ..StepRecord::default() };
        grid.show(&Event::Running { cell, progress: &Progress::Step { record: &record, total: 40, share } });
    }

    #[test]
    fn each_run_under_way_has_a_bar_and_no_line_wraps() {
        for width in [40, 80, 120] {
            let terminal = InMemoryTerm::new(10, width);
            let bars = MultiProgress::with_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
            let mut grid = Grid::on(bars, width.into(), false, false, (1, 4));
            let [first, second] = ["rft/seed-3", "a-label-that-is-longer-than-others,beta=0.01/seed-3"].map(cell);
            step(&mut grid, &first, 9, 0.25);
            grid.show(&Event::Running { cell: &second, progress: &Progress::WarmUp { done: 5, total: 20 } });
            let text = terminal.contents();
            assert_eq!(text.lines().count(), 3, "{width}:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(terminal.width())), "{text}");
            for part in ["rft/seed-3", "10/40 right 50%", "a-label-that", "5/20 warm-up", "1/4 runs", "left 0:00"] {
                assert!(text.contains(part), "{width}: {part}:\n{text}");
            }
            grid.show(&Event::Done { cell: &first, result: Ok(&report("rft")), done: 2, total: 4 });
            assert!(terminal.contents().contains("2/4 runs") && !terminal.contents().contains("rft/seed-3"));
            grid.finish();
            assert_eq!(terminal.contents(), "");
        }
    }

    #[test]
    fn the_time_that_is_left_follows_what_was_trained_now() {
        let (first, second) = (cell("rft/seed-3"), cell("rft/seed-4"));
        let mut grid = Grid::on(MultiProgress::new(), 80, true, false, (2, 5));
        assert_eq!(grid.left(), None);
        // Half of the first was there before.
        grid.show(&Event::Running { cell: &first, progress: &Progress::Resumed { step: 20, total: 40, notes: &[] } });
        step(&mut grid, &first, 29, 0.75);
        step(&mut grid, &second, 9, 0.25);
        let ratio = |grid: &Grid| grid.left().unwrap() / grid.clock.elapsed().as_secs_f64();
        // 0.25 and 0.25 were trained; 0.25, 0.75 and a whole run are left.
        assert!((ratio(&grid) - 4.0).abs() < 0.1, "{}", ratio(&grid));
        grid.show(&Event::Done { cell: &first, result: Ok(&report("rft")), done: 3, total: 5 });
        assert!((ratio(&grid) - 1.75 / 0.75).abs() < 0.1, "{}", ratio(&grid));
    }

    #[test]
    fn a_run_that_is_done_is_a_line_of_json() {
        let done = report("rft");
        let line: serde_json::Value = serde_json::from_str(&json("rft/seed-3", Ok(&done))).unwrap();
        assert!(line["run"] == "rft/seed-3" && line["after"]["rate"] == 1.0 && line.get("failed").is_none(), "{line}");
        let line: serde_json::Value =
            serde_json::from_str(&json("rft/seed-4", Err(&Error::part("panic", "a \"b\"")))).unwrap();
        assert_eq!(line, serde_json::json!({ "run": "rft/seed-4", "failed": "panic: a \"b\"" }));
    }
}
