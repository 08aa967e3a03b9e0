//! Fields of an object by dotted path, and their text. Values stay the text they were written as, so that no number is
//! rounded.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The fields of an object.
#[derive(Debug)]
pub(super) struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    /// Of an object that is written as JSON.
    pub(super) fn parse(text: &str) -> Result<Fields, String> {
        if !text.trim_ascii_start().starts_with('{') {
            return Err("not a JSON object: {..} is wanted".to_owned());
        }
        serde_json::from_str(text).map(Fields).map_err(|problem| without_line(&problem))
    }

    /// What `read` makes of the value at a path. Its problem is told with the path.
    pub(super) fn find<T>(&self, path: &str, read: impl FnOnce(&RawValue) -> Result<T, String>) -> Result<T, String> {
        let fields = self.0.iter().map(|(key, value)| (key.clone(), &**value)).collect();
        let value = step(Parts::Object(fields), path).map_err(|near| missing(path, &near))?;
        read(value).map_err(|problem| format!("field `{path}`: {problem}"))
    }
}

/// The text of a value; see [`super::Row::text`].
pub(super) fn text(value: &RawValue) -> Result<String, String> {
    match Parts::of(value) {
        Some(Parts::Object(_)) => Err("an object, which has no text: name one of its fields".to_owned()),
        Some(Parts::List(items)) if items.is_empty() => Err("an empty list, which has no text".to_owned()),
        Some(Parts::List(items)) => {
            let texts = items.into_iter().map(|item| match Parts::of(item) {
                None => simple(item),
                Some(_) => Err("a list of lists or objects, which has no text".to_owned()),
            });
            Ok(texts.collect::<Result<Vec<_>, _>>()?.join(", "))
        }
        None => simple(value),
    }
}

/// The beginning of a value, for messages.
pub(super) fn shown(value: &RawValue) -> String {
    let text = value.get();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.split_at(end).0),
        None => text.to_owned(),
    }
}

/// What is inside a value, one level deep.
enum Parts<'a> {
    Object(BTreeMap<String, &'a RawValue>),
    List(Vec<&'a RawValue>),
}

impl<'a> Parts<'a> {
    /// Of an object or a list; none of any other value.
    fn of(value: &'a RawValue) -> Option<Parts<'a>> {
        match value.get().as_bytes().first() {
            Some(b'{') => parsed(value).map(Parts::Object),
            Some(b'[') => parsed(value).map(Parts::List),
            _ => None,
        }
    }

    fn get(&self, key: &str) -> Option<&'a RawValue> {
        match self {
            Parts::Object(fields) => fields.get(key).copied(),
            Parts::List(items) => items.get(key.parse::<usize>().ok()?).copied(),
        }
    }

    /// What there is, for messages.
    fn names(&self) -> String {
        match self {
            Parts::Object(fields) if fields.is_empty() => "it has none".to_owned(),
            Parts::Object(fields) => {
                let names: Vec<&str> = fields.keys().take(12).map(String::as_str).collect();
                let more = if fields.len() > names.len() { ", .." } else { "" };
                format!("it has {}{more}", names.join(", "))
            }
            Parts::List(items) => format!("it is a list of {}, counted from 0", items.len()),
        }
    }
}

/// The value at a path; else what there is where the path ends.
fn step<'a>(parts: Parts<'a>, path: &str) -> Result<&'a RawValue, String> {
    if let Some(value) = parts.get(path) {
        return Ok(value);
    }
    // The longest key first, so that a key that has dots itself is found.
    let splits = path.match_indices('.').collect::<Vec<_>>().into_iter().rev();
    for (at, _) in splits {
        let (key, rest) = path.split_at(at);
        if let Some(value) = parts.get(key) {
            let inner = Parts::of(value).ok_or_else(|| format!("{key} is no object and no list"))?;
            return step(inner, rest.trim_start_matches('.'));
        }
    }
    Err(parts.names())
}

fn missing(path: &str, near: &str) -> String {
    format!("no field `{path}`: {near}")
}

fn parsed<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

/// The text of a string, a number or a truth value.
fn simple(value: &RawValue) -> Result<String, String> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get()).map_err(|problem| without_line(&problem)),
        Some(b'n') => Err("null, which has no text".to_owned()),
        Some(b't' | b'f') => Ok(value.get().to_owned()),
        _ => Ok(decimal(value.get())),
    }
}

/// Largest exponent that is written out in digits; no floating-point number has a larger one.
const EXPONENT: i64 = 400;

/// A number of JSON without an exponent, and without a fraction of zeros.
fn decimal(number: &str) -> String {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let Some(exponent) = exponent.parse::<i64>().ok().filter(|exponent| exponent.abs() <= EXPONENT) else {
        return number.to_owned();
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shift = exponent.unsigned_abs() as usize;
    let (whole, fraction) = if exponent < 0 {
        let padded = format!("{}{whole}", "0".repeat(shift));
        let (whole, moved) = padded.split_at(padded.len() - shift);
        (whole.to_owned(), format!("{moved}{fraction}"))
    } else {
        let padded = format!("{fraction}{}", "0".repeat(shift.saturating_sub(fraction.len())));
        let (moved, fraction) = padded.split_at(shift);
        (format!("{whole}{moved}"), fraction.to_owned())
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

/// What a parser says, without the line that it counts within the row.
fn without_line(problem: &serde_json::Error) -> String {
    let message = problem.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    format!("{message} at column {}", problem.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (written, text) in [
            ("27.0", "27"),
            ("27", "27"),
            ("0.50", "0.50"),
            ("-0.0", "-0"),
            ("1e21", "1000000000000000000000"),
            ("1.5E+3", "1500"),
            ("1.25e1", "12.5"),
            ("-12.5e-3", "-0.0125"),
            ("3e-2", "0.03"),
            ("100e-2", "1"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("1e999999999", "1e999999999"),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert_eq!(decimal(written), text, "{written}");
        }
    }
}
