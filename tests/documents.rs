//! README, examples and configuration say what is.

use std::fs;
use std::path::Path;

use oreal::algos::BuiltIn;
use oreal::{Catalogue, Config};
use toml::{Table, Value};

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_else(|p| panic!("{name}: {p}"))
}

/// The rest of the block that a marker is in, with the marker's last line.
fn after<'a>(text: &'a str, marker: &str) -> &'a str {
    let start = text.find(marker).unwrap_or_else(|| panic!("README.md has no {marker:?}"));
    let line = start + marker.rfind('\n').map_or(0, |newline| newline + 1);
    text[line..].split("```").next().unwrap_or_default()
}

#[test]
fn the_table_of_algorithms_is_the_list() {
    let readme = read("README.md");
    for name in BuiltIn::NAMES {
        let presets = BuiltIn::presets(name);
        let names: Vec<String> = presets.iter().map(|(preset, _)| format!("`{preset}`")).collect();
        let line = format!("| `{name}` | {} | {} |", names.join(", "), presets[0].1.about());
        assert!(readme.contains(&line), "README.md should have the line\n{line}");
    }
    for env in oreal::envs::BuiltIn::NAMES.iter().chain(&["math"]) {
        assert!(readme.contains(&format!("`{env}`")), "README.md does not name {env}");
    }
}

#[test]
fn formulas_in_the_readme_are_those_that_run() {
    let readme = read("README.md");
    let page = Catalogue::built_in().run(&["oreal", "show", "grpo"]).unwrap();
    let shown = readme.split("$ oreal show grpo\n..\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(page.contains(shown), "README.md shows\n{shown}\nbut it is\n{page}");
}

#[test]
fn the_page_of_replays_shows_what_is_printed() {
    let page = read("docs/replay.md");
    let shown = page.split("```text\n$ ").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let (command, shown) = shown.split_once('\n').unwrap();
    let arguments: Vec<&str> = command.split(' ').collect();
    assert_eq!(Catalogue::built_in().run(&arguments).unwrap(), shown, "docs/replay.md");
    let json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    let json: serde_json::Value = serde_json::from_str(&Catalogue::built_in().run(&json).unwrap()).unwrap();
    assert_eq!(json["algorithms"][0]["name"], "recorded");
    assert_eq!(json["compared"][0]["same"], true);
    for key in ["counts", "notes", "refused", "algorithms", "completions", "compared"] {
        assert!(page.contains(&format!("`{key}`")) && json.get(key).is_some(), "{key}");
    }
}

#[test]
fn the_example_file_holds_every_setting_with_its_default() {
    let text = read("examples/addition.toml");
    let config = Config::from_toml(&text, "examples/addition.toml", &[]).unwrap();
    assert_eq!(config, Config::default());
    let (said, all): (Table, Table) = (text.parse().unwrap(), config.to_toml().parse().unwrap());
    for (section, values) in all.iter().filter(|(section, _)| *section != "algorithm") {
        let Value::Table(values) = values else {
            assert!(said.contains_key(section), "{section} is not in examples/addition.toml");
            continue;
        };
        for key in values.keys() {
            assert!(said[section].get(key).is_some(), "{section}.{key} is not in examples/addition.toml");
        }
    }
}

#[test]
fn the_readme_names_the_commands_there_are() {
    let readme = read("README.md");
    for command in [
        "compare",
        "ablate",
        "train",
        "watch",
        "plan",
        "sft",
        "sample",
        "eval",
        "grade",
        "replay",
        "tokenizer",
        "word-problems",
        "report",
        "list",
        "show",
        "claims",
        "completions",
    ] {
        assert!(readme.contains(&format!("oreal {command}")), "README.md does not show `oreal {command}`");
    }
    let ci = read(".ci/run");
    assert!(readme.contains("cargo test ") && ci.contains("cargo test"));
}

#[test]
fn the_pages_name_commands_that_the_cuda_script_has() {
    let (script, mut named) = (read("tools/cuda.sh"), 0);
    for page in ["README.md", "docs/cuda.md", "benches/pytorch.py"] {
        for rest in read(page).split("tools/cuda.sh ").skip(1) {
            let command = rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
            if ["check", "run", "env"].contains(&command) {
                named += 1;
                assert!(script.contains(&format!("\n{command})\n")), "{page} names {command}");
            }
        }
    }
    assert!(named >= 5, "docs/cuda.md shows how the script is used");
}

#[test]
fn the_commands_in_the_readme_work() {
    let folder = tempfile::tempdir().unwrap();
    let readme = read("README.md");
    let commands: Vec<&str> =
        readme.lines().filter_map(|line| line.strip_prefix("oreal ")).filter(|line| !line.starts_with(' ')).collect();
    assert!(commands.len() >= 5, "README.md shows commands");
    for command in commands {
        let mut args: Vec<&str> = command.split(' ').collect();
        if ["train", "compare"].contains(&args[0]) {
            args.extend(["--quiet", "--out", folder.path().to_str().unwrap()]);
            for small in ["warm_up.steps=1", "train.steps=1", "train.prompts=2", "evaluation.completions=5"] {
                args.extend(["--set", small]);
            }
        }
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_oreal")).args(&args).output().unwrap();
        assert!(output.status.success(), "oreal {command}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8_lossy(&output.stdout);
        if command.starts_with("grade") {
            assert_eq!(after(&readme, "```text\n{\"row\":1,"), printed, "README.md shows what is not printed");
        }
        if command == "claims" {
            let shown = after(&readme, "```text\nGRADIENT");
            for line in shown.lines().filter(|line| *line != "..") {
                assert!(printed.contains(line), "README.md shows\n{line}\nbut it is\n{printed}");
            }
        }
    }
}

/// What the program says of a command whose files are not here; it may not ask the hub.
fn refused(arguments: &[&str]) -> String {
    let cache = tempfile::tempdir().unwrap();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_oreal"));
    let output = program.args(arguments).env("HF_HUB_OFFLINE", "1").env("HF_HUB_CACHE", cache.path()).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
    message
}

#[test]
fn the_commands_in_the_page_of_checkpoints_are_understood() {
    let page = read("docs/checkpoints.md");
    let commands: Vec<&str> = page.lines().filter(|line| line.starts_with("oreal ")).collect();
    assert!(commands.len() >= 5, "docs/checkpoints.md shows commands");
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').skip(1).map(|argument| argument.trim_matches('\'')).collect();
        // Arguments that are not understood have another exit code.
        refused(&arguments);
    }
}

