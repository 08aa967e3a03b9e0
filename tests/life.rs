//! A small model's whole life: problems, tokenizer, fine-tuning from fresh weights, fine-tuning of the checkpoint, reinforcement
//! learning, and the checkpoint that is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use oreal::{Catalogue, Result};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with problems and a tokenizer, made once.
static START: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let size = ["--count", "120", "--held-out", "20", "--steps", "1"];
    run(&[&["oreal", "word-problems", "--out", &at("data")], &size[..]].concat()).unwrap();
    let (texts, fields) = (at("data/train.jsonl"), "problem,solution");
    run(&["oreal", "tokenizer", "--texts", &texts, "--fields", fields, "--size", "320", "--out", &at("tokenizer")])
        .unwrap();
    folder
});

fn run(arguments: &[&str]) -> Result<String> {
    Catalogue::built_in().run(arguments)
}

fn at(name: &str) -> String {
    START.path().join(name).display().to_string()
}

/// Runs a command on a file of settings; the folder that it made.
fn made(command: &str, settings: &str, set: &[&str]) -> Result<PathBuf> {
    let out = tempfile::tempdir().unwrap().keep();
    let file = out.join("settings.toml");
    fs::write(&file, settings).unwrap();
    let (file, folder) = (file.display().to_string(), out.display().to_string());
    let mut arguments = vec!["oreal", command, &file, "--out", &folder, "--quiet"];
    set.iter().for_each(|set| arguments.extend(["--set", set]));
    run(&arguments)?;
    let entries = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    Ok(entries.into_iter().find(|path| path.is_dir()).unwrap())
}

fn pretraining() -> String {
    format!(
        r#"
[model]
kind = "transformer"
num_hidden_layers = 1
hidden_size = 16
num_attention_heads = 2
num_key_value_heads = 1
intermediate_size = 16

[text]
tokenizer = "{}"

[examples]
kind = "texts"
file = "{}"
fields = ["problem", "solution"]

[sft]
tokens = 512
rate = 1e-2
warmup = 2
held_out = 0.1
"#,
        at("tokenizer"),
        at("data/train.jsonl")
    )
}

fn tuning(checkpoint: &Path) -> String {
    format!(
        r#"
[model]
kind = "checkpoint"
path = "{}"

[examples]
kind = "solutions"
file = "{}"
source = "math"

[sft]
tokens = 512
rate = 1e-2
"#,
        checkpoint.display(),
        at("data/train.jsonl")
    )
}

fn reinforcement(checkpoint: &Path) -> String {
    format!(
        r#"
[model]
kind = "checkpoint"
path = "{}"

[env]
name = "math"
file = "{}"
source = "math"
held_out = "{}"
max_tokens = 12

[algorithm]
name = "oreal"

[warm_up]
steps = 0

[train]
steps = 2
prompts = 3
rollouts = 4

[evaluation]
completions = 20
"#,
        checkpoint.display(),
        at("data/train.jsonl"),
        at("data/test.jsonl")
    )
}

fn losses(folder: &Path) -> Vec<f64> {
    let lines = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect()
}

fn weights(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("policy/model.safetensors")).unwrap()
}

#[test]
fn each_stage_starts_from_the_checkpoint_of_the_one_before() {
    let pretrained = made("sft", &pretraining(), &[]).unwrap();
    let report: Value = serde_json::from_slice(&fs::read(pretrained.join("report.json")).unwrap()).unwrap();
    assert!(report["after"].as_f64().unwrap() < 0.8 * report["before"].as_f64().unwrap(), "{report}");
    for file in
        ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
    {
        assert!(pretrained.join("policy").join(file).exists(), "{file}");
    }
    let tuned = made("sft", &tuning(&pretrained.join("policy")), &[]).unwrap();
    let (fresh, first) = (losses(&pretrained)[0], losses(&tuned)[0]);
    assert!(first < 0.9 * fresh, "tuning starts at {first}, random weights at {fresh}");
    assert!(losses(&tuned).last().unwrap() < &first);
    let trained = made("train", &reinforcement(&tuned.join("policy")), &[]).unwrap();
    assert!(trained.join("policy/tokenizer.json").exists() && trained.join("reward_model/model.safetensors").exists());
    let again = made("train", &reinforcement(&trained.join("policy")), &["train.steps=1"]).unwrap();
    assert!(again.join("report.json").exists());
}

#[test]
fn the_same_settings_are_the_same_bytes_and_each_setting_acts() {
    let short = |set: &[&str]| made("sft", &pretraining(), &[&["sft.most_steps=4"], set].concat()).unwrap();
    let start = weights(&short(&[]));
    assert!(start == weights(&short(&[])), "the same settings");
    for set in [
        "seed=1",
        "sft.most_steps=3",
        "sft.tokens=300",
        "sft.longest=85",
        "sft.held_out=0.3",
        "sft.rate=0.02",
        "sft.warmup=1",
        "sft.floor=0.5",
        "optimiser.beta1=0.5",
        "model.hidden_size=32",
        "examples.fields=[\"solution\"]",
    ] {
        assert!(start != weights(&short(&[set])), "{set} changes nothing");
    }
    let steps = |set| losses(&made("sft", &pretraining(), &[set]).unwrap()).len();
    // A step may hold the end of an epoch and the beginning of the next.
    let (one, two) = (steps("sft.epochs=1"), steps("sft.epochs=2"));
    assert!((2 * one - 1..=2 * one).contains(&two), "{one} steps an epoch, {two} in two");
    // Smaller passes give the same losses up to rounding.
    let parts = made("sft", &pretraining(), &["sft.most_steps=4", "sft.micro_tokens=100"]).unwrap();
    for (a, b) in losses(&parts).iter().zip(losses(&short(&[]))) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
}

