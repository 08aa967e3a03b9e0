//! Runs whose models are on a server of the Tinker API.

use std::path::Path;
use std::sync::Arc;

use oreal::models::{Engine, Family, Head, Optimiser, RopeScaling, Runtime, TransformerConfig};
use oreal::{Config, Experiment, Progress, Stop};
use oreal_engines::serve::{Base, ServeSettings, Serving};
use oreal_engines::testing::proxy::{Mischief, proxy};
use serde_json::Value;

const SETTINGS: &str = r#"
[model]
kind = "tinker"
base_model = "tiny"
lora = 4
backoff_seconds = 0.001
retries = 10
[env]
name = "bandit"
probabilities = [0.2, 0.5]
questions = 1
[warm_up]
steps = 30
batch = 32
error_rate = 0.7
rate = 0.01
[train]
steps = 40
prompts = 8
rollouts = 8
[rates]
policy = 0.02
critic = 0.02
reward_model = 0.02
[evaluation]
completions = 8
[record]
checkpoint_every = 2
report = false
"#;

/// Tokens of the environment.
const VOCABULARY: usize = 20;

/// A tiny transformer behind a server.
fn served() -> Serving {
    let sizes = TransformerConfig {
        family: Family::Llama,
        vocab_size: VOCABULARY,
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: None,
        intermediate_size: 32,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
    };
    let make = move || {
        let runtime = Runtime::new(Some(Engine::Fused), Default::default())?;
        runtime.create(sizes.clone(), Head::Vocabulary, &Optimiser::default(), 1)
    };
    let base = Base { name: "tiny".to_owned(), vocabulary: VOCABULARY, ..Base::new(Arc::new(make)) };
    Serving::start(ServeSettings { port: 0, ..ServeSettings::default() }, base).unwrap()
}

fn experiment(url: &str, algorithm: &str, more: &[&str]) -> Experiment {
    let (name, preset) = algorithm.split_once('/').unwrap_or((algorithm, "default"));
    let mut settings = vec![format!("model.url=\"{url}\""), format!("algorithm.name={name}")];
    if preset != "default" {
        settings.push(format!("algorithm.preset={preset}"));
    }
    settings.extend(more.iter().map(|setting| (*setting).to_owned()));
    Experiment::from_config(Config::from_toml(SETTINGS, "test", &settings).unwrap())
}

fn metrics(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let without_time = |line: &str| {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record.as_object_mut().unwrap().remove("seconds");
        record
    };
    text.lines().map(without_time).collect()
}

/// Stops a run after its third step, and goes on with it.
fn in_two_parts(experiment: &Experiment) {
    let stop = Stop::default();
    let mut watch = |progress: Progress<'_>| match progress {
        Progress::Step { record, .. } if record.step == 2 => stop.ask(),
        _ => {}
    };
    experiment.clone().stopped_by(stop.clone()).run_watched(&mut watch).unwrap_err();
    experiment.resume(&mut |_| {}).unwrap();
}

#[test]
fn whole_algorithms_learn_on_a_server() {
    let serving = served();
    for algorithm in ["oreal/soft", "grpo", "ppo", "rft"] {
        let folder = tempfile::tempdir().unwrap();
        let recorded = folder.path().join("run");
        experiment(&serving.url(), algorithm, &[]).record_in(&recorded).run().unwrap();
        let metrics = metrics(&recorded);
        let mean = |records: &[Value]| records.iter().map(|r| r["pass_rate"].as_f64().unwrap()).sum::<f64>() / 5.0;
        let (first, last) = (mean(&metrics[..5]), mean(&metrics[35..]));
        assert!(first < 0.8 && last > 0.9, "{algorithm}: pass rate from {first:.2} to {last:.2}");
        let apart = |record: &Value| record["sampler_apart"].as_f64().is_none_or(|apart| apart < 1e-4);
        assert!(metrics.iter().all(apart), "{algorithm}: sampler and trainer have one model");
        assert!(metrics.iter().all(|record| record["entropy"].is_null()), "{algorithm}: no server reports it");
        let manifest: Value =
            serde_json::from_str(&std::fs::read_to_string(recorded.join("manifest.json")).unwrap()).unwrap();
        let place = manifest["places"]["policy"].as_str().unwrap();
        assert!(place.contains(&serving.url()) && place.contains("cross_entropy"), "{algorithm}: {place}");
        assert!(recorded.join("policy/tinker.json").exists(), "{algorithm}");
    }
}

