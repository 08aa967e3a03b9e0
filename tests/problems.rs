//! Problem sets: what is read of a file, what is left out of it, and a run on one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use oreal::envs::{Answer, Env, Problem, Prompt, Split, Verdict};
use oreal::judge::JudgeSettings;
use oreal::models::Token;
use oreal::problems::{Balance, Cause, HeldOut, HeldOutFile, ProblemSettings, Problems, Source};
use oreal::renderer::Renderer;
use oreal::{Catalogue, DecimalsName, Experiment, Progress, RuleName};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tempfile::TempDir;

/// A folder with files of these names and contents.
fn files(contents: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    contents.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Settings for a file with the fields `question` and `gold`.
fn named(file: String, held_out: HeldOut) -> ProblemSettings {
    let [question, gold] = ["question", "gold"].map(|name| Some(name.to_owned()));
    ProblemSettings { file, held_out, question, gold, ..ProblemSettings::default() }
}

fn all(problems: &Problems, split: Split) -> Vec<Problem> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    (0..problems.count(split)).map(|index| problems.problem(split, index, &mut rng)).collect()
}

fn ids(problems: &Problems, split: Split) -> BTreeSet<u64> {
    all(problems, split).iter().map(|problem| problem.id).collect()
}

/// `n` rows with the sum of two numbers.
fn sums(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{{\"question\": \"What is {i} + 1?\", \"gold\": {}}}\n", i + 1)).collect()
}