#[test]
fn wrong_settings_are_told_by_their_key() {
    let told = |set: &str| made("sft", &pretraining(), &[set]).unwrap_err().to_string();
    for (set, key) in [
        ("sft.epochs=0", "sft.epochs"),
        ("sft.tokens=0", "sft.tokens"),
        ("sft.rate=-1", "sft.rate"),
        ("sft.held_out=1", "sft.held_out"),
        ("sft.longest=3", "examples"),
        ("record.keep_last=0", "record.keep_last"),
        ("record.transcripts_every=1", "record.transcripts_every"),
        ("sft.speed=1", "sft.speed"),
        ("examples.fields=[]", "examples.fields"),
        ("examples.fields=[\"text\"]", "train.jsonl, line 1"),
        ("examples.file=nowhere.jsonl", "nowhere.jsonl"),
        ("text.tokenizer=nowhere", "nowhere"),
        ("text.template=nonsense", "text.template"),
        ("model={kind=\"table\"}", "model.kind"),
        ("model.hidden_size=15", "hidden_size 15"),
    ] {
        let message = told(set);
        assert!(message.contains(key), "{set}: {message}");
    }
    let missing = made("train", &reinforcement(Path::new("/nowhere/at/all")), &[]).unwrap_err().to_string();
    assert!(missing.contains("/nowhere/at/all"), "{missing}");
}

#[test]
fn rollouts_of_a_checkpoint_are_graded_and_imitated() {
    // Demonstrations without worked steps, so that few steps of training are enough to be right now and then.
    let file = START.path().join("short.jsonl");
    let line = |i: usize| format!("{{\"problem\":\"{i}?\",\"solution\":\"\\\\boxed{{1}}\",\"answer\":\"1\"}}\n");
    fs::write(&file, (0..40).map(line).collect::<String>()).unwrap();
    let start = made("sft", &pretraining(), &["sft.most_steps=1"]).unwrap().join("policy");
    let short = format!("examples.file={}", file.display());
    let policy = made("sft", &tuning(&start), &[&short, "sft.epochs=10", "sft.rate=0.03"]).unwrap().join("policy");
    let (data, out) = (file.display().to_string(), tempfile::tempdir().unwrap());
    let folder = |name: &str| out.path().join(name).display().to_string();
    let ask = |command: &str, model: &Path, more: &[&str]| {
        let model = model.display().to_string();
        let asked =
            ["oreal", command, "--model", &model, "--data", &data, "--source", "math", "--quiet", "--max-tokens", "30"];
        run(&[&asked, more].concat())
    };
    let printed = ask("eval", &policy, &["--out", &folder("eval"), "--greedy"]).unwrap();
    assert!(printed.contains("pass@1"), "{printed}");
    ask("sample", &policy, &["--out", &folder("sample"), "-n", "3", "--top-p", "0.9"]).unwrap();
    let lines = fs::read_to_string(out.path().join("sample/completions.jsonl")).unwrap();
    let rollouts: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let right = rollouts.iter().filter(|rollout| rollout["verdict"] == "right").count();
    assert!(rollouts.len() == 120 && right > 10, "{right} right of {}", rollouts.len());
    for rollout in &rollouts {
        let (ids, logps) = (rollout["ids"].as_array().unwrap(), rollout["logps"].as_array().unwrap());
        assert!(ids.len() == logps.len() && rollout["messages"][0]["role"] == "user");
    }
    let imitation = format!(
        "[model]\nkind = \"checkpoint\"\npath = \"{}\"\n[examples]\nkind = \"rollouts\"\nfiles = [\"{}\"]\n[sft]\nrate = 1e-3\n",
        policy.display(),
        folder("sample")
    );
    let imitated = made("sft", &imitation, &[]).unwrap();
    let report: Value = serde_json::from_slice(&fs::read(imitated.join("report.json")).unwrap()).unwrap();
    let (examples, unused) = (report["examples"].as_u64().unwrap(), report["unused"].as_u64().unwrap());
    assert!(examples > 0 && examples <= right as u64 && examples + unused == 120, "{report}");
    let one = made("sft", &imitation, &["examples.per_problem=1"]).unwrap();
    let fewer: Value = serde_json::from_slice(&fs::read(one.join("report.json")).unwrap()).unwrap();
    assert!(fewer["examples"].as_u64().unwrap() <= examples && fewer["examples"].as_u64().unwrap() > 0);
}

#[test]
fn a_role_may_have_a_checkpoint_of_its_own() {
    let start = made("sft", &pretraining(), &["sft.most_steps=2"]).unwrap().join("policy");
    let other = made("sft", &pretraining(), &["sft.most_steps=3", "seed=5"]).unwrap().join("policy");
    let set = format!("roles.reference.start={{checkpoint=\"{}\"}}", other.display());
    let train =
        |set: &[&str]| made("train", &reinforcement(&start), &[&["algorithm.name=grpo"], set].concat()).unwrap();
    assert!(weights(&train(&[])) != weights(&train(&[&set])), "another reference gives another policy");
    let tokenizer = START.path().join("larger").display().to_string();
    let texts = at("data/train.jsonl");
    let _ =
        run(&["oreal", "tokenizer", "--texts", &texts, "--fields", "problem", "--size", "330", "--out", &tokenizer]);
    let larger = format!("text.tokenizer={tokenizer}");
    let larger = made("sft", &pretraining(), &["sft.most_steps=1", &larger]).unwrap().join("policy");
    let set = format!("roles.reference.start={{checkpoint=\"{}\"}}", larger.display());
    let message = made("train", &reinforcement(&start), &["algorithm.name=grpo", &set]).unwrap_err().to_string();
    assert!(message.contains("roles.reference") && message.contains("tokens"), "{message}");
}
