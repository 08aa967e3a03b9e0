//! Folders of runs: trained, or written by hand.

use std::fs;
use std::path::{Path, PathBuf};

use oreal::{Catalogue, Experiment};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[env]
name = "addition"
digits = 1
[warm_up]
steps = 60
batch = 32
[train]
prompts = 6
rollouts = 6
[rates]
warmup = 1
[evaluation]
completions = 20
[record]
transcripts_every = 1
"#;

/// A run of so many steps.
pub fn run(parent: &Path, algorithm: &str, steps: usize) -> PathBuf {
    run_with(parent, algorithm, steps, "seed=3")
}

pub fn run_with(parent: &Path, algorithm: &str, steps: usize, set: &str) -> PathBuf {
    let folder = parent.join(format!("addition-{algorithm}"));
    let overrides = [format!("algorithm.name={algorithm}"), format!("train.steps={steps}"), set.to_owned()];
    let config = Catalogue::built_in().config_from_toml(CONFIG, "test", &overrides).unwrap();
    Experiment::from_config(config).record_in(&folder).run().unwrap();
    folder
}

pub fn rate(right: usize) -> Value {
    let rate = right as f64 / 100.0;
    json!({ "right": right, "completions": 100, "problems": 100, "ungraded": 0, "rate": rate, "low": rate - 0.1,
            "high": rate + 0.1 })
}

/// A run that was written by hand, with these lines of metrics.
pub fn by_hand(folder: &Path, seed: u64, after: usize, metrics: &[Value]) {
    fs::create_dir_all(folder).unwrap();
    let manifest = json!({ "seed": seed, "env": { "name": "addition" }, "algorithm": { "name": "grpo" },
                           "settings": { "train": { "steps": metrics.len() } }, "credit": ["A = R"], "objective": ["loss = 1 < 2"] });
    let report = json!({ "algorithm": "grpo", "preset": null, "env": "addition", "seed": seed, "steps": metrics.len(),
                         "before": rate(40), "after": rate(after), "training": 0.5, "seconds": 9.0, "notices": [] });
    let lines: String = metrics.iter().map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    fs::write(folder.join("report.json"), report.to_string()).unwrap();
    fs::write(folder.join("metrics.jsonl"), lines).unwrap();
}

pub fn metrics(steps: usize, shift: f64) -> Vec<Value> {
    let line = |step: usize| {
        json!({ "step": step, "pass_rate": shift + step as f64 / 100.0, "loss": (step as f64 + shift).sin(), "ungraded": 0,
                "seconds": { "sample": 1.0, "judge": 0.5, "fill": 0.25, "update": 2.0 } })
    };
    (0..steps).map(line).collect()
}

/// Two variants, one with three seeds, one with one; a sentinel, and a table of results.
pub fn comparison(parent: &Path) -> PathBuf {
    let folder = parent.join("compare-addition-1");
    for (seed, after) in [(1, 60), (2, 65), (3, 70)] {
        by_hand(&folder.join(format!("grpo/seed-{seed}")), seed, after, &metrics(30, 0.1 * seed as f64));
    }
    by_hand(&folder.join("rft-default"), 1, 30, &metrics(30, 0.05));
    let sentinel = json!({ "step": 12, "name": "uniform_groups", "severity": "stop", "what": "every group is uniform",
                           "evidence": "0 of 48 groups mixed for 10 steps", "remedy": "use easier problems" });
    fs::write(folder.join("rft-default/sentinels.jsonl"), format!("{sentinel}\n")).unwrap();
    let results = json!({ "variants": [{ "label": "grpo", "after": { "mean": 0.65, "low": 0.5, "high": 0.8 } }] });
    fs::write(folder.join("results.json"), results.to_string()).unwrap();
    folder
}
