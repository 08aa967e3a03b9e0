//! On every device that this program was built for: all roles train, draw, are examined and come back from their files.

use std::path::Path;

use oreal::models::{Device, Head, Optimiser, Products, Runtime, Sequence, Signal, Want};
use oreal::{Config, Experiment};
use serde_json::Value;

fn devices() -> Vec<Device> {
    let mut devices = vec![Device::Cpu];
    if cfg!(feature = "dfdx-cuda") {
        devices.push(Device::Cuda(0));
    }
    devices
}

fn experiment(algorithm: &str, device: Device) -> Experiment {
    experiment_with(algorithm, device, &[])
}

fn experiment_with(algorithm: &str, device: Device, more: &[&str]) -> Experiment {
    let mut settings = vec![
        format!("algorithm.name={algorithm}"),
        format!("device=\"{device}\""),
        "env.name=addition".to_owned(),
        "env.digits=1".to_owned(),
        "model.hidden_size=16".to_owned(),
        "model.intermediate_size=24".to_owned(),
        "warm_up.steps=20".to_owned(),
        "train.steps=3".to_owned(),
        "train.prompts=6".to_owned(),
        "train.rollouts=8".to_owned(),
        "train.micro_batch=10".to_owned(),
        "evaluation.completions=20".to_owned(),
    ];
    settings.extend(more.iter().map(|setting| setting.to_string()));
    Experiment::from_config(Config::from_toml("", "settings", &settings).unwrap())
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_role_works_on_every_device() {
    for device in devices() {
        for (algorithm, roles) in [("oreal", vec!["policy", "reward_model"]), ("ppo", vec!["policy", "critic"])] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("run");
            let report = experiment(algorithm, device).record_in(&folder).run().unwrap();
            assert!(report.steps == 3 && report.after.completions >= 20, "{device} {algorithm}");
            let manifest = json(&folder.join("manifest.json"));
            assert_eq!(manifest["device"]["name"], device.to_string());
            assert!(["f32", "tf32"].contains(&manifest["device"]["products"].as_str().unwrap()));
            for role in roles {
                let path = folder.join(role);
                let model = Runtime::new(None, device)
                    .and_then(|runtime| runtime.load(&path, Head::Vocabulary, &Optimiser::default()));
                let model = model.unwrap_or_else(|problem| panic!("{device} {}: {problem}", path.display()));
                assert!(model.parameters() > 1000, "{device} {role}");
            }
        }
    }
}

#[test]
fn a_policy_says_the_same_on_every_device() {
    let folder = tempfile::tempdir().unwrap();
    experiment("rft", Device::Cpu).record_in(folder.path().join("run")).run().unwrap();
    let batch = [Sequence { prompt: &[1, 2], completion: &[3, 4, 0] }, Sequence { prompt: &[5], completion: &[2] }];
    let want = Want { signals: vec![Signal::Logp, Signal::Entropy], temperature: 1.0 };
    let read = |device: Device| {
        let model = Runtime::new(None, device)
            .unwrap()
            .load(&folder.path().join("run/policy"), Head::Vocabulary, &Optimiser::default())
            .unwrap();
        model.read(&batch, &want).unwrap()
    };
    let host = read(Device::Cpu);
    for device in devices() {
        for (signal, column) in read(device).0 {
            for (a, b) in column.iter().zip(&host.0[&signal]) {
                assert!((a - b).abs() < 1e-2, "{signal:?} is {a} on {device}, {b} on the host");
            }
        }
    }
}

/// Roles that learn can multiply in bf16: the run differs, and its manifest says so. Where that cannot be, it is refused by key.
#[test]
fn products_in_bf16_train() {
    let bf16 = "model.train_products=bf16";
    let refused = |more: &[&str]| experiment_with("ppo", Device::Cpu, more).run().unwrap_err().to_string();
    let message = refused(&[bf16, "model.engine=stock"]);
    assert!(message.contains("model.train_products: the engine stock has no products in bf16"), "{message}");
    if Products::Bf16.unit().is_none() {
        let message = refused(&[bf16]);
        assert!(message.contains("model.train_products: this processor has neither"), "{message}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, more: &[&str]| {
        let folder = folder.path().join(name);
        experiment_with("ppo", Device::Cpu, more).record_in(&folder).run().unwrap();
        let weights =
            ["policy", "critic"].map(|role| std::fs::read(folder.join(role).join("model.safetensors")).unwrap());
        (json(&folder.join("manifest.json"))["device"].clone(), weights)
    };
    let ((exact, weights), (rounded, others)) = (run("f32", &["model.train_products=f32"]), run("bf16", &[bf16]));
    assert!(exact["products"] == "f32" && exact.get("unit").is_none(), "{exact}");
    assert!(rounded["products"] == "bf16" && rounded["unit"] == Products::Bf16.unit().unwrap(), "{rounded}");
    assert!(weights[0] != others[0] && weights[1] != others[1], "the same weights");
    assert!(run("again", &[bf16]).1 == others, "the same run twice");
}