/// A row of each source as it is published, and the gold answer in it.
const PUBLISHED: [(Source, &str, &str); 8] = [
    (Source::Math, r#"{"problem": "Half of 3?", "solution": "\\boxed{1}", "answer": "\\frac32"}"#, r"\frac32"),
    (Source::Gsm8k, r#"{"question": "3 bags of 400?", "answer": "3 * 400 = 1200 ####\n#### 1,200"}"#, "1,200"),
    (Source::Aime, r#"{"id": 1, "problem": "p", "answer": "204", "url": "-"}"#, "204"),
    (Source::Amc, r#"{"problem": "p", "answer": 27.0}"#, "27"),
    (Source::Minerva, r#"{"problem": "p", "solution": "First \\boxed{1}, so \\boxed{2.5}", "type": "t"}"#, "2.5"),
    (
        Source::OlympiadBench,
        r#"{"question": "p", "final_answer": ["1,2"], "unit": "km", "error": null, "is_multiple_answer": true}"#,
        "1,2",
    ),
    (Source::Gaokao, r#"{"question": "p", "answer": "$(-1, 2]$"}"#, "$(-1, 2]$"),
    (Source::Oreal, r#"{"question": "p", "gold_answer": "7", "pass_rate": 0.25}"#, "7"),
];

#[test]
fn every_source_has_its_fields() {
    for (source, row, gold) in PUBLISHED {
        let folder = files(&[("train.jsonl", row), ("held.jsonl", "{\"question\": \"q\", \"gold\": 1}")]);
        let of_test = HeldOutFile {
            file: path(&folder, "held.jsonl"),
            source: None,
            question: Some("question".into()),
            gold: Some("gold".into()),
            decimals: None,
        };
        let settings = ProblemSettings {
            file: path(&folder, "train.jsonl"),
            held_out: HeldOut::Set(of_test),
            source: Some(source),
            ..ProblemSettings::default()
        };
        let problems = Problems::new(settings).unwrap();
        problems.check().unwrap_or_else(|problem| panic!("{source:?}: {problem}"));
        let problem = &all(&problems, Split::Train)[0];
        assert_eq!(problem.answer, format!("\\boxed{{{gold}}}"), "{source:?}");
        let verdicts = problems.judge(&[Answer::stopped(problem, &problem.answer), Answer::stopped(problem, "")]);
        assert_eq!(verdicts, [Verdict::Right, Verdict::Unparsable], "{source:?}");
    }
}

#[test]
fn prompts_are_conversations_with_an_instruction() {
    let folder = files(&[("a.jsonl", &sums(20).concat())]);
    let prompt = |change: fn(&mut ProblemSettings)| {
        let mut settings = named(path(&folder, "a.jsonl"), HeldOut::Share(0.5));
        change(&mut settings);
        let problems = all(&Problems::new(settings).unwrap(), Split::Train);
        let first = problems.iter().map(|problem| problem.prompt.to_string()).min().unwrap();
        first.replace(|c: char| c.is_ascii_digit(), "N").replace("NN", "N")
    };
    let boxed = "put your final answer within \\boxed{}.";
    assert_eq!(prompt(|_| {}), format!("user: What is N + N?\nPlease reason step by step, and {boxed}"));
    assert!(prompt(|s| s.rule = RuleName::Hashes).contains("after ####"));
    assert!(prompt(|s| s.rule = RuleName::Choice).contains("the letter of your choice"));
    let own = prompt(|s| (s.system, s.instruction) = ("Be brief.".into(), Some(String::new())));
    assert_eq!(own, "system: Be brief.\nuser: What is N + N?");
}

#[test]
fn decimals_are_rounded_where_the_source_says_so() {
    let row = r#"{"problem": "Acceleration of free fall?", "solution": "\\boxed{9.8}", "answer": "9.8"}"#;
    let other = row.replace("Acceleration", "The acceleration");
    let folder = files(&[("train.jsonl", row), ("held.jsonl", &other)]);
    let verdicts = |[train, held]: [Source; 2], decimals| {
        let held_out = HeldOut::Set(HeldOutFile {
            file: path(&folder, "held.jsonl"),
            source: Some(held),
            question: None,
            gold: None,
            decimals: None,
        });
        let file = path(&folder, "train.jsonl");
        let settings = ProblemSettings { file, held_out, source: Some(train), decimals, ..ProblemSettings::default() };
        let problems = Problems::new(settings).unwrap();
        Split::ALL.map(|split| problems.judge(&[Answer::stopped(&all(&problems, split)[0], "\\boxed{9.81}")])[0])
    };
    use Verdict::{Right, Ungraded};
    assert_eq!(verdicts([Source::Minerva, Source::Math], None), [Right, Ungraded]);
    assert_eq!(verdicts([Source::Math, Source::Minerva], None), [Ungraded, Right]);
    assert_eq!(verdicts([Source::Math, Source::Math], Some(DecimalsName::Rounded)), [Right, Ungraded]);
    assert_eq!(verdicts([Source::Minerva, Source::Math], Some(DecimalsName::Unknown)), [Ungraded, Ungraded]);
}

#[test]
fn what_is_left_out_is_named_by_file_and_line() {
    let train = r#"{"question": "Kept?", "gold": "1", "error": null}
{"question": " Kept \n?", "gold": "2"}
{"question": " Kept ?", "gold": "2"}
{"question": "Different golds", "gold": "1"}
{"question": "Different  golds", "gold": "2"}
{"question": "Different golds", "gold": "1"}
{"question": "No gold", "gold": null}
{"question": "Empty gold", "gold": ""}

{"question": "Held  out", "gold": "1"}
{"question": "Rounded", "gold": "0.33", "error": "1e-2"}
"#;
    let folder = files(&[("train.jsonl", train), ("held.jsonl", "{\"question\": \"Held out\", \"gold\": \"1\"}")]);
    let held_out = HeldOut::File(path(&folder, "held.jsonl"));
    let settings =
        ProblemSettings { source: Some(Source::OlympiadBench), ..named(path(&folder, "train.jsonl"), held_out) };
    let problems = Problems::new(settings).unwrap();
    problems.check().unwrap();
    let mut out: Vec<(u64, Cause)> =
        problems.left_out().unwrap().iter().map(|out| (out.place.number, out.cause)).collect();
    out.sort();
    let expected = [
        (3, Cause::Repeated),
        (4, Cause::Contradicted),
        (5, Cause::Contradicted),
        (6, Cause::Contradicted),
        (7, Cause::NotUnderstood),
        (8, Cause::NotUnderstood),
        (10, Cause::HeldOut),
        (11, Cause::Tolerance),
    ];
    assert_eq!(out, expected);
    assert_eq!((problems.count(Split::Train), problems.count(Split::HeldOut)), (2, 1));
    let notices = problems.notices();
    assert_eq!(notices[0], "2 problems to train on, 1 held out");
    let file = path(&folder, "train.jsonl");
    let contradicted = "3 left out because the same question has several gold answers: line 4, line 5, line 6";
    assert!(notices.contains(&format!("{file}: {contradicted}")), "{notices:#?}");
    let not_understood = notices.iter().find(|notice| notice.contains("not understood")).unwrap();
    assert!(
        not_understood.contains("line 7 (field `gold`: null") && not_understood.contains("line 8 ("),
        "{notices:?}"
    );
    assert_eq!(notices.len(), 6);
}

#[test]
fn a_share_that_is_held_out_does_not_depend_on_the_order() {
    let mut rows = sums(400);
    let forwards = rows.concat();
    rows.reverse();
    rows.truncate(300);
    let folder = files(&[("a.jsonl", &forwards), ("b.jsonl", &rows.concat())]);
    let [a, b] = ["a.jsonl", "b.jsonl"].map(|name| {
        let problems = Problems::new(named(path(&folder, name), HeldOut::Share(0.25))).unwrap();
        Split::ALL.map(|split| ids(&problems, split))
    });
    assert!(a[0].is_disjoint(&a[1]) && a[0].len() + a[1].len() == 400);
    assert!((70..130).contains(&a[1].len()), "about a quarter: {}", a[1].len());
    assert!(b[0].is_subset(&a[0]) && b[1].is_subset(&a[1]), "whatever else is in the file");
}

#[test]
fn ids_are_those_of_the_prompts() {
    let folder = files(&[("a.jsonl", &sums(30).concat())]);
    let problems = || Problems::new(named(path(&folder, "a.jsonl"), HeldOut::Share(0.5))).unwrap();
    assert_eq!(all(&problems(), Split::Train), all(&problems(), Split::Train));
    let mut settings = named(path(&folder, "a.jsonl"), HeldOut::Share(0.5));
    settings.system = "Be brief.".into();
    let others = ids(&Problems::new(settings).unwrap(), Split::Train);
    assert!(others.is_disjoint(&ids(&problems(), Split::Train)), "another prompt has another id");
}

#[test]
fn balance_is_by_pass_rate() {
    let row = |i: usize, rate: &str| format!("{{\"question\": \"q{i}\", \"gold\": {i}, \"pass_rate\": {rate}}}\n");
    let rates = ["0", "0.19", "0.2", "0.39", "0.4", "0.59", "0.6", "0.79", "0.8", "1.0"];
    let rows: String = rates.iter().enumerate().map(|(i, rate)| row(i, rate)).collect();
    let held = "{\"question\": \"held\", \"gold\": 1}";
    let no_rate = [row(0, "0.5"), "{\"question\": \"q\", \"gold\": 1}\n".to_owned()].concat();
    let high = row(0, "1.5");
    let folder = files(&[("a.jsonl", &rows), ("held.jsonl", held), ("none.jsonl", &no_rate), ("high.jsonl", &high)]);
    let problems = |file: &str, balance| {
        let held_out = HeldOut::File(path(&folder, "held.jsonl"));
        Problems::new(ProblemSettings { balance, ..named(path(&folder, file), held_out) }).unwrap()
    };
    let balanced = problems("a.jsonl", Balance::Released);
    let counts: Vec<usize> = (0..rates.len())
        .map(|i| all(&balanced, Split::Train).iter().filter(|p| p.answer == format!("\\boxed{{{i}}}")).count())
        .collect();
    assert_eq!(counts, [6, 6, 4, 4, 4, 4, 2, 2, 0, 0]);
    assert_eq!(balanced.notices()[0], "8 problems to train on (32 with copies), 1 held out");
    assert!(balanced.notices()[1].contains("2 left out because the pass rate is 0.8 or more: line 9, line 10"));
    assert_eq!(problems("a.jsonl", Balance::Off).count(Split::Train), 10);
    problems("none.jsonl", Balance::Off).check().unwrap();
    for (file, problem) in [("none.jsonl", "line 2: no field `pass_rate`"), ("high.jsonl", "line 1: field `pass_rate`")]
    {
        let refused = problems(file, Balance::Released).check().unwrap_err();
        assert!(refused.key == "file" && refused.problem.contains(problem), "{refused}");
    }
}

#[test]
fn verdicts() {
    let folder = files(&[("a.jsonl", &sums(20).concat())]);
    let problems = Problems::new(named(path(&folder, "a.jsonl"), HeldOut::Share(0.5))).unwrap();
    let problem = &all(&problems, Split::HeldOut)[0];
    let foreign = &Problem { id: 3, prompt: "1+1=".into(), answer: "\\boxed{2}".into() };
    let answers = [
        Answer::stopped(problem, &problem.answer),
        Answer::stopped(problem, "so it is \\boxed{1000}"),
        Answer::stopped(problem, "no idea"),
        Answer::truncated(problem, &problem.answer),
        Answer::stopped(foreign, &foreign.answer),
    ];
    let expected = [Verdict::Right, Verdict::Wrong, Verdict::Unparsable, Verdict::Truncated, Verdict::Ungraded];
    assert_eq!(problems.judge(&answers), expected);
    let many: Vec<Answer<'_>> = answers.iter().cycle().take(1000).copied().collect();
    assert_eq!(problems.judge(&many), expected.repeat(200), "in order");
}

#[test]
fn without_files_nothing_panics() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let problems = Problems::default();
    assert_eq!(problems.count(Split::Train), 0);
    let nothing = &problems.problem(Split::Train, 7, &mut rng);
    assert_eq!(problems.judge(&[Answer::stopped(nothing, "\\boxed{1}")]), [Verdict::Ungraded]);
    assert_eq!(problems.check().unwrap_err().key, "file");
}

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
