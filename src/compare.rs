//! The main job: several algorithms from one start, side by side.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::ablate::same_start;
use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress, SharedStart};
use crate::folder::Held;
use crate::record::{CONFIG, REPORT, Report, pretty, read, write};
use crate::report;
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

/// Watches a comparison: which variant is at which step; `None` is the warm-up.
pub type Watch<'a> = &'a mut dyn FnMut(Option<&str>, Progress<'_>);

/// Trains each variant with the same seed and records each in a folder of its own under `folder`, with the table beside them.
/// Variants that differ only in what acts after the warm-up start from the same policy. Everything is checked before any work.
/// The first result is the seconds that warm-ups took.
pub fn compare(variants: &[Variant], folder: &Path, watch: Watch<'_>) -> Result<(f64, Vec<Report>)> {
    let experiments = experiments(variants, folder)?;
    lay_out(&experiments, folder)?;
    complete(&experiments, folder, watch)
}

/// How many runs the comparison in a folder consists of; `None` where there is none.
pub(crate) fn planned(folder: &Path) -> Option<usize> {
    let comparison: Comparison = serde_json::from_slice(&read(&folder.join(COMPARISON), LONGEST).ok()?).ok()?;
    Some(comparison.runs.len())
}

/// What a comparison consists of, for one that was stopped.
#[derive(Serialize, Deserialize)]
struct Comparison {
    /// The folders of its runs, in the order of the table.
    runs: Vec<String>,
}

/// Longest list of runs that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// The list of its runs, in its folder.
pub(crate) const COMPARISON: &str = "comparison.json";

/// Makes the folders of all runs, each with its settings, and last the list of them.
pub(crate) fn lay_out(experiments: &[(String, Experiment)], folder: &Path) -> Result<()> {
    experiments.iter().try_for_each(|(_, experiment)| experiment.lay_out())?;
    let runs = experiments.iter().map(|(label, _)| label.clone()).collect();
    write(&folder.join(COMPARISON), &pretty(&Comparison { runs })?)
}

/// The experiments of a comparison that was laid out, with settings put over all of them.
///
/// # Errors
/// A folder that holds no comparison.
pub(crate) fn laid_out(catalogue: &Catalogue, folder: &Path, over: &[String]) -> Result<Vec<(String, Experiment)>> {
    let path = folder.join(COMPARISON);
    let failed = |problem: &dyn std::fmt::Display| {
        Error::file(&path, format!("{problem}: this is no comparison that can go on; start it again"))
    };
    let text = read(&path, LONGEST).map_err(|problem| failed(&problem))?;
    let Comparison { runs } = serde_json::from_slice(&text).map_err(|problem| failed(&problem))?;
    let experiment = |label: String| {
        let inside = Path::new(&label).components().all(|part| matches!(part, Component::Normal(_)));
        if label.is_empty() || !inside {
            return Err(failed(&format_args!("{label:?} is no folder in it")));
        }
        let run = folder.join(&label);
        let config = catalogue.config_from_file(&run.join(CONFIG), over)?;
        Ok((label, Experiment::from_config(config).record_in(run)))
    };
    runs.into_iter().map(experiment).collect()
}

/// Runs what has not begun, goes on with what has not finished, keeps what has. The first result is the seconds that warm-ups
/// took.
pub(crate) fn complete(
    experiments: &[(String, Experiment)],
    folder: &Path,
    watch: Watch<'_>,
) -> Result<(f64, Vec<Report>)> {
    if experiments.is_empty() {
        return Err(Error::setting("--algorithms", "there is nothing to compare"));
    }
    let _held = Held::take(folder)?;
    let mut starts: Vec<(Option<Config>, SharedStart)> = Vec::new();
    let mut reports = Vec::with_capacity(experiments.len());
    for (label, experiment) in experiments {
        let start = shared(&mut starts, experiment.config());
        let report = experiment.complete(start, &mut |progress| {
            let label = (!matches!(progress, Progress::WarmUp { .. })).then_some(label.as_str());
            watch(label, progress);
        })?;
        reports.push(Report { algorithm: label.clone(), ..report });
    }
    write(&folder.join(REPORT), &pretty(&reports)?)?;
    write(&folder.join("table.txt"), table(&reports, 80).as_bytes())?;
    if experiments.iter().any(|(_, experiment)| experiment.settings.record.report) {
        report::write(&[folder.to_owned()], &folder.join(report::NAME))?;
    }
    Ok((starts.iter().filter_map(|(_, start)| start.seconds()).sum(), reports))
}

/// The start of a configuration, which others before it may have.
fn shared(starts: &mut Vec<(Option<Config>, SharedStart)>, config: Option<Config>) -> &SharedStart {
    let alike = |(other, _): &(Option<Config>, SharedStart)| {
        other.as_ref().zip(config.as_ref()).is_some_and(|(other, config)| same_start(other, config))
    };
    let place = starts.iter().position(alike).unwrap_or(starts.len());
    if place == starts.len() {
        starts.push((config, SharedStart::default()));
    }
    &starts[place].1
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
