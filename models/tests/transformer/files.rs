//! Weights survive their file to the bit, and a wrong file is described.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::common::{ALL, Way, agree, batch, config, cotangents, differentiate, every_way, step, want};
use oreal_models::transformer::{Config, Fused};
use oreal_models::{Family, Head, Model, Optimiser, Result, RopeScaling, Transformer};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

every_way!(round_trips_keep_every_bit, forks_share_the_trunk_and_start_the_other_head_at_zero);

fn model<O: Way>(config: Config, head: Head) -> Transformer<f32, O> {
    Transformer::new(config, head, &Optimiser::default(), 3).unwrap()
}

fn load(path: &Path) -> Result<Transformer> {
    load_as(path, Head::Vocabulary)
}

fn load_as(path: &Path, head: Head) -> Result<Transformer> {
    Transformer::load(path, head, &Optimiser::default())
}

fn refusal(path: &Path) -> String {
    load(path).expect_err("the file is wrong").to_string()
}

/// Stores the tensors again, after a change, without our own metadata.
fn rewrite(file: &Path, change: impl Fn(&str, TensorView<'_>) -> Option<(Dtype, Vec<usize>, Vec<u8>)>) {
    let bytes = fs::read(file).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let kept: Vec<_> = stored.tensors().into_iter().filter_map(|(n, v)| change(&n, v).map(|c| (n, c))).collect();
    let views = kept.iter().map(|(n, (d, s, b))| (n.as_str(), TensorView::new(*d, s.clone(), b).unwrap()));
    fs::write(file, safetensors::serialize(views, None::<HashMap<String, String>>).unwrap()).unwrap();
}

fn same(view: &TensorView<'_>) -> (Dtype, Vec<usize>, Vec<u8>) {
    (view.dtype(), view.shape().to_vec(), view.data().to_vec())
}

fn round_trips_keep_every_bit<O: Way>() {
    for (tied, head, signals) in
        [(false, Head::Vocabulary, &ALL[..2]), (true, Head::Vocabulary, &ALL[..2]), (false, Head::Scalar, &ALL[2..])]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut model = model::<O>(config(tied), head);
        differentiate(&mut model, &batch(), &want(signals, 1.0), cotangents);
        step(&mut model, 0.1);
        let file = folder.path().join("policy.safetensors");
        let parts = folder.path().join("folder");
        for path in [&file, &parts] {
            model.save(path).unwrap();
            let read = Transformer::<f32, O>::load(path, head, &Optimiser::default()).unwrap();
            assert_eq!((read.config(), read.head()), (model.config(), head));
            assert!(read.weights().eq(model.weights()));
            let of = |model: &Transformer<f32, O>| model.read(&batch(), &want(signals, 1.0)).unwrap();
            agree(&of(&read), &of(&model));
        }
        let names: Vec<_> = fs::read_dir(&parts).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "config.json and model.safetensors, nothing partial: {names:?}");
    }
}

#[test]
fn files_of_others_are_read_with_their_config() {
    let folder = tempfile::tempdir().unwrap();
    let model = model::<Fused>(config(false), Head::Vocabulary);
    model.save(folder.path()).unwrap();
    // Half of each number's bits: what bfloat16 keeps.
    rewrite(&folder.path().join("model.safetensors"), |_, view| {
        let upper = view.data().as_chunks::<4>().0.iter().flat_map(|b| [b[2], b[3]]).collect();
        Some((Dtype::BF16, view.shape().to_vec(), upper))
    });
    let read = load(folder.path()).unwrap();
    assert_eq!(read.config(), model.config());
    for ((name, exact), (_, rounded)) in model.weights().zip(read.weights()) {
        let close = exact.iter().zip(rounded).all(|(a, b)| (a - b).abs() <= a.abs() / 128.0);
        assert!(close, "{name}");
    }
    let path = folder.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"qwen2\"", "\"gemma\"")).unwrap();
    assert!(refusal(folder.path()).contains("model_type is gemma"));
    fs::write(&path, text.replace("\"hidden_size\"", "\"hidden\"")).unwrap();
    assert!(refusal(folder.path()).contains("hidden_size"));
    fs::remove_file(&path).unwrap();
    assert!(refusal(folder.path()).contains("config.json"));
}

