//! docs/your_algorithm.md and docs/your_environment.md: every line of them is compiled, run or compared.
//!
//! The tests of the programs themselves, which the pages show, are in the modules below and run here.

use std::fs;
use std::path::{Path, PathBuf};

use oreal::algos::{Algorithm, credit_of};
use oreal::config::ModelSettings;
use oreal::envs::Addition;
use oreal::envs::addition::Order;
use oreal::{Catalogue, Experiment, Progress, Settings, StepRecord, show};
use toml::Table;

#[allow(dead_code)]
#[path = "../examples/composed_loss.rs"]
mod composed_loss;
#[allow(dead_code)]
#[path = "../examples/graded_reward.rs"]
mod graded_reward;
#[allow(dead_code)]
#[path = "../examples/second_reward_model.rs"]
mod second_reward_model;
#[allow(dead_code)]
#[path = "../examples/your_algorithm.rs"]
mod your_algorithm;
#[allow(dead_code)]
#[path = "../examples/your_environment.rs"]
mod your_environment;

const PAGES: [&str; 2] = ["docs/your_algorithm.md", "docs/your_environment.md"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_else(|p| panic!("{name}: {p}"))
}

/// The fenced blocks of a page that are marked with `kind`.
fn blocks(page: &str, kind: &str) -> Vec<String> {
    let text = read(page);
    let fenced = text.split("```").skip(1).step_by(2);
    let blocks: Vec<String> =
        fenced.filter_map(|block| block.strip_prefix(&format!("{kind}\n"))).map(str::to_owned).collect();
    assert!(!blocks.is_empty(), "{page} has no block of {kind}");
    blocks
}

#[test]
fn every_rust_block_is_part_of_an_example_that_runs() {
    let names = ["your_algorithm", "your_environment", "graded_reward", "second_reward_model", "composed_loss"];
    let examples = names.map(|name| read(&format!("examples/{name}.rs")));
    for page in PAGES {
        for block in blocks(page, "rust,ignore") {
            assert!(examples.iter().any(|example| example.contains(&block)), "{page}: in no example:\n{block}");
        }
        let rust = read(page).matches("```rust").count();
        assert_eq!(rust, blocks(page, "rust,ignore").len(), "{page}: every block is held to an example");
    }
}

#[test]
fn every_printed_formula_is_the_one_that_runs() {
    let show = |catalogue: Catalogue, args: &[&str]| catalogue.run(args).unwrap();
    let printed = [
        show(your_algorithm::catalogue(), &["hard_first", "show", "hard_first"]),
        show(
            your_algorithm::catalogue(),
            &["hard_first", "show", "hard_first", "--set", "hardness={ from = 2.0, to = 0.0, steps = 100 }"],
        ),
        show(your_environment::catalogue(), &["reverse", "list"]),
        formula(&second_reward_model::guided()),
        formula(&composed_loss::curious()),
    ];
    for page in PAGES {
        for block in blocks(page, "text") {
            assert!(printed.iter().any(|text| text.contains(&block)), "{page}: nothing prints\n{block}\n{printed:#?}");
        }
    }
}

fn formula(algorithm: &dyn Algorithm) -> String {
    format!("{}{}", credit_of(algorithm).formula(), algorithm.objective().formula())
}

/// Makes a run small: the words of a command line, and the same for an experiment.
const SMALL: [&str; 8] = [
    "warm_up.steps=2",
    "warm_up.batch=4",
    "train.steps=2",
    "train.prompts=2",
    "model.num_hidden_layers=1",
    "model.hidden_size=16",
    "model.intermediate_size=16",
    "evaluation.completions=4",
];

#[test]
fn every_command_works_with_the_program_of_its_page() {
    for (page, catalogue) in PAGES.into_iter().zip([your_algorithm::catalogue(), your_environment::catalogue()]) {
        let folder = tempfile::tempdir().unwrap();
        let files = files(page, folder.path());
        for command in blocks(page, "sh").concat().lines() {
            let Some(words) = command.strip_prefix("cargo run --release -- ") else {
                assert_eq!(command, "cargo test", "{page}: nothing runs this");
                continue;
            };
            let mut arguments = vec!["program".to_owned()];
            arguments.extend(shell_words(words).into_iter().map(|word| {
                let file = files.iter().find(|path| path.ends_with(&word));
                file.map_or(word, |path| path.display().to_string())
            }));
            if ["train", "compare"].contains(&arguments[1].as_str()) {
                let small = SMALL.iter().flat_map(|setting| ["--set", setting]);
                let out = folder.path().display().to_string();
                arguments.extend(small.chain(["--quiet", "--out", &out]).map(str::to_owned));
            }
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            catalogue.run(&arguments).unwrap_or_else(|problem| panic!("{page}: {command}: {problem}"));
        }
    }
}

/// Writes the page's files, whose names are in their first lines, into a folder.
fn files(page: &str, folder: &Path) -> Vec<PathBuf> {
    let write = |text: String| {
        let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_else(|| panic!("{text}"));
        let path = folder.join(name);
        fs::write(&path, &text).unwrap();
        path
    };
    blocks(page, "toml").into_iter().map(write).collect()
}

