//! The algorithms and environments that a configuration file can name: those built in, and a user's own.
//!
//! A program with algorithms and environments of its own has the whole command line in one call:
//!
//! ```no_run
//! # use oreal::algos::{Grpo, Rloo};
//! # use oreal::envs::Addition;
//! # use std::process::ExitCode;
//! # type Mine = Rloo;
//! # type MyEnv = Addition;
//! fn main() -> ExitCode {
//!     oreal::Catalogue::built_in()
//!         .algorithm("mine", "what it does, in a line", [("default", Mine::default())])
//!         .env("my_env", "what is asked, in a line", MyEnv::default())
//!         .main()
//! }
//! ```

use std::fmt;
use std::sync::Arc;

use oreal_algos::{Algorithm, Column};
use oreal_toy_envs::{Env, Problem};
use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use toml::{Table, Value};

use crate::columns::DataColumn;
use crate::error::{Error, Result};
use crate::problems::Problems;
use crate::rollout::Trajectory;

/// Named algorithms and environments, and data columns that come with them.
#[derive(Clone, Debug)]
pub struct Catalogue {
    algorithms: Vec<Entry<dyn Algorithm>>,
    envs: Vec<Entry<dyn Env>>,
    columns: Vec<DataColumn>,
}

/// Something that a configuration file can name.
pub struct Entry<T: ?Sized> {
    /// As in a configuration file.
    pub name: String,
    /// What it is, in a line.
    pub about: String,
    /// Named settings, the default first.
    pub presets: Vec<(String, Table)>,
    /// Why it cannot be used.
    unusable: Option<String>,
    build: Arc<Build<T>>,
}

type Build<T> = dyn Fn(Table) -> std::result::Result<Arc<T>, toml::de::Error> + Send + Sync;

/// An algorithm or an environment with all its settings.
pub struct Chosen<T: ?Sized> {
    /// As in a configuration file.
    pub name: String,
    /// The preset that its settings started from; `None` where it was made from a value.
    pub preset: Option<String>,
    /// Every setting, as in a configuration file.
    pub settings: Table,
    /// What the settings say.
    pub value: Arc<T>,
    /// Whether a configuration file names the preset: it is not the default one.
    named: bool,
}

impl Catalogue {
    /// The algorithms and environments of this project.
    pub fn built_in() -> Catalogue {
        let algorithm = |&name: &&str| {
            let presets = oreal_algos::BuiltIn::presets(name);
            let about = presets.first().map_or("", |(_, algorithm)| algorithm.about());
            let dialects = oreal_algos::BuiltIn::dialects(name);
            let presets = presets.iter().chain(&dialects);
            let presets = presets.map(|(preset, algorithm)| ((*preset).to_owned(), without_name(algorithm)));
            Entry::named(name, about, presets.collect(), |built_in: oreal_algos::BuiltIn| {
                Arc::from(Box::<dyn Algorithm>::from(built_in))
            })
        };
        let env = |built_in: oreal_toy_envs::BuiltIn| {
            let presets = vec![("default".to_owned(), without_name(&built_in))];
            Entry::named(built_in.name(), built_in.about(), presets, |built_in: oreal_toy_envs::BuiltIn| {
                Arc::from(Box::<dyn Env>::from(built_in))
            })
        };
        Catalogue {
            algorithms: oreal_algos::BuiltIn::NAMES.iter().map(algorithm).collect(),
            envs: oreal_toy_envs::BuiltIn::all().into_iter().map(env).collect(),
            columns: Vec::new(),
        }
        .env("math", "mathematical questions with gold answers, from a file", Problems::default())
    }

