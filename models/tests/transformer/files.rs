//! Weights survive their file to the bit, and a wrong file is described.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::common::{ALL, Way, agree, batch, config, every_way, want};
use oreal_models::transformer::{Config, Fused};
use oreal_models::{Backbone, Head, Model, Optimiser, Result, Transformer};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

every_way!(round_trips_keep_every_bit, forks_share_the_trunk_and_start_the_other_head_at_zero);

fn model<O: Way>(config: Config, head: Head) -> Transformer<f32, O> {
    Transformer::new(config, head, &Optimiser::default(), 3).unwrap()
}

fn load(path: &Path) -> Result<Transformer> {
    Transformer::load(path, &Optimiser::default())
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
        model.backward(&batch(), &want(signals, 1.0), &mut |s| crate::common::cotangents(s)).unwrap();
        model.step(0.1).unwrap();
        let file = folder.path().join("policy.safetensors");
        let parts = folder.path().join("folder");
        for path in [&file, &parts] {
            model.save(path).unwrap();
            let read = Transformer::<f32, O>::load(path, &Optimiser::default()).unwrap();
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
    fs::write(&path, text.replace("\"qwen2\"", "\"llama\"")).unwrap();
    assert!(refusal(folder.path()).contains("model_type is llama"));
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
    let cases: [(Change, &str); 3] = [
        (|_| None, "missing; it should be [8, 16]"),
        (|v| Some((Dtype::F32, vec![16, 8], v.data().to_vec())), "shape [16, 8] where the sizes say [8, 16]"),
        (|v| Some((Dtype::I32, vec![8, 16], v.data().to_vec())), "type I32"),
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
    critic.backward(&batch(), &want(&ALL[2..], 1.0), &mut |s| crate::common::cotangents(s)).unwrap();
    critic.step(0.1).unwrap();
    let moved = critic.read(&batch(), &want(&ALL[2..], 1.0)).unwrap();
    assert!(moved.0.values().flatten().any(|&x| x != 0.0));
    let fresh = model::<O>(config(false), Head::Scalar).read(&batch(), &want(&ALL[2..], 1.0)).unwrap();
    assert!(fresh.0.values().flatten().all(|&x| x == 0.0), "a fresh scalar head is zero too");
    let untied = model::<O>(config(false), Head::Vocabulary);
    // Training a fork leaves the others alone.
    agree(&of(&*same), &of(&policy));
    assert_eq!(untied.fork(Head::Scalar, &Optimiser::default()).unwrap().parameters(), untied.parameters() - 6 * 16);
}
