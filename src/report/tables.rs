//! The tables of a `results.json`, whatever they hold: each list of records is one.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use super::chart::number;
use super::files;
use super::text::visible;

/// Most tables, rows and columns.
const TABLES: usize = 12;
const ROWS: usize = 400;
const COLUMNS: usize = 24;

/// Most characters of a cell.
const CELL: usize = 200;

/// A table whose cells are texts.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Table {
    title: String,
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The tables of the file in a folder; none where there is no such file.
pub(crate) fn read(folder: &Path, problems: &mut Vec<String>) -> Vec<Table> {
    let mut tables = Vec::new();
    if let Some(results) = files::json(&folder.join("results.json"), problems) {
        collect("results", &results, 3, &mut tables);
    }
    tables
}

/// Lists of records, at most so many levels deep.
fn collect(title: &str, value: &Value, depth: usize, tables: &mut Vec<Table>) {
    match value {
        Value::Array(rows) if rows.iter().any(Value::is_object) && tables.len() < TABLES => {
            tables.push(table(title, rows));
        }
        Value::Object(fields) if depth > 0 => {
            for (name, value) in fields {
                collect(&name.replace('_', " "), value, depth - 1, tables);
            }
        }
        _ => {}
    }
}

fn table(title: &str, records: &[Value]) -> Table {
    let mut head: Vec<&String> = Vec::new();
    for name in records.iter().take(ROWS).filter_map(Value::as_object).flat_map(|record| record.keys()) {
        if head.len() < COLUMNS && !head.contains(&name) {
            head.push(name);
        }
    }
    let row = |record: &Value| head.iter().map(|name| cell(&record[name.as_str()])).collect();
    Table {
        title: visible(title, CELL),
        head: head.iter().map(|name| visible(&name.replace('_', " "), CELL)).collect(),
        rows: records.iter().take(ROWS).map(row).collect(),
    }
}

/// A value in a few characters. A rate with its interval is `rate [low, high]`.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        Value::Bool(value) => if *value { "yes" } else { "no" }.to_owned(),
        Value::Array(values) => format!("[{}]", values.iter().take(16).map(cell).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let middle = ["rate", "mean", "value", "estimate", "iqm", "difference", "probability"];
            let middle = middle.iter().find_map(|name| fields.get(*name));
            match (middle, fields.get("low"), fields.get("high"), fields.get("interval")) {
                (Some(middle), Some(low), Some(high), _) => format!("{} [{}, {}]", cell(middle), cell(low), cell(high)),
                (Some(middle), _, _, Some(interval)) => format!("{} {}", cell(middle), cell(interval)),
                _ => {
                    let pairs = fields.iter().take(8).map(|(name, value)| format!("{name} {}", cell(value)));
                    pairs.collect::<Vec<_>>().join(", ")
                }
            }
        }
    };
    visible(&text, CELL)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_records_are_tables() {
        let mut tables = Vec::new();
        let results = json!({ "note": "x", "variants": [
            { "label": "oreal", "after": { "mean": 0.5, "low": 0.25, "high": 0.75 }, "seeds": [1, 2] },
            { "label": "<b>", "wins": null },
        ] });
        collect("results", &results, 3, &mut tables);
        let expected = Table {
            title: "variants".to_owned(),
            head: ["after", "label", "seeds", "wins"].map(str::to_owned).to_vec(),
            rows: vec![
                ["0.5 [0.25, 0.75]", "oreal", "[1, 2]", "–"].map(str::to_owned).to_vec(),
                ["–", "<b>", "–", "–"].map(str::to_owned).to_vec(),
            ],
        };
        assert_eq!(tables, [expected]);
    }
}
