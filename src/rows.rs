//! Rows of a file as JSON objects, read one at a time: JSONL or parquet, told apart by their first bytes.
//!
//! - JSONL has one object a line. Blank lines are skipped; a byte order mark at the start and CRLF line ends are no part of a
//!   line; the last line may be unterminated. A line that is no object, no UTF-8 or longer than 64 MiB is an error of that row,
//!   and the rows after it can still be read.
//! - A file that is one JSON array or compressed is refused, with the command that makes JSONL of it.
//! - Parquet is read row group by row group.
//!
//! Fields are named by a dotted path: `reward_model.ground_truth`, `prompt.0.content`. A key that has dots itself is found
//! first. [`Row::text`] says what a field's text is.

mod field;
mod lines;
mod records;

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use field::Fields;
use lines::{Line, Lines};
use records::{Record, Records};

/// The rows of a file, in order. An error is about the whole rest of the file, and the last item.
pub struct Rows {
    file: Arc<str>,
    source: Source,
}

/// Where a row is. Prints as `answers.jsonl, line 7` or `answers.parquet, row 7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// Its line in a JSONL file, its row in a parquet file, both counted from 1.
    pub number: u64,
    format: Format,
}

/// A row as it was read, not yet taken apart: [`RawRow::parse`] may be called on another thread.
#[derive(Debug)]
pub struct RawRow {
    /// Where it is.
    pub place: Place,
    content: Content,
}

/// A row: an object with named fields.
#[derive(Debug)]
pub struct Row {
    /// Where it is.
    pub place: Place,
    fields: Fields,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Jsonl,
    Parquet,
}

enum Source {
    Lines(Lines),
    Records(Records),
    /// Nothing more: the end was reached, or an error.
    Done,
}

#[derive(Debug)]
enum Content {
    Line(Line),
    Record(Record),
}

impl Rows {
    /// Opens a file. `-` is JSONL on standard input.
    pub fn open(path: &Path) -> Result<Rows> {
        let piped = path == Path::new("-");
        let name = if piped { "standard input".to_owned() } else { path.display().to_string() };
        let wrong = |problem: String| Error::file(Path::new(&name), problem);
        let failed = |problem: io::Error| wrong(problem.to_string());
        let mut from: Box<dyn Read + Send> =
            if piped { Box::new(io::stdin()) } else { Box::new(File::open(path).map_err(failed)?) };
        let mut first = Vec::new();
        from.by_ref().take(4).read_to_end(&mut first).map_err(failed)?;
        let source = match first.as_slice() {
            b"PAR1" if piped => return Err(wrong("a parquet file, which is read by its name only".to_owned())),
            b"PAR1" => Source::Records(Records::open(path).map_err(wrong)?),
            [0x1f, 0x8b, ..] => return Err(wrong(compressed("zcat"))),
            [0x28, 0xb5, 0x2f, 0xfd] => return Err(wrong(compressed("zstdcat"))),
            _ => {
                let first = first.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&first).to_vec();
                Source::Lines(Lines::new(Box::new(BufReader::with_capacity(BUFFER, Cursor::new(first).chain(from)))))
            }
        };
        Ok(Rows { file: name.into(), source })
    }

    /// What `make` makes of each row of a file, on all threads, in order; the first error is the one that is told.
    ///
    /// # Errors
    /// A file or a row that cannot be read, and those of `make`.
    pub fn each<T: Send>(path: &Path, make: impl Fn(Row) -> Result<T> + Sync) -> Result<Vec<T>> {
        let rows = Rows::open(path)?.collect::<Result<Vec<_>>>()?;
        let made: Vec<Result<T>> = rows.into_par_iter().map(|row| row.parse().and_then(&make)).collect();
        made.into_iter().collect()
    }

    /// The file, as errors name it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The next row of the source, with its number.
    fn take(&mut self) -> Option<std::result::Result<RawRow, String>> {
        let (format, next) = match &mut self.source {
            Source::Lines(lines) => (Format::Jsonl, lines.next()?.map(|(number, line)| (number, Content::Line(line)))),
            Source::Records(records) => {
                (Format::Parquet, records.next()?.map(|(number, record)| (number, Content::Record(record))))
            }
            Source::Done => return None,
        };
        let place = |number| Place { file: self.file.clone(), number, format };
        Some(next.map(|(number, content)| RawRow { place: place(number), content }))
    }
}

impl Iterator for Rows {
    type Item = Result<RawRow>;

    fn next(&mut self) -> Option<Result<RawRow>> {
        let next = self.take();
        if !matches!(next, Some(Ok(_))) {
            self.source = Source::Done;
        }
        next.map(|row| row.map_err(|problem| Error::file(Path::new(&*self.file), problem)))
    }
}

impl RawRow {
    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Line(line) => line.bytes(),
            Content::Record(record) => record.bytes(),
        }
    }

    /// Its fields.
    pub fn parse(&self) -> Result<Row> {
        let fields = match &self.content {
            Content::Line(line) => line.text().and_then(Fields::parse),
            Content::Record(record) => record.text().and_then(|text| Fields::parse(&text)),
        };
        let fields = fields.map_err(|problem| Error::row(&self.place, problem))?;
        Ok(Row { place: self.place.clone(), fields })
    }
}

impl Row {
    /// A field as JSON.
    pub fn json(&self, path: &str) -> Result<Box<RawValue>> {
        self.read(path, |value| Ok(value.to_owned()))
    }

    /// The text of a field: a string as it is; a number with the digits it was written with, without an exponent and without
    /// a fraction of zeros (`27.0` is `27`); `true` or `false`; the texts of a list, joined by `, `. A field that is not
    /// there, null, an object, an empty list or a list of lists or objects has no text.
    pub fn text(&self, path: &str) -> Result<String> {
        self.read(path, field::text)
    }

    /// A field that is a number.
    pub fn number(&self, path: &str) -> Result<f64> {
        self.read(path, |value| value.get().parse().map_err(|_| format!("{} is no number", field::shown(value))))
    }

    /// Whether a field is there and not null.
    pub fn has(&self, path: &str) -> bool {
        self.fields.find(path, |value| Ok(value.get() != "null")).unwrap_or(false)
    }

    fn read<T>(&self, path: &str, read: impl FnOnce(&RawValue) -> std::result::Result<T, String>) -> Result<T> {
        self.fields.find(path, read).map_err(|problem| Error::row(&self.place, problem))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} {}", self.file, self.unit(), self.number)
    }
}

impl Place {
    /// `line` or `row`: what its number counts.
    pub fn unit(&self) -> &'static str {
        match self.format {
            Format::Jsonl => "line",
            Format::Parquet => "row",
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

fn compressed(command: &str) -> String {
    format!("compressed, which is not read: `{command} FILE` makes JSONL of it")
}

#[cfg(test)]
mod tests;
