//! `oreal eval`: a model behind a server on a file of problems, and two evaluations beside each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

// Only a part of what it has is used here.
#[allow(dead_code, unused_imports)]
#[path = "../src/chat/testing.rs"]
mod testing;

use oreal::chat::Endpoint;
use oreal::problems::{ProblemSettings, Source, TestSet};
use serde_json::Value;
use tempfile::TempDir;
use testing::{Server, ServesChat, asked, response, send};

fn oreal(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.arg("eval").args(args).env_remove("OPENAI_API_KEY").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is printed, where all goes well.
fn printed(args: &[&str]) -> String {
    let output = oreal(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The last line of an error.
fn refused(args: &[&str]) -> String {
    let output = oreal(args);
    assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}: {}", text(&output.stdout));
    text(&output.stderr)
}

/// Rows that have the fields of every shipped configuration.
const ROWS: &str = r#"{"problem": "P1?", "question": "P1?", "answer": "1/2", "final_answer": ["1/2"], "level": 1, "subject": "Algebra", "subfield": "Algebra", "answer_type": "Numerical", "error": null}
{"problem": "P2?", "question": "P2?", "answer": "7", "final_answer": ["7"], "level": 2, "subject": "Algebra", "subfield": "Algebra", "answer_type": "Numerical", "error": null}
{"problem": "P3?", "question": "P3?", "answer": "(1, 2)", "final_answer": ["(1, 2)"], "level": 2, "subject": "Geometry", "subfield": "Geometry", "answer_type": "Tuple", "error": null}
"#;

fn file() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("rows.jsonl");
    fs::write(&data, ROWS).unwrap();
    (folder, data.display().to_string())
}

fn at(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Half is always right; the other two never are.
fn weak() -> Server {
    Server::saying(
        |_, request| if asked(request).contains("P1?") { "\\boxed{0.5}".into() } else { "\\boxed{3}".into() },
    )
}

fn strong() -> Server {
    Server::saying(|_, request| match asked(request) {
        asked if asked.contains("P1?") => "\\boxed{\\frac12}".into(),
        asked if asked.contains("P2?") => "\\boxed{7}".into(),
        _ => "\\boxed{(1, 2)}".into(),
    })
}

#[test]
fn a_model_behind_a_server_is_evaluated_and_continued() {
    let ((folder, data), server) = (file(), weak());
    let (url, out) = (server.endpoint().url, at(&folder, "weak"));
    let args = [
        "--data",
        &data,
        "--source",
        "math",
        "--url",
        &url,
        "--model-name",
        "m",
        "--by",
        "level,subject",
        "--out",
        &out,
    ];
    let said = printed(&args);
    for part in [
        "m at http://127.0.0.1",
        "3 problems, 1 completion of each; greedy, at most 4096 tokens",
        "pass@1   33.3 [0.8, 90.6]",
        "truncated 0.0%, without an answer 0.0%, ungraded 0, failed 0 of 3 completions",
        "level       problems  pass@1\n  1                1  100.0 [2.5, 100.0]\n  2                2  0.0 [0.0, 84.2]\n",
        "\n  Algebra          2  50.0 [1.3, 98.7]\n",
        "recorded in",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert_eq!(fs::read_to_string(Path::new(&out).join("completions.jsonl")).unwrap().lines().count(), 3);
    assert_eq!((printed(&args), server.count()), (said, 3), "nothing is asked again");
    let json: Value = serde_json::from_str(&printed(&[&args[..], &["--json"]].concat())).unwrap();
    assert_eq!((&json["total"]["pass"]["1"]["problems"], &json["problems"][1]["row"]), (&3.into(), &2.into()));
    assert_eq!(json["settings"]["settings"]["temperature"], 0.0);
    let problem = refused(&[&args[..], &["--max-tokens", "9"]].concat());
    assert!(problem.contains("settings.max_tokens was 4096 and is 9"), "{problem}");
}

#[test]
fn two_evaluations_are_compared() {
    let (folder, data) = file();
    let [a, b, short] = ["a", "b", "short"].map(|name| at(&folder, name));
    for (server, out, more) in [(weak(), &a, [].as_slice()), (strong(), &b, &[]), (weak(), &short, &["--limit", "2"])] {
        let url = server.endpoint().url;
        let args =
            ["--data", &data, "--source", "math", "--url", &url, "--model-name", "m", "--by", "subject", "--out", out];
        printed(&[&args[..], more].concat());
    }
    let said = printed(&["--compare", &a, &b]);
    for part in [
        "pass@1 on 3 problems: A 33.3%, B 100.0%",
        "B minus A: +66.7 [",
        "B better on 2, A better on 0, equal on 1",
        "McNemar's exact test: p = 0.500",
        "\n  Geometry         1  +100.0 [-95.0, +100.0]  0.0%   100.0%  1 : 0\n",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    let json: Value = serde_json::from_str(&printed(&["--compare", &b, &a, "--json"])).unwrap();
    assert_eq!(json["total"]["won_lost_tied"], serde_json::json!([0, 2, 1]));
    let problem = refused(&["--compare", &a, &short]);
    assert!(problem.contains("only in") && problem.contains("(row 3)"), "{problem}");
    assert!(refused(&["--compare", &a]).contains("2 values"));
    assert!(refused(&["--compare", &a, &b, "--limit", "3"]).contains("cannot be used with"));
}

#[test]
fn shipped_configurations_run() {
    let ((folder, data), server) = (file(), strong());
    let url = server.endpoint().url;
    let configurations = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/eval")).unwrap();
    let configurations: Vec<PathBuf> = configurations.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(configurations.len(), 5);
    for configuration in configurations {
        let (name, out) =
            (configuration.display().to_string(), at(&folder, configuration.file_stem().unwrap().to_str().unwrap()));
        let said = printed(&[&name, "--data", &data, "--url", &url, "--model-name", "m", "-n", "2", "--out", &out]);
        assert!(
            said.contains("temperature 1, top-p 0.9, at most 16384 tokens") && said.contains("100.0 ["),
            "{name}: {said}"
        );
        let shown = fs::read_to_string(&configuration).unwrap();
        let file = configuration.file_name().unwrap().to_str().unwrap();
        assert!(shown.contains(&format!("oreal eval examples/eval/{file} --data FILE")), "{name} shows how it is used");
    }
    let asked: Vec<String> = server.requests().iter().map(|request| asked(request)).collect();
    assert!(asked.iter().all(|asked| asked.len() == 3), "the question alone: {asked:?}");
}

#[test]
fn what_fails_is_told_and_a_server_that_is_down_ends_the_run() {
    let (folder, data) = file();
    let some = Server::start(|_, request, connection| match asked(request) {
        asked if asked.contains("P2?") => send(connection, &response("400 Bad Request", "", "too long for me")),
        _ => send(connection, &testing::completion("\\boxed{1/2}")),
    });
    let (url, out) = (some.endpoint().url, at(&folder, "some"));
    let output = oreal(&["--data", &data, "--source", "math", "--url", &url, "--model-name", "m", "--out", &out]);
    assert!(output.status.success());
    let (said, notes) = (text(&output.stdout), text(&output.stderr));
    assert!(
        said.contains("pass@1   50.0") && said.contains("on the 2 problems with enough graded completions"),
        "{said}"
    );
    assert!(said.contains("between 33.3 and 66.7 whatever is missing") && said.contains("failed 1 of 3"), "{said}");
    assert!(notes.contains("too long for me") && notes.contains("asked for again"), "{notes}");

    let down = Server::start(|_, _, connection| send(connection, &response("401 No", "", "")));
    let (url, out) = (down.endpoint().url, at(&folder, "down"));
    let problem = refused(&["--data", &data, "--source", "math", "--url", &url, "--model-name", "m", "--out", &out]);
    assert!(
        problem.contains("the key in OPENAI_API_KEY is not set") && problem.contains("0 of 3 completions are kept"),
        "{problem}"
    );
}

#[test]
fn mistakes_end_with_a_message_and_leave_nothing_behind() {
    let (folder, data) = file();
    let (out, config) = (at(&folder, "out"), at(&folder, "eval.toml"));
    fs::write(&config, "data = \"x.jsonl\"\nn = 1\ntemprature = 0.5\n").unwrap();
    let server = ["--url", "http://127.0.0.1:1/v1", "--model-name", "m"];
    let cases: [(&[&str], &[&str]); 11] = [
        (&[], &["data: missing"]),
        (&["--data", "no-such-file", "--source", "math"], &["no-such-file"]),
        (&["--data", &data], &["source = math, gsm8k"]),
        (&["--data", &data, "--source", "mth"], &["mth", "olympiadbench"]),
        (&["--data", &data, "--source", "math", "-n", "4"], &["n: must be 1 where temperature is 0"]),
        (&["--data", &data, "--source", "math", "--by", "colour"], &["by: ", "`colour`"]),
        (&["--data", &data, "--source", "math", "--greedy", "--temperature", "1"], &["cannot be used with"]),
        (&["--data", &data, "--source", "gsm8k"], &["left out because the gold answer is not understood"]),
        (&["--data", &data, "--source", "math", "--judge", &config], &["line 1", "unknown field `data`"]),
        (&[&config], &["line 3", "unknown field `temprature`"]),
        (&["--data", &data, "--source", "math", "--model", "m", "--url", "http://x/v1"], &["cannot be used with"]),
    ];
    for (args, said) in cases {
        let with_server = if args.contains(&"--model") { args.to_vec() } else { [args, &server].concat() };
        let problem = refused(&[&with_server[..], &["--out", &out]].concat());
        assert!(said.iter().all(|part| problem.contains(part)), "{args:?}: {problem}");
        assert!(!Path::new(&out).exists(), "{args:?} left a folder behind");
    }
    let problem = refused(&["--data", &data, "--source", "math", "--out", &out]);
    assert!(problem.contains("model: missing") && !Path::new(&out).exists(), "{problem}");
    let problem = refused(&["--data", &data, "--source", "math", "--url", "http://x/v1", "--out", &out]);
    assert!(problem.contains("endpoint.model: must be"), "{problem}");
}

#[test]
fn all_problems_of_a_file_are_used() {
    let rows = r#"{"question": "A?", "final_answer": ["1"], "error": null}
{"question": "B?", "final_answer": ["2.5"], "error": "0.1"}
{"question": "A?", "final_answer": ["1.0"], "error": null}
{"question": "C?", "final_answer": [], "error": null}
{"question": "D?", "final_answer": ["3"], "error": null}
{"question": "D?", "final_answer": ["4"], "error": null}
{"question": "E?", "final_answer": ["\\frac{"], "error": null, "level": 5}
"#;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("rows.jsonl");
    fs::write(&data, rows).unwrap();
    let settings = ProblemSettings {
        file: data.display().to_string(),
        source: Some(Source::OlympiadBench),
        ..ProblemSettings::default()
    };
    let set = TestSet::read(&settings, &["level".to_owned()], None).unwrap();
    let questions: Vec<_> = set.problems.iter().map(|problem| (&*problem.question, &*problem.groups[0])).collect();
    assert_eq!(questions, [("A?", "none"), ("B?", "none"), ("E?", "5")]);
    let notices = set.notices().join("\n");
    for part in ["line 4 (", "2 left out because the same question has several gold answers: line 5, line 6", "line 3"]
    {
        assert!(notices.contains(part), "{part}: {notices}");
    }
    let verdict = |place: usize, response: &str| set.problems[place].grade(response, Default::default()).verdict;
    use oreal::math::Verdict::{CannotTell, Right, Wrong};
    assert_eq!([verdict(0, "\\boxed{1}"), verdict(0, "\\boxed{2}")], [Right, Wrong]);
    assert_eq!([verdict(1, "\\boxed{2.5}"), verdict(1, "\\boxed{2.55}")], [Right, CannotTell], "it has a tolerance");
    assert_eq!(verdict(2, "\\boxed{1}"), CannotTell, "its gold answer is not understood");
    assert_eq!(TestSet::read(&settings, &[], Some(1)).unwrap().problems.len(), 1);
}
