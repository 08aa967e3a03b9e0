//! `oreal ablate`: variants of an experiment times seeds.

use std::path::{Path, PathBuf};

use clap::Args;

use super::train::{advised, line};
use super::{Options, notices, page};
use crate::ablate::{ABLATION, Ablation, Failure, Results, counted, run};
use crate::catalogue::Catalogue;
use crate::config::table_from_file;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::folder::reserve_numbered;
use crate::report;
use crate::stop::Stop;
use crate::terminal::{Grid, print, width};

#[derive(Debug, Args)]
pub(super) struct Ablate {
    /// An experiment (TOML) with a section [ablation]: see docs/ablations.md
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// Go on in this folder: finished runs stay as they are, those that failed are tried again
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    resume: Option<PathBuf>,
    /// To choose settings: other seeds, and the held-out problems that the final table is not on
    #[arg(long)]
    pilot: bool,
    /// How many seeds are trained at once [default: the file's, or as many as cores and memory allow]
    #[arg(long, value_name = "N")]
    parallel: Option<usize>,
    #[command(flatten)]
    options: Options,
}

impl Ablate {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<String> {
        let pilot = self.pilot.then(|| "ablation.problems=\"pilot\"".to_owned());
        let parallel = self.parallel.map(|parallel| format!("ablation.parallel={parallel}"));
        let set: Vec<String> = self.options.settings().into_iter().chain(pilot).chain(parallel).collect();
        let how = Shown { command: "ablate", quiet: self.options.quiet, json: self.options.json };
        match (&self.file, &self.resume) {
            (None, None) => Err(Error::setting("FILE", "missing")),
            (None, Some(folder)) => how.resume(folder, &set, catalogue),
            (Some(file), Some(folder)) => how.train(&read(file, &set, catalogue)?, folder),
            (Some(file), None) => {
                let stem = file.file_stem().map_or_else(|| "ablation".into(), |stem| stem.to_string_lossy());
                how.begin(&read(file, &set, catalogue)?, &self.options.out, &format!("ablate-{stem}"))
            }
        }
    }
}

fn read(file: &Path, set: &[String], catalogue: &Catalogue) -> Result<Ablation> {
    Ablation::from_table(&table_from_file(file)?, &file.display().to_string(), set, catalogue)
}

/// What of an ablation is shown.
pub(super) struct Shown {
    /// The command that goes on with it.
    pub(super) command: &'static str,
    pub(super) quiet: bool,
    pub(super) json: bool,
}

impl Shown {
    /// Goes on with what is recorded in a folder.
    pub(super) fn resume(&self, folder: &Path, set: &[String], catalogue: &Catalogue) -> Result<String> {
        let file = folder.join(ABLATION);
        if !file.exists() {
            let problem = "there is no ablation.toml, so nothing to go on with: `oreal ablate FILE` starts an ablation, \
                           `oreal compare --resume` goes on with a comparison";
            return Err(Error::file(folder, problem));
        }
        self.train(&read(&file, set, catalogue)?, folder)
    }

    /// Trains everything in a new folder of this name.
    pub(super) fn begin(&self, ablation: &Ablation, out: &Path, name: &str) -> Result<String> {
        for cell in ablation.cells.iter().filter(|cell| cell.seed == ablation.seeds[0]) {
            let label = cell.folder.parent().unwrap_or(&cell.folder).display().to_string();
            notices(&Experiment::from_config(cell.config.clone()), &format!("{label}: "));
        }
        let folder = reserve_numbered(out, name)?;
        self.train(ablation, folder.path())
    }

    /// Trains what is not finished in a folder, and says what it came to. Results are written also where it was stopped.
    fn train(&self, ablation: &Ablation, folder: &Path) -> Result<String> {
        let mut grid = Grid::new(self.quiet, self.json, ablation.finished(folder), ablation.cells.len());
        let trained = run(ablation, folder, &Stop::at_signals(), &mut |event| grid.show(&event));
        grid.finish();
        if let Err(problem) = &trained
            && !matches!(problem, Error::Stopped { .. })
        {
            return trained.map(|_| String::new());
        }
        let results = Results::read(ablation, folder)?;
        results.write(folder)?;
        let failures = trained.map_err(|problem| advised(problem, self.command, folder))?;
        if ablation.cells.iter().any(|cell| cell.config.settings.record.report && cell.is_finished(folder)) {
            report::write(&[folder.to_owned()], &folder.join(report::NAME))?;
        }
        let text = match self.json {
            true => line(&results)?,
            false => format!("\n{}\nrecorded in {}\n{}", results.table(width()), folder.display(), page(folder)),
        };
        if failures.is_empty() {
            return Ok(text);
        }
        print(&text)?;
        Err(self.failed(&failures, folder))
    }

    /// An error after the results were printed, which hold the messages.
    fn failed(&self, failures: &[Failure], folder: &Path) -> Error {
        let names: Vec<&str> = failures.iter().map(|failure| failure.cell.as_str()).collect();
        let runs = counted(names.len());
        let again = format!("`oreal {} --resume {}` tries again", self.command, folder.display());
        Error::part("ablation", format!("{runs} failed, as said above ({}); {again}", names.join(", ")))
    }
}
