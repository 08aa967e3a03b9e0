//! `oreal grade`: verdicts on the rows of a file.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn grade(args: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.arg("grade").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut stdin = running.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = running.wait_with_output().unwrap();
    // The program may end before it has read all.
    let _ = writer.join().unwrap();
    output
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|problem| panic!("{problem}: {line}"))).collect()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_row_has_a_line() {
    let rows = r#"{"gold": "72", "response": "It is \\boxed{72}", "answer": "1"}

{"gold": "72", "answer": "27"}
{"gold": 27.0, "response": null, "answer": 27}
{"gold": "72", "response": "It is beyond me"}
"#;
    let output = grade(&["-"], rows.as_bytes());
    assert!(output.status.success(), "{}", error(&output));
    let lines = lines(&output);
    let verdicts: Vec<_> = lines.iter().map(|line| (line["row"].as_u64().unwrap(), &line["verdict"])).collect();
    assert_eq!(
        verdicts,
        [(1, "right"), (3, "wrong"), (4, "right"), (5, "unparsable")]
            .map(|(n, v)| (n, Value::from(v)))
            .iter()
            .map(|(n, v)| (*n, v))
            .collect::<Vec<_>>()
    );
    for line in &lines {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["answer", "gold", "reason", "row", "step", "verdict"], "{line}");
    }
    let summary = error(&output);
    for part in ["4 rows in", "a second", "2 right (50.0%)", "1 wrong (25.0%)", "0 cannot tell", "1 unparsable"] {
        assert!(summary.contains(part), "{part}: {summary}");
    }
}

#[test]
fn fields_are_chosen() {
    let row = r#"{"id": [1], "reward_model": {"ground_truth": "5"}, "out": [{"text": "\\boxed{5}"}], "answer": "6"}"#;
    let gold = ["-", "--gold", "reward_model.ground_truth", "--id", "id"];
    let verdict = |more: &[&str]| {
        let output = grade(&[&gold, more].concat(), row.as_bytes());
        assert!(output.status.success(), "{}", error(&output));
        let line = lines(&output).remove(0);
        assert_eq!(line["id"], serde_json::json!([1]));
        line["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!(verdict(&[]), "wrong");
    assert_eq!(verdict(&["--answer", "reward_model.ground_truth"]), "right");
    assert_eq!(verdict(&["--response", "out.0.text"]), "right");
    assert_eq!(verdict(&["--response", "out.0.text", "--rule", "boxed"]), "right");
    assert_eq!(verdict(&["--response", "answer", "--rule", "boxed"]), "unparsable");
}

#[test]
fn decimals_mean_what_is_said() {
    let row = br#"{"gold": "9.8", "answer": "9.81"}"#;
    for (args, verdict, step) in [
        (&["-"] as &[&str], "cannot_tell", "rounded"),
        (&["-", "--decimals", "unknown"], "cannot_tell", "rounded"),
        (&["-", "--decimals", "rounded"], "right", "rounded"),
    ] {
        let line = lines(&grade(args, row)).remove(0);
        assert_eq!((&line["verdict"], &line["step"]), (&verdict.into(), &step.into()), "{args:?}");
    }
}

#[test]
fn bad_rows_are_told_and_the_others_graded() {
    let rows = b"{\"gold\": \"1\", \"answer\": \"1\"}\n{\"gold\": \"1\"}\n{\"gold\n\xff\n[1]\n{\"gold\": \"\", \"answer\": \"2\"}";
    let output = grade(&["-"], rows);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(lines.len(), 6);
    for (line, problem) in [(1, "no field `answer`"), (2, "EOF"), (3, "UTF-8"), (4, "not a JSON object")] {
        assert!(lines[line]["verdict"].is_null() && lines[line]["row"] == line + 1, "{}", lines[line]);
        assert!(lines[line]["error"].as_str().unwrap().contains(problem), "{}", lines[line]);
        let place = format!("error: standard input, line {}: ", line + 1);
        assert!(error(&output).contains(&place), "{}", error(&output));
    }
    assert_eq!(lines[0]["verdict"], "right");
    assert_eq!(
        (&lines[5]["verdict"], &lines[5]["not_understood"]),
        (&"cannot_tell".into(), &"nothing is there".into())
    );
    assert!(
        error(&output).contains("standard input: 4 of 6 rows could not be read")
            && error(&output).contains("1 gold answers")
    );

    let many = grade(&["-"], "x\n".repeat(30).as_bytes());
    assert_eq!(many.stdout.split(|byte| *byte == b'\n').count(), 31);
    assert_eq!(error(&many).matches("line ").count(), 10, "{}", error(&many));
    assert!(error(&many).contains("more rows cannot be read"));
}

/// Several blocks of rows, some of them bad.
fn many_rows() -> String {
    let row = |i: usize| match i % 7 {
        0 => "{}\n".to_owned(),
        r => format!("{{\"id\": {i}, \"gold\": \"{r}\", \"response\": \"\\\\boxed{{{}}}\"}}\n", i % 5),
    };
    (0..10_000).map(row).collect()
}

#[test]
fn any_number_of_threads_prints_the_same_bytes() {
    let rows = many_rows();
    let one = grade(&["-", "--threads", "1"], rows.as_bytes());
    assert_eq!(lines(&one).len(), 10_000);
    assert!(lines(&one).iter().enumerate().all(|(i, line)| line["row"] == i + 1));
    for threads in ["2", "5"] {
        assert!(grade(&["-", "--threads", threads], rows.as_bytes()).stdout == one.stdout, "{threads} threads");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    std::fs::write(&file, many_rows()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.args(["grade", file.to_str().unwrap(), "--gold", "gold"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut first = String::new();
    BufReader::new(running.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let mut error = String::new();
    running.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(running.wait().unwrap().success(), "{error}");
    assert!(
        first.starts_with("{\"row\":1,") && !error.contains("panicked") && !error.contains("roken pipe"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_graded_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.parquet");
    std::fs::write(&damaged, "PAR1 and no more").unwrap();
    for (args, input, named) in [
        (&["nowhere.jsonl"] as &[&str], "", "nowhere.jsonl"),
        (&["-"], "[{\"gold\": 1, \"answer\": 1}]", "jq -c '.[]'"),
        (&["-"], "PAR1", "by its name only"),
        (&[damaged.to_str().unwrap()], "", "damaged.parquet: not readable as parquet"),
        (&[folder.path().to_str().unwrap()], "", "directory"),
        (&["-", "--rule", "last"], "", "boxed"),
        (&["-", "--answer", "a", "--response", "b"], "", "cannot be used with"),
        (&["-", "--answer", "a", "--rule", "boxed"], "", "cannot be used with"),
        (&["-", "--threads", "0"], "", "--threads"),
        (&["-", "--decimals", "exact"], "", "rounded"),
        (&["-", "--question", "q"], "", "--judge"),
        (&["-", "--judge", "nowhere.toml"], "", "nowhere.toml"),
    ] {
        let output = grade(args, input.as_bytes());
        assert!(!output.status.success() && error(&output).contains(named), "{args:?}: {}", error(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let nothing = grade(&["-"], b"");
    assert!(nothing.status.success() && error(&nothing).contains("0 rows"), "{}", error(&nothing));
}
