//! A run on a file of problems, from Rust and from the command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use oreal::envs::Prompt;
use oreal::judge::JudgeSettings;
use oreal::models::Token;
use oreal::renderer::Renderer;
use oreal::{Catalogue, Experiment, Progress};

use super::*;

/// A token for each digit from 0 to 3, and one that ends completions. Of a prompt only digits are read, and the answer is
/// written into a box.
#[derive(Debug)]
struct Digits;

const END: Token = 4;

impl Renderer for Digits {
    fn prompt(&self, prompt: &Prompt) -> oreal::Result<Vec<Token>> {
        assert!(matches!(prompt, Prompt::Chat(_)));
        Ok(prompt.to_string().chars().filter_map(|c| c.to_digit(4)).collect())
    }
    fn completion(&self, _: &str) -> oreal::Result<Vec<Token>> {
        Ok(vec![END])
    }
    fn text(&self, completion: &[Token]) -> oreal::Result<String> {
        let digits: String = completion.iter().filter(|token| **token != END).map(Token::to_string).collect();
        Ok(format!("\\boxed{{{digits}}}"))
    }
    fn stop(&self) -> Vec<Token> {
        vec![END]
    }
    fn vocabulary(&self) -> usize {
        END as usize + 1
    }
    fn save(&self, _: &Path) -> oreal::Result<()> {
        Ok(())
    }
}

const RUN: &str = r#"
[env]
name = "math"
file = "FILE"
question = "question"
gold = "gold"
held_out = "HELD"
max_tokens = 2

[algorithm]
name = "rloo"

[model]
kind = "table"

[warm_up]
steps = 0

[train]
steps = 60
prompts = 3
rollouts = 32

[rates]
policy = 0.2

[evaluation]
completions = 16

[record]
transcripts_every = 1
"#;

/// A file of three questions, one of them without a gold answer beside it, and the run on it.
fn run() -> (TempDir, String) {
    let train = sums(3).concat() + "{\"question\": \"none\", \"gold\": null}\n";
    let folder = files(&[("train.jsonl", &train), ("held.jsonl", "{\"question\": \"2 - 2 + 1?\", \"gold\": 1}")]);
    let text = RUN.replace("FILE", &path(&folder, "train.jsonl")).replace("HELD", &path(&folder, "held.jsonl"));
    (folder, text)
}

#[test]
fn a_run_learns_the_problems_of_a_file() {
    let (folder, text) = run();
    let config = Catalogue::built_in().config_from_toml(&text, "test", &[]).unwrap();
    let out = folder.path().join("run");
    let experiment = Experiment::from_config(config).renderer(Digits).record_in(&out);
    let mut rates = Vec::new();
    let report = experiment.run_watched(&mut |progress| {
        if let Progress::Step { record, .. } = progress {
            rates.push(record.pass_rate);
        }
    });
    let report = report.unwrap();
    assert!(rates[0] < 0.3 && rates[59] > 0.9, "{rates:?}");
    assert_eq!((report.env.as_str(), report.before.problems, report.before.ungraded), ("math", 1, 0));
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert!(read("manifest.json").contains("line 4 (field `gold`: null"), "{}", read("manifest.json"));
    let transcripts = read("transcripts.jsonl");
    for part in ["\"role\":\"user\"", "\\\\boxed{3}", "truncated", "right", "wrong"] {
        assert!(transcripts.to_lowercase().contains(part), "{part} is in no transcript");
    }
    assert!(read("config.toml").contains("name = \"math\""));
    Catalogue::built_in().config_from_toml(&read("config.toml"), "recorded", &[]).unwrap();
}

fn oreal(args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_oreal")).args(args).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_command_line_says_what_is_left_out_and_what_is_missing() {
    let (folder, text) = run();
    let file: PathBuf = folder.path().join("run.toml");
    std::fs::write(&file, text).unwrap();
    let (code, error) = oreal(&["train", file.to_str().unwrap(), "--out", &path(&folder, "out")]);
    assert_eq!(code, Some(1));
    for part in
        ["note: 3 problems to train on, 1 held out", "train.jsonl: 1 left out", "line 4", "Experiment::renderer"]
    {
        assert!(error.contains(part), "{part:?} is not in\n{error}");
    }
    assert!(!folder.path().join("out").exists());
}

