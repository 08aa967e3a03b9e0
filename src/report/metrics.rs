//! The lines of `metrics.jsonl` as series by name.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::files;
use crate::record::METRICS;

/// Most series of a run; more are left out.
const SERIES: usize = 200;

/// Longest name of a series, in bytes.
const NAME: usize = 80;

/// Numbers over steps, by name: `pass_rate`, `terms.kl`, `gradient_norm.policy`, ..
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Metrics {
    /// Values that are finite, by step in rising order.
    pub(crate) series: BTreeMap<String, Vec<(u64, f64)>>,
    /// Steps that have a line.
    pub(crate) steps: usize,
    /// Lines that could not be read.
    pub(crate) broken: usize,
}

impl Metrics {
    /// Of a run's folder; empty without the file. Of two lines of a step the later counts.
    pub(crate) fn read(folder: &Path) -> Metrics {
        let (mut names, mut steps) = (BTreeMap::new(), BTreeMap::new());
        let mut unnumbered = 0;
        let broken = files::lines(&folder.join(METRICS), &mut |line| match line.get("step").and_then(Value::as_u64) {
            Some(step) => drop(steps.insert(step, numbers(&line, &mut names))),
            None => unnumbered += 1,
        });
        let mut series: Vec<Vec<(u64, f64)>> = vec![Vec::new(); names.len()];
        for (step, values) in &steps {
            values.iter().for_each(|&(id, value)| series[id].push((*step, value)));
        }
        let series = names.into_iter().map(|(name, id)| (name, std::mem::take(&mut series[id]))).collect();
        Metrics { series, steps: steps.len(), broken: broken.unwrap_or(0) + unnumbered }
    }

    /// The sum of a series.
    pub(crate) fn total(&self, name: &str) -> f64 {
        self.series.get(name).map_or(0.0, |series| series.iter().map(|(_, value)| value).sum())
    }

    /// The mean of a series' first or last tenth, at least one value.
    pub(crate) fn tenth(&self, name: &str, last: bool) -> Option<f64> {
        let series = self.series.get(name).filter(|series| !series.is_empty())?;
        let count = series.len().div_ceil(10);
        let part = if last { &series[series.len() - count..] } else { &series[..count] };
        Some(part.iter().map(|(_, value)| value).sum::<f64>() / count as f64)
    }
}

/// The numbers of a line, those of sections by `section.name`, each with the number of its series.
fn numbers(line: &Value, names: &mut BTreeMap<String, usize>) -> Vec<(usize, f64)> {
    let mut found = Vec::new();
    let mut note = |name: String, value: &Value| {
        if let Some(value) = value.as_f64().filter(|value| value.is_finite()) {
            let next = names.len();
            if name.len() <= NAME && (next < SERIES || names.contains_key(&name)) {
                found.push((*names.entry(name).or_insert(next), value));
            }
        }
    };
    for (name, value) in line.as_object().into_iter().flatten().filter(|(name, _)| *name != "step") {
        match value {
            Value::Object(section) => section.iter().for_each(|(key, value)| note(format!("{name}.{key}"), value)),
            value => note(name.clone(), value),
        }
    }
    found
}
