//! Runs and their folders.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use oreal_models::{InProcess, Model, Optimiser, Table, Token};
use oreal_toy_envs::Prompt;

use super::*;
use crate::renderer::{Characters, Renderer};

/// Right on the first question, on the second once of three, never on the third; the fourth has no answer.
fn mixed(question: &str, sample: usize) -> std::result::Result<String, String> {
    Ok(match (question, sample) {
        ("One?", _) | ("Two?", 0) => right(question),
        ("Four?", _) => "I do not know.".to_owned(),
        _ => "\\boxed{99}".to_owned(),
    })
}

#[test]
fn results_are_by_problem_by_group_and_in_total() {
    let place = Place::new();
    let results = place.run(&mut Scripted::new(mixed)).unwrap();
    let rights: Vec<usize> = results.problems.iter().map(|problem| problem.outcome.right).collect();
    assert_eq!((rights, results.total.problems, results.total.completions), (vec![3, 1, 0, 0], 4, 12));
    assert!((results.total.pass[&1].rate - 1.0 / 3.0).abs() < 1e-12);
    assert_eq!(results.total.majority.as_ref().unwrap().rate, 0.25);
    assert_eq!(results.total.unparsable, 0.25);
    assert_eq!(results.total.mean_tokens, Some(7.0));
    let groups: Vec<_> = results.groups.iter().map(|g| (&*g.value, (3.0 * g.summary.pass[&1].rate).round())).collect();
    assert_eq!(groups, [("1", 3.0), ("2", 1.0), ("10", 0.0), ("none", 0.0)]);
    assert_eq!(Results::read(&place.out()).unwrap(), results);
}

#[test]
fn a_line_says_everything_of_a_completion() {
    let place = Place::new();
    place.run(&mut Scripted::new(mixed)).unwrap();
    let lines = place.lines();
    assert_eq!(lines.len(), 12);
    let keys: Vec<&str> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["answer", "ending", "problem", "prompt", "row", "sample", "step", "text", "tokens", "verdict"];
    assert_eq!(keys, expected);
    assert_eq!((lines[0]["answer"].as_str(), lines[0]["verdict"].as_str()), (Some("1"), Some("right")));
    assert_eq!((&lines[4]["row"], lines[4]["step"].as_str()), (&2.into(), Some("rational")));
    assert_eq!((&lines[11]["answer"], lines[11]["verdict"].as_str()), (&Value::Null, Some("unparsable")));
}

#[test]
fn a_run_goes_on_where_it_stopped() {
    let place = Place::new();
    let whole = place.folder.path().join("whole");
    let expected = place.run_in(&whole, &mut Scripted::new(mixed)).unwrap();
    // Stops after five completions; then a line is torn.
    let mut stops = Scripted::new(mixed);
    let stopped = Benchmark::new(&place.settings).unwrap().run(
        &mut Limited { inner: &mut stops, most: 5 },
        &place.out(),
        &mut |_| {},
    );
    let problem = stopped.unwrap_err().to_string();
    assert!(problem.contains("out of order") && problem.contains("5 of 12 completions are kept"), "{problem}");
    assert!(Results::read(&place.out()).unwrap_err().to_string().contains("not finished"));
    let path = place.out().join("completions.jsonl");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"problem\": \"torn").unwrap();

    let mut rest = Scripted::new(mixed);
    assert_eq!(place.run(&mut rest).unwrap(), expected);
    assert_eq!(rest.asked, 7, "what is there is not drawn again");
    assert_eq!(fs::read(&path).unwrap(), fs::read(whole.join("completions.jsonl")).unwrap());
    assert_eq!(fs::read(place.out().join("results.json")).unwrap(), fs::read(whole.join("results.json")).unwrap());
    let mut nothing = Scripted::new(mixed);
    assert_eq!((place.run(&mut nothing).unwrap(), nothing.asked), (expected, 0));
}

#[test]
fn completions_that_fail_are_counted_and_asked_for_again() {
    let place = Place::new();
    let flaky = |question: &str, sample| match (question, sample) {
        ("One?", 1) => Err("too long".to_owned()),
        _ => mixed(question, sample),
    };
    let results = place.run(&mut Scripted::new(flaky)).unwrap();
    assert_eq!((results.total.failed, results.first_failure.as_deref()), (1, Some("too long")));
    assert!((results.total.pass[&1].rate - 1.0 / 3.0).abs() < 1e-12, "a failure is no wrong answer");
    assert!(results.total.pass[&1].bounds.is_some());
    let mut again = Scripted::new(mixed);
    let results = place.run(&mut again).unwrap();
    assert_eq!((again.asked, results.total.failed, &results.first_failure), (1, 0, &None));
}