    /// With an algorithm of one's own and its presets, the default first. One of the same name is replaced. Settings that
    /// cannot be written as TOML are refused when a file names it.
    pub fn algorithm<A, P>(mut self, name: &str, about: &str, presets: P) -> Catalogue
    where
        A: Algorithm + Serialize + DeserializeOwned + 'static,
        P: IntoIterator<Item = (&'static str, A)>,
    {
        let entry = Entry::own(name, about, presets, |algorithm: A| Arc::new(algorithm) as Arc<dyn Algorithm>);
        self.algorithms.retain(|other| other.name != name);
        self.algorithms.push(entry);
        self
    }

    /// With an environment of one's own and its default settings. One of the same name is replaced. Settings that cannot be
    /// written as TOML are refused when a file names it.
    pub fn env<E>(mut self, name: &str, about: &str, default: E) -> Catalogue
    where
        E: Env + Serialize + DeserializeOwned + 'static,
    {
        let entry = Entry::own(name, about, [("default", default)], |env: E| Arc::new(env) as Arc<dyn Env>);
        self.envs.retain(|other| other.name != name);
        self.envs.push(entry);
        self
    }

    /// With a data column of one's own: its values for each judged completion, one for a column of trajectories, one per
    /// token for a column of tokens. It is computed where an algorithm reads it.
    pub fn column(
        mut self,
        column: Column,
        values: impl Fn(&Problem, &Trajectory) -> Vec<f64> + Send + Sync + 'static,
    ) -> Catalogue {
        self.columns.push(DataColumn::new(column, values));
        self
    }

    /// The algorithms, in the order they are listed in.
    pub fn algorithms(&self) -> &[Entry<dyn Algorithm>] {
        &self.algorithms
    }

    /// The environments, in the order they are listed in.
    pub fn envs(&self) -> &[Entry<dyn Env>] {
        &self.envs
    }

    /// The data columns of one's own.
    pub fn columns(&self) -> &[DataColumn] {
        &self.columns
    }

    /// The algorithm that a section says: `name`, perhaps `preset`, and settings put over those of the preset.
    pub fn chosen_algorithm(&self, section: Table) -> Result<Chosen<dyn Algorithm>> {
        chosen(&self.algorithms, section, "algorithm")
    }

    /// The environment that a section says: `name`, and settings put over the default ones.
    pub fn chosen_env(&self, section: Table) -> Result<Chosen<dyn Env>> {
        chosen(&self.envs, section, "env")
    }
}

impl<T: ?Sized + 'static> Entry<T> {
    /// From settings that hold the name.
    fn named<S: DeserializeOwned + 'static>(
        name: &str,
        about: &str,
        presets: Vec<(String, Table)>,
        value: fn(S) -> Arc<T>,
    ) -> Entry<T> {
        let tag = Value::from(name);
        let build = move |mut settings: Table| {
            settings.insert("name".to_owned(), tag.clone());
            S::deserialize(settings).map(value)
        };
        Entry { name: name.to_owned(), about: about.to_owned(), presets, unusable: None, build: Arc::new(build) }
    }

    /// From settings without a name; a key that the type does not know is an error, whether it says so itself or not.
    fn own<S: Serialize + DeserializeOwned + 'static>(
        name: &str,
        about: &str,
        presets: impl IntoIterator<Item = (&'static str, S)>,
        value: fn(S) -> Arc<T>,
    ) -> Entry<T> {
        let written = presets.into_iter().map(|(preset, settings)| Ok((preset.to_owned(), settings_of(&settings)?)));
        let (presets, unusable) = match written.collect::<std::result::Result<Vec<_>, toml::ser::Error>>() {
            Ok(presets) => (presets, None),
            Err(problem) => (Vec::new(), Some(format!("the settings of {name} cannot be written as TOML: {problem}"))),
        };
        let build = move |settings: Table| {
            let mut unknown = None;
            let read = serde_ignored::deserialize(settings, |path| {
                unknown.get_or_insert_with(|| path.to_string());
            });
            match unknown {
                Some(key) => Err(serde::de::Error::custom(format_args!("unknown field `{key}`"))),
                None => read.map(value),
            }
        };
        Entry { name: name.to_owned(), about: about.to_owned(), presets, unusable, build: Arc::new(build) }
    }
}

/// A section over the settings of the preset it names, or of the default one.
fn chosen<T: ?Sized>(entries: &[Entry<T>], mut section: Table, kind: &str) -> Result<Chosen<T>> {
    let list = |names: Vec<&str>| names.join(", ");
    let name = word(&mut section, "name", kind)?.unwrap_or_default();
    let Some(entry) = entries.iter().find(|entry| entry.name == name) else {
        let known = list(entries.iter().map(|entry| entry.name.as_str()).collect());
        return Err(Error::setting(format!("{kind}.name"), format!("{name:?} is unknown; there are {known}")));
    };
    if let Some(problem) = &entry.unusable {
        return Err(Error::setting(format!("{kind}.name"), problem));
    }
    let preset = word(&mut section, "preset", kind)?;
    let default = entry.presets.first();
    let start = match &preset {
        None => default,
        Some(preset) => entry.presets.iter().find(|(known, _)| known == preset),
    };
    let Some((preset, start)) = start.map(|(preset, start)| (Some(preset.clone()), start)) else {
        let known = list(entry.presets.iter().map(|(preset, _)| preset.as_str()).collect());
        let preset = preset.unwrap_or_default();
        return Err(Error::setting(
            format!("{kind}.preset"),
            format!("{name} has no preset {preset:?}; it has {known}"),
        ));
    };
    let settings = overlaid(start, &section);
    let named = default.map(|(name, _)| name) != preset.as_ref();
    match (entry.build)(settings.clone()) {
        Ok(value) => Ok(Chosen { name, preset, settings, value, named }),
        Err(problem) => Err(blame(kind, start, section, &|table| (entry.build)(table).err(), &problem)),
    }
}

