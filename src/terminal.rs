//! What the command line shows while it works, and how wide it may be.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

#[cfg(test)]
use indicatif::ProgressDrawTarget;
use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};
use crate::experiment::Progress;

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

/// A bar for whatever is running; the one before it is left standing, full.
pub struct Bars {
    quiet: bool,
    current: Option<(String, ProgressBar)>,
    /// Drawn to instead of standard error.
    #[cfg(test)]
    target: Option<indicatif::InMemoryTerm>,
}

impl Bars {
    /// None are shown where `quiet`.
    pub fn new(quiet: bool) -> Bars {
        Bars {
            quiet,
            current: None,
            #[cfg(test)]
            target: None,
        }
    }

    /// Moves the bar of this name, which is made when another one was moved before.
    pub fn show(&mut self, name: &str, progress: &Progress<'_>) {
        let (done, total, message) = match progress {
            Progress::WarmUp { done, total } => (*done, *total, String::new()),
            Progress::Step { record, total } => (record.step + 1, *total, format!("{:.0}%", 100.0 * record.pass_rate)),
        };
        if self.quiet {
            return;
        }
        if self.current.as_ref().is_none_or(|(current, _)| current != name) {
            self.finish();
            let bar = self.bar(total as u64).with_prefix(name.to_owned());
            // The bar takes what the rest leaves of the terminal's width.
            bar.set_style(style("{prefix:9!} {wide_bar} {pos}/{len} {elapsed} {msg:>4}"));
            self.current = Some((name.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.current {
            bar.set_message(message);
            bar.set_position(done as u64);
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
        if let Some((_, bar)) = self.current.take() {
            bar.abandon();
        }
    }
}

/// A bar's look; the default one where the template is wrong.
pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::record::StepRecord;

    #[test]
    fn bars_fit_the_terminal() {
        for width in [40, 80, 120] {
            let terminal = InMemoryTerm::new(10, width);
            let mut bars = Bars::new(false);
            bars.target = Some(terminal.clone());
            for (name, step) in [("warm-up", 0), ("grpo-dr_grpo", 179), ("an_algorithm_of_ones_own", 12)] {
                let record = StepRecord { step, pass_rate: 1.0, ..StepRecord::default() };
                bars.show(name, &Progress::Step { record: &record, total: 100_000 });
            }
            bars.finish();
            let text = terminal.contents();
            assert_eq!(text.lines().count(), 3, "{width}: no line wraps:\n{text}");
            assert!(text.lines().all(|line| line.chars().count() <= usize::from(terminal.width())), "{text}");
            assert!(text.contains("180/100000") && text.contains("100%"), "{width}: {text}");
        }
    }
}
