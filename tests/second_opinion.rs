//! A judge behind the rules: in problem sets and in `oreal grade`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

// Only a part of what it has is used here.
#[allow(dead_code, unused_imports)]
#[path = "../src/chat/testing.rs"]
mod testing;

use oreal::chat::Endpoint;
use oreal::envs::{Answer, Env, Problem, Prompt, Split, Verdict};
use oreal::judge::{Asks, JudgeSettings};
use oreal::models::Token;
use oreal::problems::{HeldOut, ProblemSettings, Problems};
use oreal::renderer::Renderer;
use oreal::{Catalogue, Experiment, Progress, Report};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;
use testing::{Server, ServesChat, asked, response, send};

/// A judge that calls only `x` right.
fn honest() -> Server {
    Server::saying(|_, request| if block(request, "CANDIDATE'S ANSWER") == "x" { "A".into() } else { "B".into() })
}

/// A judge that is out of order.
fn broken() -> Server {
    Server::start(|_, _, connection| send(connection, &response("500 Out Of Order", "", "")))
}

/// A text that the judge is shown.
fn block(request: &str, name: &str) -> String {
    let text = asked(request);
    let (_, text) = text.rsplit_once(&format!("[BEGIN {name}")).unwrap();
    text.lines().nth(1).unwrap().to_owned()
}

fn settings(server: &Server, asks: Asks) -> JudgeSettings {
    let Endpoint { url, model, key_variable, concurrency, timeout_seconds, .. } = server.endpoint();
    let (retries, backoff_seconds) = (0, 0.0);
    let settings = JudgeSettings { url, model, key_variable, concurrency, timeout_seconds, ..Default::default() };
    JudgeSettings { asks, retries, backoff_seconds, ..settings }
}

/// `|x|` is right by rule, `1` is wrong, and whether `x` is right the rules cannot tell.
const QUESTIONS: &str = "{\"question\": \"Root of $x^2$?\", \"gold\": \"$\\\\sqrt{x^2}$\"}\n";

fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.jsonl"), QUESTIONS).unwrap();
    std::fs::write(folder.path().join("held.jsonl"), QUESTIONS.replace("Root", "The root")).unwrap();
    folder
}

fn problems(folder: &TempDir, judge: Option<JudgeSettings>) -> Problems {
    let [file, held_out] = ["train.jsonl", "held.jsonl"].map(|name| folder.path().join(name).display().to_string());
    let [question, gold] = ["question", "gold"].map(|name| Some(name.to_owned()));
    let held_out = HeldOut::File(held_out);
    let problems =
        Problems::new(ProblemSettings { file, held_out, question, gold, judge, ..ProblemSettings::default() });
    let problems = problems.unwrap();
    problems.check().unwrap();
    problems
}

fn first(problems: &Problems) -> Problem {
    problems.problem(Split::Train, 0, &mut ChaCha8Rng::seed_from_u64(0))
}

/// Verdicts on a right and a wrong answer, three on which the rules cannot tell, none, and one that was cut.
fn verdicts(problems: &Problems) -> Vec<Verdict> {
    let problem = first(problems);
    let texts = ["\\boxed{|x|}", "\\boxed{1}", "\\boxed{x}", "It is $\\boxed{x}$.", "\\boxed{x+0}", "no idea"];
    let stopped = texts.iter().map(|text| Answer::stopped(&problem, text));
    problems.judge(&stopped.chain([Answer::truncated(&problem, "\\boxed{x}")]).collect::<Vec<_>>())
}

use Verdict::{Right, Truncated, Ungraded, Unparsable, Wrong};

#[test]
fn what_the_rules_leave_open_is_put_to_the_judge() {
    let (folder, server) = (files(), honest());
    assert_eq!(verdicts(&problems(&folder, None)), [Right, Wrong, Ungraded, Ungraded, Ungraded, Unparsable, Truncated]);
    let judged = problems(&folder, Some(settings(&server, Asks::CannotTell)));
    assert_eq!(judged.notices_after(), [""; 0]);
    assert_eq!(verdicts(&judged), [Right, Wrong, Right, Right, Wrong, Unparsable, Truncated]);
    let mut answers: Vec<String> = server.requests().iter().map(|r| block(r, "CANDIDATE'S ANSWER")).collect();
    answers.sort();
    assert_eq!(answers, ["x", "x+0"], "each different answer is asked about once, as it was written");
    let request = &server.requests()[0];
    assert_eq!(
        [block(request, "QUESTION"), block(request, "STANDARD ANSWER")],
        ["Root of $x^2$?", "$\\sqrt{x^2}$"],
        "the question without an instruction, and the gold answer as it was written"
    );
    assert_eq!(judged.notices_after(), ["judge: 2 asked, 0 cached, 0 failed, 0 requests sent again"]);
    assert_eq!(judged.notices_after(), [""; 0], "said once");
}

