//! The section `[ablation]` of a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::budget::Budget;
use crate::catalogue::blame;
use crate::config::Part;
use crate::error::{Error, Result};

/// Pilot seeds are these and the following ones: none of them is a seed of the final table.
pub const PILOT_SEEDS: u64 = 1_000_000;

/// Most seeds.
const SEEDS: usize = 1000;

/// What is varied, how often, and how it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AblationSettings {
    /// How many seeds from the experiment's own on, or which.
    pub seeds: Seeds,
    /// What all variants spend equally.
    #[serde(rename = "match")]
    pub matched: Matched,
    /// How much of it; none where steps are matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Which half of the held-out problems, and which seeds: `pilot` to choose settings, `final` for the table; `all` takes
    /// the seeds of `final`.
    pub problems: Part,
    /// How many seeds are trained at once; without it, as many as there are cores and the memory holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<usize>,
    /// The variant that the others are compared with; the first one where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The difference in pass rate that is worth seeing: how many seeds would show it is in the results.
    pub smallest_difference: f64,
    /// Settings of every variant, put over the experiment's, as `section.key=value`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// A grid: values of settings, by `section.key`. `algorithm` has values `NAME` or `NAME/PRESET`.
    pub axes: BTreeMap<String, Vec<Value>>,
    /// Variants with names of their own, after those of the grid.
    pub variants: Vec<VariantSettings>,
    /// Tasks that every variant is trained on, each with runs of its own; without any, the experiment's environment.
    pub tasks: Vec<TaskSettings>,
}

/// The seeds of an ablation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seeds {
    /// So many, from the experiment's own seed on.
    Count(usize),
    /// These.
    List(Vec<u64>),
}

/// What is spent equally by all variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// Training steps, as `train.steps` says.
    #[default]
    Steps,
    /// Optimiser steps.
    Updates,
    /// Completions that are drawn.
    Rollouts,
    /// Tokens that are learnt from.
    Tokens,
    /// Wall time of the training steps.
    Seconds,
}

/// A variant by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantSettings {
    /// Its row in the table, and its folder.
    pub label: String,
    /// `NAME` or `NAME/PRESET`; the experiment's own where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Settings put over the experiment's, as `section.key=value`.
    #[serde(default)]
    pub set: Vec<String>,
}

/// A task by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSettings {
    /// Part of the folders' names.
    pub label: String,
    /// Settings put over the experiment's, as `section.key=value`.
    #[serde(default)]
    pub set: Vec<String>,
}

impl Default for AblationSettings {
    fn default() -> Self {
        AblationSettings {
            seeds: Seeds::Count(5),
            matched: Matched::Steps,
            budget: None,
            problems: Part::Final,
            parallel: None,
            baseline: None,
            smallest_difference: 0.05,
            set: Vec::new(),
            axes: BTreeMap::new(),
            variants: Vec::new(),
            tasks: Vec::new(),
        }
    }
}

impl AblationSettings {
    /// From a file's section.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key: unknown, of the wrong type, or without sense.
    pub fn from_section(section: &Table) -> Result<AblationSettings> {
        let read = |table: Table| AblationSettings::deserialize(table);
        let settings = read(section.clone()).map_err(|problem| {
            blame("ablation", &Table::new(), section.clone(), &|table| read(table).err(), &problem)
        })?;
        settings.validate()?;
        Ok(settings)
    }

    /// Refuses values without sense.
    pub(crate) fn validate(&self) -> Result<()> {
        let wrong = |key: &str, problem: &str| Err(Error::setting(format!("ablation.{key}"), problem));
        match &self.seeds {
            Seeds::Count(0) => return wrong("seeds", "must be at least 1"),
            Seeds::List(list) if list.is_empty() => return wrong("seeds", "the list is empty"),
            Seeds::List(list) if list.iter().collect::<BTreeSet<_>>().len() < list.len() => {
                return wrong("seeds", "a seed is named twice");
            }
            Seeds::List(list) if list.iter().any(|seed| *seed >= PILOT_SEEDS) => {
                return wrong("seeds", "seeds from 1000000 on are those of pilots");
            }
            _ if self.seeds.count() > SEEDS => return wrong("seeds", "must be at most 1000"),
            _ => {}
        }
        match (self.matched, self.budget) {
            (Matched::Steps, Some(_)) => return wrong("budget", "steps are matched by train.steps: say `match`, too"),
            (Matched::Steps, None) => {}
            (_, None) => return wrong("budget", "missing: `match` says what is spent, `budget` how much"),
            (Matched::Seconds, Some(budget)) if budget > 0.0 && budget.is_finite() => {}
            (_, Some(budget)) if (1.0..=COUNTABLE).contains(&budget) && budget.fract() == 0.0 => {}
            _ => return wrong("budget", "must be a positive whole number (seconds may have a fraction)"),
        }
        if !(self.smallest_difference > 0.0 && self.smallest_difference <= 1.0) {
            return wrong("smallest_difference", "must be more than 0, at most 1");
        }
        match self.parallel {
            Some(0) => wrong("parallel", "must be at least 1"),
            Some(many) if many > 1 && self.matched == Matched::Seconds => {
                wrong("parallel", "must be 1 where seconds are matched: runs at the same time slow each other down")
            }
            _ => Ok(()),
        }
    }

    /// The budget of each run.
    pub(super) fn run_budget(&self) -> Budget {
        let budget = self.budget.unwrap_or_default();
        match self.matched {
            Matched::Steps => Budget::Off,
            Matched::Updates => Budget::Updates(budget as u64),
            Matched::Rollouts => Budget::Rollouts(budget as u64),
            Matched::Tokens => Budget::Tokens(budget as u64),
            Matched::Seconds => Budget::Seconds(budget),
        }
    }
}

/// Largest whole number below which all are exact.
const COUNTABLE: f64 = 9_007_199_254_740_992.0;

impl Seeds {
    fn count(&self) -> usize {
        match self {
            Seeds::Count(count) => *count,
            Seeds::List(list) => list.len(),
        }
    }

    /// Which they are, where the experiment's own seed is `first`.
    pub(super) fn list(&self, first: u64) -> Vec<u64> {
        match self {
            Seeds::Count(count) => (0..*count as u64).map(|i| first.saturating_add(i)).collect(),
            Seeds::List(list) => list.clone(),
        }
    }
}

impl Matched {
    /// As a heading.
    pub fn name(self) -> &'static str {
        match self {
            Matched::Steps => "steps",
            Matched::Updates => "updates",
            Matched::Rollouts => "rollouts",
            Matched::Tokens => "tokens learnt from",
            Matched::Seconds => "seconds",
        }
    }
}
