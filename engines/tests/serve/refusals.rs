//! What cannot be done is refused with a sentence, and the server goes on.

use oreal_engines::serve::{ServeSettings, Serving};
use serde_json::{Value, json};

use crate::setup::{base, client, datum, descent, settings, text, with};

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut datum = datum(&[1, 2], &[2, 3], &[1.0, 1.0]);
    change(&mut datum);
    datum
}

#[test]
fn wrong_sequences_are_refused_by_what_is_wrong() {
    let client = client();
    let inputs = "loss_fn_inputs";
    let cases: Vec<(Value, &str)> = vec![
        (changed(|d| d[inputs]["target_tokens"]["data"] = json!([2])), "1 numbers where model_input has 2 tokens"),
        (changed(|d| d[inputs]["weights"]["data"] = json!([1.0, 1.0, 1.0])), "weights has 3 numbers"),
        (changed(|d| d[inputs]["weights"]["shape"] = json!([1, 2])), "shape [1, 2]"),
        (changed(|d| d[inputs]["weights"]["shape"] = json!([-2])), "not as it should be"),
        (changed(|d| d[inputs]["target_tokens"]["data"] = json!([2, 5])), "token 5 is outside the vocabulary, 0 to 4"),
        (changed(|d| d[inputs]["target_tokens"]["data"] = json!([2, -1])), "token -1"),
        (changed(|d| d[inputs]["target_tokens"]["data"] = json!([2.5, 1.0])), "whole numbers"),
        (changed(|d| d["model_input"]["chunks"][0]["tokens"] = json!([1, 99])), "token 99"),
        (changed(|d| d["model_input"]["chunks"][0]["tokens"] = json!([1, -7])), "not as it should be"),
        (changed(|d| d["model_input"]["chunks"] = json!([])), "no tokens"),
        (
            changed(|d| d["model_input"]["chunks"][0]["tokens"] = json!(vec![1; 17])),
            "17 tokens where a sequence has at most 16",
        ),
        (changed(|d| d["model_input"]["chunks"][0] = json!({ "type": "image", "data": "" })), "encoded_text only"),
        (changed(|d| d[inputs] = json!({ "weights": { "data": [1.0, 1.0] } })), "no target_tokens"),
        (changed(|d| d[inputs] = json!({ "target_tokens": { "data": [1, 1] } })), "no weights"),
        (changed(|d| d[inputs]["surprise"] = json!({ "data": [1, 1] })), "no input surprise"),
        (changed(|d| d[inputs]["weights"]["data"] = json!(["a", "b"])), "data must be a row of numbers"),
    ];
    for (datum, words) in cases {
        let input = json!({ "data": [datum], "loss_fn": "cross_entropy" });
        for (call, key) in [("forward", "forward_input"), ("forward_backward", "forward_backward_input")] {
            let mut body = json!({ "model_id": client.model });
            body[key] = input.clone();
            let sentence = client.refused(call, body, 400);
            assert!(sentence.contains(words), "{words}: {sentence}");
        }
    }
    assert_eq!(client.logps(&client.model, &[1], &[2]).len(), 1, "the server goes on");
}

