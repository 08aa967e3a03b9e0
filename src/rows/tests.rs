//! Files as they come, and what is read of them.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::NamedTempFile;

use super::*;

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Of each row its number and the text of a field, or what is wrong.
fn texts(bytes: &[u8], field: &str) -> Vec<(u64, String)> {
    let file = file(bytes);
    let text = |row: Result<RawRow>| {
        let row = row.unwrap();
        let text = row.parse().and_then(|row| row.text(field)).unwrap_or_else(|problem| match problem {
            Error::Row { problem, .. } => problem,
            other => panic!("{other}"),
        });
        (row.place.number, text)
    };
    Rows::open(file.path()).unwrap().map(text).collect()
}

/// What is wrong with a file that cannot be read.
fn refusal(bytes: &[u8]) -> String {
    let file = file(bytes);
    let problem = match Rows::open(file.path()) {
        Err(problem) => problem,
        Ok(rows) => rows.filter_map(Result::err).next().unwrap(),
    };
    problem.to_string()
}

fn text_of(value: &str) -> String {
    texts(format!("{{\"x\": {value}}}").as_bytes(), "x").remove(0).1
}

#[test]
fn lines_are_read_however_they_are_written() {
    let written = "\u{feff}{\"x\": \"1\"}\r\n\r\n  \n{\"x\": \"é\"}\n\t{\"x\": \"3\"} \r\n{\"x\": \"last\"}";
    let expected = [(1, "1"), (4, "é"), (5, "3"), (6, "last")].map(|(line, text)| (line, text.to_owned()));
    assert_eq!(texts(written.as_bytes(), "x"), expected);
    assert_eq!(texts(b"", "x"), []);
    assert_eq!(texts(b"\xef\xbb\xbf", "x"), []);
    assert_eq!(texts(b"\n\n", "x"), []);
}

#[test]
fn a_bad_line_is_an_error_of_its_own() {
    let written = b"{\"x\": \"1\"}\n{\"x\": \"\xff\"}\n{\"x\": \n3\n{\"x\": \"5\"} {}\n{\"x\": \"6\"}\n";
    let texts = texts(written, "x");
    assert_eq!((texts[0].1.as_str(), texts[5].1.as_str()), ("1", "6"));
    for (line, problem) in [
        (2, "not UTF-8 text at byte 8"),
        (3, "EOF while parsing"),
        (4, "not a JSON object"),
        (5, "trailing characters"),
    ] {
        let (number, text) = &texts[line - 1];
        assert!(*number == line as u64 && text.contains(problem) && !text.contains("line 1"), "{line}: {text}");
    }
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_next_is_read() {
    let mut written = b"{\"x\": \"".to_vec();
    written.resize(lines::LONGEST as usize + 10, b'a');
    written.extend_from_slice(b"\"}\n{\"x\": \"2\"}");
    assert_eq!(texts(&written, "x"), [(1, "longer than 64 MiB".to_owned()), (2, "2".to_owned())]);
}

#[test]
fn a_file_that_is_no_table_of_rows_says_what_to_do() {
    for (bytes, problem) in [
        (b"[{\"x\": 1}]".as_slice(), "jq -c '.[]'"),
        (b"\n  [\n{\"x\": 1}]", "jq -c '.[]'"),
        (&[0x1f, 0x8b, 8, 0], "zcat FILE"),
        (&[0x28, 0xb5, 0x2f, 0xfd, 0], "zstdcat FILE"),
        (b"PAR1", "not readable as parquet"),
        (b"PAR1 and nothing that a parquet file has PAR1", "not readable as parquet"),
    ] {
        let message = refusal(bytes);
        assert!(message.contains(problem) && message.contains('/'), "{message}");
    }
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("nowhere.jsonl"), folder.path().to_owned()] {
        let message = Rows::open(&path).err().unwrap().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
    }
}

#[test]
fn the_text_of_a_field() {
    for (value, text) in [
        ("\" as it is \\n\"", " as it is \n"),
        ("27.0", "27"),
        ("1e21", "1000000000000000000000"),
        ("true", "true"),
        ("[\"2\"]", "2"),
        ("[1, \"x\", 2.50, false]", "1, x, 2.50, false"),
        ("[]", "field `x`: an empty list, which has no text"),
        ("[[1]]", "field `x`: a list of lists or objects, which has no text"),
        ("{\"y\": 1}", "field `x`: an object, which has no text: name one of its fields"),
        ("null", "field `x`: null, which has no text"),
    ] {
        assert_eq!(text_of(value), text, "{value}");
    }
    assert!(text_of("\"\\ud800\"").starts_with("field `x`: "), "half a surrogate pair");
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(text_of(&deep).contains("a list of lists"));
}