/// `start` with the settings of `section` put over it, each key's value whole.
pub(crate) fn overlaid(start: &Table, section: &Table) -> Table {
    let mut settings = start.clone();
    for (key, value) in section {
        settings.insert(key.clone(), value.clone());
    }
    settings
}

/// Which key an error is about: the first that is an error by itself, put alone over settings that are none. In a table it is
/// the first key without which there is no error.
pub(crate) fn blame(
    kind: &str,
    start: &Table,
    section: Table,
    error: &dyn Fn(Table) -> Option<toml::de::Error>,
    whole: &toml::de::Error,
) -> Error {
    for (key, value) in section {
        let alone = |value: Value| error(overlaid(start, &Table::from_iter([(key.clone(), value)])));
        if let Some(problem) = alone(value.clone()) {
            let inner = inner(&value, &alone).map_or_else(String::new, |inner| format!(".{inner}"));
            return Error::setting(format!("{kind}.{key}{inner}"), problem.message().trim_end());
        }
    }
    Error::setting(kind, whole.message().trim_end())
}

/// The key of a table without which there is no error.
fn inner<'a>(value: &'a Value, error: &dyn Fn(Value) -> Option<toml::de::Error>) -> Option<&'a String> {
    let table = value.as_table()?;
    let without = |key: &String| {
        let mut rest = table.clone();
        rest.remove(key);
        Value::Table(rest)
    };
    table.keys().find(|key| error(without(key)).is_none())
}

/// A text taken out of a section.
fn word(section: &mut Table, key: &str, kind: &str) -> Result<Option<String>> {
    match section.remove(key) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(word)),
        Some(other) => Err(Error::setting(format!("{kind}.{key}"), format!("{other} is not a text"))),
    }
}

fn settings_of(value: &impl Serialize) -> std::result::Result<Table, toml::ser::Error> {
    Table::try_from(value)
}

/// Of what is built in, whose settings can all be written.
fn without_name(value: &impl Serialize) -> Table {
    let mut settings = settings_of(value).unwrap_or_default();
    settings.remove("name");
    settings
}

impl<T: ?Sized> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Entry {
            name: self.name.clone(),
            about: self.about.clone(),
            presets: self.presets.clone(),
            unusable: self.unusable.clone(),
            build: self.build.clone(),
        }
    }
}

impl<T: ?Sized> fmt::Debug for Entry<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).field("presets", &self.presets).finish_non_exhaustive()
    }
}

impl<T: ?Sized> Clone for Chosen<T> {
    fn clone(&self) -> Self {
        Chosen {
            name: self.name.clone(),
            preset: self.preset.clone(),
            settings: self.settings.clone(),
            value: self.value.clone(),
            named: self.named,
        }
    }
}

impl<T: ?Sized> fmt::Debug for Chosen<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chosen").field("name", &self.name).field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl<T: ?Sized> PartialEq for Chosen<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.settings == other.settings
    }
}

impl From<oreal_algos::BuiltIn> for Chosen<dyn Algorithm> {
    fn from(built_in: oreal_algos::BuiltIn) -> Self {
        let (name, settings) = (built_in.name().to_owned(), without_name(&built_in));
        Chosen { name, preset: None, settings, value: Arc::from(Box::<dyn Algorithm>::from(built_in)), named: false }
    }
}

impl From<oreal_toy_envs::BuiltIn> for Chosen<dyn Env> {
    fn from(built_in: oreal_toy_envs::BuiltIn) -> Self {
        let (name, settings) = (built_in.name().to_owned(), without_name(&built_in));
        Chosen { name, preset: None, settings, value: Arc::from(Box::<dyn Env>::from(built_in)), named: false }
    }
}

/// As a section of a configuration file.
impl<T: ?Sized> Serialize for Chosen<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut name = Table::from_iter([("name".to_owned(), Value::from(self.name.as_str()))]);
        if let Some(preset) = self.preset.as_ref().filter(|_| self.named) {
            name.insert("preset".to_owned(), Value::from(preset.as_str()));
        }
        overlaid(&name, &self.settings).serialize(serializer)
    }
}

/// `NAME` or `NAME/PRESET`, as a section.
pub fn section(name: &str) -> Table {
    let (name, preset) = name.split_once('/').map_or((name, None), |(name, preset)| (name, Some(preset)));
    let preset = preset.map(|preset| ("preset".to_owned(), Value::from(preset)));
    [("name".to_owned(), Value::from(name))].into_iter().chain(preset).collect()
}