#[test]
fn wrong_tensors_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.safetensors");
    let name = "model.layers.1.self_attn.k_proj.weight";
    type Change = fn(TensorView<'_>) -> Option<(Dtype, Vec<usize>, Vec<u8>)>;
    let cases: [(Change, &str); 4] = [
        (|_| None, "missing; it should be [8, 16]"),
        (|v| Some((Dtype::F32, vec![16, 8], v.data().to_vec())), "shape [16, 8] where the sizes say [8, 16]"),
        (|v| Some((Dtype::I32, vec![8, 16], v.data().to_vec())), "type I32"),
        (|v| Some((Dtype::F32, vec![8, 16], [&f32::NAN.to_le_bytes(), &v.data()[4..]].concat())), "holds NaN"),
    ];
    for (change, message) in cases {
        model::<Fused>(config(false), Head::Vocabulary).save(folder.path()).unwrap();
        rewrite(&file, |n, view| if n == name { change(view) } else { Some(same(&view)) });
        let found = refusal(folder.path());
        assert!(found.contains(name) && found.contains(message) && found.contains("model.safetensors"), "{found}");
    }
    model::<Fused>(config(false), Head::Vocabulary).save(folder.path()).unwrap();
    let smaller = fs::read_to_string(folder.path().join("config.json")).unwrap();
    fs::write(folder.path().join("config.json"), smaller.replace("layers\": 2", "layers\": 1")).unwrap();
    rewrite(&file, |_, view| Some(same(&view)));
    let found = refusal(folder.path());
    assert!(found.contains("model.layers.1") && found.contains("not a weight of this transformer"), "{found}");
}

#[test]
fn damaged_and_missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refusal(&folder.path().join("gone.safetensors")).contains("gone.safetensors"));
    assert!(refusal(folder.path()).contains("holds no .safetensors file"));
    model::<Fused>(config(false), Head::Vocabulary).save(folder.path()).unwrap();
    let file = folder.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let found = refusal(folder.path());
    assert!(found.contains("model.safetensors") && found.contains("not a whole safetensors file"), "{found}");
}

fn forks_share_the_trunk_and_start_the_other_head_at_zero<O: Way>() {
    let policy = model::<O>(config(true), Head::Vocabulary);
    let same = policy.fork(Head::Vocabulary, &Optimiser::default()).unwrap();
    let of = |model: &dyn Model| model.read(&batch(), &want(&ALL[..2], 1.0)).unwrap();
    agree(&of(&*same), &of(&policy));
    let mut critic = policy.fork(Head::Scalar, &Optimiser::default()).unwrap();
    let scalars = critic.read(&batch(), &want(&ALL[2..], 1.0)).unwrap();
    assert!(scalars.0.values().flatten().all(|&x| x == 0.0));
    assert_eq!(critic.parameters(), policy.parameters() + 16);
    differentiate(&mut *critic, &batch(), &want(&ALL[2..], 1.0), cotangents);
    step(&mut *critic, 0.1);
    let moved = critic.read(&batch(), &want(&ALL[2..], 1.0)).unwrap();
    assert!(moved.0.values().flatten().any(|&x| x != 0.0));
    let fresh = model::<O>(config(false), Head::Scalar).read(&batch(), &want(&ALL[2..], 1.0)).unwrap();
    assert!(fresh.0.values().flatten().all(|&x| x == 0.0), "a fresh scalar head is zero too");
    let untied = model::<O>(config(false), Head::Vocabulary);
    // Training a fork leaves the others alone.
    agree(&of(&*same), &of(&policy));
    assert_eq!(untied.fork(Head::Scalar, &Optimiser::default()).unwrap().parameters(), untied.parameters() - 6 * 16);
}

/// The folder of a small checkpoint, with one entry of its `config.json` replaced or added.
fn with_setting(key: &str, value: serde_json::Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    model::<Fused>(config(false), Head::Vocabulary).save(folder.path()).unwrap();
    let path = folder.path().join("config.json");
    let mut all: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    all[key] = value;
    fs::write(&path, all.to_string()).unwrap();
    folder
}

