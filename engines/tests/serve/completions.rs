//! Completions as inference servers have them.

use std::sync::Arc;

use oreal_engines::serve::Base;
use oreal_models::{Key, Model, Request, Sampling, Table, Token};
use serde_json::{Value, json};

use crate::setup::{Client, base, client, floats, settings, table, text, with};

fn own(how: &Sampling, count: u64) -> Vec<oreal_models::Completion> {
    let keys: Vec<Key> = (0..count).map(|sample| Key { seed: 3, step: 0, prompt: 0, sample }).collect();
    let requests: Vec<Request<'_>> = keys.iter().map(|&key| Request { prompt: &[1, 2], key }).collect();
    table().draw(&requests, how).unwrap()
}

fn complete(client: &Client, change: Value) -> (u16, Value) {
    let mut body = json!({
        "model": "table", "prompt": [1, 2], "n": 4, "max_tokens": 5, "seed": 3, "temperature": 1.0, "logprobs": 0,
        "return_token_ids": true, "stop_token_ids": [4], "skip_special_tokens": false,
    });
    for (key, value) in change.as_object().unwrap() {
        body[key] = value.clone();
    }
    client.post_bytes("/v1/completions", body.to_string().as_bytes())
}

#[test]
fn completions_have_tokens_text_and_log_probabilities() {
    let client = client();
    let (status, answer) = complete(&client, json!({}));
    assert_eq!(status, 200, "{answer}");
    // The tokenizer's own stop token ends a completion too.
    let completions = own(&Sampling { stop: vec![4, 0], max_tokens: 5, ..Sampling::default() }, 4);
    for (choice, completion) in answer["choices"].as_array().unwrap().iter().zip(&completions) {
        assert_eq!(choice["token_ids"], json!(completion.tokens));
        assert_eq!(floats(&choice["logprobs"]["token_logprobs"]), *completion.sampled_logp.as_ref().unwrap());
        let spelt: String = completion.tokens.iter().map(Token::to_string).collect();
        assert_eq!(text(choice, "text"), spelt);
        let stopped = matches!(completion.tokens.last(), Some(0 | 4));
        assert_eq!(choice["finish_reason"], if stopped { "stop" } else { "length" });
        assert_eq!(choice["prompt_token_ids"], json!([1, 2]));
    }
    assert_eq!(answer["usage"]["prompt_tokens"], 2);
    assert_eq!(complete(&client, json!({ "prompt": "12" })).1["choices"], answer["choices"]);
    let ids = |answer: &Value| {
        answer["choices"].as_array().unwrap().iter().map(|c| c["token_ids"].clone()).collect::<Vec<_>>()
    };
    let two = complete(&client, json!({ "prompt": [[1, 2], [1, 2]] })).1;
    assert_eq!(ids(&two), [ids(&answer), ids(&answer)].concat());
    let plain = complete(&client, json!({ "ignore_eos": true, "stop_token_ids": [] })).1;
    assert_eq!(ids(&plain)[0], json!(own(&Sampling { max_tokens: 5, ..Sampling::default() }, 1)[0].tokens));
    for change in [json!({ "temperature": 0.0 }), json!({ "top_k": 1 }), json!({ "top_p": 0.1 }), json!({ "seed": 4 })]
    {
        assert_ne!(ids(&complete(&client, change.clone()).1), ids(&answer), "{change}");
    }
    assert!(complete(&client, json!({ "return_token_ids": false })).1["choices"][0]["token_ids"].is_null());
    assert!(complete(&client, json!({ "logprobs": null })).1["choices"][0]["logprobs"].is_null());
}

#[test]
fn models_are_the_base_and_what_was_saved_to_draw_with() {
    let client = client();
    let saved = client.call("save_weights_for_sampler", json!({ "model_id": client.model, "path": "a" }));
    let models = client.get("/v1/models").1;
    let names: Vec<&str> =
        models["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["table", saved["path"].as_str().unwrap()]);
    let (status, answer) = complete(&client, json!({ "model": saved["path"] }));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["choices"], complete(&client, json!({})).1["choices"]);
}

#[test]
fn what_cannot_be_done_is_refused() {
    let client = client();
    let cases = [
        (json!({ "model": "other" }), 404, "nothing was saved"),
        (json!({ "stream": true }), 400, "stream"),
        (json!({ "logprobs": 5 }), 400, "logprobs"),
        (json!({ "best_of": 2 }), 400, "best_of"),
        (json!({ "prompt": "1x" }), 400, "no digit"),
        (json!({ "prompt": [9] }), 400, "outside the vocabulary"),
        (json!({ "prompt": [] }), 400, "no tokens"),
        (json!({ "prompt": [-1] }), 400, "prompt"),
        (json!({ "max_tokens": 15 }), 400, "max_tokens"),
        (json!({ "max_tokens": 0 }), 400, "max_tokens"),
        (json!({ "n": 0 }), 400, "completions"),
        (json!({ "n": 100_000 }), 400, "completions"),
        (json!({ "temperature": -1.0 }), 400, "temperature"),
        (json!({ "top_p": 0.0 }), 400, "top_p"),
        (json!({ "top_k": -2 }), 400, "top_k"),
        (json!({ "stop_token_ids": [77] }), 400, "outside the vocabulary"),
        (json!({ "stop": "12" }), 400, "not one token"),
    ];
    for (change, status, words) in cases {
        let (found, answer) = complete(&client, change.clone());
        assert_eq!(found, status, "{change}: {answer}");
        assert!(text(&answer["error"], "message").contains(words), "{change}: {answer}");
    }
}

#[test]
fn weights_from_a_folder_are_served_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Table::new(crate::setup::VOCABULARY, &oreal_models::Optimiser::default()).unwrap();
    other.set_logits(&[1], &[2], &[0.0, 9.0, 0.0, 0.0, 0.0]);
    other.save(folder.path()).unwrap();
    let from = |folder: &std::path::Path| {
        Ok(Box::new(Table::load(&folder.join("model.safetensors"), &oreal_models::Optimiser::default())?) as _)
    };
    let client = with(settings(), Base { from_folder: Some(Arc::new(from)), ..base() });
    let generate = || {
        let body = json!({
            "input_ids": [1, 2], "return_logprob": true, "logprob_start_len": -1,
            "sampling_params": { "max_new_tokens": 1, "temperature": 0.0, "sampling_seed": 3, "skip_special_tokens": false },
        });
        client.post_bytes("/generate", body.to_string().as_bytes()).1
    };
    let before = generate();
    assert_eq!(before["meta_info"]["weight_version"], "default", "{before}");
    let update = |path: &std::path::Path| {
        let body = json!({ "model_path": path, "flush_cache": true, "weight_version": "step 1" });
        client.post_bytes("/update_weights_from_disk", body.to_string().as_bytes())
    };
    let (status, answer) = update(folder.path());
    assert!(status == 200 && answer["success"] == true, "{answer}");
    let after = generate();
    assert_eq!((&after["output_ids"], &after["meta_info"]["weight_version"]), (&json!([1]), &json!("step 1")));
    assert_ne!(before["output_ids"], after["output_ids"]);
    assert_eq!(after["meta_info"]["output_token_logprobs"][0][1], 1);
    assert_eq!(after["meta_info"]["finish_reason"]["type"], "length");
    let missing = update(&folder.path().join("missing"));
    assert_eq!(missing.0, 400, "{}", missing.1);
    assert_eq!(generate(), after);
    let logps = client.logps(&client.model, &[1, 2], &[2, 1]);
    assert!(logps[1] < -0.1, "models that learn are not affected: {logps:?}");
}
