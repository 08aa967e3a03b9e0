//! `oreal ablate`: variants of an experiment times seeds.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use oreal_models::Device;

use super::{Options, notices, page};
use crate::ablate::{ABLATION, Ablation, Event, Results, run};
use crate::catalogue::Catalogue;
use crate::config::table_from_file;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::folder::reserve_numbered;
use crate::report;
use crate::terminal::{print, style, width};

#[derive(Debug, Args)]
pub(super) struct Ablate {
    /// An experiment (TOML) with a section [ablation]: see docs/ablations.md
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// Go on in this folder: finished runs stay as they are
    #[arg(long, value_name = "FOLDER")]
    resume: Option<PathBuf>,
    /// To choose settings: other seeds, and the held-out problems that the final table is not on
    #[arg(long)]
    pilot: bool,
    /// How many seeds are trained at once [default: the file's, or as many as cores and memory allow]
    #[arg(long, value_name = "N")]
    parallel: Option<usize>,
    /// Override a setting of the file, as in --set ablation.seeds=3 or --set train.steps=20
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Where the models are: cpu, or cuda:0 for the first GPU [default: the file's, or cpu]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Device>,
    /// Where a new folder is made for the record
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    out: PathBuf,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

impl Ablate {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<String> {
        let recorded = self.resume.as_ref().map(|folder| folder.join(ABLATION));
        let Some(file) = self.file.as_ref().or(recorded.as_ref()) else {
            return Err(Error::setting("FILE", "missing"));
        };
        let device = self.device.map(|device| format!("device=\"{device}\""));
        let pilot = self.pilot.then(|| "ablation.problems=\"pilot\"".to_owned());
        let parallel = self.parallel.map(|parallel| format!("ablation.parallel={parallel}"));
        let set: Vec<String> = self.set.iter().cloned().chain(device).chain(pilot).chain(parallel).collect();
        let place = file.display().to_string();
        let ablation = Ablation::from_table(&table_from_file(file)?, &place, &set, catalogue)?;
        match &self.resume {
            Some(folder) => train(&ablation, folder, self.quiet),
            None => {
                let stem = file.file_stem().map_or_else(|| "ablation".into(), |stem| stem.to_string_lossy());
                let options = Options { out: self.out, quiet: self.quiet, ..Options::default() };
                finish(&ablation, &format!("ablate-{stem}"), &options)
            }
        }
    }
}

/// Goes on with what is recorded in a folder.
pub(super) fn resume(folder: &Path, set: &[String], quiet: bool, catalogue: &Catalogue) -> Result<String> {
    let file = folder.join(ABLATION);
    let ablation = Ablation::from_table(&table_from_file(&file)?, &file.display().to_string(), set, catalogue)?;
    train(&ablation, folder, quiet)
}

/// Trains everything in a new folder of this name, and says what it came to.
pub(super) fn finish(ablation: &Ablation, name: &str, options: &Options) -> Result<String> {
    for cell in ablation.cells.iter().filter(|cell| cell.seed == ablation.seeds[0]) {
        let label = cell.folder.parent().unwrap_or(&cell.folder).display().to_string();
        notices(&Experiment::from_config(cell.config.clone()), &format!("{label}: "));
    }
    let folder = reserve_numbered(&options.out, name)?;
    train(ablation, folder.path(), options.quiet)
}

/// Trains what is not finished in a folder. A cell that failed is an error after the results were written and printed.
fn train(ablation: &Ablation, folder: &Path, quiet: bool) -> Result<String> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(ablation.open_steps(folder) as u64) };
    bar.set_style(style("{wide_bar} {pos}/{len} steps {elapsed} {msg}"));
    let failures = run(ablation, folder, &mut |event| match event {
        Event::Step => bar.inc(1),
        Event::Done { done, total, .. } => bar.set_message(format!("{done}/{total} runs")),
    })?;
    bar.abandon();
    let results = Results::read(ablation, folder)?;
    results.write(folder)?;
    if ablation.cells.iter().any(|cell| cell.config.settings.record.report) {
        report::write(&[folder.to_owned()], &folder.join(report::NAME))?;
    }
    let text = format!("\n{}\nrecorded in {}\n{}", results.table(width()), folder.display(), page(folder));
    if failures.is_empty() {
        return Ok(text);
    }
    print(&text)?;
    let named: Vec<String> = failures.iter().map(|failure| format!("{}: {}", failure.cell, failure.error)).collect();
    let again = format!("`oreal ablate --resume {}` tries them again", folder.display());
    Err(Error::part("ablation", format!("{} runs failed; {again}\n{}", failures.len(), named.join("\n"))))
}
