//! Two folders of runs, beside each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Panics where two runs left anything different but wall times and where they lie.
pub fn assert_same(a: &Path, b: &Path, what: &str) {
    assert_eq!(metrics(a), metrics(b), "{what}: metrics.jsonl");
    assert_eq!(report(a), report(b), "{what}: report.json");
    let weights = weights(a);
    assert!(weights.contains("policy") && weights == self::weights(b), "{what}: {weights:?}");
    let files = weights.iter().map(|role| format!("{role}/model.safetensors"));
    let tuning = a.join("examples.json").exists();
    let of_a_run: &[&str] = if tuning { &["examples.json"] } else { &["transcripts.jsonl", "manifest.json"] };
    for file in files.chain(of_a_run.iter().chain(&["config.toml"]).map(|name| (*name).to_owned())) {
        let [a, b] = [a, b].map(|run| fs::read(run.join(&file)).unwrap());
        assert!(a == b, "{what}: {file} differs");
    }
}

/// Every line without its times: those of each stage, or that of a step of fine-tuning.
pub fn metrics(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let timeless = |line: &str| {
        let (before, after) = line.split_once("\"seconds\":").expect("a line has its times");
        let rest = match after.strip_prefix('{') {
            Some(stages) => stages.split_once('}').unwrap().1,
            None => &after[after.find([',', '}']).unwrap()..],
        };
        format!("{}{rest}", before.trim_end_matches(','))
    };
    text.lines().map(timeless).collect()
}

fn report(run: &Path) -> Value {
    let mut report: Value = serde_json::from_slice(&fs::read(run.join("report.json")).unwrap()).unwrap();
    let fields = report.as_object_mut().unwrap();
    assert!(fields.remove("seconds").is_some());
    fields.remove("folder");
    report
}

/// Roles whose weights were saved.
fn weights(run: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(run).unwrap().map(|entry| entry.unwrap());
    let saved = entries.filter(|entry| entry.path().join("model.safetensors").exists());
    saved.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
