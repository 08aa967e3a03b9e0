//! What can be wrong with an algorithm's settings.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::ops::Bound;

use crate::algorithm::{Algorithm, Passes, credit_of};
use crate::column::{Column, Output, Source};
use crate::role::{Head, Role};

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IllegalSetting {
    /// The setting, with dots between the levels of nested tables: `scale.deviation.epsilon`.
    pub key: String,
    /// What is wrong, as the rest of a sentence that begins with the key: `must be .., not ..`.
    pub problem: String,
}

impl IllegalSetting {
    /// A problem with the setting called `key`.
    pub fn new(key: &str, problem: impl Into<String>) -> IllegalSetting {
        IllegalSetting { key: key.to_owned(), problem: problem.into() }
    }

    /// The same problem with a setting of a nested table.
    pub fn within(mut self, table: &str) -> IllegalSetting {
        self.key = format!("{table}.{}", self.key);
        self
    }
}

impl fmt::Display for IllegalSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.key, self.problem)
    }
}

impl Error for IllegalSetting {}

/// A setting that has no effect as the other settings stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inert {
    /// The setting, as in [`IllegalSetting::key`].
    pub key: String,
    /// Why it has none.
    pub reason: String,
}

impl Inert {
    /// A setting without effect, and why.
    pub fn new(key: &str, reason: impl Into<String>) -> Inert {
        Inert { key: key.to_owned(), reason: reason.into() }
    }

    /// Settings that act only where the policy has moved since it was sampled from: not with one update per step.
    pub(crate) fn with_one_update(passes: Passes, keys: &[&str]) -> Vec<Inert> {
        let reason = "with one update per step the ratio is always 1; raise `epochs` or `minibatches`";
        let keys = if passes.is_once() { keys } else { &[] };
        keys.iter().map(|key| Inert::new(key, reason)).collect()
    }
}

impl fmt::Display for Inert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` has no effect: {}", self.key, self.reason)
    }
}

/// Greater than zero.
pub(crate) const POSITIVE: (Bound<f64>, Bound<f64>) = (Bound::Excluded(0.0), Bound::Unbounded);

/// Refuses a count of zero.
pub(crate) fn at_least_one(key: &str, count: usize) -> Result<(), IllegalSetting> {
    match count {
        0 => Err(IllegalSetting::new(key, "must be at least 1, not 0")),
        _ => Ok(()),
    }
}

/// How often a step may draw more problems at most; see [`Algorithm::resamples`].
pub const MOST_RESAMPLES: usize = 1000;

/// Everything that can be refused before a run: illegal settings, a loss without gradient, two columns or roles of one name,
/// and columns that their role's model cannot report.
pub fn check(algorithm: &dyn Algorithm) -> Result<(), IllegalSetting> {
    algorithm.validate()?;
    if algorithm.passes().epochs == 0 || algorithm.passes().minibatches == 0 {
        return Err(IllegalSetting::new("passes", "must have at least 1 epoch and 1 minibatch"));
    }
    if algorithm.resamples() > MOST_RESAMPLES {
        let problem = format!("must be at most {MOST_RESAMPLES}, not {}", algorithm.resamples());
        return Err(IllegalSetting::new("resample", problem));
    }
    if !(0.0..=1.0).contains(&algorithm.enough()) {
        let problem = format!("must be from 0 to 1, not {}", algorithm.enough());
        return Err(IllegalSetting::new("enough", problem));
    }
    let read_by_loss = algorithm.objective().reads();
    if !read_by_loss.iter().any(|column| column.is_signal()) {
        return Err(IllegalSetting::new(
            algorithm.name(),
            "has a loss that reads no signal: no model can learn from it",
        ));
    }
    let reads = credit_of(algorithm).reads().into_iter().chain(read_by_loss);
    let reads: BTreeSet<Column> = Column::ALL.into_iter().chain(reads).collect();
    let roles: BTreeSet<Role> = Role::ALL.into_iter().chain(reads.iter().filter_map(|column| column.role())).collect();
    distinct("column", reads.iter().map(|column| column.name()))?;
    distinct("role", roles.iter().map(|role| role.name()))?;
    reads.into_iter().try_for_each(reportable)
}

fn distinct<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), IllegalSetting> {
    let mut seen = BTreeSet::new();
    for name in names {
        let problem = match name {
            "" => format!("is an empty name of a {kind}"),
            name if !seen.insert(name) => format!("is the name of two different {kind}s"),
            _ => continue,
        };
        return Err(IllegalSetting::new(name, problem));
    }
    Ok(())
}

fn reportable(column: Column) -> Result<(), IllegalSetting> {
    let Source::Model { role, output, .. } = column.source() else { return Ok(()) };
    match (output, role.head()) {
        (Output::Logp | Output::Entropy, Head::Vocabulary) => Ok(()),
        (Output::Scalar | Output::ScalarAfter, Head::Scalar) => Ok(()),
        (output, head) => {
            let problem = format!("asks the role `{role}` for {output:?}, but its head is {head:?}");
            Err(IllegalSetting::new(column.name(), problem))
        }
    }
}
