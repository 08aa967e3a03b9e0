//! The main job: several algorithms from one start, side by side.

use std::path::Path;

use crate::ablate::same_start;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress, WarmedUp};
use crate::record::{Report, pretty, write};
use crate::table::table;

/// The algorithms that are compared unless others are named.
pub const ALGORITHMS: [&str; 4] = ["oreal", "grpo", "ppo", "rft"];

/// One of those that are compared.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its row in the table, and its folder.
    pub label: String,
    /// With all its settings.
    pub config: Config,
}

/// Trains each variant with the same seed and records each in a folder of its own under `folder`, with the table beside them.
/// Variants that differ only in what acts after the warm-up start from the same policy. Everything is checked before any work.
/// `watch` is told which variant is at which step; `None` is the warm-up. The first result is the seconds that warm-ups took.
pub fn compare(
    variants: &[Variant],
    folder: &Path,
    watch: &mut dyn FnMut(Option<&str>, Progress<'_>),
) -> Result<(f64, Vec<Report>)> {
    let experiments = experiments(variants, folder)?;
    if experiments.is_empty() {
        return Err(Error::setting("--algorithms", "there is nothing to compare"));
    }
    let mut starts: Vec<(&Config, WarmedUp)> = Vec::new();
    let mut reports = Vec::with_capacity(variants.len());
    for (Variant { label, config }, (_, experiment)) in variants.iter().zip(&experiments) {
        let known = starts.iter().position(|(other, _)| same_start(other, config));
        let place = match known {
            Some(place) => place,
            None => {
                starts.push((config, experiment.warm_up(&mut |progress| watch(None, progress))?));
                starts.len() - 1
            }
        };
        let report = experiment.train(&starts[place].1, &mut |progress| watch(Some(label), progress))?;
        reports.push(Report { algorithm: label.clone(), ..report });
    }
    write(&folder.join("report.json"), &pretty(&reports)?)?;
    write(&folder.join("table.txt"), table(&reports, 80).as_bytes())?;
    Ok((starts.iter().map(|(_, start)| start.seconds).sum(), reports))
}

/// The experiments by label, each checked.
pub fn experiments(variants: &[Variant], folder: &Path) -> Result<Vec<(String, Experiment)>> {
    let labels = || variants.iter().map(|variant| &variant.label);
    if let Some(twice) = labels().find(|label| labels().filter(|other| other == label).count() > 1) {
        return Err(Error::setting("--algorithms", format!("{twice} is named twice")));
    }
    let experiment = |Variant { label, config }: &Variant| {
        let experiment = Experiment::from_config(config.clone()).record_in(folder.join(label));
        experiment.check()?;
        Ok((label.clone(), experiment))
    };
    variants.iter().map(experiment).collect()
}
