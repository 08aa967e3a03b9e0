//! From text to settings. Every mistake is told with its key, and with the file or the option that it came from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Config;
use crate::catalogue::{Catalogue, blame, overlaid};
use crate::error::{Error, Result};

/// Longest configuration that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Deepest `a.b.c` of an override.
const DEEPEST: usize = 8;

/// A file's text.
pub(super) fn text(path: &Path) -> Result<String> {
    let failed = |problem: std::io::Error| Error::file(path, problem);
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LONGEST {
        return Err(Error::file(path, format!("longer than {LONGEST} bytes: this is no configuration")));
    }
    String::from_utf8(bytes).map_err(|_| Error::file(path, "not UTF-8 text"))
}

/// Parses, puts the overrides over it, and checks everything.
pub(super) fn config(text: &str, place: &str, overrides: &[String], catalogue: &Catalogue) -> Result<Config> {
    made(text, place, overrides, |table| assemble(table, catalogue))
}

/// The same for a file that has nothing but sections with defaults.
pub(super) fn sections_of<T: Sections>(text: &str, place: &str, overrides: &[String]) -> Result<T> {
    made(text, place, overrides, sections)
}

fn made<T>(text: &str, place: &str, overrides: &[String], make: impl FnOnce(Table) -> Result<T>) -> Result<T> {
    let mut table = parse(text, place)?;
    let mut origin = Origin { file: place, overrides: Vec::new() };
    for setting in overrides {
        origin.overrides.push((put(&mut table, setting)?, setting));
    }
    make(table).map_err(|error| origin.told(error))
}

/// Settings in sections, each of which has a default.
pub(crate) trait Sections: Default + Serialize + DeserializeOwned {}

impl<T: Default + Serialize + DeserializeOwned> Sections for T {}

fn assemble(mut table: Table, catalogue: &Catalogue) -> Result<Config> {
    let env = section(&mut table, "env", "addition")?;
    let algorithm = section(&mut table, "algorithm", "oreal")?;
    let config = Config {
        env: catalogue.chosen_env(env)?,
        algorithm: catalogue.chosen_algorithm(algorithm)?,
        settings: sections(table)?,
        columns: catalogue.columns().to_vec(),
    };
    config.validate()?;
    Ok(config)
}

pub(super) fn parse(text: &str, place: &str) -> Result<Table> {
    text.parse().map_err(|problem| Error::setting(place, problem))
}

/// Takes a section out of a file. Where it is there, it must say its name.
fn section(table: &mut Table, key: &str, default: &str) -> Result<Table> {
    match table.remove(key) {
        None => Ok(Table::from_iter([("name".to_owned(), Value::from(default))])),
        Some(Value::Table(section)) if section.contains_key("name") => Ok(section),
        Some(_) => Err(Error::setting(format!("{key}.name"), "missing: see `oreal list`")),
    }
}

/// Each section over its defaults.
fn sections<T: Sections>(table: Table) -> Result<T> {
    let defaults = Table::try_from(T::default()).map_err(|problem| Error::setting("defaults", problem))?;
    let mut whole = Table::new();
    for (name, value) in table {
        let alone = |value: Value| T::deserialize(Table::from_iter([(name.clone(), value)]));
        let value = match (value, defaults.get(&name)) {
            (Value::Table(section), Some(Value::Table(default))) => {
                let start = start(default, &section);
                let value = Value::Table(overlaid(&start, &section));
                if let Err(problem) = alone(value.clone()) {
                    let error = |section| alone(Value::Table(section)).err();
                    return Err(blame(&name, &start, section, &error, &problem));
                }
                value
            }
            (value, _) => value,
        };
        alone(value.clone()).map_err(|problem| Error::setting(&name, problem.message().trim_end()))?;
        whole.insert(name, value);
    }
    T::deserialize(whole).map_err(|problem| Error::setting("settings", problem.message().trim_end()))
}

/// The defaults of a section. Where it names another kind than the default one, only that name.
fn start(default: &Table, section: &Table) -> Table {
    let tag = ["kind", "rule"].into_iter().find(|tag| default.contains_key(*tag));
    match tag.and_then(|tag| Some((tag, section.get(tag)?))) {
        Some((tag, kind)) if *kind != default[tag] => Table::from_iter([(tag.to_owned(), kind.clone())]),
        _ => default.clone(),
    }
}

/// Which option each override came from.
struct Origin<'a> {
    file: &'a str,
    overrides: Vec<(String, &'a String)>,
}

impl Origin<'_> {
    /// An error about a key, told with the place that the key's value came from.
    fn told(&self, error: Error) -> Error {
        let Error::Setting { place: key, problem } = error else { return error };
        let within = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'));
        let about = |(path, _): &&(String, &String)| *path == key || within(path, &key) || within(&key, path);
        let place = match self.overrides.iter().rev().find(about) {
            Some((_, setting)) => shown(setting),
            None => self.file.to_owned(),
        };
        Error::Setting { place, problem: format!("{key}: {}", shortened(&problem, 600)) }
    }
}

/// An override as an error shows it.
fn shown(setting: &str) -> String {
    format!("--set {}", shortened(setting, 60))
}

/// The beginning of a text that is longer than so many characters.
fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Puts `section.key=value` into a table and returns the key; a value that is no TOML is taken as text.
pub(super) fn put(table: &mut Table, setting: &str) -> Result<String> {
    let wrong = |problem: String| Error::setting(shown(setting), problem);
    let shape = || wrong("expected section.key=value".to_owned());
    let (path, text) = setting.split_once('=').ok_or_else(shape)?;
    if setting.len() as u64 > LONGEST || path.split('.').count() > DEEPEST {
        return Err(wrong(format!("no setting lies deeper than {DEEPEST} sections or is longer than {LONGEST} bytes")));
    }
    let value = format!("value = {text}").parse::<Table>().ok();
    let value = value.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    let mut keys: Vec<&str> = path.split('.').map(str::trim).collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err(shape());
    }
    let key = keys.join(".");
    let last = keys.pop().unwrap_or_default();
    let mut place = table;
    for section in keys {
        let next = place.entry(section).or_insert_with(|| Value::Table(Table::new()));
        place = next.as_table_mut().ok_or_else(|| wrong(format!("{section} is a value, not a section")))?;
    }
    place.insert(last.to_owned(), value.unwrap_or_else(|| Value::from(text)));
    Ok(key)
}
