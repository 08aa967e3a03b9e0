//! What two records of settings differ in.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Longest value that is shown, in characters.
const LONGEST: usize = 200;

/// The first value that differs.
#[derive(Debug, PartialEq)]
pub(crate) struct Difference {
    /// Its place, as in `train.prompts`.
    pub key: String,
    /// The first of the two values, or that it is not set.
    pub there: String,
    /// The second.
    pub here: String,
}

/// Of the settings in a file, which has this text, and others, both in TOML; keys at the top that are in `except` may differ.
///
/// # Errors
/// [`Error::File`] with the file, where its text is no TOML.
pub(crate) fn difference_of_settings(
    path: &Path,
    text: &str,
    settings: &str,
    except: &[&str],
) -> Result<Option<Difference>> {
    let json = |text: &str| {
        let mut table: toml::Table = text.parse().map_err(|problem| Error::file(path, problem))?;
        table.retain(|key, _| !except.contains(&key));
        serde_json::to_value(table).map_err(|problem| Error::file(path, problem))
    };
    Ok(difference(&json(text)?, &json(settings)?))
}

/// Of two records in the order of keys; `None` where they are equal. Null is as good as not set.
pub(crate) fn difference(there: &Value, here: &Value) -> Option<Difference> {
    within("", there, here)
}

fn within(place: &str, there: &Value, here: &Value) -> Option<Difference> {
    if there == here {
        return None;
    }
    if let (Value::Object(there), Value::Object(here)) = (there, here) {
        let keys: BTreeSet<&String> = there.keys().chain(here.keys()).collect();
        let value = |fields: &Map<String, Value>, key: &str| fields.get(key).cloned().unwrap_or_default();
        let of = |key: &String| {
            let path = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            within(&path, &value(there, key), &value(here, key))
        };
        return keys.into_iter().find_map(of);
    }
    let shown = |value: &Value| match value {
        Value::Null => "not set".to_owned(),
        value => value.to_string().chars().take(LONGEST).collect(),
    };
    Some(Difference { key: place.to_owned(), there: shown(there), here: shown(here) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_value_that_differs_is_named_by_its_place() {
        let of = |there: Value, here: Value| {
            difference(&there, &here).map(|Difference { key, there, here }| format!("{key} {there} {here}"))
        };
        let whole = json!({ "train": { "steps": 3, "prompts": 4 }, "seed": 1 });
        assert_eq!(of(whole.clone(), whole.clone()), None);
        let other = json!({ "train": { "steps": 5, "prompts": 6 }, "seed": 1 });
        assert_eq!(of(whole.clone(), other).unwrap(), "train.prompts 4 6");
        assert_eq!(of(whole.clone(), json!({ "train": whole["train"] })).unwrap(), "seed 1 not set");
        assert_eq!(of(json!({ "a": null }), json!({})), None);
        assert_eq!(of(json!({ "a": [1, 2] }), json!({ "a": { "b": 1 } })).unwrap(), "a [1,2] {\"b\":1}");
    }
}
