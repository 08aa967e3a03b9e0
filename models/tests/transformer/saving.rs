//! Checkpoints as they are written: types, files of a folder, and what of the old ones stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use oreal_models::architecture::Checkpoint;
use oreal_models::transformer::Fused;
use oreal_models::{Head, Model, Optimiser, Precision, Saving, Transformer};
use serde_json::{Value, json};

use crate::common::{config, families};

fn model(seed: u64) -> Transformer {
    Transformer::new(config(false), Head::Vocabulary, &Optimiser::default(), seed).unwrap()
}

fn load(path: &Path, head: Head) -> Transformer {
    Transformer::load(path, head, &Optimiser::default()).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

const PARTS: Saving = Saving { precision: Precision::Full, shard_size: 2_000 };

#[test]
fn many_weights_are_several_files_with_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(3);
    model.save_as(folder.path(), &PARTS).unwrap();
    let index = read(&folder.path().join("model.safetensors.index.json"));
    assert_eq!(index["metadata"]["total_size"], 4 * model.parameters());
    let files: BTreeSet<&str> =
        index["weight_map"].as_object().unwrap().values().map(|f| f.as_str().unwrap()).collect();
    assert!(files.len() > 5 && files.contains(format!("model-00001-of-{:05}.safetensors", files.len()).as_str()));
    assert_eq!(names(folder.path()).len(), files.len() + 2, "nothing else but the index and config.json");
    for file in files {
        let length = fs::metadata(folder.path().join(file)).unwrap().len();
        assert!(length < 2_000 + 1_500, "{file} has {length} bytes");
    }
    assert!(load(folder.path(), Head::Vocabulary).weights().eq(model.weights()));
}

#[test]
fn nothing_of_an_older_save_stays_valid() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("tokenizer.json");
    fs::write(&own, "mine").unwrap();
    let smaller = Saving { shard_size: 4_000, ..PARTS };
    let mut seed = 0;
    for how in [PARTS, smaller, Saving::default(), PARTS, Saving::default(), Saving::default()] {
        seed += 1;
        let model = model(seed);
        model.save_as(folder.path(), &how).unwrap();
        assert!(load(folder.path(), Head::Vocabulary).weights().eq(model.weights()), "save {seed}");
        let fresh = tempfile::tempdir().unwrap();
        model.save_as(fresh.path(), &how).unwrap();
        let mut expected = names(fresh.path());
        expected.insert("tokenizer.json".into());
        assert_eq!(names(folder.path()), expected, "save {seed}");
        for name in names(fresh.path()) {
            let [a, b] = [&folder, &fresh].map(|folder| fs::read(folder.path().join(&name)).unwrap());
            assert_eq!(a, b, "{name} is the same bytes in another folder");
        }
    }
    assert_eq!(fs::read_to_string(own).unwrap(), "mine");
}

#[test]
fn a_save_that_fails_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(1);
    model.save_as(folder.path(), &PARTS).unwrap();
    let before = names(folder.path());
    let mut wrong = self::model(2);
    wrong.nudge("model.norm.weight", 3, f64::INFINITY).unwrap();
    let message = wrong.save_as(folder.path(), &PARTS).unwrap_err().to_string();
    assert!(message.contains("model.norm.weight") && message.contains("NaN or an infinity"), "{message}");
    assert_eq!(names(folder.path()), before);
    assert!(load(folder.path(), Head::Vocabulary).weights().eq(model.weights()));
}

#[test]
fn bf16_rounds_once() {
    let folder = tempfile::tempdir().unwrap();
    let how = Saving { precision: Precision::Bf16, ..Saving::default() };
    let model = model(3);
    model.save_as(folder.path(), &how).unwrap();
    assert_eq!(read(&folder.path().join("config.json"))["torch_dtype"], "bfloat16");
    let size = fs::metadata(folder.path().join("model.safetensors")).unwrap().len() as usize;
    assert!((2 * model.parameters()..3 * model.parameters()).contains(&size), "{size}");
    let rounded = load(folder.path(), Head::Vocabulary);
    for ((name, exact), (_, rounded)) in model.weights().zip(rounded.weights()) {
        for (a, b) in exact.iter().zip(rounded) {
            assert!((a - b).abs() <= a.abs() / 256.0, "{name}: {b} for {a}");
        }
    }
    assert!(!rounded.weights().eq(model.weights()));
    rounded.save_as(folder.path(), &how).unwrap();
    assert!(load(folder.path(), Head::Vocabulary).weights().eq(rounded.weights()), "rounded numbers stay");
}

#[test]
fn every_family_comes_back_with_its_head() {
    for config in families() {
        for head in [Head::Vocabulary, Head::Scalar] {
            let folder = tempfile::tempdir().unwrap();
            let model = Transformer::<f32, Fused>::new(config.clone(), head, &Optimiser::default(), 3).unwrap();
            model.save(folder.path()).unwrap();
            let back = load(folder.path(), Checkpoint::open(folder.path()).unwrap().head());
            assert_eq!((back.config(), back.head()), (&config, head));
            assert!(back.weights().eq(model.weights()), "{config:?}");
        }
    }
}

#[test]
fn config_json_keeps_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    model(3).save(folder.path()).unwrap();
    let mut said = read(&path);
    for (key, value) in [
        ("dtype", json!("bfloat16")),
        ("bos_token_id", json!(3)),
        ("max_position_embeddings", json!(77)),
        ("architectures", json!(["Qwen2ForCausalLM"])),
        ("rope_parameters", json!({ "rope_theta": 100.0, "rope_type": "default" })),
        ("use_sliding_window", json!(false)),
    ] {
        said[key] = value;
    }
    said.as_object_mut().unwrap().remove("torch_dtype");
    fs::write(&path, said.to_string()).unwrap();
    let policy = load(folder.path(), Head::Vocabulary);
    policy.save(folder.path()).unwrap();
    said["dtype"] = json!("float32");
    assert_eq!(read(&path), said, "only the type of the weights is another");
    let critic = policy.fork(Head::Scalar, &Optimiser::default()).unwrap();
    critic.save(folder.path()).unwrap();
    said["architectures"] = json!(["Qwen2ForSequenceClassification"]);
    said["id2label"] = json!({ "0": "LABEL_0" });
    said["label2id"] = json!({ "LABEL_0": 0 });
    assert_eq!(read(&path), said);
}

#[test]
fn files_say_which_head_they_hold() {
    for (head, architecture) in
        [(Head::Vocabulary, "Qwen2ForCausalLM"), (Head::Scalar, "Qwen2ForSequenceClassification")]
    {
        let folder = tempfile::tempdir().unwrap();
        let model = Transformer::<f32>::new(config(false), head, &Optimiser::default(), 3).unwrap();
        model.save(folder.path()).unwrap();
        let all = read(&folder.path().join("config.json"));
        assert_eq!(all["architectures"], json!([architecture]));
        let labels = all["id2label"].as_object().map(|labels| labels.len());
        assert_eq!(labels, (head == Head::Scalar).then_some(1), "{all}");
        assert_eq!(Checkpoint::open(folder.path()).unwrap().head(), head);
    }
}
