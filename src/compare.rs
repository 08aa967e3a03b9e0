//! The main job: several algorithms from one start, side by side.

use std::path::Path;

use oreal_algos::Algorithm;

use crate::catalogue::Chosen;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress, WarmedUp};
use crate::record::{Report, pretty, write};
use crate::report;
use crate::table::table;

/// The algorithms that are compared unless others are named.
pub const ALGORITHMS: [&str; 4] = ["oreal", "grpo", "ppo", "rft"];

/// One of the algorithms that are compared.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its row in the table, and its folder.
    pub label: String,
    /// With all its settings.
    pub algorithm: Chosen<dyn Algorithm>,
}

/// Trains each algorithm from the same warmed-up policy with the same seed, and records each in a folder of its own under
/// `folder`, with the table beside them. Everything is checked before any work. `watch` is told which algorithm is at which
/// step; `None` is the warm-up.
pub fn compare(
    config: &Config,
    variants: &[Variant],
    folder: &Path,
    watch: &mut dyn FnMut(Option<&str>, Progress<'_>),
) -> Result<(WarmedUp, Vec<Report>)> {
    let experiments = experiments(config, variants, folder)?;
    let Some((_, first)) = experiments.first() else {
        return Err(Error::setting("--algorithms", "there is nothing to compare"));
    };
    let start = first.warm_up(&mut |progress| watch(None, progress))?;
    let mut reports = Vec::with_capacity(variants.len());
    for (label, experiment) in &experiments {
        let report = experiment.train(&start, &mut |progress| watch(Some(label), progress))?;
        reports.push(Report { algorithm: label.clone(), ..report });
    }
    write(&folder.join("report.json"), &pretty(&reports)?)?;
    write(&folder.join("table.txt"), table(&reports, 80).as_bytes())?;
    if config.settings.record.report {
        report::write(&[folder.to_owned()], &folder.join(report::NAME))?;
    }
    Ok((start, reports))
}

/// The experiments by label, each checked.
pub fn experiments(config: &Config, variants: &[Variant], folder: &Path) -> Result<Vec<(String, Experiment)>> {
    let labels = || variants.iter().map(|variant| &variant.label);
    if let Some(twice) = labels().find(|label| labels().filter(|other| other == label).count() > 1) {
        return Err(Error::setting("--algorithms", format!("{twice} is named twice")));
    }
    let experiment = |Variant { label, algorithm }: &Variant| {
        let config = Config { algorithm: algorithm.clone(), ..config.clone() };
        let experiment = Experiment::from_config(config).record_in(folder.join(label));
        experiment.check()?;
        Ok((label.clone(), experiment))
    };
    variants.iter().map(experiment).collect()
}
