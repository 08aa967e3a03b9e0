//! Same seed, same bytes, at any number of threads.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const CONFIG: &str = r#"
seed = 5
[env]
name = "addition"
digits = 1
[warm_up]
steps = 5
[train]
steps = 3
prompts = 6
rollouts = 6
micro_batch = 16
[evaluation]
completions = 10
"#;

/// Runs the command line with so many threads; the folder it recorded in.
fn run(folder: &Path, algorithm: &str, threads: &str, set: &[&str]) -> PathBuf {
    let file = folder.join("experiment.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let out = folder.join(format!("{algorithm}-{threads}-{}", set.len()));
    let name = format!("algorithm.name={algorithm}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.args(["train", "--quiet", "--set", &name]).args(set).arg("--out").arg(&out).arg(&file);
    let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_dir(out).unwrap().next().unwrap().unwrap().path()
}

/// Every line without its times.
fn metrics(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let timeless = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        assert!(record["seconds"]["update"].is_number());
        record.as_object_mut().unwrap().remove("seconds");
        record.to_string()
    };
    text.lines().map(timeless).collect()
}

#[test]
fn records_and_weights_are_the_same_bytes_at_one_and_two_threads() {
    let folder = tempfile::tempdir().unwrap();
    for name in oreal::algos::BuiltIn::NAMES {
        let [one, two] = ["1", "2"].map(|threads| run(folder.path(), name, threads, &[]));
        assert_eq!(metrics(&one).len(), 3);
        assert_eq!(metrics(&one), metrics(&two), "{name}: metrics.jsonl");
        for file in ["transcripts.jsonl", "policy/model.safetensors", "config.toml"] {
            let [a, b] = [&one, &two].map(|run| std::fs::read(run.join(file)).unwrap());
            assert!(a == b, "{name}: {file} differs");
        }
    }
}

#[test]
fn another_seed_is_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = [&[] as &[&str], &["--set", "seed=6"]].map(|set| metrics(&run(folder.path(), "rloo", "2", set)));
    assert_ne!(a, b);
}

#[test]
fn the_recorded_config_gives_the_recorded_run() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), "oreal", "2", &["--set", "algorithm.preset=outcome"]);
    let out = folder.path().join("again");
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    assert!(
        command
            .args(["train", "--quiet", "--out"])
            .arg(&out)
            .arg(first.join("config.toml"))
            .status()
            .unwrap()
            .success()
    );
    let again = std::fs::read_dir(out).unwrap().next().unwrap().unwrap().path();
    assert_eq!(metrics(&first), metrics(&again));
}