#[test]
fn fields_are_named_by_path() {
    let row = r#"{"a": {"b": "1", "c.d": {"e": "2"}}, "a.b": "3", "list": [{"f": "4"}, {"f": "5"}], "g": 6}"#;
    for (path, text) in [
        ("a.b", "3"),
        ("a.c.d.e", "2"),
        ("list.1.f", "5"),
        ("g", "6"),
        ("list.2.f", "no field `list.2.f`: it is a list of 2, counted from 0"),
        ("list.-1", "no field `list.-1`: it is a list of 2, counted from 0"),
        ("a.x", "no field `a.x`: it has b, c.d"),
        ("g.x", "no field `g.x`: g is no object and no list"),
        ("h", "no field `h`: it has a, a.b, g, list"),
        ("", "no field ``: it has a, a.b, g, list"),
    ] {
        assert_eq!(texts(row.as_bytes(), path), [(1, text.to_owned())], "{path}");
    }
}

#[test]
fn an_error_names_file_line_and_field() {
    assert_eq!(texts(b"{}", "x"), [(1, "no field `x`: it has none".to_owned())]);
    let file = file(b"\n{\"p\": \"high\"}");
    let row = Rows::open(file.path()).unwrap().next().unwrap().unwrap().parse().unwrap();
    let message = row.number("p").unwrap_err().to_string();
    assert_eq!(message, format!("{}, line 2: field `p`: \"high\" is no number", file.path().display()));
    assert!(row.has("p") && !row.has("q"));
}

const SCHEMA: &str = "message rows {
    required binary question (utf8);
    optional group reward_model { required binary ground_truth (utf8); }
    optional group prompt (list) { repeated group list { required group element { required binary content (utf8); } } }
    required double answer;
    required float rate;
    required binary raw;
}";

/// A file of two groups of rows: `n` rows in each.
fn parquet_file(compression: Compression, n: usize) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
    let mut writer = SerializedFileWriter::new(file.reopen().unwrap(), schema, properties).unwrap();
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        let mut column = 0;
        while let Some(mut next) = group.next_column().unwrap() {
            column += 1;
            let texts = vec![ByteArray::from(format!("text of column {column}").as_str()); n];
            let written = match next.untyped() {
                // Two messages in each prompt.
                ColumnWriter::ByteArrayColumnWriter(writer) if column == 3 => {
                    let texts = [texts.clone(), texts].concat();
                    writer.write_batch(&texts, Some(&vec![2; 2 * n]), Some(&[0, 1].repeat(n)))
                }
                ColumnWriter::ByteArrayColumnWriter(writer) => writer.write_batch(&texts, Some(&vec![1; n]), None),
                ColumnWriter::DoubleColumnWriter(writer) => writer.write_batch(&vec![27.0; n], None, None),
                ColumnWriter::FloatColumnWriter(writer) => writer.write_batch(&vec![0.1; n], None, None),
                _ => panic!("no column of this kind"),
            };
            written.unwrap();
            next.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    file
}

#[test]
fn parquet_has_the_same_rows_in_every_compression() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
    ] {
        let file = parquet_file(compression, 3);
        let rows: Vec<RawRow> = Rows::open(file.path()).unwrap().collect::<Result<_>>().unwrap();
        assert_eq!(rows.iter().map(|row| row.place.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6], "{compression}");
        let row = rows[5].parse().unwrap();
        for (path, text) in [
            ("question", "text of column 1"),
            ("reward_model.ground_truth", "text of column 2"),
            ("prompt.1.content", "text of column 3"),
            ("answer", "27"),
            ("rate", "0.1"),
            ("raw", "text of column 6"),
        ] {
            assert_eq!(row.text(path).unwrap(), text, "{compression}: {path}");
        }
        let message = row.text("answr").unwrap_err().to_string();
        assert!(message.contains(", row 6: no field `answr`"), "{message}");
    }
}

/// Whatever byte is damaged, a file is read or refused.
#[test]
fn a_damaged_parquet_file_is_refused_without_a_panic() {
    let whole = std::fs::read(parquet_file(Compression::SNAPPY, 2).path()).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0xff;
        let damaged = file(&damaged);
        if let Ok(rows) = Rows::open(damaged.path()) {
            rows.take(100).filter_map(Result::ok).for_each(|row| drop(row.parse()));
        }
    }
}
