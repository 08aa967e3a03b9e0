//! The samplers of this crate draw from its server.

use std::path::Path;
use std::sync::Arc;

use oreal_engines::inference::{Groups, Inference, Kind, Logprobs, Policy, Weights};
use oreal_engines::serve::Base;
use oreal_engines::testing;
use oreal_models::{
    Completion, Head, Key, Model, Optimiser, Request, Runtime, Sampler, Sampling, Saving, Sequence, Signal, Signals,
    Want,
};
use serde_json::json;

use crate::setup::{settings, with};
use crate::transformer::model;

fn logps(policy: &dyn Model, prompt: &[u32], drawn: &[Completion]) -> Vec<f64> {
    let batch: Vec<Sequence<'_>> = drawn.iter().map(|drawn| Sequence { prompt, completion: &drawn.tokens }).collect();
    let want = Want { signals: vec![Signal::Logp], temperature: 0.8 };
    policy.read(&batch, &want).unwrap().0.remove(&Signal::Logp).unwrap()
}

#[test]
fn a_policy_that_learns_is_drawn_from_after_every_step() {
    for kind in [Kind::Sglang, Kind::Vllm(Logprobs::Processed)] {
        let from = |folder: &Path| {
            let runtime = Runtime::new(None, Default::default())?;
            runtime.load(folder, Head::Vocabulary, &Optimiser::default())
        };
        let base =
            Base { name: "table".to_owned(), vocabulary: 11, ..Base::new(Arc::new(|| Ok(Box::new(model()) as _))) };
        let client = with(settings(), Base { from_folder: Some(Arc::new(from)), ..base });
        let folder = tempfile::tempdir().unwrap();
        let weights = Weights { folder: folder.path().to_owned(), saving: Saving::default() };
        let policy = Policy::Learns { weights, at_most_behind: 0 };
        let server = testing::settings_of(&client.serving.url());
        let mut sampler = Inference::new(kind, &server, policy, Groups::Complete).unwrap();
        let (mut policy, prompt) = (model(), [1, 2]);
        let key = |sample| Key { seed: 4, step: 0, prompt: 0, sample };
        let requests: Vec<Request<'_>> = (0..8).map(|i| Request { prompt: &prompt, key: key(i) }).collect();
        let how =
            Sampling { temperature: 0.8, max_tokens: 6, stop: vec![0], vocabulary: Some(11), ..Sampling::default() };
        let mut before = Vec::new();
        for version in 0..3 {
            sampler.moved(&policy, version).unwrap();
            let drawn = sampler.sample(&policy, &requests, &how).unwrap().into_iter();
            let drawn: Vec<Completion> = drawn.collect::<Result<_, _>>().unwrap();
            assert!(drawn.iter().all(|drawn| drawn.version == version), "{kind:?}");
            let here = logps(&policy, &prompt, &drawn);
            let there = drawn.iter().flat_map(|drawn| drawn.sampled_logp.clone().unwrap());
            let apart = here.iter().zip(there).map(|(here, there)| (here - there).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-5, "{kind:?}, version {version}: {apart}");
            assert_ne!(drawn, before, "{kind:?}: the weights have moved");
            before = drawn;
            let batch = [Sequence { prompt: &prompt, completion: &[3, 4, 5] }];
            let (_, pass) = policy.forward(&batch, &Want { signals: vec![Signal::Logp], temperature: 1.0 }).unwrap();
            pass.backward(&Signals([(Signal::Logp, vec![-1.0; 3])].into())).unwrap();
            let norm = policy.gradient_norm().unwrap();
            policy.step(0.05, norm).unwrap();
        }
    }
}

#[test]
fn settings_that_do_not_act_are_refused_unless_they_change_nothing() {
    let client = with(settings(), crate::setup::base());
    let said = |path: &str, name: &str, value: f64| {
        let mut body = match path {
            "/generate" => json!({ "input_ids": [1], "sampling_params": { "max_new_tokens": 1 } }),
            _ => json!({ "prompt": [1], "max_tokens": 1 }),
        };
        let place = if path == "/generate" { &mut body["sampling_params"] } else { &mut body };
        place[name] = json!(value);
        client.post_bytes(path, body.to_string().as_bytes())
    };
    for path in ["/generate", "/v1/completions"] {
        for (name, plain) in
            [("min_p", 0.0), ("repetition_penalty", 1.0), ("frequency_penalty", 0.0), ("presence_penalty", 0.0)]
        {
            assert_eq!(said(path, name, plain).0, 200, "{path} {name}");
            let (status, answer) = said(path, name, 0.3);
            assert!(status == 400 && answer["detail"].as_str().unwrap().contains(name), "{path} {name}: {answer}");
        }
    }
}
