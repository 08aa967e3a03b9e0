//! A run as its folder tells it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{self, Found};
use super::metrics::Metrics;
use crate::evaluate::PassRate;
use crate::record::{CONFIG, FINDINGS, MANIFEST, METRICS, REPORT};

/// Most sentinels of a run that are shown.
const SENTINELS: usize = 200;

/// What is known of a run.
pub(crate) struct Recorded {
    /// Runs with the same label are seeds of one variant.
    pub(crate) label: String,
    pub(crate) path: PathBuf,
    pub(crate) manifest: Value,
    /// Whether its settings are there as a file.
    pub(crate) has_config: bool,
    /// `None` while it runs, or where it was killed.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) metrics: Metrics,
    pub(crate) sentinels: Vec<Sentinel>,
    /// What could not be read.
    pub(crate) problems: Vec<String>,
}

/// The parts of `report.json` that are shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Outcome {
    pub(crate) algorithm: String,
    pub(crate) preset: Option<String>,
    pub(crate) env: String,
    pub(crate) seed: u64,
    pub(crate) steps: usize,
    pub(crate) before: Option<PassRate>,
    pub(crate) after: Option<PassRate>,
    pub(crate) training: f64,
    pub(crate) seconds: f64,
    pub(crate) notices: Vec<String>,
}

/// A line of `sentinels.jsonl`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Sentinel {
    pub(crate) step: u64,
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) what: String,
    pub(crate) evidence: String,
    pub(crate) remedy: String,
}

impl Recorded {
    pub(crate) fn read(Found { label, path }: Found) -> Recorded {
        let mut problems = Vec::new();
        let manifest = files::json(&path.join(MANIFEST), &mut problems).unwrap_or_default();
        let report = files::json(&path.join(REPORT), &mut problems);
        let outcome = report.and_then(|report| {
            let told =
                |problem: serde_json::Error| problems.push(format!("{}: {problem}", path.join(REPORT).display()));
            serde_json::from_value(report).map_err(told).ok()
        });
        let metrics = Metrics::read(&path);
        if metrics.broken > 0 {
            let place = path.join(METRICS);
            problems.push(format!("{}: {}", place.display(), left_out(metrics.broken)));
        }
        let (mut sentinels, mut unread) = (Vec::new(), 0);
        let broken = files::lines(&path.join(FINDINGS), &mut |line| match serde_json::from_value(line) {
            Ok(sentinel) if sentinels.len() < SENTINELS => sentinels.push(sentinel),
            _ => unread += 1,
        });
        if broken.unwrap_or(0) + unread > 0 {
            let place = path.join(FINDINGS);
            problems.push(format!("{}: {}", place.display(), left_out(broken.unwrap_or(0) + unread)));
        }
        let has_config = path.join(CONFIG).is_file();
        Recorded { label, path, manifest, has_config, outcome, metrics, sentinels, problems }
    }

    /// A word of the manifest or of the outcome: the name of the algorithm or the environment.
    pub(crate) fn name_of(&self, section: &str) -> String {
        let written = &self.manifest[section];
        let name = written["name"].as_str().or(written.as_str()).unwrap_or("unknown");
        let made = |outcome: &Outcome| if section == "env" { outcome.env.clone() } else { outcome.algorithm.clone() };
        let name = match written["name"].as_str() {
            Some(name) => name.to_owned(),
            None => self.outcome.as_ref().map(made).unwrap_or_else(|| name.to_owned()),
        };
        name.chars().take(80).collect()
    }

    /// The preset that the algorithm's settings started from.
    pub(crate) fn preset(&self) -> Option<String> {
        let written = self.manifest["preset"].as_str().map(str::to_owned);
        written.or_else(|| self.outcome.as_ref()?.preset.clone())
    }

    pub(crate) fn seed(&self) -> Option<u64> {
        self.manifest["seed"].as_u64().or_else(|| Some(self.outcome.as_ref()?.seed))
    }

    /// Steps that its settings ask for.
    pub(crate) fn steps(&self) -> Option<u64> {
        let asked = self.manifest["settings"]["train"]["steps"].as_u64();
        asked.or_else(|| self.outcome.as_ref().map(|outcome| outcome.steps as u64))
    }

    /// What was said before and after training.
    pub(crate) fn notices(&self) -> Vec<String> {
        let before = self.manifest["notices"].as_array().into_iter().flatten();
        let before = before.filter_map(|notice| notice.as_str().map(str::to_owned));
        before.chain(self.outcome.iter().flat_map(|outcome| outcome.notices.clone())).collect()
    }
}

fn left_out(lines: usize) -> String {
    let (lines, are) = if lines == 1 { ("1 line".to_owned(), "is") } else { (format!("{lines} lines"), "are") };
    format!("{lines} could not be read and {are} left out; the last line of a run that was killed may be cut short")
}