#[test]
fn the_judge_may_revise_what_the_rules_call_wrong() {
    let (folder, server) = (files(), Server::saying(|_, _| "A".into()));
    let judged = problems(&folder, Some(settings(&server, Asks::CannotTellAndWrong)));
    assert_eq!(verdicts(&judged), [Right, Right, Right, Right, Right, Unparsable, Truncated]);
    assert_eq!(server.count(), 3);
    let (problem, long) = (first(&judged), format!("\\boxed{{{}}}", "1".repeat(5000)));
    assert_eq!(judged.judge(&[Answer::stopped(&problem, &long)]), [Wrong], "too long to be asked about");
    assert_eq!(server.count(), 3);
}

#[test]
fn a_judge_that_fails_makes_no_answer_wrong() {
    let (folder, server) = (files(), broken());
    let judged = problems(&folder, Some(settings(&server, Asks::CannotTell)));
    assert_eq!(verdicts(&judged), [Right, Wrong, Ungraded, Ungraded, Ungraded, Unparsable, Truncated]);
    let judged = problems(&folder, Some(settings(&server, Asks::CannotTellAndWrong)));
    assert_eq!(verdicts(&judged), [Right, Ungraded, Ungraded, Ungraded, Ungraded, Unparsable, Truncated]);
    let notices = judged.notices_after();
    assert!(notices[0].starts_with("judge: 3 asked, 0 cached, 3 failed"), "{notices:?}");
    assert!(notices[0].contains("the first failure: ") && notices[0].contains("500"), "{notices:?}");
}

#[test]
fn opinions_are_kept_for_the_next_run() {
    let (folder, server) = (files(), honest());
    let cache = folder.path().join("opinions");
    let settings = JudgeSettings { cache: Some(cache.clone()), ..settings(&server, Asks::CannotTell) };
    let judged = || problems(&folder, Some(settings.clone()));
    let verdict = verdicts(&judged());
    let again = judged();
    assert_eq!((verdicts(&again), server.count()), (verdict, 2));
    assert!(again.notices_after()[0].contains("0 asked, 2 cached"));
    let third = judged();
    std::fs::remove_dir_all(&cache).unwrap();
    verdicts(&third);
    assert!(third.notices_after()[1].contains("no longer kept"));
}

/// Each token but the last, which ends completions, is a whole answer.
#[derive(Debug)]
struct Answers;

const ANSWERS: [&str; 3] = ["|x|", "1", "x"];
const END: Token = ANSWERS.len() as Token;

impl Renderer for Answers {
    fn prompt(&self, _: &Prompt) -> oreal::Result<Vec<Token>> {
        Ok(vec![0])
    }
    fn completion(&self, _: &str) -> oreal::Result<Vec<Token>> {
        Ok(vec![END])
    }
    fn text(&self, completion: &[Token]) -> oreal::Result<String> {
        Ok(completion
            .iter()
            .filter_map(|token| ANSWERS.get(*token as usize))
            .map(|a| format!("\\boxed{{{a}}}"))
            .collect())
    }
    fn stop(&self) -> Vec<Token> {
        vec![END]
    }
    fn vocabulary(&self) -> usize {
        ANSWERS.len() + 1
    }
    fn save(&self, _: &Path) -> oreal::Result<()> {
        Ok(())
    }
}

const RUN: &str = "[env]\nname = \"math\"\nquestion = \"question\"\ngold = \"gold\"\nmax_tokens = 2\n\
                   [algorithm]\nname = \"rloo\"\n[model]\nkind = \"table\"\n[warm_up]\nsteps = 0\n\
                   [train]\nsteps = 40\nprompts = 1\nrollouts = 32\n[rates]\npolicy = 0.3\n\
                   [evaluation]\ncompletions = 64\n[record]\ntranscripts_every = 1\n";