#[test]
fn wrong_calls_are_refused_by_what_is_wrong() {
    let client = client();
    let (model, session) = (client.model.as_str(), client.session.as_str());
    let input = |loss: &str, config: Value| json!({ "data": [datum(&[1], &[2], &[1.0])], "loss_fn": loss, "loss_fn_config": config });
    let backward = |input: Value| json!({ "model_id": model, "forward_backward_input": input });
    let step = |adam: Value| json!({ "model_id": model, "adam_params": adam });
    let sample = |change: Value| {
        let mut body = json!({
            "base_model": "table", "prompt": { "chunks": [{ "type": "encoded_text", "tokens": [1] }] },
            "sampling_params": { "max_tokens": 2 },
        });
        change.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        body
    };
    let cases = [
        ("forward_backward", backward(input("unheard_of", json!({}))), 400, "choose cross_entropy"),
        ("forward_backward", backward(input("cross_entropy", json!({ "a": 1.0 }))), 400, "no setting a"),
        ("forward_backward", backward(input("ppo", json!({ "clip_low_threshold": -1.0 }))), 400, "clip_low_threshold"),
        ("forward_backward", backward(input("ppo", json!({ "clip_low_threshold": 2.0 }))), 400, "above"),
        ("forward_backward", backward(input("ppo", json!({}))), 400, "no logprobs"),
        ("forward_backward", backward(json!({ "data": [], "loss_fn": "cross_entropy" })), 400, "data is empty"),
        (
            "forward",
            json!({ "model_id": "nobody", "forward_input": input("cross_entropy", json!(null)) }),
            404,
            "no model",
        ),
        ("optim_step", json!({ "model_id": "nobody", "adam_params": descent(1.0) }), 404, "no model"),
        ("optim_step", step(json!({ "learning_rate": -0.1 })), 400, "learning_rate"),
        ("optim_step", step(json!({ "learning_rate": 0.1, "beta1": 1.0 })), 400, "beta1"),
        ("optim_step", step(json!({ "learning_rate": 0.1, "beta2": -0.5 })), 400, "beta2"),
        ("optim_step", step(json!({ "learning_rate": 0.1, "eps": 0.0 })), 400, "epsilon"),
        ("optim_step", step(json!({ "learning_rate": 0.1, "weight_decay": -1.0 })), 400, "weight_decay"),
        ("optim_step", step(json!({ "learning_rate": 0.1, "grad_clip_norm": -1.0 })), 400, "grad_clip_norm"),
        ("create_model", json!({ "session_id": "x", "base_model": "table" }), 404, "create_session"),
        (
            "create_model",
            json!({ "session_id": session, "model_seq_id": 5, "base_model": "gpt" }),
            404,
            "not served here",
        ),
        (
            "create_model",
            json!({ "session_id": session, "model_seq_id": 5, "base_model": "table", "optimizer_config": { "type": "dimuon" } }),
            400,
            "adamw",
        ),
        (
            "create_model",
            json!({ "session_id": session, "model_seq_id": -1, "base_model": "table" }),
            400,
            "integer `-1`",
        ),
        ("session_heartbeat", json!({ "session_id": "x" }), 404, "create_session"),
        ("save_weights", json!({ "model_id": model, "path": "../x" }), 400, "letters, digits"),
        ("save_weights", json!({ "model_id": model }), 400, "path is needed"),
        ("save_weights_for_sampler", json!({ "model_id": model, "path": "x", "kind": "inflight" }), 400, "snapshot"),
        ("load_weights", json!({ "model_id": model, "path": "tinker://nowhere" }), 404, "nothing was saved"),
        ("load_weights", json!({ "path": "tinker://nowhere" }), 400, "model_id is needed"),
        ("create_sampling_session", json!({ "session_id": session, "sampling_session_seq_id": 0 }), 400, "is needed"),
        ("retrieve_future", json!({ "request_id": "17" }), 404, "no result"),
        ("asample", sample(json!({ "base_model": null })), 400, "is needed"),
        ("asample", sample(json!({ "base_model": "gpt" })), 404, "not served here"),
        ("asample", sample(json!({ "sampling_session_id": "x" })), 404, "no sampling session"),
        ("asample", sample(json!({ "model_path": "x" })), 404, "nothing was saved"),
        ("asample", sample(json!({ "num_samples": 0 })), 400, "completions"),
        ("asample", sample(json!({ "num_samples": -3 })), 400, "not as it should be"),
        ("asample", sample(json!({ "sampling_params": { "max_tokens": 16 } })), 400, "max_tokens"),
        ("asample", sample(json!({ "sampling_params": { "temperature": -1.0 } })), 400, "temperature"),
        ("asample", sample(json!({ "sampling_params": { "stop": [1.5] } })), 400, "no token"),
        ("asample", sample(json!({ "topk_sample_logprobs": 3 })), 400, "topk_sample_logprobs"),
        ("nothing_like_it", json!({}), 404, "no such path"),
    ];
    for (call, body, status, words) in cases {
        let sentence = client.refused(call, body.clone(), status);
        assert!(sentence.contains(words), "{call} {body}: {sentence}");
    }
    assert_eq!(client.get("/api/v1/optim_step").0, 405);
    assert_eq!(client.get("/api/v1/healthz").1["status"], "ok");
}

