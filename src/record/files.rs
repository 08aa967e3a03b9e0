//! The files of a run's folder.

use std::path::Path;

use crate::error::{Error, Result};

/// The settings, as a file of an experiment.
pub(crate) const CONFIG: &str = "config.toml";
/// What is known of a run before its first step.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Metrics, a line a step.
pub(crate) const METRICS: &str = "metrics.jsonl";
/// Groups of some steps.
pub(crate) const TRANSCRIPTS: &str = "transcripts.jsonl";
/// What sentinels found.
pub(crate) const FINDINGS: &str = "sentinels.jsonl";
/// What the run came to: it says that the run has finished.
pub(crate) const REPORT: &str = "report.json";

/// Whether a run was begun in a folder.
pub(crate) fn holds_run(folder: &Path) -> bool {
    [CONFIG, MANIFEST].iter().any(|name| folder.join(name).exists())
}

/// Refuses a folder in which no run was begun.
pub(crate) fn check_holds_run(folder: &Path) -> Result<()> {
    match holds_run(folder) {
        true => Ok(()),
        false => Err(Error::file(folder, "there is no run: it has neither config.toml nor manifest.json")),
    }
}