#[test]
fn a_run_without_any_completion_is_no_result() {
    let place = Place::new();
    let problem = place.run(&mut Scripted::new(|_: &str, _| Err("refused".to_owned()))).unwrap_err().to_string();
    assert!(problem.contains("no completion was drawn") && problem.contains("refused"), "{problem}");
    assert!(!place.out().join("results.json").exists());
    assert_eq!(place.run(&mut Scripted::new(mixed)).unwrap().total.completions, 12, "it can still be run");
}

#[test]
fn other_settings_are_refused() {
    let place = Place::new();
    place.run(&mut Scripted::new(mixed)).unwrap();
    let before = fs::read(place.out().join("completions.jsonl")).unwrap();
    let refused = |settings: EvalSettings| {
        let run = Benchmark::new(&settings).unwrap().run(&mut Scripted::new(mixed), &place.out(), &mut |_| {});
        run.unwrap_err().to_string()
    };
    let settings = || place.settings.clone();
    for (other, said) in [
        (EvalSettings { n: 4, ..settings() }, "settings.n was 3 and is 4"),
        (EvalSettings { temperature: 0.7, ..settings() }, "settings.temperature was 1.0 and is 0.7"),
        (EvalSettings { system: "Think.".into(), ..settings() }, "settings.system was \"\" and is \"Think.\""),
        (EvalSettings { limit: Some(2), ..settings() }, "settings.limit was null and is 2"),
    ] {
        let problem = refused(other);
        assert!(problem.contains(said) && problem.contains("new folder"), "{problem}");
    }
    fs::write(&place.settings.data, QUESTIONS.replace("Four", "Vier")).unwrap();
    assert!(refused(settings()).contains("data_sha256 was"));
    fs::write(&place.settings.data, QUESTIONS).unwrap();
    assert_eq!(fs::read(place.out().join("completions.jsonl")).unwrap(), before, "nothing was touched");
    // What changes no completion may change.
    let other = EvalSettings { by: Vec::new(), pass_at: vec![3], batch: 1, ..settings() };
    let results = Benchmark::new(&other).unwrap().run(&mut Scripted::new(mixed), &place.out(), &mut |_| {}).unwrap();
    assert!(results.groups.is_empty() && results.total.pass.contains_key(&3));
}

#[test]
fn strange_folders_and_lines_are_refused() {
    let place = Place::new();
    let refused = || place.run(&mut Scripted::new(mixed)).unwrap_err().to_string();
    fs::create_dir(place.out()).unwrap();
    fs::write(place.out().join("thesis.txt"), "x").unwrap();
    assert!(refused().contains("holds other files"));
    fs::remove_file(place.out().join("thesis.txt")).unwrap();

    let path = place.out().join("completions.jsonl");
    place.run(&mut Scripted::new(mixed)).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let id = place.lines()[0]["problem"].as_str().unwrap().to_owned();
    let stranger = |line: &str, said: &str| {
        fs::write(&path, format!("{good}{line}\n")).unwrap();
        let problem = refused();
        assert!(problem.contains("line 13") && problem.contains(said), "{problem}");
    };
    stranger("{\"problem\": \"0\", \"sample\": 0, \"verdict\": \"right\"}", "not a completion of this evaluation");
    stranger(&format!("{{\"problem\": \"{id}\", \"sample\": 3, \"verdict\": \"right\"}}"), "not a completion");
    stranger(&format!("{{\"problem\": \"{id}\", \"sample\": -1, \"verdict\": \"right\"}}"), "field `sample`");
    stranger(&format!("{{\"problem\": \"{id}\", \"sample\": 0, \"verdict\": \"great\"}}"), "`great`");
    stranger("[[[[", "not a JSON object");
    // A second line for one completion counts for nothing.
    fs::write(&path, format!("{good}{{\"problem\": \"{id}\", \"sample\": 0, \"verdict\": \"wrong\"}}\n")).unwrap();
    assert_eq!(place.run(&mut Scripted::new(mixed)).unwrap().problems[0].outcome.right, 3);
    fs::write(place.out().join("settings.json"), "{").unwrap();
    assert!(refused().contains("settings.json"));
}

#[test]
fn two_programs_do_not_write_into_one_folder() {
    let place = Place::new();
    place.run(&mut Scripted::new(mixed)).unwrap();
    let other = OpenOptions::new().append(true).open(place.out().join("completions.jsonl")).unwrap();
    other.lock().unwrap();
    let problem = place.run(&mut Scripted::new(mixed)).unwrap_err().to_string();
    assert!(problem.contains("another program is writing"), "{problem}");
}