#[test]
fn what_is_no_json_is_refused() {
    let client = with(ServeSettings { body_bytes: 10_000, ..settings() }, base());
    let nested = "[".repeat(5000);
    let bodies: Vec<&[u8]> = vec![b"", b"{", b"\xff\xfe", b"[NaN]", b"null", b"{\"model_id\": NaN}", nested.as_bytes()];
    for call in
        ["create_session", "create_model", "forward", "forward_backward", "optim_step", "asample", "retrieve_future"]
    {
        for body in &bodies {
            let (status, answer) = client.post_bytes(&format!("/api/v1/{call}"), body);
            assert_eq!(status, 400, "{call} {:?}: {answer}", String::from_utf8_lossy(body));
            assert!(!text(&answer, "detail").is_empty());
        }
        let (status, answer) = client.post_bytes(&format!("/api/v1/{call}"), &vec![b' '; 10_001]);
        assert_eq!(status, 413, "{call}: {answer}");
    }
    for path in ["/v1/completions", "/generate", "/update_weights_from_disk"] {
        assert_eq!(client.post_bytes(path, b"{").0, 400, "{path}");
    }
    // Without a stated length it is refused once it is too long.
    let body = vec![b' '; 20_000];
    let address = format!("{}/api/v1/forward", client.serving.url());
    let sent = client.agent.post(&address).send(ureq::SendBody::from_reader(&mut &body[..]));
    assert!(sent.map_or(true, |answer| answer.status() == 413));
    assert_eq!(client.logps(&client.model, &[1], &[2]).len(), 1, "the server goes on");
}

#[test]
fn a_gradient_that_is_not_finite_is_refused_and_leaves_nothing() {
    let client = client();
    let mut far = datum(&[1, 2], &[2, 3], &[1.0, 1.0]);
    far["loss_fn_inputs"] = json!({
        "target_tokens": { "data": [2, 3] }, "logprobs": { "data": [-1.0, -1e4] }, "advantages": { "data": [1.0, 1.0] },
    });
    let failed = client.backward(0, json!([far]), "importance_sampling");
    assert!(text(&failed, "error").contains("not finite"), "{failed}");
    assert_eq!(failed["category"], "user");
    let before = client.logps(&client.model, &[1, 2], &[2, 3]);
    client.step(1, descent(1.0));
    assert_eq!(client.logps(&client.model, &[1, 2], &[2, 3]), before);
}

#[test]
fn a_call_that_would_read_too_much_fails() {
    let client = with(ServeSettings { call_tokens: 40, ..settings() }, base());
    let shifted: Vec<u32> = (0..16).map(|i| i % 5).collect();
    let targets: Vec<u32> = (1..17).map(|i| i % 5).collect();
    assert_eq!(client.logps(&client.model, &shifted, &targets).len(), 16);
    let data = json!([datum(&shifted, &[0; 16], &[1.0; 16])]);
    let failed = client.backward(0, data, "cross_entropy");
    assert!(text(&failed, "error").contains("more than 40 tokens"), "{failed}");
}