#[test]
fn a_network_that_loses_doubles_and_garbles_changes_nothing() {
    let (serving, folder) = (served(), tempfile::tempdir().unwrap());
    let run = |name: &str, url: &str| {
        let recorded = folder.path().join(name);
        experiment(url, "oreal/soft", &["train.steps=8"]).record_in(&recorded).run().unwrap();
        metrics(&recorded)
    };
    let expected = run("direct", &serving.url());
    for seed in 0..2 {
        let between = proxy(&serving.url(), |_, body| body, Mischief::at_random(seed, 0.1));
        assert_eq!(run(&format!("through-{seed}"), &between.url()), expected, "seed {seed}");
        assert!(between.count() > 500, "{} requests", between.count());
    }
}

#[test]
fn rollouts_are_drawn_while_the_server_trains() {
    let (serving, folder) = (served(), tempfile::tempdir().unwrap());
    let experiment = experiment(&serving.url(), "grpo", &["train.steps_ahead=1"]);
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    experiment.clone().record_in(&whole).run().unwrap();
    let records = metrics(&whole);
    let drawn_at = |step: usize| records[step.saturating_sub(1)]["version"].as_u64().unwrap();
    for (step, record) in records.iter().enumerate().skip(2) {
        let (version, behind) = (record["version"].as_u64().unwrap(), record["behind"].as_u64().unwrap());
        assert!(version > drawn_at(step - 1) && behind > 0, "step {step}: version {version}, {behind} behind");
    }
    let mean = |records: &[Value]| records.iter().map(|r| r["pass_rate"].as_f64().unwrap()).sum::<f64>() / 5.0;
    assert!(mean(&records[35..]) > 0.9, "it learns from them: {:.2}", mean(&records[35..]));
    in_two_parts(&experiment.record_in(&parts));
    assert_eq!(metrics(&parts), records);
}

#[test]
fn a_run_that_is_stopped_goes_on_from_what_the_server_keeps() {
    let (serving, folder) = (served(), tempfile::tempdir().unwrap());
    for algorithm in ["oreal/soft", "ppo"] {
        let experiment = experiment(&serving.url(), algorithm, &["train.steps=6"]);
        let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(algorithm.replace('/', "-")).join(name));
        experiment.clone().record_in(&whole).run().unwrap();
        in_two_parts(&experiment.record_in(&parts));
        assert_eq!(metrics(&parts), metrics(&whole), "{algorithm}");
    }
}

#[test]
fn what_a_server_cannot_do_is_refused_before_any_work() {
    let serving = served();
    let url = serving.url();
    for (setting, key) in [
        ("sampling.temperature=0.7", "sampling.temperature"),
        ("sampling.top_p=0.9", "sampling.top_p"),
        ("model.url=\"nowhere\"", "model.url"),
        ("model.base_model=\"\"", "model.base_model"),
        ("model.batch=0", "model.batch"),
        ("model.score_tokens=[3, 3]", "model.score_tokens"),
        ("added.entropy=0.01", "entropy"),
        ("roles.reference.start=\"fresh\"", "roles.reference.start"),
    ] {
        let settings = [format!("model.url=\"{url}\""), "algorithm.name=grpo".to_owned(), setting.to_owned()];
        let read = Config::from_toml(SETTINGS, "test", &settings);
        let said = read.and_then(|config| Experiment::from_config(config).check()).unwrap_err().to_string();
        assert!(said.contains(key), "{setting}: {said}");
    }
    let deaf = proxy(
        &url,
        |path, mut body| {
            if path.ends_with("/optim_step") {
                body["adam_params"]["grad_clip_norm"] = serde_json::json!(0.0);
            }
            body
        },
        |_, _| Mischief::None,
    );
    let said = experiment(&deaf.url(), "grpo", &[]).run().unwrap_err().to_string();
    assert!(said.contains("optimiser.clip"), "{said}");
}