/// What is put over the settings of a run, and what the message must name.
const MISTAKES: &[(&[&str], &[&str])] = &[
    (&["file=\"\""], &["env.file", "missing"]),
    (&["file=nowhere.jsonl"], &["env.file", "nowhere.jsonl", "No such file"]),
    (&["question=problem"], &["env.file", "train.jsonl, line 1", "no field `problem`", "it has gold, question"]),
    (&["gold=answer"], &["env.file", "train.jsonl, line 1", "no field `answer`"]),
    (&["source=maths"], &["--set env.source=maths", "env.source", "unknown variant `maths`", "olympiadbench"]),
    (&["balance=on"], &["env.balance", "released"]),
    (&["rule=box"], &["env.rule", "boxed"]),
    (&["max_tokens=0"], &["env.max_tokens", "at least 1"]),
    (&["sorce=math"], &["env.sorce", "unknown field", "source"]),
    (&["decimals=exact"], &["env.decimals", "rounded"]),
    (&["judge.url=http://127.0.0.1:1/v1"], &["env.judge.model", "must be"]),
    (&["judge.model=m"], &["env.judge.url", "http://127.0.0.1:8000/v1"]),
    (&["judge.votes=-1", "judge.model=m"], &["--set env.judge.votes=-1", "env.judge.votes"]),
    (&["judge.voters=3"], &["--set env.judge.voters=3", "env.judge.voters", "unknown field", "votes"]),
    (&["judge=always"], &["env.judge", "always"]),
    (
        &["judge.url=http://127.0.0.1:1/v1", "judge.model=m", "judge.cache=FILE/cache"],
        &["env.judge.cache", "train.jsonl/cache"],
    ),
    (&["held_out=1.5"], &["env.held_out", "less than 1", "1.5"]),
    (&["held_out=nan"], &["env.held_out"]),
    (&["held_out=[1]"], &["env.held_out", "a share such as 0.1"]),
    (&["held_out=nowhere.jsonl"], &["env.held_out", "nowhere.jsonl"]),
    (&["held_out={file=\"x\"}"], &["env.held_out", "source"]),
    (&["held_out={file=\"x\", quest=\"y\"}"], &["env.held_out", "a table of file"]),
    (&["held_out=1e-9"], &["env.held_out", "0.000000001", "holds no problem"]),
    (&["held_out=FILE"], &["env.file", "no problems to train on", "the question is held out, too"]),
    (&["balance=released"], &["env.file", "line 1", "no field `pass_rate`"]),
];

#[test]
fn the_page_names_every_source_and_every_setting() {
    let read = |name| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let page = read("docs/problem_sets.md");
    for (source, ..) in PUBLISHED {
        let name = serde_json::to_string(&source).unwrap().replace('"', "`");
        assert!(page.contains(&format!("| {name} |")), "docs/problem_sets.md has no row for {name}");
    }
    let catalogue = Catalogue::built_in();
    let math = catalogue.envs().iter().find(|entry| entry.name == "math").unwrap();
    let keys = math.presets[0].1.keys().map(String::as_str);
    let keys: Vec<&str> = keys.chain(["source", "question", "gold", "decimals", "instruction", "judge"]).collect();
    assert_eq!(keys.len(), 13);
    let judge = toml::Table::try_from(JudgeSettings { cache: Some("x".into()), ..JudgeSettings::default() }).unwrap();
    assert_eq!(judge.len(), 12);
    for key in keys.into_iter().chain(judge.keys().map(String::as_str)) {
        assert!(page.contains(&format!("| `{key}` |")), "docs/problem_sets.md has no row for {key}");
    }
    let files: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!files.is_empty());
    let example = read("examples/problem_set.toml");
    for file in files.into_iter().chain([example.as_str()]) {
        let config = catalogue.config_from_toml(file, "docs/problem_sets.md", &[]);
        config.unwrap_or_else(|problem| panic!("{problem}:\n{file}"));
    }
    let judge: JudgeSettings = toml::from_str(&read("examples/judge.toml")).unwrap();
    judge.validate().unwrap();
}

#[test]
fn every_mistake_names_its_key() {
    let (folder, text) = run();
    let (file, train) = (folder.path().join("run.toml"), path(&folder, "train.jsonl"));
    std::fs::write(&file, text).unwrap();
    for (set, named) in MISTAKES {
        let set: Vec<String> = set.iter().map(|set| format!("env.{}", set.replace("FILE", &train))).collect();
        let mut args = vec!["train", file.to_str().unwrap(), "--quiet", "--out", "never"];
        set.iter().for_each(|set| args.extend(["--set", set]));
        let (code, error) = oreal(&args);
        assert_eq!(code, Some(1), "{set:?}: {error}");
        for word in *named {
            assert!(error.contains(word), "{set:?} does not name {word:?}: {error}");
        }
    }
    let fields = "[env]\nname = \"math\"\nfile = \"x.jsonl\"";
    let config = Catalogue::built_in().config_from_toml(fields, "test", &[]).unwrap();
    let problem = Experiment::from_config(config).check().unwrap_err().to_string();
    assert!(problem.contains("env.source") && problem.contains("gsm8k"), "{problem}");
}
