//! Completions by the Tinker API.

use oreal_models::{Key, Model, Request, Sampling, Token};
use serde_json::{Value, json};

use crate::setup::{Client, client, datum, descent, floats, table, text};

fn prompt(tokens: &[Token]) -> Value {
    json!({ "chunks": [{ "type": "encoded_text", "tokens": tokens }] })
}

fn params(change: Value) -> Value {
    let mut params = json!({ "max_tokens": 4, "seed": 7, "stop": [0], "temperature": 1.0, "top_k": -1, "top_p": 1.0 });
    for (key, value) in change.as_object().unwrap() {
        params[key] = value.clone();
    }
    params
}

fn own(seed: u64, count: u64, how: &Sampling) -> Vec<Value> {
    let keys: Vec<Key> = (0..count).map(|sample| Key { seed, step: 0, prompt: 0, sample }).collect();
    let requests: Vec<Request<'_>> = keys.iter().map(|&key| Request { prompt: &[1, 2], key }).collect();
    let completions = table().draw(&requests, how).unwrap();
    let stop = |tokens: &[Token]| if tokens.last() == Some(&0) { "stop" } else { "length" };
    let sequence = |completion: &oreal_models::Completion| {
        let reason = stop(&completion.tokens);
        json!({ "tokens": completion.tokens, "logprobs": completion.sampled_logp, "stop_reason": reason })
    };
    completions.iter().map(sequence).collect()
}

fn drawn(client: &Client, change: Value) -> Value {
    let call = json!({
        "base_model": "table", "num_samples": 6, "prompt": prompt(&[1, 2]), "sampling_params": params(change),
    });
    client.call("asample", call)["sequences"].clone()
}

#[test]
fn completions_are_those_of_the_model_and_every_setting_acts() {
    let client = client();
    let how = Sampling { stop: vec![0], max_tokens: 4, ..Sampling::default() };
    let plain = drawn(&client, json!({}));
    assert_eq!(plain, json!(own(7, 6, &how)));
    let changes = [
        (json!({ "temperature": 0.5 }), Sampling { temperature: 0.5, ..how.clone() }),
        (json!({ "temperature": 0.0 }), Sampling { temperature: 0.0, ..how.clone() }),
        (json!({ "top_p": 0.5 }), Sampling { top_p: 0.5, ..how.clone() }),
        (json!({ "top_k": 2 }), Sampling { top_k: 2, ..how.clone() }),
        (json!({ "max_tokens": 2 }), Sampling { max_tokens: 2, ..how.clone() }),
        (json!({ "stop": [3] }), Sampling { stop: vec![3], ..how.clone() }),
        (json!({ "stop": "3" }), Sampling { stop: vec![3], ..how.clone() }),
        (json!({ "stop": [] }), Sampling { stop: vec![], ..how.clone() }),
    ];
    for (change, how) in changes {
        let sequences = drawn(&client, change.clone());
        let reasons =
            |sequences: &Value| sequences.as_array().unwrap().iter().map(|s| s["tokens"].clone()).collect::<Vec<_>>();
        assert_eq!(reasons(&sequences), reasons(&json!(own(7, 6, &how))), "{change}");
        assert_ne!(sequences, plain, "{change}");
    }
    assert_eq!(drawn(&client, json!({ "stop": null })), plain, "the tokenizer's own stop token");
    assert_eq!(drawn(&client, json!({ "seed": 8 })), json!(own(8, 6, &how)));
    assert_ne!(
        drawn(&client, json!({ "seed": null })),
        drawn(&client, json!({ "seed": null })),
        "no seed, other numbers"
    );
}

#[test]
fn many_requests_at_once_get_what_each_would_get_alone() {
    let client = client();
    let ask = |seed: u64| {
        let params = params(json!({ "seed": seed }));
        let call = json!({ "base_model": "table", "prompt": prompt(&[1, 2]), "sampling_params": params });
        text(&client.ok("asample", call), "request_id")
    };
    let names: Vec<String> = (0..20).map(ask).collect();
    let how = Sampling { stop: vec![0], max_tokens: 4, ..Sampling::default() };
    for (seed, name) in names.iter().enumerate() {
        assert_eq!(client.result(name)["sequences"], json!(own(seed as u64, 1, &how)), "seed {seed}");
    }
}

#[test]
fn a_sampler_keeps_the_weights_it_was_saved_with() {
    let client = client();
    let named = client.call("save_weights_for_sampler", json!({ "model_id": client.model, "seq_id": 0, "path": "a" }));
    let path = text(&named, "path");
    client.backward(1, json!([datum(&[1, 2], &[2, 3], &[1.0, 1.0])]), "cross_entropy");
    client.step(2, descent(5.0));
    let unnamed = json!({ "model_id": client.model, "seq_id": 3, "sampling_session_seq_id": 0 });
    let sampler = text(&client.call("save_weights_for_sampler", unnamed.clone()), "sampling_session_id");
    assert_eq!(text(&client.call("save_weights_for_sampler", unnamed), "sampling_session_id"), sampler);
    let logps = |weights: (&str, &str), number: u64| {
        let mut call = json!({
            "num_samples": 1, "prompt": prompt(&[1, 2, 3]), "sampling_params": params(json!({})),
            "prompt_logprobs": true, "seq_id": number,
        });
        call[weights.0] = json!(weights.1);
        client.call("asample", call)["prompt_logprobs"].clone()
    };
    let (before, after) = (logps(("model_path", &path), 0), logps(("sampling_session_id", &sampler), 0));
    assert_eq!(before[0], Value::Null);
    let of = |logps: &Value| floats(&json!(logps.as_array().unwrap()[1..]));
    assert_eq!(of(&after), client.logps(&client.model, &[1, 2], &[2, 3]));
    assert_ne!(before, after);
    assert_eq!(logps(("base_model", "table"), 0), before);
    let info = client.get(&format!("/api/v1/samplers/{sampler}")).1;
    assert_eq!(info["base_model"], "table");
    assert!(text(&info, "model_path").contains("/sampler_weights/"));
}

#[test]
fn the_same_number_in_a_sampling_session_is_the_same_call() {
    let client = client();
    let begin = json!({ "session_id": client.session, "sampling_session_seq_id": 3, "base_model": "table" });
    let session = text(&client.ok("create_sampling_session", begin.clone()), "sampling_session_id");
    assert_eq!(text(&client.ok("create_sampling_session", begin), "sampling_session_id"), session);
    let call = |number: u64| {
        let params = params(json!({ "seed": null }));
        let call = json!({ "sampling_session_id": session, "seq_id": number, "prompt": prompt(&[1]), "sampling_params": params });
        client.ok("asample", call)
    };
    assert_eq!(call(0), call(0));
    assert_ne!(call(0), call(1));
    assert_eq!(call(0)["sample_sequence_ids"].as_array().unwrap().len(), 1);
}