#[test]
fn settings_that_would_change_the_arithmetic_are_refused_by_name() {
    use serde_json::json;
    for (key, value, named) in [
        ("rope_parameters", json!({ "rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0 }), "rope_type is yarn"),
        ("rope_parameters", json!({ "rope_type": "linear" }), "rope_parameters: factor should be a number"),
        ("rope_parameters", json!({ "rope_type": "linear", "factor": 0 }), "rope_scaling: factor 0"),
        ("rope_parameters", json!({ "rope_type": "dynamic", "factor": 2.0 }), "rope_type is dynamic"),
        ("rope_parameters", json!({ "rope_type": "llama3" }), "factor should be a number"),
        ("rope_parameters", json!({ "rope_type": "longrope" }), "rope_type is longrope"),
        ("rope_parameters", json!({ "rope_theta": 100.0, "factor": 2.0 }), "factor without a rope_type"),
        ("rope_parameters", json!({ "full_attention": { "rope_type": "yarn" } }), "full_attention without a rope_type"),
        ("rope_parameters", json!({ "rope_type": "default", "partial_rotary_factor": 0.5 }), "partial_rotary_factor"),
        ("rope_parameters", json!(3), "rope_parameters: 3 is not an object"),
        ("rope_scaling", json!({ "type": "yarn", "factor": 4.0 }), "rope_scaling: type is yarn"),
        (
            "rope_scaling",
            json!({ "rope_type": "longrope" }),
            "rope_type is longrope; supported are default, linear, llama3",
        ),
        ("hidden_act", json!("gelu"), "hidden_act is gelu"),
        ("hidden_act", json!(7), "hidden_act is 7"),
        ("use_sliding_window", json!(true), "sliding windows"),
        ("layer_types", json!(["full_attention", "sliding_attention"]), "sliding windows"),
        ("head_dim", json!(7), "heads of width 7"),
        ("model_type", json!("qwen3_moe"), "model_type is qwen3_moe; supported are qwen2, qwen3, llama, mistral"),
        ("quantization_config", json!({ "bits": 4 }), "quantization_config"),
        ("mlp_bias", json!(true), "mlp_bias is true"),
        ("partial_rotary_factor", json!(0.5), "partial_rotary_factor is not 1"),
        ("num_experts", json!(8), "num_experts: mixtures of experts"),
        ("num_hidden_layers", json!(100_000_000), "num_hidden_layers"),
        ("hidden_size", json!(4_096_000), "hidden_size"),
        ("hidden_size", json!(-1), "config.json"),
    ] {
        let found = refusal(with_setting(key, value.clone()).path());
        assert!(found.contains(named) && found.contains("config.json"), "{key} = {value}: {found}");
    }
    for (key, value) in [
        ("rope_parameters", json!({ "rope_type": "default", "rope_theta": 100.0 })),
        ("rope_parameters", json!({ "rope_theta": 100.0 })),
        ("rope_scaling", json!(null)),
        ("rope_scaling", json!({ "rope_type": "default" })),
        ("hidden_act", json!("silu")),
        ("layer_types", json!(["full_attention", "full_attention"])),
        ("head_dim", json!(4)),
        ("head_dim", json!(null)),
        ("sliding_window", json!(4096)),
        ("quantization_config", json!(null)),
        ("num_experts", json!(null)),
        ("partial_rotary_factor", json!(1)),
    ] {
        let folder = with_setting(key, value.clone());
        let read = load(folder.path()).unwrap_or_else(|refused| panic!("{key} = {value}: {refused}"));
        assert_eq!(read.config(), &config(false), "{key} = {value}");
    }
    let read = load(with_setting("rope_parameters", json!({ "rope_theta": 7.0 })).path()).unwrap();
    assert_eq!(read.config().rope_theta, 7.0);
}

#[test]
fn what_families_leave_out_stands_for_what_transformers_assumes() {
    use serde_json::json;
    let read = |family: &str, changes: serde_json::Value| {
        let folder = with_setting("model_type", json!(family));
        let path = folder.path().join("config.json");
        let mut all: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let entries = all.as_object_mut().unwrap();
        for (key, value) in changes.as_object().unwrap() {
            match value {
                serde_json::Value::String(gone) if gone == "gone" => drop(entries.remove(key)),
                value => drop(entries.insert(key.clone(), value.clone())),
            }
        }
        fs::write(&path, all.to_string()).unwrap();
        Config::read(folder.path()).map_err(|refused| refused.to_string())
    };
    let usual = Config { family: Family::Llama, ..config(false) };
    assert_eq!(read("llama", json!({})), Ok(usual.clone()));
    assert_eq!(read("llama", json!({ "head_dim": 6 })), Ok(Config { head_dim: Some(6), ..usual.clone() }));
    let ungrouped = Config { num_key_value_heads: 4, ..usual.clone() };
    assert_eq!(read("llama", json!({ "num_key_value_heads": "gone" })), Ok(ungrouped));
    assert!(read("qwen2", json!({ "num_key_value_heads": "gone" })).unwrap_err().contains("num_key_value_heads"));
    assert_eq!(read("qwen3", json!({ "head_dim": "gone" })).unwrap().head_dim, Some(128));
    assert_eq!(read("qwen3", json!({ "head_dim": null })).unwrap().head_dim, None);
    assert!(read("llama", json!({ "attention_bias": true })).unwrap_err().contains("attention_bias is true"));
    assert_eq!(read("mistral", json!({})).unwrap().family, Family::Mistral);
    assert!(read("mistral", json!({ "sliding_window": 4096 })).unwrap_err().contains("sliding_window is 4096"));
    assert!(read("mistral", json!({ "sliding_window": "gone" })).unwrap_err().contains("left out, which means 4096"));
    let llama3 = json!({ "rope_type": "llama3", "factor": 8, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_theta": 5e5 });
    let scaled = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    let expected = Config { rope_scaling: scaled, ..usual.clone() };
    assert_eq!(read("llama", json!({ "rope_scaling": llama3 })), Ok(expected.clone()), "its rope_theta is not read");
    assert_eq!(read("llama", json!({ "rope_parameters": llama3 })), Ok(Config { rope_theta: 5e5, ..expected }));
    let linear = json!({ "type": "linear", "factor": 2.0 });
    let expected = Config { rope_scaling: RopeScaling::Linear { factor: 2.0 }, ..usual };
    assert_eq!(read("llama", json!({ "rope_scaling": linear })), Ok(expected));
    let both = read("llama", json!({ "rope_scaling": linear, "rope_parameters": llama3 })).unwrap_err();
    assert!(both.contains("different rotary positions"), "{both}");
}

#[test]
fn either_head_can_be_asked_of_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let policy = model::<Fused>(config(false), Head::Vocabulary);
    policy.save(folder.path()).unwrap();
    let critic = load_as(folder.path(), Head::Scalar).unwrap();
    let forked = policy.forked(Head::Scalar, &Optimiser::default()).unwrap();
    assert!(critic.weights().eq(forked.weights()), "the trunk is read, the head is zero");
    critic.save(folder.path()).unwrap();
    assert!(refusal(folder.path()).contains("lm_head.weight"), "nothing can stand for a vocabulary head");
    model::<Fused>(config(true), Head::Scalar).save(folder.path()).unwrap();
    load(folder.path()).unwrap();
}

#[test]
fn tensors_that_act_on_nothing_are_left_aside() {
    let folder = tempfile::tempdir().unwrap();
    let model = model::<Fused>(config(true), Head::Vocabulary);
    model.save(folder.path()).unwrap();
    let file = folder.path().join("model.safetensors");
    let with = |name: &'static str| {
        let bytes = fs::read(&file).unwrap();
        let stored = SafeTensors::deserialize(&bytes).unwrap();
        let nan = [f32::NAN; 4].map(f32::to_le_bytes).concat();
        let mut tensors = stored.tensors();
        tensors.push((name.into(), TensorView::new(Dtype::F32, vec![4], &nan).unwrap()));
        safetensors::serialize(tensors, None::<HashMap<String, String>>).unwrap()
    };
    for name in ["lm_head.weight", "score.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"] {
        let more = with(name);
        fs::write(&file, more).unwrap();
        assert!(load(folder.path()).unwrap().weights().eq(model.weights()), "{name}");
        model.save(folder.path()).unwrap();
    }
    let more = with("model.layers.0.self_attn.q_norm.weight");
    fs::write(&file, more).unwrap();
    assert!(refusal(folder.path()).contains("q_norm.weight"));
}

/// Splits a checkpoint in two files with an index; returns the index.
fn shard(folder: &Path) -> serde_json::Value {
    let whole = folder.join("model.safetensors");
    let bytes = fs::read(&whole).unwrap();
    fs::remove_file(&whole).unwrap();
    let stored = SafeTensors::deserialize(&bytes).unwrap();
    let mut index = serde_json::json!({ "metadata": {}, "weight_map": {} });
    for (file, first) in [("model-00001-of-00002.safetensors", true), ("model-00002-of-00002.safetensors", false)] {
        let part = stored.tensors().into_iter().filter(|(name, _)| name.contains("layers.0") == first);
        let part: Vec<_> = part.collect();
        part.iter().for_each(|(name, _)| index["weight_map"][name] = file.into());
        fs::write(folder.join(file), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
    index
}

#[test]
fn several_files_are_read_as_their_index_says() {
    let folder = tempfile::tempdir().unwrap();
    let model = model::<Fused>(config(false), Head::Vocabulary);
    model.save(folder.path()).unwrap();
    let index = shard(folder.path());
    assert!(load(folder.path()).unwrap().weights().eq(model.weights()));
    // A file that the index does not name changes nothing.
    let part = folder.path().join("model-00001-of-00002.safetensors");
    fs::copy(&part, folder.path().join("zzz.safetensors")).unwrap();
    assert!(load(folder.path()).unwrap().weights().eq(model.weights()));

    let path = folder.path().join("model.safetensors.index.json");
    let with = |name: &str, file: &str| {
        let mut changed = index.clone();
        changed["weight_map"][name] = file.into();
        fs::write(&path, changed.to_string()).unwrap();
        refusal(folder.path())
    };
    let name = "model.layers.0.mlp.up_proj.weight";
    let found = with(name, "model-00002-of-00002.safetensors");
    assert!(found.contains(name) && found.contains("does not say that it is in this file"), "{found}");
    let found = with("model.extra", "model-00002-of-00002.safetensors");
    assert!(found.contains("model.extra") && found.contains("missing"), "{found}");
    let found = with(name, "../model.safetensors");
    assert!(found.contains("../model.safetensors") && found.contains("index.json"), "{found}");
    let found = with(name, "zzz.safetensors");
    assert!(found.contains("is in"), "{found}");
    fs::write(&path, "{\"weight_map\": 3}").unwrap();
    assert!(refusal(folder.path()).contains("index.json"));
    fs::write(&path, index.to_string()).unwrap();
    fs::copy(&part, folder.path().join("model.safetensors")).unwrap();
    assert!(refusal(folder.path()).contains("holds both model.safetensors and model.safetensors.index.json"));
}

#[test]
fn a_folder_with_other_weight_files_and_no_index_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    model::<Fused>(config(false), Head::Vocabulary).save(folder.path()).unwrap();
    let other = folder.path().join("another.safetensors");
    fs::copy(folder.path().join("model.safetensors"), &other).unwrap();
    let found = refusal(folder.path());
    assert!(found.contains("another.safetensors, model.safetensors"), "{found}");
    load(&other).unwrap();
    fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    assert!(refusal(folder.path()).contains("its weight files are another.safetensors"));
}

#[test]
fn weights_that_do_not_fit_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    model::<Fused>(config(false), Head::Vocabulary).save(folder.path()).unwrap();
    let file = folder.path().join("model.safetensors");
    // Sparse: it takes no space on the disk.
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(1 << 42).unwrap();
    let found = refusal(folder.path());
    assert!(found.contains("model.safetensors") && found.contains("bytes, where at most"), "{found}");
    let found = refusal(Path::new("/dev/zero"));
    assert!(found.contains("/dev"), "{found}");
    let huge = Config { hidden_size: 1 << 16, intermediate_size: 1 << 18, num_hidden_layers: 15, ..config(true) };
    let made = Transformer::<f32, Fused>::new(huge, Head::Vocabulary, &Optimiser::default(), 3);
    let found = made.map(|_| ()).unwrap_err().to_string();
    assert!(found.contains("model.hidden_size") && found.contains("this machine has"), "{found}");
}
