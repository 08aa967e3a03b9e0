//! The main job: several algorithms from one start, side by side.

use std::path::{Path, PathBuf};

use oreal_algos::BuiltIn;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress, Start};
use crate::record::Report;

/// The algorithms that are compared unless others are named.
pub const ALGORITHMS: [&str; 4] = ["oreal", "grpo", "ppo", "rft"];

/// Trains each algorithm from the same warmed-up policy with the same seed, and records each in a folder of its own,
/// under the label it comes with. `watch` is told which (none during warm-up) is how far.
pub fn compare(
    config: &Config,
    algorithms: &[(String, BuiltIn)],
    folder: &Path,
    watch: &mut dyn FnMut(Option<&str>, Progress<'_>),
) -> Result<(Start, Vec<Report>)> {
    let labels = || algorithms.iter().map(|(label, _)| label);
    if let Some(twice) = labels().find(|label| labels().filter(|other| other == label).count() > 1) {
        return Err(Error::setting("--algorithms", format!("{twice} is named twice")));
    }
    let start = Experiment::from_config(config.clone()).start(&mut |progress| watch(None, progress))?;
    let mut reports = Vec::with_capacity(algorithms.len());
    for (label, algorithm) in algorithms {
        let config = Config { algorithm: algorithm.clone(), ..config.clone() };
        let run = Experiment::from_config(config).record_in(folder.join(label));
        let report = run.train(&start, &mut |progress| watch(Some(label), progress))?;
        reports.push(Report { algorithm: label.clone(), ..report });
    }
    Ok((start, reports))
}

/// A table of reports, one line each.
pub fn table(reports: &[Report]) -> String {
    let mut text =
        format!("{:14}  {:22}  {:22}  {:>5}  {:>7}\n", "algorithm", "  before", "  after", "steps", "seconds");
    for report in reports {
        let Report { algorithm, before, after, steps, seconds, .. } = report;
        text += &format!("{algorithm:14}  {before:22}  {after:22}  {steps:5}  {seconds:7.1}\n");
    }
    text
}

/// The first `NAME-1`, `NAME-2`, .. that is not there yet, in `parent`, which is made if need be.
pub fn new_folder(parent: &Path, name: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(parent).map_err(|problem| Error::file(parent, problem))?;
    let mut number = 1;
    loop {
        let folder = parent.join(format!("{name}-{number}"));
        match folder.try_exists() {
            Ok(true) => number += 1,
            Ok(false) => return Ok(folder),
            Err(problem) => return Err(Error::file(&folder, problem)),
        }
    }
}