#[test]
fn with_a_key_nobody_else_is_answered() {
    let serving = Serving::start(ServeSettings { key: Some("tml-secret".to_owned()), ..settings() }, base()).unwrap();
    let agent = crate::setup::agent();
    let ask = |path: &str, header: Option<(&str, &str)>| {
        let mut get = agent.get(format!("{}{path}", serving.url()));
        if let Some((name, value)) = header {
            get = get.header(name, value);
        }
        let mut answer = get.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    let models = "/v1/models";
    for wrong in
        [None, Some(("x-api-key", "tml-secre")), Some(("x-api-key", "")), Some(("authorization", "tml-secret"))]
    {
        let (status, said) = ask(models, wrong);
        assert!(
            status == 401 && said.contains("X-API-Key") && !said.contains("tml-secret"),
            "{wrong:?}: {status} {said}"
        );
    }
    assert_eq!(ask(models, Some(("x-api-key", "tml-secret"))).0, 200);
    assert_eq!(ask(models, Some(("authorization", "Bearer tml-secret"))).0, 200);
    assert_eq!(ask("/api/v1/healthz", None).0, 200);
}

#[test]
fn settings_without_sense_are_refused_by_their_key() {
    let cases = [
        ("key", ServeSettings { key: Some("a b".to_owned()), ..settings() }),
        ("longest", ServeSettings { longest: 1, ..settings() }),
        ("completion", ServeSettings { completion: 0, ..settings() }),
        ("call_tokens", ServeSettings { call_tokens: 1, ..settings() }),
        ("body_bytes", ServeSettings { body_bytes: 0, ..settings() }),
        ("sessions", ServeSettings { sessions: 0, ..settings() }),
        ("models", ServeSettings { models: 0, ..settings() }),
        ("results", ServeSettings { results: 0, ..settings() }),
        ("kept", ServeSettings { kept: 0, ..settings() }),
        ("poll_seconds", ServeSettings { poll_seconds: -1.0, ..settings() }),
        ("gap_seconds", ServeSettings { gap_seconds: f64::NAN, ..settings() }),
        ("silence_seconds", ServeSettings { silence_seconds: f64::INFINITY, ..settings() }),
    ];
    for (key, settings) in cases {
        let message = Serving::start(settings, base()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{key}: must")), "{message}");
    }
    let first = Serving::start(settings(), base()).unwrap();
    let port = first.url().rsplit(':').next().unwrap().parse().unwrap();
    let message = Serving::start(ServeSettings { port, ..settings() }, base()).unwrap_err().to_string();
    assert!(message.contains("choose another host or port"), "{message}");
    let failing = || Err(oreal_models::Error::DoesNotLearn);
    let broken = oreal_engines::serve::Base { make: std::sync::Arc::new(failing), ..base() };
    assert!(Serving::start(settings(), broken).unwrap_err().to_string().contains("does not learn"));
}

#[test]
fn numbers_are_bounded() {
    let few = ServeSettings { sessions: 2, models: 2, results: 4, silence_seconds: 3600.0, ..settings() };
    let client = with(few.clone(), base());
    client.create(1);
    let third = json!({ "session_id": client.session, "model_seq_id": 2, "base_model": "table" });
    assert!(client.refused("create_model", third, 429).contains("unload one first"));
    client.ok("create_session", json!({}));
    assert!(client.refused("create_session", json!({}), 429).contains("sessions"));
    let first = client.ok("unload_model", json!({ "model_id": client.model }));
    for _ in 0..6 {
        client.call("unload_model", json!({ "model_id": client.model }));
    }
    assert!(client.refused("retrieve_future", json!({ "request_id": first["request_id"] }), 410).contains("not kept"));
    let hasty = with(ServeSettings { sessions: 1, silence_seconds: 0.0, ..few }, base());
    hasty.ok("create_session", json!({}));
    let sentence = hasty.refused("get_info", json!({ "model_id": hasty.model }), 404);
    assert!(sentence.contains("no model"), "the silent session ended with its models: {sentence}");
}

#[test]
fn a_result_that_is_not_there_yet_is_asked_for_again() {
    let patient = ServeSettings { gap_seconds: 3600.0, poll_seconds: 0.0, ..settings() };
    let serving = Serving::start(patient, base()).unwrap();
    let client =
        crate::setup::Client { serving, agent: crate::setup::agent(), session: String::new(), model: String::new() };
    let session = text(&client.ok("create_session", json!({})), "session_id");
    let created = client.ok("create_model", json!({ "session_id": session, "model_seq_id": 0, "base_model": "table" }));
    let step = json!({ "model_id": created["model_id"], "seq_id": 7, "adam_params": descent(1.0) });
    let waits = client.ok("optim_step", step);
    let (status, answer) = client.post("retrieve_future", json!({ "request_id": waits["request_id"] }));
    assert_eq!((status, &answer["type"], &answer["queue_state"]), (408, &json!("try_again"), &json!("active")));
    client.ok("unload_model", json!({ "model_id": created["model_id"] }));
    let failed = client.result(&text(&waits, "request_id"));
    assert!(text(&failed, "error").contains("unloaded"), "{failed}");
}
