//! Ablations: every cell is a run that is trained once, and the results follow from the folders alone.

mod budgets;
mod comparison;
mod failures;
mod going_on;
mod grid;
mod mistakes;

use std::fs;
use std::path::{Path, PathBuf};

use oreal::ablate::{Ablation, Results};
use oreal::statistics::wilcoxon;
use oreal::{Budget, Catalogue, Config, Experiment, StepRecord, step};
use serde_json::Value;

const FILE: &str = r#"
seed = 3
[env]
name = "bandit"
[model]
kind = "transformer"
num_hidden_layers = 1
hidden_size = 16
num_attention_heads = 2
num_key_value_heads = 1
intermediate_size = 32
[warm_up]
steps = 8
batch = 8
rate = 0.01
[train]
steps = 6
prompts = 4
rollouts = 4
[rates]
policy = 0.01
[evaluation]
completions = 40
[record]
transcripts_every = 0
"#;

const GRID: &str = r#"
[ablation]
seeds = 3
[ablation.axes]
algorithm = ["rloo", "grpo/dr_grpo"]
"rates.policy" = [0.0, 0.02]
[[ablation.variants]]
label = "no-negatives"
algorithm = "oreal/outcome"
set = ["algorithm.eta=0"]
"#;

const LABELS: [&str; 5] =
    ["rloo,policy=0.0", "rloo,policy=0.02", "grpo-dr_grpo,policy=0.0", "grpo-dr_grpo,policy=0.02", "no-negatives"];

/// Runs `oreal ablate`; what it prints.
fn ablate(folder: &Path, text: &str, more: &[&str]) -> oreal::Result<String> {
    let file = folder.join("grid.toml");
    fs::write(&file, text).unwrap();
    let (file, out) = (file.display().to_string(), folder.join("out").display().to_string());
    let arguments = ["oreal", "ablate", &file, "--quiet", "--out", &out];
    Catalogue::built_in().run(&[&arguments, more].concat())
}

/// Goes on with an ablation.
fn resume(folder: &Path) -> oreal::Result<String> {
    Catalogue::built_in().run(&["oreal", "ablate", "--quiet", "--resume", &folder.display().to_string()])
}

fn first(folder: &Path) -> PathBuf {
    folder.join("out/ablate-grid-1")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every line of a run's metrics without its times.
fn metrics(run: &Path) -> Vec<StepRecord> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let record = |line: &str| StepRecord { seconds: Default::default(), ..serde_json::from_str(line).unwrap() };
    text.lines().map(record).collect()
}

/// Files that may not depend on how runs were scheduled.
fn results(folder: &Path) -> Vec<Vec<u8>> {
    ["results.json", "results.csv", "results.md"].map(|name| fs::read(folder.join(name)).unwrap()).to_vec()
}
