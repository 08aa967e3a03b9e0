//! What a run leaves behind.

use std::fs;
use std::path::Path;

use oreal::config::ModelSettings;
use oreal::{Config, Experiment};
use serde_json::Value;

fn experiment() -> Experiment {
    let env: oreal::envs::BuiltIn = oreal::envs::Bandit::new(vec![0.5], 1).unwrap().into();
    Experiment::from_config(Config { env: env.into(), ..Config::default() }).with(|s| {
        s.model = ModelSettings::Table {};
        (s.warm_up.steps, s.warm_up.batch, s.warm_up.rate) = (30, 32, 0.15);
        (s.train.steps, s.train.prompts, s.train.rollouts) = (12, 3, 4);
        (s.evaluation.completions, s.record.transcripts_every) = (5, 5);
    })
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_run_can_be_understood_from_its_folder() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("deep/run");
    let report = experiment().record_in(&folder).run().unwrap();

    let manifest = json(&folder.join("manifest.json"));
    assert!(manifest["objective"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().starts_with("loss")));
    assert_eq!(manifest["coupling"], "trajectory");
    assert_eq!(manifest["settings"]["train"]["steps"], 12);
    for role in ["policy", "reference", "reward_model"] {
        assert!(manifest["parameters"][role].is_number(), "{role} is not in the manifest");
    }
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let dfdx = format!("name = \"dfdx\"\nversion = {}", manifest["versions"]["dfdx"]);
    assert!(lock.contains(&dfdx), "Cargo.lock has another {dfdx}");

    let metrics = lines(&folder.join("metrics.jsonl"));
    assert_eq!(metrics.iter().map(|m| m["step"].as_u64().unwrap()).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    for name in ["confidence", "kl", "negative", "positive", "reward_model_loss", "right"] {
        assert!(metrics.iter().any(|m| m["terms"][name].is_number()), "{name} was not logged");
    }
    assert!(metrics[..10].iter().all(|m| m["gradient_norm"].get("policy").is_none()), "the policy waits ten steps");
    assert!(metrics[10..].iter().any(|m| m["gradient_norm"]["policy"].as_f64() > Some(0.0)), "then it learns");

    let transcripts = lines(&folder.join("transcripts.jsonl"));
    assert_eq!(transcripts.len(), 3 * 4, "one group at steps 0, 5 and 10");
    assert!(
        transcripts.iter().all(|t| t["tokens"].as_array().unwrap().len() == t["advantage"].as_array().unwrap().len())
    );
    assert_eq!(json(&folder.join("report.json"))["after"]["right"], report.after.right);
    for role in ["policy", "reward_model"] {
        assert!(folder.join(role).join("model.safetensors").exists(), "{role} was not saved");
    }
}

#[test]
fn no_run_is_written_over_another() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("run");
    experiment().record_in(&folder).run().unwrap();
    let before = fs::read(folder.join("metrics.jsonl")).unwrap();
    let refused = experiment().with(|s| s.seed = 1).record_in(&folder).run().unwrap_err().to_string();
    assert!(refused.contains("run") && refused.contains("new folder"), "{refused}");
    assert_eq!(fs::read(folder.join("metrics.jsonl")).unwrap(), before);
    let start = experiment().warm_up(&mut |_| {}).unwrap();
    let refused = experiment().record_in(&folder).train(&start, &mut |_| {}).unwrap_err().to_string();
    assert!(refused.contains("new folder"), "{refused}");
    assert_eq!(fs::read(folder.join("metrics.jsonl")).unwrap(), before);
}
