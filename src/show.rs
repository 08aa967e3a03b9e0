//! What algorithms and environments say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use oreal_algos::{Algorithm, Column, Role, credit_of};

use crate::catalogue::{Catalogue, Entry};
use crate::config::Config;
use crate::experiment::Experiment;
use crate::run::reads;

/// The lists of algorithms and environments.
pub fn list(catalogue: &Catalogue) -> String {
    let mut text = String::from("algorithms\n");
    for entry in catalogue.algorithms() {
        text += &about(entry);
        let presets: Vec<&str> = entry.presets.iter().map(|(preset, _)| preset.as_str()).collect();
        if presets.len() > 1 {
            text += &format!("  {:10} presets: {}\n", "", presets.join(", "));
        }
    }
    text += "\nenvironments\n";
    catalogue.envs().iter().for_each(|entry| text += &about(entry));
    text
}

fn about<T: ?Sized>(entry: &Entry<T>) -> String {
    format!("  {:10} {}\n", entry.name, entry.about)
}

/// An algorithm's page: what it is, its settings as a file would say them, its formula with the terms added to it, and what
/// follows from it.
pub fn page(config: &Config, about: &str) -> String {
    let settings = toml::to_string(&BTreeMap::from([("algorithm", &config.algorithm)])).unwrap_or_default();
    let algorithm = Experiment::from_config(config.clone()).effective();
    format!("{} {about}\n\n{settings}\n{}", config.algorithm.name, formula(&*algorithm))
}

/// The formula of any algorithm, and what follows from it.
pub fn formula(algorithm: &dyn Algorithm) -> String {
    let (credit, objective) = (credit_of(algorithm), algorithm.objective());
    let columns = reads(algorithm);
    let roles: BTreeSet<Role> = columns.iter().filter_map(|column| column.role()).collect();
    let signals: Vec<Column> = objective.reads().into_iter().filter(|column| column.is_signal()).collect();
    let learns = |role: &Role| signals.iter().any(|signal| signal.role() == Some(*role));
    let mark = |role: &Role| format!("{}{}", role.name(), if learns(role) { "" } else { " (never updated)" });
    let passes = algorithm.passes();
    let list = |items: Vec<String>| items.join(", ");
    let mut text = format!(
        "credit, on whole groups\n{}\nobjective, to minimise\n{}\n",
        indented(&credit.formula()),
        indented(&objective.formula())
    );
    for (name, value) in [
        ("selects", format!("{:?}", algorithm.select())),
        ("reads", list(columns.iter().map(|column| column.name().to_owned()).collect())),
        ("roles", list(roles.iter().map(mark).collect())),
        ("coupling", objective.coupling().to_string()),
        ("passes", format!("{} x {} minibatches", passes.epochs, passes.minibatches)),
    ] {
        text += &format!("{name:10} {value}\n");
    }
    for inert in algorithm.inert() {
        text += &format!("{:10} {}: {}\n", "cannot act", inert.key, inert.reason);
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
