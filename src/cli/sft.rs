//! `oreal sft`: supervised fine-tuning from a file of settings, or one that was stopped.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use oreal_models::Device;

use super::train::advised;
use crate::config;
use crate::error::{Error, Result};
use crate::folder::reserve_numbered;
use crate::record::CONFIG;
use crate::sft::{FineTuning, SftProgress, SftReport, SftSettings};
use crate::stop::Stop;
use crate::terminal::style;

#[derive(Debug, Args)]
pub(super) struct Sft {
    /// Model, examples and pace (TOML): see examples/sft.toml
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// Go on in this folder from its newest checkpoint, with the settings that the run began with
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["file", "set", "out"])]
    resume: Option<PathBuf>,
    /// Override a setting of the file, as in --set sft.epochs=3
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Where the model is: cpu, or cuda:0 for the first GPU [default: the file's, or cpu]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Device>,
    /// Where a new folder is made for the record and the model
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    out: PathBuf,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

impl Sft {
    pub(super) fn run(self) -> Result<String> {
        match (&self.resume, &self.file) {
            (Some(folder), _) => self.resume(folder),
            (None, Some(file)) => self.start(file),
            (None, None) => Err(Error::setting("sft", "needs a file, or --resume")),
        }
    }

    fn start(&self, file: &Path) -> Result<String> {
        let tuning = self.tuning(file)?;
        let folder = reserve_numbered(&self.out, "sft")?;
        self.watched(folder.path(), tuning, |tuning, watch| tuning.run(folder.path(), watch))
    }

    fn resume(&self, folder: &Path) -> Result<String> {
        let config = folder.join(CONFIG);
        if !config.exists() {
            let problem = "there is no config.toml, so no run to go on with: start one with `oreal sft FILE`";
            return Err(Error::file(folder, problem));
        }
        self.watched(folder, self.tuning(&config)?, |tuning, watch| tuning.resume(folder, watch))
    }

    fn tuning(&self, file: &Path) -> Result<FineTuning> {
        let device = self.device.map(|device| format!("device=\"{device}\""));
        let set: Vec<String> = self.set.iter().cloned().chain(device).collect();
        let settings: SftSettings = config::sections_from_file(file, &set)?;
        FineTuning::new(settings)
    }

    fn watched(
        &self,
        folder: &Path,
        tuning: FineTuning,
        run: impl FnOnce(FineTuning, &mut dyn FnMut(SftProgress<'_>)) -> Result<SftReport>,
    ) -> Result<String> {
        let total = tuning.steps();
        let bar = if self.quiet { ProgressBar::hidden() } else { ProgressBar::new(total as u64) };
        bar.set_style(style("{wide_bar} {pos}/{len} {elapsed} left {eta} {msg}"));
        let mut watch = |progress: SftProgress<'_>| match progress {
            SftProgress::Resumed { step, notes } => {
                notes.iter().for_each(|note| eprintln!("note: {note}"));
                if !self.quiet {
                    eprintln!("going on after {step} of {total} steps");
                }
                bar.set_position(step as u64);
                bar.reset_eta();
            }
            SftProgress::Step(step) => {
                bar.set_message(format!("loss {:.3}", step.loss));
                bar.inc(1);
            }
        };
        let report = run(tuning.stopped_by(Stop::at_signals()), &mut watch);
        bar.finish_and_clear();
        let report = report.map_err(|problem| advised(problem, "sft", folder))?;
        Ok(format!("{}recorded in {}\n", summary(&report), folder.display()))
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
