//! What the command line shows while it works, and how wide it may be.

mod grid;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

#[cfg(test)]
use indicatif::ProgressDrawTarget;
use indicatif::{ProgressBar, ProgressStyle};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::experiment::Progress;
use crate::record::StepRecord;

pub use grid::Grid;

/// Columns of the terminal; 80 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| width.0.into())
}

/// To standard output; a reader that has gone away is no error.
pub fn print(text: &str) -> Result<()> {
    print_part(text).map(drop)
}

/// A part of a longer output. Breaks where the reader has gone away, so that nothing more need be printed.
pub fn print_part(text: &str) -> Result<ControlFlow<()>> {
    let mut output = io::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(problem) => Err(Error::file(Path::new("standard output"), problem)),
    }
}

/// What a run shows while it goes on: bars on standard error, or JSON on standard output.
pub struct Live {
    json: bool,
    bars: Bars,
}

impl Live {
    /// No bars where `quiet`, and none beside JSON.
    pub fn new(quiet: bool, json: bool) -> Live {
        Live { json, bars: Bars::new(quiet || json) }
    }

    /// Shows how far a run is: the one with this label among several, or what it does where there is no label.
    pub fn show(&mut self, label: Option<&str>, otherwise: &str, progress: &Progress<'_>) {
        if let (true, Progress::Step { record, .. }) = (self.json, progress) {
            #[derive(Serialize)]
            struct Line<'a> {
                #[serde(skip_serializing_if = "Option::is_none")]
                run: Option<&'a str>,
                #[serde(flatten)]
                record: &'a StepRecord,
            }
            let line = serde_json::to_string(&Line { run: label, record }).unwrap_or_default();
            // Training goes on where nobody reads any more.
            let _ = print(&(line + "\n"));
        }
        self.bars.show(label.unwrap_or(otherwise), progress);
    }

    /// Leaves the last bar standing.
    pub fn finish(&mut self) {
        self.bars.finish();
    }
}

/// A bar for whatever is running; the one before it is left standing, full.
pub struct Bars {
    quiet: bool,
    /// Columns of the terminal.
    width: usize,
    current: Option<Current>,
    /// Drawn to instead of standard error.
    #[cfg(test)]
    target: Option<indicatif::InMemoryTerm>,
}

struct Current {
    name: String,
    bar: ProgressBar,
    /// Steps that were seen, and the seconds that they took.
    seen: (usize, f64),
}

impl Bars {
    /// None are shown where `quiet`.
    pub fn new(quiet: bool) -> Bars {
        Bars {
            quiet,
            width: width(),
            current: None,
            #[cfg(test)]
            target: None,
        }
    }

    /// Moves the bar of this name, which is made when another one was moved before.
    pub fn show(&mut self, name: &str, progress: &Progress<'_>) {
        let (done, total) = match progress {
            Progress::WarmUp { done, total } => (*done, *total),
            Progress::Step { record, total, .. } => (record.step + 1, *total),
            Progress::Found(finding) => {
                self.above(&format!("warning: {finding}"));
                return;
            }
            Progress::Resumed { step, total, notes } => {
                notes.iter().for_each(|note| eprintln!("note: {note}"));
                if !self.quiet {
                    eprintln!("going on after {step} of {total} steps");
                }
                return;
            }
        };
        if self.quiet {
            return;
        }
        if self.current.as_ref().is_none_or(|current| current.name != name) {
            self.finish();
            let bar = self.bar(total as u64).with_prefix(name.to_owned());
            // The bar takes what the rest leaves of the terminal's width.
            bar.set_style(style("{prefix:9!} {wide_bar} {pos}/{len} {elapsed} {msg:>4}"));
            self.current = Some(Current { name: name.to_owned(), bar, seen: (0, 0.0) });
        }
        if let Some(Current { bar, seen, .. }) = &mut self.current {
            if let Progress::Step { record, .. } = progress {
                *seen = (seen.0 + 1, seen.1 + record.seconds.wall());
                let left = (total - done.min(total)) as f64 * seen.1 / seen.0 as f64;
                bar.set_message(message(record, left, self.width));
            }
            bar.set_position(done as u64);
        }
    }

    /// A line on standard error, above the bar where there is one.
    fn above(&self, line: &str) {
        match &self.current {
            Some(current) => current.bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn bar(&self, total: u64) -> ProgressBar {
        let bar = ProgressBar::new(total);
        #[cfg(test)]
        if let Some(target) = &self.target {
            bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(target.clone())));
        }
        bar
    }

    /// Leaves the last bar standing.
    pub fn finish(&mut self) {
        if let Some(Current { bar, .. }) = self.current.take() {
            bar.abandon();
        }
    }
}

/// As much of a step as there is room for; `left` is in seconds.
fn message(record: &StepRecord, left: f64, width: usize) -> String {
    let right = format!("{:.0}%", 100.0 * record.pass_rate);
    if width < 60 {
        return right;
    }
    let tokens = record.trajectories as f64 * record.length / record.seconds.wall().max(f64::MIN_POSITIVE);
    let pace = format!("{} tokens/s left {}", short(tokens), clock(left));
    match width < 100 {
        true => format!("{right} {pace}"),
        false => format!("reward {:.3} right {right} {pace}", record.reward),
    }
}

/// A number of at most four characters, up to 10^12.
fn short(number: f64) -> String {
    let units = ["", "k", "M", "G"];
    let unit = units.iter().zip(0..).find(|(_, power)| number < 999.5 * 1000_f64.powi(*power));
    let (unit, power) = unit.unwrap_or((&"T", 4));
    format!("{:.0}{unit}", number / 1000_f64.powi(power))
}

/// `1:02:03`, without hours where there are none.
fn clock(seconds: f64) -> String {
    let seconds = seconds.min(1e9) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A bar's look; the default one where the template is wrong.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::train::Seconds;

    #[test]
    fn bars_fit_the_terminal() {
        for width in [40, 80, 120] {
            let terminal = InMemoryTerm::new(10, width);
            let mut bars = Bars::new(false);
            (bars.width, bars.target) = (width.into(), Some(terminal.clone()));
            for (name, step) in [("warm-up", 0), ("grpo-dr_grpo", 179), ("an_algorithm_of_ones_own", 12)] {
                let seconds = Seconds { sample: 0.5, update: 1.5, ..Seconds::default() };
                let (trajectories, length) = (768, 32.0);
                let record =
                    StepRecord { step, pass_rate: 1.0, trajectories, length, seconds, ..StepRecord::default() };
                bars.show(name, &Progress::Step { record: &record, total: 100_000, share: 0.0 });
            }
            bars.finish();
            let text = terminal.contents();
            assert_eq!(text.lines().count(), 3, "{width}: no line wraps:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(terminal.width())), "{text}");
            assert!(text.contains("180/100000") && text.contains("100%"), "{width}: {text}");
            assert_eq!(width >= 80, text.contains("12k tokens/s left 55:27:20"), "{width}: {text}");
            assert_eq!(width >= 100, text.contains("reward 0.000 right 100%"), "{width}: {text}");
        }
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [0.0, 7.2, 999.4, 999.6, 12_288.0, 999_600.0, 5e9, 2e12].map(short);
        assert_eq!(numbers, ["0", "7", "999", "1k", "12k", "1M", "5G", "2T"]);
        assert_eq!([0.0, 59.9, 61.0, 3600.0, f64::INFINITY].map(clock)[..4], ["0:00", "0:59", "1:01", "1:00:00"]);
    }
}
