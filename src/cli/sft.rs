//! `oreal sft`: supervised fine-tuning from a file of settings.

use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;

use crate::config;
use crate::error::Result;
use crate::folder::reserve_numbered;
use crate::sft::{FineTuning, SftReport, SftSettings};
use crate::terminal::style;

#[derive(Debug, Args)]
pub(super) struct Sft {
    /// Model, examples and pace (TOML): see examples/sft.toml
    file: PathBuf,
    /// Override a setting of the file, as in --set sft.epochs=3
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Where a new folder is made for the record and the model
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    out: PathBuf,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

impl Sft {
    pub(super) fn run(self) -> Result<String> {
        let settings: SftSettings = config::sections_from_file(&self.file, &self.set)?;
        let tuning = FineTuning::new(settings)?;
        let folder = reserve_numbered(&self.out, "sft")?;
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(tuning.steps() as u64) };
        bar.set_style(style("{wide_bar} {pos}/{len} {elapsed} left {eta} {msg}"));
        let report = tuning.run(folder.path(), &mut |step| {
            bar.set_message(format!("loss {:.3}", step.loss));
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        Ok(format!("{}recorded in {}\n", summary(&report), folder.path().display()))
    }
}

fn summary(report: &SftReport) -> String {
    let SftReport { examples, tokens, steps, seconds, too_long, unused, held_out, .. } = report;
    let mut text = format!("{examples} examples of {tokens} tokens, {steps} steps in {seconds:.1} s\n");
    if let (Some(before), Some(after)) = (report.before, report.after) {
        text += &format!("loss on {held_out} held-out examples: {before:.4} before, {after:.4} after, nats a token\n");
    }
    for (count, what) in
        [(too_long, "longer than sft.longest"), (unused, "rollouts that are wrong, repeated or too many")]
    {
        if *count > 0 {
            text += &format!("{count} left out: {what}\n");
        }
    }
    text
}
