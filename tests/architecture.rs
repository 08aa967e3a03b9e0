//! The invariants ARCHITECTURE.md states, held against the tree.

use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

const LEAVES: [(&str, &[&str]); 6] = [
    ("algos", &["rand", "serde"]),
    ("toy_envs", &["rand", "serde"]),
    ("math", &["num-bigint", "num-integer", "num-rational", "num-traits"]),
    (
        "models",
        &["cudarc", "dfdx", "memmap2", "pulp", "rand", "rayon", "safetensors", "serde", "serde_json", "thiserror"],
    ),
    (
        "engines",
        &[
            "axum",
            "oreal-models",
            "prost",
            "rand",
            "rayon",
            "serde",
            "serde_json",
            "subtle",
            "thiserror",
            "tokio",
            "ureq",
        ],
    ),
    ("text", &["jiff", "minijinja", "minijinja-contrib", "serde", "serde_json", "thiserror", "tokenizers"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// Every Rust source file of the root and the leaves.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["src", "algos/src", "toy_envs/src", "math/src", "models/src", "text/src", "engines/src"]
            .iter()
            .map(|folder| root().join(folder))
            .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 40, "the tree is not where it is looked for");
    found
}

#[test]
fn leaves_depend_on_nothing_but_what_is_listed() {
    for (leaf, allowed) in LEAVES {
        let manifest: Table = read(&root().join(leaf).join("Cargo.toml")).parse().unwrap();
        for dependency in manifest["dependencies"].as_table().unwrap().keys() {
            assert!(allowed.contains(&dependency.as_str()), "{leaf} depends on {dependency}");
        }
    }
}

#[test]
fn the_loop_names_no_algorithm() {
    let text = read(&root().join("src/train.rs")).to_lowercase().replace("oreal_", "");
    for name in oreal::algos::BuiltIn::NAMES {
        assert!(!text.contains(name), "src/train.rs names {name}");
    }
}

#[test]
fn unsafe_code_is_where_it_is_argued_for() {
    for path in sources().into_iter().filter(|path| read(path).lines().any(is_unsafe)) {
        let allowed = ["models/src/transformer/ops", "models/src/process.rs", "models/src/mapped.rs"];
        let inside = allowed.iter().any(|place| path.starts_with(root().join(place)));
        assert!(inside, "{} has unsafe code", path.display());
        assert!(read(&path).to_lowercase().contains("safety"), "{} does not argue for its unsafe code", path.display());
    }
}

fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
}

#[test]
fn files_are_short_enough_to_read() {
    for path in sources() {
        let lines = read(&path).lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
    }
}

#[test]
fn an_algorithm_file_opens_with_its_source() {
    for name in oreal::algos::BuiltIn::NAMES {
        let text = read(&root().join(format!("algos/src/{name}.rs")));
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//!") && (first.contains("arXiv") || first.contains("19")), "{name}: {first}");
    }
}

#[test]
fn the_code_map_names_every_file_at_the_top_of_each_crate() {
    let map = read(&root().join("ARCHITECTURE.md"));
    for path in sources() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let top = path.parent().is_some_and(|folder| folder.ends_with("src"));
        assert!(!top || map.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {}", path.display());
    }
}

/// Code spans of a Markdown text.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_file_and_trait_in_its_tables_exists() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let (files, after) = map.split_once("## Files").unwrap().1.split_once("## Invariants").unwrap();
    assert!(!after.is_empty());
    let (mut folder, mut named) = ("", 0);
    for line in files.lines() {
        for (i, span) in spans(line).enumerate() {
            match line.ends_with("| |") && i == 0 {
                true => folder = span,
                false if span.ends_with(".rs") || span.ends_with('/') => {
                    named += 1;
                    assert!(root().join(folder).join(span).exists(), "ARCHITECTURE.md: {folder} has no {span}");
                }
                false => {}
            }
        }
    }
    let contracts = map.split_once("## The contracts").unwrap().1.split("\n\n").nth(1).unwrap();
    let text: String = sources().iter().map(|path| read(path)).collect();
    for row in contracts.lines().skip(2) {
        for name in spans(row.split(" | ").next().unwrap()) {
            named += 1;
            assert!(text.contains(&format!("pub trait {name}")), "ARCHITECTURE.md: no trait {name}");
        }
    }
    assert!(named >= 80, "{named}");
}

#[test]
fn every_test_that_architecture_names_exists() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let mut named = 0;
    for word in map.split('`').skip(1).step_by(2).filter(|word| word.contains("tests/") && word.ends_with(".rs")) {
        assert!(root().join(word).exists(), "ARCHITECTURE.md names {word}, which is not there");
        named += 1;
    }
    assert!(named >= 8, "ARCHITECTURE.md names the tests that hold its invariants");
}