/// Words of a shell, with single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.last_mut().unwrap().push_str(part);
            continue;
        }
        for (j, word) in part.split(' ').enumerate() {
            if j > 0 {
                words.push(String::new());
            }
            words.last_mut().unwrap().push_str(word);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The versions that the page asks for are those this crate is built with, and dependencies are optimised.
#[test]
fn the_manifests_fit_this_crate() {
    let ours: Table = read("Cargo.toml").parse().unwrap();
    let version = |name: &str| {
        let dependency = &ours["workspace"]["dependencies"][name];
        let version = dependency.get("version").unwrap_or(dependency);
        version.as_str().unwrap().to_owned()
    };
    for page in PAGES {
        let text = blocks(page, "toml").into_iter().find(|text| text.starts_with("# Cargo.toml")).unwrap();
        let manifest: Table = text.parse().unwrap();
        assert_eq!(manifest["profile"]["dev"]["package"]["*"]["opt-level"].as_integer(), Some(3), "{page}");
        let sections = ["dependencies", "dev-dependencies"].into_iter().filter_map(|section| manifest.get(section));
        for (name, asked) in sections.flat_map(|section| section.as_table().unwrap()) {
            let asked = asked.get("version").unwrap_or(asked).as_str().map(str::to_owned);
            let fits = |asked: String| version(name).starts_with(&asked);
            assert!(name == "oreal" || asked.is_some_and(fits), "{page}: {name}");
        }
    }
}

#[test]
fn a_profile_is_recommended_in_the_words_of_the_notice() {
    let source = read("src/experiment.rs");
    assert!(source.contains(r#"[profile.dev.package.\"*\"]"#) && source.contains("opt-level = 3"));
}

fn records(experiment: &Experiment) -> Vec<StepRecord> {
    let mut records = Vec::new();
    let mut watch = |progress: Progress<'_>| {
        if let Progress::Step { record, .. } = progress {
            records.push(record.clone());
        }
    };
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    experiment.train(&start, &mut watch).unwrap();
    records
}

/// Few enough problems for a table, which does not generalise.
fn digits() -> Addition {
    Addition::new(1, Order::default()).unwrap()
}

/// A table that imitates the teacher for a while, and then learns.
fn small(s: &mut Settings) {
    s.model = ModelSettings::Table {};
    (s.warm_up.steps, s.warm_up.rate, s.warm_up.error_rate) = (40, 0.3, 0.5);
    (s.train.steps, s.train.prompts, s.train.rollouts) = (30, 50, 8);
    (s.rates.floor, s.evaluation.completions) = (1.0, 10);
    s.rates.roles.insert("policy".into(), 0.1);
}

fn half(records: &[StepRecord], of: impl Fn(&StepRecord) -> f64) -> (f64, f64) {
    let (first, last) = records.split_at(records.len() / 2);
    let mean = |records: &[StepRecord]| records.iter().map(&of).sum::<f64>() / records.len() as f64;
    (mean(first), mean(last))
}

#[test]
fn a_graded_reward_is_learnt_from() {
    let records = records(&graded_reward::experiment(digits()).with(small));
    let (before, after) = half(&records, |record| record.reward);
    assert!(after > before + 0.02, "{before} to {after}");
}

#[test]
fn the_second_reward_model_learns_and_is_stepped() {
    let faster = |s: &mut Settings| {
        small(s);
        s.rates.roles.insert("grader".into(), 0.1);
    };
    let records = records(&second_reward_model::experiment(digits()).with(faster));
    let (before, after) = half(&records, |record| record.terms["grader_loss"]);
    assert!(after < 0.8 * before, "{before} to {after}");
    assert!(records.iter().all(|record| record.gradient_norm["grader"] > 0.0));
    let (before, after) = half(&records, |record| record.reward);
    assert!(after > before, "{before} to {after}");
}

#[test]
fn the_bonus_of_the_composed_loss_ends() {
    let records = records(&composed_loss::experiment(digits()).with(small).with(|s| s.train.steps = 52));
    let weight = |step: usize| records[step].terms["κ"];
    assert_eq!([weight(0), weight(25), weight(50), weight(51)], [0.05, 0.025, 0.0, 0.0]);
    let (before, after) = half(&records, |record| record.reward);
    assert!(after > before, "{before} to {after}");
}

#[test]
fn an_environment_of_ones_own_is_learnt() {
    let text = "[env]\nname = \"reverse\"\nletters = 2\n[algorithm]\nname = \"rloo\"";
    let config = your_environment::catalogue().config_from_toml(text, "test", &[]).unwrap();
    let records = records(&Experiment::from_config(config).with(small).with(|s| s.train.prompts = 12));
    let (before, after) = half(&records, |record| record.reward);
    assert!(after > before + 0.05, "{before} to {after}");
    assert!(show::list(&your_environment::catalogue()).contains("reverse"));
}
