//! `oreal train`: one experiment from a file, or one that was stopped.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Options, notices, page, summary};
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress};
use crate::folder::reserve_numbered;
use crate::record::{CONFIG, Report};
use crate::stop::Stop;
use crate::terminal::Live;

#[derive(Debug, Args)]
pub(super) struct Train {
    /// The experiment (TOML): see examples/*.toml
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    /// Go on with the run in this folder from its newest checkpoint, with the settings that it began with
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["file", "set", "out"])]
    resume: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

impl Train {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<String> {
        match (&self.resume, &self.file) {
            (Some(folder), _) => self.resume(folder, catalogue),
            (None, Some(file)) => self.start(file, catalogue),
            (None, None) => Err(Error::setting("train", "needs a file, or --resume")),
        }
    }

    fn start(&self, file: &Path, catalogue: &Catalogue) -> Result<String> {
        let config = catalogue.config_from_file(file, &self.options.settings())?;
        let name = format!("{}-{}", config.env.name, config.algorithm.name);
        let experiment = Experiment::from_config(config);
        notices(&experiment, "");
        experiment.check()?;
        let folder = reserve_numbered(&self.options.out, &name)?;
        let experiment = experiment.record_in(folder.path());
        self.watched(folder.path(), experiment, |experiment, watch| experiment.run_reserved(watch))
    }

    fn resume(&self, folder: &Path, catalogue: &Catalogue) -> Result<String> {
        let config = folder.join(CONFIG);
        if !config.exists() {
            let problem = "there is no config.toml, so no run to go on with: start one with `oreal train FILE`";
            return Err(Error::file(folder, problem));
        }
        let experiment = Experiment::from_config(catalogue.config_from_file(&config, &self.options.settings())?);
        self.watched(folder, experiment.record_in(folder), |experiment, watch| experiment.resume(watch))
    }

    fn watched(
        &self,
        folder: &Path,
        experiment: Experiment,
        run: impl FnOnce(&Experiment, &mut dyn FnMut(Progress<'_>)) -> Result<Report>,
    ) -> Result<String> {
        let experiment = experiment.stopped_by(Stop::at_signals());
        let mut live = Live::new(self.options.quiet, self.options.json);
        let name = |progress: &Progress<'_>| match progress {
            Progress::WarmUp { .. } => "warm-up",
            Progress::Resumed { .. } | Progress::Found(_) | Progress::Step { .. } => "training",
        };
        let report = run(&experiment, &mut |progress| live.show(None, name(&progress), &progress));
        let report = report.map_err(|problem| advised(problem, "train", folder))?;
        live.finish();
        if self.options.json {
            return line(&report);
        }
        let env = report.env.clone();
        Ok(format!("{}\nrecorded in {}\n{}", summary(&[report], &env), folder.display(), page(folder)))
    }
}

/// Says how to go on with what was stopped.
pub(super) fn advised(problem: Error, command: &str, folder: &Path) -> Error {
    match problem {
        Error::Stopped { after, .. } => {
            let after = format!("{after}; to go on: oreal {command} --resume {}", folder.display());
            Error::Stopped { after, folder: Some(folder.to_owned()) }
        }
        other => other,
    }
}

/// A line of JSON.
pub(super) fn line(what: &impl Serialize) -> Result<String> {
    serde_json::to_string(what).map(|line| line + "\n").map_err(|problem| Error::part("report", problem))
}