/// A recorded run, with all that was ungraded in each step.
fn run(folder: &TempDir, judge: Option<&JudgeSettings>) -> (Report, Vec<usize>) {
    let mut set = vec![];
    for (key, name) in [("file", "train.jsonl"), ("held_out", "held.jsonl")] {
        set.push(format!("env.{key}={}", folder.path().join(name).display()));
    }
    for (key, value) in judge.iter().flat_map(|judge| toml::Table::try_from(judge).unwrap()) {
        set.push(format!("env.judge.{key}={value}"));
    }
    let config = Catalogue::built_in().config_from_toml(RUN, "test", &set).unwrap();
    let experiment = Experiment::from_config(config).renderer(Answers).record_in(folder.path().join("run"));
    let mut ungraded = vec![];
    let report = experiment.run_watched(&mut |progress| {
        if let Progress::Step { record, .. } = progress {
            assert_eq!(record.trajectories + record.ungraded + record.failed, 32);
            ungraded.push(record.ungraded);
        }
    });
    (report.unwrap(), ungraded)
}

#[test]
fn what_nobody_can_grade_is_not_trained_on_and_reported_apart() {
    let folder = files();
    let (report, ungraded) = run(&folder, None);
    assert!(ungraded[0] > 0, "{ungraded:?}");
    let (before, after) = (report.before, report.after);
    assert!(before.ungraded > 0 && before.completions + before.ungraded == 64, "{before:?}");
    assert!(after.rate > 0.9 && after.completions + after.ungraded == 64, "{after:?}");
    let transcripts = std::fs::read_to_string(folder.path().join("run/transcripts.jsonl")).unwrap();
    assert!(
        transcripts.contains("\\\\boxed{1}") && !transcripts.contains("\"completion\":\"\\\\boxed{x}\""),
        "{transcripts}"
    );
    assert_eq!(report.notices, [""; 0]);
}

#[test]
fn a_run_reports_how_its_judge_did() {
    let (folder, server) = (files(), Server::saying(|_, _| "A".into()));
    let (report, ungraded) = run(&folder, Some(&settings(&server, Asks::CannotTell)));
    assert_eq!((ungraded.iter().sum::<usize>(), report.before.ungraded), (0, 0));
    assert!(report.notices[0].ends_with("0 cached, 0 failed, 0 requests sent again"), "{:?}", report.notices);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("run").join(name)).unwrap();
    assert!(read("report.json").contains(&report.notices[0]));
    let config = Catalogue::built_in().config_from_toml(&read("config.toml"), "recorded", &[]).unwrap();
    assert_eq!(Some(config), report.config);
}

/// `oreal grade` with a judge: its lines and what it says.
fn grade(judge: &str, args: &[&str], rows: &str) -> (Output, Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("judge.toml");
    std::fs::write(&file, judge).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.args(["grade", "-", "--judge", file.to_str().unwrap()]).args(args);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end before it has read all.
    let _ = running.stdin.take().unwrap().write_all(rows.as_bytes());
    let output = running.wait_with_output().unwrap();
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, lines, said)
}

fn file(settings: &JudgeSettings) -> String {
    toml::to_string(settings).unwrap()
}

const ROWS: &str = r#"{"question": "q1", "gold": "\\sqrt{x^2}", "response": "So \\boxed{x}"}
{"question": "q1", "gold": "\\sqrt{x^2}", "answer": "x"}
{"question": "q1", "gold": "\\sqrt{x^2}", "answer": "x+0"}
{"problem": "q2", "gold": "(1, 2]", "answer": "[1, 2]"}
{"question": "q3", "gold": "3", "answer": "3"}
{"question": "q4", "gold": " ", "answer": "3"}
{"question": "q5", "gold": "3", "response": "I do not know."}
"#;

/// Verdict and step of each line.
fn shown(lines: &[Value]) -> Vec<(&str, &str)> {
    lines.iter().map(|line| (line["verdict"].as_str().unwrap_or("-"), line["step"].as_str().unwrap_or("-"))).collect()
}

