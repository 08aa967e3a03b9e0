//! A run watches itself: what can go wrong without any error, said once, with the numbers and with what to do.
//!
//! Every sentinel looks at the records of the steps ([`StepRecord`]) and at nothing else, so that a run that was stopped
//! and taken up again says the same. What records cannot show is measured by a [`Probe`] every few steps, and recorded.
//! [`SENTINELS`] is the list.

mod history;
mod probe;
mod score;
mod signs;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::evaluate::PassRate;
use crate::record::StepRecord;
pub use history::History;
pub use probe::{Probe, Probed};
pub use score::RewardModel;
pub use signs::SENTINELS;

/// `[sentinels]`: how long something must be wrong before it is said, and what follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SentinelSettings {
    /// Steps that a sign must last, at least 2.
    pub patience: usize,
    /// Steps from one look at the models themselves to the next; 0 for none. A look reads four trajectories twice.
    pub probe_every: usize,
    /// What follows where a run cannot be meant as it is.
    pub on_stop: OnStop,
    /// Names of sentinels that say nothing.
    pub off: BTreeSet<String>,
}

/// What a finding of the severity [`Severity::Stop`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStop {
    /// The run ends with an error.
    #[default]
    Stop,
    /// It is said, and the run goes on.
    Warn,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It may be meant.
    Warning,
    /// It cannot be meant: the run learns nothing, or something else than the formula says.
    Stop,
}

/// Something that can go wrong, and how it is recognised.
#[derive(Clone, Copy)]
pub struct Sentinel {
    /// As in `sentinels.jsonl` and in `sentinels.off`.
    pub name: &'static str,
    /// What is wrong, in a sentence.
    pub what: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// How bad it is, and the numbers that show it; `None` where nothing is wrong.
    pub(crate) sign: fn(&History, &SentinelSettings) -> Option<(Severity, String)>,
}

/// What a sentinel found. A line of `sentinels.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The step after which it was found, counted from 0.
    pub step: usize,
    /// The sentinel.
    pub name: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// The numbers that show it.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
}

/// All sentinels of a run. Each speaks once.
pub struct Sentinels {
    settings: SentinelSettings,
    history: History,
    said: BTreeSet<&'static str>,
}

impl Default for SentinelSettings {
    fn default() -> Self {
        SentinelSettings { patience: 20, probe_every: 20, on_stop: OnStop::Stop, off: BTreeSet::new() }
    }
}

impl SentinelSettings {
    /// Refuses values without sense; the error names the key.
    pub fn validate(&self) -> Result<()> {
        if self.patience < 2 {
            return Err(Error::setting("sentinels.patience", "must be at least 2"));
        }
        let known: Vec<&str> = SENTINELS.iter().map(|sentinel| sentinel.name).collect();
        match self.off.iter().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Error::setting(
                "sentinels.off",
                format!("{name:?} is none of them; there are {}", known.join(", ")),
            )),
            None => Ok(()),
        }
    }
}

impl Sentinels {
    /// For a run of so many steps whose policy had this pass rate on held-out problems before.
    pub fn new(settings: &SentinelSettings, steps: usize, before: PassRate) -> Sentinels {
        let history = History::new(settings.patience, steps, before);
        Sentinels { settings: settings.clone(), history, said: BTreeSet::new() }
    }

    /// Looks at a step; what is found for the first time.
    pub fn see(&mut self, record: &StepRecord) -> Vec<Finding> {
        self.history.push(record);
        self.look(record.step)
    }

    /// Looks at the evaluation after the last step.
    pub fn see_end(&mut self, after: PassRate) -> Vec<Finding> {
        self.history.end(after);
        self.history.last().map(|record| record.step).map_or_else(Vec::new, |step| self.look(step))
    }

    fn look(&mut self, step: usize) -> Vec<Finding> {
        let mut found = Vec::new();
        for sentinel in SENTINELS {
            if self.said.contains(sentinel.name) || self.settings.off.contains(sentinel.name) {
                continue;
            }
            if let Some((severity, evidence)) = (sentinel.sign)(&self.history, &self.settings) {
                self.said.insert(sentinel.name);
                found.push(sentinel.finding(step, severity, evidence));
            }
        }
        found
    }

    /// The error that a finding ends the run with, where it does.
    pub fn verdict(&self, found: &[Finding]) -> Result<()> {
        let stops = |finding: &&Finding| finding.severity == Severity::Stop && self.settings.on_stop == OnStop::Stop;
        found.iter().find(stops).map_or(Ok(()), |finding| Err(Error::Sentinel(Box::new(finding.clone()))))
    }
}

impl Sentinel {
    fn finding(&self, step: usize, severity: Severity, evidence: String) -> Finding {
        let (name, what, remedy) = (self.name.into(), self.what.into(), self.remedy.into());
        Finding { step, name, severity, what, evidence, remedy }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}: {}. {}. {}", self.step, self.name, self.what, self.evidence, self.remedy)
    }
}