#[test]
fn shipped_configurations_are_understood() {
    for folder in ["examples/runs", "examples/eval", "examples/whole_life"] {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let files = entries.map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        assert!(files.len() >= 3, "{folder}");
        for file in files {
            let name = file.display().to_string();
            let command = match file.file_stem().unwrap().to_str().unwrap() {
                "pretrain" | "sft" => "sft",
                _ if folder == "examples/eval" => "eval",
                _ => "train",
            };
            let message = refused(&[command, &name]);
            // What is missing is a file or a model, never a key.
            for wrong in ["unknown", "must be", "expected"] {
                assert!(!message.contains(wrong), "{name}: {message}");
            }
        }
    }
}

#[test]
fn configurations_of_engines_are_understood() {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/engines")).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3);
    for file in files {
        if let Err(problem) = oreal::Config::from_file(&file, &[]) {
            let said = problem.to_string();
            assert!(
                said.contains("oreal_rl_prompts.jsonl"),
                "{}: only the problems may be missing: {said}",
                file.display()
            );
        }
    }
}

#[test]
fn the_example_algorithm_is_as_short_as_said() {
    let lines = read("examples/own_algorithm.rs").lines().count();
    assert!(lines <= 60, "examples/own_algorithm.rs has {lines} lines");
    assert!(read("README.md").contains(&format!("GSPO in {lines} lines")), "README.md: it has {lines} lines");
}

#[test]
fn the_page_of_grading_shows_the_verdicts_there_are() {
    let (page, mut shown) = (read("docs/grading.md"), 0);
    for line in page.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [gold, answer, verdict, ..] = cells[..] else { continue };
        let quoted = |cell: &str| cell.strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
        if let (Some(gold), Some(answer), false) = (quoted(gold), quoted(answer), verdict.is_empty()) {
            shown += 1;
            let found = oreal_math::Gold::new(&gold).grade(&answer).verdict;
            assert_eq!(found.name().replace('_', " "), verdict, "docs/grading.md: {line}");
        }
    }
    assert!(shown >= 15, "docs/grading.md shows {shown}");
}

const PAGES: [&str; 16] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "docs/ablations.md",
    "docs/claims.md",
    "docs/cuda.md",
    "docs/differences.md",
    "docs/grading.md",
    "docs/problem_sets.md",
    "docs/replay.md",
    "docs/report.md",
    "docs/runs.md",
    "docs/sentinels.md",
    "docs/speed.md",
    "docs/your_algorithm.md",
    "docs/your_environment.md",
];

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    for page in PAGES {
        for rest in read(page).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.starts_with("http") {
                continue;
            }
            links += 1;
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(page).parent().unwrap().to_owned();
            assert!(folder.join(target).exists(), "{page} links to {target}");
        }
    }
    assert!(links >= 20, "{links}");
}

/// The last column of each table of docs/differences.md: settings, with values or without.
#[test]
fn every_setting_of_the_differences_is_one() {
    let (page, mut tried) = (read("docs/differences.md"), 0);
    for section in page.split("\n## ").skip(1) {
        let algorithm = match section.lines().next().unwrap_or_default() {
            "REINFORCE++" => "reinforce_plus_plus".to_owned(),
            "VinePPO" => "vine_ppo".to_owned(),
            name if BuiltIn::NAMES.contains(&name.to_lowercase().as_str()) => name.to_lowercase(),
            _ => "grpo".to_owned(),
        };
        for row in section.lines().filter(|line| line.starts_with("| ")).skip(1) {
            let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
            let algorithm = if last.starts_with("PPO ") { "ppo" } else { &algorithm };
            let mut key = "";
            for span in last.split('`').skip(1).step_by(2).filter(|span| !span.starts_with("x.")) {
                let value = match span.split_once(" = ") {
                    _ if span.starts_with(['"', '{']) => Some(span),
                    Some((name, value)) => {
                        key = name;
                        Some(value)
                    }
                    None => {
                        key = span;
                        None
                    }
                };
                setting_exists(algorithm, key, value);
                tried += 1;
            }
        }
    }
    assert!(tried >= 50, "{tried} settings");
}

/// A key without a section is the algorithm's.
fn setting_exists(algorithm: &str, key: &str, value: Option<&str>) {
    let path = if key.contains('.') { key.to_owned() } else { format!("algorithm.{key}") };
    let text = format!("[env]\nname = \"addition\"\n[algorithm]\nname = \"{algorithm}\"");
    let set = value.map(|value| format!("{path}={value}"));
    let config = Config::from_toml(&text, "docs/differences.md", set.as_slice());
    let config = config.unwrap_or_else(|problem| panic!("docs/differences.md, {algorithm}: {problem}"));
    let all = Value::Table(config.to_toml().parse().unwrap());
    let found = path.split('.').try_fold(&all, |value, key| value.get(key));
    assert!(found.is_some(), "docs/differences.md: {algorithm} has no setting {key}");
}