#[test]
fn rows_are_put_to_the_judge() {
    let server = honest();
    let (output, lines, said) = grade(&file(&settings(&server, Asks::CannotTell)), &[], ROWS);
    let rest = [("wrong", "kind"), ("right", "text"), ("cannot_tell", "reading"), ("unparsable", "finding")];
    let expected = [[("right", "judge"), ("right", "judge"), ("wrong", "judge")].as_slice(), &rest].concat();
    assert_eq!(shown(&lines), expected, "{said}");
    assert!(lines[0]["reason"].as_str().unwrap().starts_with("cannot_tell by rule: equal for some"), "{}", lines[0]);
    assert_eq!((lines[0]["answer"].as_str(), lines[0]["gold"].as_str()), (Some("x"), Some("sqrt(x^2)")));
    assert!(output.status.success() && said.contains("3 right") && said.contains("2 wrong"), "{said}");
    assert!(said.ends_with("\njudge: 2 asked, 0 cached, 0 failed, 0 requests sent again\n"), "{said}");
    assert!(server.requests().iter().all(|request| block(request, "QUESTION") == "q1"));
}

#[test]
fn rows_that_the_rules_call_wrong_are_put_to_the_judge_too() {
    let server = Server::saying(|_, request| if block(request, "QUESTION") == "q2" { "A".into() } else { "B".into() });
    let (_, lines, said) = grade(&file(&settings(&server, Asks::CannotTellAndWrong)), &[], ROWS);
    assert_eq!((lines[3]["verdict"].as_str(), lines[3]["step"].as_str()), (Some("right"), Some("judge")));
    assert!(lines[3]["reason"].as_str().unwrap().starts_with("wrong by rule: "), "{}", lines[3]);
    assert!(said.contains("judge: 3 asked"), "{said}");
}

#[test]
fn rows_stay_undecided_where_the_judge_fails() {
    let server = broken();
    let (output, lines, said) = grade(&file(&settings(&server, Asks::CannotTellAndWrong)), &[], ROWS);
    let open = ("cannot_tell", "certified");
    let rest = [("right", "text"), ("cannot_tell", "reading"), ("unparsable", "finding")];
    let expected = [[open, open, open, ("cannot_tell", "judge")].as_slice(), &rest].concat();
    assert_eq!(shown(&lines), expected, "{said}");
    for (line, by_rule) in [(0, "cannot_tell by rule: equal"), (3, "wrong by rule: ")] {
        let reason = lines[line]["reason"].as_str().unwrap();
        assert!(reason.starts_with(by_rule) && reason.contains("; the judge: ") && reason.contains("500"), "{reason}");
    }
    assert!(output.status.success() && said.contains("judge: 3 asked, 0 cached, 3 failed"), "{said}");
}

#[test]
fn a_judge_needs_the_question() {
    let server = honest();
    let judge = file(&settings(&server, Asks::CannotTell));
    let row = r#"{"prompt": [{"content": "q9"}], "gold": "\\sqrt{x^2}", "answer": "x"}"#;
    let (output, lines, said) = grade(&judge, &[], row);
    assert!(!output.status.success() && lines[0]["error"].as_str().unwrap().contains("no field `question`"), "{said}");
    let (output, lines, said) = grade(&judge, &["--question", "prompt.0.content"], row);
    assert!(output.status.success() && lines[0]["verdict"] == "right", "{said}");
    assert_eq!(block(&server.requests()[0], "QUESTION"), "q9");
}

#[test]
fn settings_of_a_judge_are_refused_by_file_and_key() {
    let base = "url = 'http://127.0.0.1:1/v1'\nmodel = 'm'\n";
    for (judge, named) in [
        ("", &["judge.toml", "judge.url", "must be"] as &[_]),
        (&format!("{base}votes = 2"), &["judge.votes", "must be odd"]),
        (&format!("{base}votes = -1"), &["judge.toml, line 3", "-1"]),
        (&format!("{base}key = 'sk-secret'"), &["judge.toml, line 3", "unknown field `key`", "key_variable"]),
        (&format!("{base}cache = '/dev/null/opinions'"), &["judge.cache", "/dev/null/opinions"]),
    ] {
        let (output, lines, said) = grade(judge, &[], ROWS);
        assert!(output.status.code() == Some(1) && lines.is_empty(), "{judge}: {said}");
        assert!(named.iter().all(|part| said.contains(part)) && !said.contains("sk-secret"), "{judge}: {said}");
    }
}
