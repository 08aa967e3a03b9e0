//! What algorithms and environments say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use oreal_algos::{Algorithm, BuiltIn, Column, Role, credit_of};

/// The lists of algorithms and environments.
pub fn list() -> String {
    let mut text = String::from("algorithms\n");
    for name in BuiltIn::NAMES {
        let presets = BuiltIn::presets(name);
        let names: Vec<&str> = presets.iter().map(|(preset, _)| *preset).collect();
        let about = presets.first().map_or("", |(_, algorithm)| algorithm.about());
        text += &format!("  {name:10} {about}\n");
        if names.len() > 1 {
            text += &format!("  {:10} presets: {}\n", "", names.join(", "));
        }
    }
    text += "\nenvironments\n";
    for env in oreal_toy_envs::BuiltIn::all() {
        text += &format!("  {:10} {}\n", env.name(), env.about());
    }
    text
}

/// An algorithm's page: what it is, its settings as a file would say them, its formula and what follows from it.
pub fn page(algorithm: &BuiltIn) -> String {
    let settings = toml::to_string(&BTreeMap::from([("algorithm", algorithm)])).unwrap_or_default();
    format!("{} {}\n\n{settings}\n{}", algorithm.name(), algorithm.about(), formula(&**algorithm))
}

/// The formula of any algorithm, and what follows from it.
pub fn formula(algorithm: &dyn Algorithm) -> String {
    let (credit, objective) = (credit_of(algorithm), algorithm.objective());
    let columns: BTreeSet<Column> = credit.reads().into_iter().chain(objective.reads()).collect();
    let roles: BTreeSet<Role> = columns.iter().filter_map(|column| column.role()).collect();
    let learns = |role: &Role| objective.reads().iter().any(|c| c.is_signal() && c.role() == Some(*role));
    let mark = |role: &Role| format!("{}{}", role.name(), if learns(role) { "" } else { " (never updated)" });
    let passes = algorithm.passes();
    let list = |items: Vec<String>| items.join(", ");
    format!(
        "credit, on whole groups\n{}\nobjective, to minimise\n{}\nselects    {:?}\nreads      {}\nroles      {}\ncoupling   \
         {}\npasses     {} x {} minibatches\n",
        indented(&credit.formula()),
        indented(&objective.formula()),
        algorithm.select(),
        list(columns.iter().map(|column| column.name().to_owned()).collect()),
        list(roles.iter().map(mark).collect()),
        objective.coupling(),
        passes.epochs,
        passes.minibatches,
    )
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
