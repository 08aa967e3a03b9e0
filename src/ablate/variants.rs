//! From what is varied to configurations.

use toml::{Table, Value};

use super::failures::FAILURES;
use super::run::ABLATION;
use super::settings::{AblationSettings, VariantSettings};
use crate::catalogue::{Catalogue, section};
use crate::compare::COMPARISON;
use crate::config::{Config, Part, Settings, Train};
use crate::error::{Error, Result};
use crate::folder::LOCK;
use crate::record::REPORT;
use crate::report;

/// Most variants of one ablation.
const MOST: usize = 1000;

/// Names of other things in the folder of an ablation or a comparison.
const TAKEN: [&str; 10] = [
    ABLATION,
    COMPARISON,
    FAILURES,
    LOCK,
    REPORT,
    report::NAME,
    "results.csv",
    "results.json",
    "results.md",
    "table.txt",
];

/// The variants of the grid, and those that are named.
pub(super) fn rows(settings: &AblationSettings) -> Result<Vec<VariantSettings>> {
    let wrong = |key: &str, problem: String| Error::setting(format!("ablation.{key}"), problem);
    let size = settings.axes.values().try_fold(1_usize, |size, values| size.checked_mul(values.len()));
    if size.is_none_or(|size| size.saturating_add(settings.variants.len()) > MOST) {
        return Err(wrong("axes", format!("more than {MOST} variants")));
    }
    let mut rows = Vec::new();
    if !settings.axes.is_empty() {
        rows.push(VariantSettings { label: String::new(), algorithm: None, set: Vec::new() });
    }
    for (key, values) in &settings.axes {
        if values.is_empty() {
            return Err(wrong("axes", format!("{key} has no values")));
        }
        let pairs = rows.iter().flat_map(|row| values.iter().map(move |value| (row, value)));
        rows = pairs.map(|(row, value)| with(row, key, value)).collect::<Result<_>>()?;
    }
    rows.extend(settings.variants.iter().cloned());
    if rows.is_empty() {
        return Err(wrong("axes", "there is nothing to compare: give [ablation.axes] or [[ablation.variants]]".into()));
    }
    labels(rows.iter().map(|row| row.label.as_str()), "ablation.variants")?;
    Ok(rows)
}

/// A row of the grid with one more setting.
fn with(row: &VariantSettings, key: &str, value: &Value) -> Result<VariantSettings> {
    let mut row = row.clone();
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let part = match (key, value) {
        ("algorithm", Value::String(name)) => {
            row.algorithm = Some(name.clone());
            text
        }
        ("algorithm", _) => return Err(Error::setting("ablation.axes.algorithm", format!("{value} is not a text"))),
        _ => {
            row.set.push(format!("{key}={value}"));
            format!("{}={text}", key.rsplit('.').next().unwrap_or(key))
        }
    };
    let safe = part.chars().map(|c| if is_safe(c) { c } else { '-' }).collect::<String>();
    row.label = if row.label.is_empty() { safe } else { format!("{},{safe}", row.label) };
    Ok(row)
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._+=,-".contains(c)
}

/// Refuses labels that cannot be folders, or that are the same (also where a system ignores case).
pub(crate) fn labels<'a>(labels: impl Iterator<Item = &'a str>, key: &str) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for label in labels {
        let fits = !label.is_empty() && label.len() <= 100 && !label.starts_with('.') && label.chars().all(is_safe);
        if !fits || TAKEN.contains(&label.to_ascii_lowercase().as_str()) {
            let problem =
                "a label names a folder: up to 100 letters, digits and ._+=,- that no file there has as its name";
            return Err(Error::setting(key, format!("{label:?}: {problem}")));
        }
        if !seen.insert(label.to_ascii_lowercase()) {
            return Err(Error::setting(key, format!("{label} is named twice")));
        }
    }
    Ok(())
}

/// The configuration of a variant: that of the file, with its algorithm and its settings. `set` comes first, `row.set` last.
/// Errors name the variant.
pub(super) fn config(
    base: &Table,
    place: &str,
    row: &VariantSettings,
    set: &[String],
    catalogue: &Catalogue,
) -> Result<Config> {
    let mut table = base.clone();
    if let Some(name) = &row.algorithm {
        let said = table.get("algorithm").and_then(Value::as_table).filter(|said| label_of(said) == *name);
        let chosen = said.cloned().unwrap_or_else(|| section(name));
        table.insert("algorithm".to_owned(), chosen.into());
    }
    let overrides: Vec<String> = set.iter().chain(&row.set).cloned().collect();
    let text = toml::to_string(&table).map_err(|problem| Error::setting(place, problem))?;
    catalogue.config_from_toml(&text, place, &overrides).map_err(|error| match error {
        Error::Setting { place, problem } => {
            let place = place.strip_prefix("--set ").unwrap_or(&place);
            Error::setting(format!("{}: {place}", row.label), problem)
        }
        other => other,
    })
}

/// `NAME` or `NAME/PRESET` of an [algorithm] section.
pub(crate) fn label_of(section: &Table) -> String {
    let word = |key: &str| section.get(key).and_then(|value| value.as_str());
    let name = word("name").unwrap_or_default();
    word("preset").map_or_else(|| name.to_owned(), |preset| format!("{name}/{preset}"))
}

/// Variants that are algorithms, each with these settings of it.
pub(crate) fn of_algorithms(names: &[String], set: &[String]) -> Vec<VariantSettings> {
    let variant = |name: &String| {
        let (label, set) = (name.replace('/', "-"), set.to_vec());
        VariantSettings { label, algorithm: Some(name.clone()), set }
    };
    names.iter().map(variant).collect()
}

/// Whether two configurations have the same policy before training: all that it depends on is equal.
pub(crate) fn same_start(a: &Config, b: &Config) -> bool {
    let start = |settings: &Settings| {
        let mut start = settings.clone();
        // What acts after the warm-up only.
        (start.train, start.sampling, start.added) = (Train::default(), Default::default(), Default::default());
        (start.roles, start.record, start.sentinels) = (Default::default(), Default::default(), Default::default());
        start.evaluation.every = 0;
        start.sampler = None;
        start.rates.roles.clear();
        start
    };
    a.env == b.env && start(&a.settings) == start(&b.settings)
}

/// The setting that says which held-out problems; where it is all of them, that of the experiment stands.
pub(super) fn part(part: Part) -> Option<String> {
    match part {
        Part::All => None,
        Part::Pilot => Some("evaluation.part=\"pilot\"".to_owned()),
        Part::Final => Some("evaluation.part=\"final\"".to_owned()),
    }
}
