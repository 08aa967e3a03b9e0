//! Records of a parquet file.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use parquet::errors::ParquetError;
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};

/// The records of a file, with their numbers from 1.
pub(super) struct Records {
    records: RowIter<'static>,
    number: u64,
}

/// A record as it was read.
#[derive(Debug)]
pub(super) struct Record(Row);

impl Records {
    pub(super) fn open(path: &Path) -> Result<Records, String> {
        let file = File::open(path).map_err(|problem| problem.to_string())?;
        let reader = guarded(|| SerializedFileReader::new(file))?;
        Ok(Records { records: RowIter::from_file_into(Box::new(reader)), number: 0 })
    }

    /// The next record. An error ends the file.
    pub(super) fn next(&mut self) -> Option<Result<(u64, Record), String>> {
        let row = guarded(|| self.records.next().transpose()).transpose()?;
        self.number += 1;
        Some(row.map(|row| (self.number, Record(row))))
    }
}

impl Record {
    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.0.get_column_iter().map(|(_, field)| bytes(field)).sum()
    }

    /// As a JSON object.
    pub(super) fn text(&self) -> Result<String, String> {
        let object = guarded(|| Ok(object(&self.0)))?;
        serde_json::to_string(&object).map_err(|problem| problem.to_string())
    }
}

/// The library panics on some files that are damaged or use what it lacks; for us that is an error like any other.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(problem)) => Err(format!("not readable as parquet: {problem}")),
        Err(_) => Err("not readable as parquet: damaged, or of a kind that is not supported".to_owned()),
    }
}

fn object(row: &Row) -> Value {
    Value::Object(row.get_column_iter().map(|(name, field)| (name.clone(), json(field))).collect())
}

/// As the library writes it, but for text that is stored as bytes (the library writes base64) and for numbers of 32 bits
/// (which it widens, so that 0.1 becomes 0.10000000149).
fn json(field: &Field) -> Value {
    match field {
        Field::Group(row) => object(row),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(json).collect()),
        Field::MapInternal(map) => {
            let entry = |(key, value): &(Field, Field)| (key_text(key), json(value));
            Value::Object(map.entries().iter().map(entry).collect::<Map<_, _>>())
        }
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::from(text),
            Err(_) => field.to_json_value(),
        },
        Field::Float(number) => {
            let shortest = number.to_string().parse().ok().and_then(Number::from_f64);
            shortest.map_or(Value::Null, Value::Number)
        }
        other => other.to_json_value(),
    }
}

fn key_text(key: &Field) -> String {
    match json(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn bytes(field: &Field) -> usize {
    let inside = match field {
        Field::Str(text) => text.len(),
        Field::Bytes(bytes) => bytes.len(),
        Field::Group(row) => row.get_column_iter().map(|(name, field)| name.len() + bytes(field)).sum(),
        Field::ListInternal(list) => list.elements().iter().map(bytes).sum(),
        Field::MapInternal(map) => map.entries().iter().map(|(key, value)| bytes(key) + bytes(value)).sum(),
        _ => 0,
    };
    inside + size_of::<Field>()
}