#[test]
fn settings_without_sense_are_refused_by_key() {
    let fine = Place::new().settings;
    let cases: [(&str, EvalSettings); 9] = [
        ("data", EvalSettings { data: String::new(), ..fine.clone() }),
        ("data", EvalSettings { data: "-".into(), ..fine.clone() }),
        ("n", EvalSettings { n: 0, ..fine.clone() }),
        ("n", EvalSettings { n: 2, temperature: 0.0, ..fine.clone() }),
        ("temperature", EvalSettings { temperature: f64::NAN, ..fine.clone() }),
        ("top_p", EvalSettings { top_p: 0.0, ..fine.clone() }),
        ("pass_at", EvalSettings { pass_at: vec![4], ..fine.clone() }),
        ("max_tokens", EvalSettings { max_tokens: 0, ..fine.clone() }),
        ("source", EvalSettings { source: None, ..fine.clone() }),
    ];
    for (key, settings) in cases {
        let problem = Benchmark::new(&settings).unwrap_err().to_string();
        assert!(problem.starts_with(&format!("{key}: ")), "{problem}");
    }
}

/// Breaks down after so many completions.
struct Limited<'a> {
    inner: &'a mut dyn Generator,
    most: usize,
}

impl Generator for Limited<'_> {
    fn identity(&self) -> Value {
        self.inner.identity()
    }

    fn name(&self) -> String {
        self.inner.name()
    }

    fn draw(&mut self, wanted: &[Wanted<'_>], how: &Draw, arrived: &mut Receiver<'_>) -> Result<()> {
        self.inner.draw(&wanted[..self.most], how, arrived)?;
        Err(Error::part("generator", "out of order"))
    }
}

/// Characters, with a conversation as its messages one after the other.
#[derive(Debug)]
struct Plain(Characters);

impl Renderer for Plain {
    fn prompt(&self, prompt: &Prompt) -> Result<Vec<Token>> {
        self.0.prompt(&prompt.to_string().replace('\n', " ").into())
    }

    fn completion(&self, text: &str) -> Result<Vec<Token>> {
        self.0.completion(text)
    }

    fn text(&self, completion: &[Token]) -> Result<String> {
        self.0.text(completion)
    }

    fn stop(&self) -> Vec<Token> {
        self.0.stop()
    }

    fn vocabulary(&self) -> usize {
        self.0.vocabulary()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.0.save(folder)
    }
}

fn local(batch: usize) -> Local {
    let renderer = Plain(Characters::new("uersOnThFwo?: 1234").unwrap());
    let model: Box<dyn Model> = Box::new(Table::new(renderer.vocabulary(), &Optimiser::EXACT).unwrap());
    Local::new("table", Arc::new(renderer), model, Box::new(InProcess::default()), batch)
}

#[test]
fn a_local_model_is_evaluated_the_same_in_batches_of_any_size() {
    let mut place = Place::new();
    (place.settings.instruction, place.settings.n, place.settings.max_tokens) = (Some(String::new()), 20, 12);
    let results = place.run(&mut local(1)).unwrap();
    let (total, lines) = (&results.total, place.lines());
    assert_eq!((total.completions, total.failed, lines.len()), (80, 0, 80));
    assert!(total.truncated > 0.2 && total.truncated < 1.0, "{}", total.truncated);
    assert!(lines.iter().any(|line| line["text"] != lines[0]["text"]), "samples differ");
    let counted = lines.iter().map(|line| line["tokens"].as_u64().unwrap()).sum::<u64>() as f64 / 80.0;
    assert_eq!(total.mean_tokens, Some(counted));
    let other = place.folder.path().join("other");
    place.run_in(&other, &mut local(33)).unwrap();
    for file in ["completions.jsonl", "results.json"] {
        assert_eq!(fs::read(other.join(file)).unwrap(), fs::read(place.out().join(file)).unwrap(), "{file}");
    }
}

#[test]
fn a_completion_does_not_depend_on_the_other_problems() {
    let mut place = Place::new();
    (place.settings.instruction, place.settings.by) = (Some(String::new()), Vec::new());
    place.run(&mut local(4)).unwrap();
    let all = place.lines();
    let reversed: Vec<&str> = QUESTIONS.lines().rev().collect();
    fs::write(&place.settings.data, reversed.join("\n")).unwrap();
    fs::remove_dir_all(place.out()).unwrap();
    place.run(&mut local(4)).unwrap();
    for line in place.lines() {
        let same = all.iter().find(|other| other["problem"] == line["problem"] && other["sample"] == line["sample"]);
        assert_eq!(same.unwrap()["text"], line["text"]);
    }
}
