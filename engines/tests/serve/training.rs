//! Steps, numbers of calls, and what is saved.

use oreal_models::{Clip, Decayed, Model, Optimiser, Sequence, Signal, Signals, Token, Want};
use serde_json::{Value, json};

use crate::setup::{Client, base, client, datum, descent, settings, table, text, with};

const INPUT: [Token; 2] = [1, 2];
const TARGETS: [Token; 2] = [2, 3];

fn data() -> Value {
    json!([datum(&INPUT, &TARGETS, &[1.0, -0.5])])
}

fn logps(client: &Client, model: &str) -> Vec<f64> {
    client.logps(model, &INPUT, &TARGETS)
}

/// The same gradient and steps on a table here.
fn own(steps: &[(f64, Optimiser)]) -> Vec<f64> {
    let mut table = table();
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    let batch = [Sequence { prompt: &[1], completion: &[2, 3] }];
    for (rate, optimiser) in steps {
        table.set_optimiser(optimiser).unwrap();
        let (_, pass) = table.forward(&batch, &want).unwrap();
        pass.backward(&Signals([(Signal::Logp, vec![-1.0, 0.5])].into())).unwrap();
        let norm = table.gradient_norm().unwrap();
        table.step(*rate, norm).unwrap();
    }
    table.read(&batch, &want).unwrap().0.remove(&Signal::Logp).unwrap()
}

fn adam(change: Value) -> (Value, Optimiser) {
    let mut adam = json!({ "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.0, "grad_clip_norm": 0.0 });
    for (key, value) in change.as_object().unwrap() {
        adam[key] = value.clone();
    }
    let number = |key: &str| adam[key].as_f64().unwrap();
    let clip = if number("grad_clip_norm") > 0.0 { Clip::Norm(number("grad_clip_norm")) } else { Clip::Off };
    let optimiser = Optimiser::AdamW {
        beta1: number("beta1"),
        beta2: number("beta2"),
        epsilon: number("eps"),
        weight_decay: number("weight_decay"),
        decay: Decayed::All,
        clip,
        clip_epsilon: 0.0,
    };
    (adam, optimiser)
}

/// Two steps, the second with one other number: as on a table here, and not as without that number.
#[test]
fn every_number_of_a_step_acts_on_that_step() {
    let plain = adam(json!({})).1;
    let changes = [
        json!({}),
        json!({ "beta1": 0.5 }),
        json!({ "beta2": 0.5 }),
        json!({ "eps": 0.1 }),
        json!({ "weight_decay": 0.3 }),
        json!({ "grad_clip_norm": 0.01 }),
        json!({ "learning_rate": 0.2 }),
    ];
    for change in changes {
        let client = client();
        let (mut asked, optimiser) = adam(change.clone());
        let rate = asked["learning_rate"].as_f64().unwrap_or(0.05);
        asked["learning_rate"] = json!(rate);
        let mut first = adam(json!({})).0;
        first["learning_rate"] = json!(0.05);
        client.backward(0, data(), "cross_entropy");
        client.step(1, first);
        client.backward(2, data(), "cross_entropy");
        let done = client.step(3, asked);
        assert!(done["metrics"]["grad_norm:last"].as_f64().unwrap() > 0.1, "{done}");
        let expected = own(&[(0.05, plain), (rate, optimiser)]);
        assert_eq!(logps(&client, &client.model), expected, "{change}");
        let unchanged = own(&[(0.05, plain), (0.05, plain)]);
        assert_eq!(expected == unchanged, change == json!({}), "{change} acts");
    }
}

#[test]
fn defaults_of_a_step_are_those_of_tinker() {
    let client = client();
    client.backward(0, data(), "cross_entropy");
    client.step(1, json!({ "learning_rate": 0.1 }));
    let (_, tinker) = adam(json!({ "eps": 1e-12 }));
    assert_eq!(logps(&client, &client.model), own(&[(0.1, tinker)]));
}

#[test]
fn a_call_is_done_once_however_often_it_comes() {
    let client = client();
    let backward = json!({
        "model_id": client.model, "seq_id": 0, "forward_backward_input": { "data": data(), "loss_fn": "cross_entropy" },
    });
    let step = json!({ "model_id": client.model, "seq_id": 1, "adam_params": descent(0.1) });
    let first: Vec<Value> = (0..3).map(|_| client.ok("forward_backward", backward.clone())).collect();
    let names: Vec<String> = (0..3).map(|_| text(&client.ok("optim_step", step.clone()), "request_id")).collect();
    assert!(first.iter().all(|future| *future == first[0]) && names.iter().all(|name| *name == names[0]));
    client.result(&names[0]);
    let once = logps(&client, &client.model);
    assert_eq!(client.ok("optim_step", step)["request_id"], names[0]);
    assert_eq!(client.ok("forward_backward", backward), first[0]);
    assert_eq!(logps(&client, &client.model), once);
    let single = crate::setup::client();
    single.backward(0, data(), "cross_entropy");
    single.step(1, descent(0.1));
    assert_eq!(logps(&single, &single.model), once);
    let other = json!({ "model_id": client.model, "seq_id": 1, "path": "x" });
    assert!(client.refused("save_weights", other, 400).contains("seq_id 1 was a optim_step"));
}

#[test]
fn calls_are_done_in_the_order_of_their_numbers() {
    let client = with(oreal_engines::serve::ServeSettings { gap_seconds: 60.0, ..settings() }, base());
    let step = json!({ "model_id": client.model, "seq_id": 1, "adam_params": descent(0.1) });
    let step = text(&client.ok("optim_step", step), "request_id");
    let waiting = json!({ "model_id": client.model, "seq_id": 3, "adam_params": descent(0.1) });
    let waiting = text(&client.ok("optim_step", waiting), "request_id");
    client.result(&step);
    let before = logps(&client, &client.model);
    let after = client.backward(2, data(), "cross_entropy");
    assert!(after["error"].is_null(), "{after}");
    client.result(&waiting);
    assert_ne!(logps(&client, &client.model), before, "the gradient came before the step");
}

#[test]
fn a_call_that_is_refused_takes_its_number() {
    let client = client();
    client.backward(0, data(), "cross_entropy");
    let bad = json!({ "model_id": client.model, "seq_id": 1, "adam_params": { "learning_rate": -1.0 } });
    assert!(client.refused("optim_step", bad, 400).contains("learning_rate"));
    assert_eq!(client.step(2, descent(0.1))["type"], "optim_step");
    let late = json!({ "model_id": client.model, "seq_id": 1, "adam_params": descent(0.1) });
    assert!(client.refused("optim_step", late, 400).contains("too late"));
}

#[test]
fn a_call_whose_predecessor_never_comes_fails() {
    let client = client();
    client.backward(0, data(), "cross_entropy");
    let before = logps(&client, &client.model);
    let failed = client.step(5, descent(0.1));
    assert!(text(&failed, "error").contains("smaller seq_id"), "{failed}");
    assert_eq!(failed["category"], "user");
    assert_eq!(logps(&client, &client.model), before);
    client.step(6, descent(0.1));
    assert_ne!(logps(&client, &client.model), before);
}

#[test]
fn the_same_number_is_the_same_model() {
    let client = client();
    let call =
        json!({ "session_id": client.session, "model_seq_id": 0, "base_model": "table", "lora_config": { "rank": 8 } });
    assert_eq!(client.ok("create_model", call)["model_id"], client.model);
    let other = client.create(1);
    assert_ne!(other, client.model);
    client.backward(0, data(), "cross_entropy");
    client.step(1, descent(0.1));
    assert_ne!(logps(&client, &client.model), logps(&client, &other), "models do not share weights");
    let info = client.ok("get_info", json!({ "model_id": other }));
    assert_eq!((&info["is_lora"], &info["model_data"]["tokenizer_id"]), (&json!(false), &json!("nowhere")));
    client.call("unload_model", json!({ "model_id": other }));
    client.call("unload_model", json!({ "model_id": other }));
    assert!(client.refused("get_info", json!({ "model_id": other }), 404).contains("unloaded"));
    let again = json!({ "session_id": client.session, "model_seq_id": 1, "base_model": "table" });
    assert!(client.refused("create_model", again, 410).contains("unloaded"));
}

#[test]
fn what_is_saved_is_loaded_with_and_without_moments() {
    let client = client();
    // Momentum, so that moments act.
    let adam = json!({ "learning_rate": 0.05, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8 });
    client.backward(0, data(), "cross_entropy");
    client.step(1, adam.clone());
    let saved = client.call("save_weights", json!({ "model_id": client.model, "seq_id": 2, "path": "half" }));
    let path = text(&saved, "path");
    assert_eq!(path, format!("tinker://{}/weights/half", client.model));
    let half = logps(&client, &client.model);
    client.backward(3, data(), "cross_entropy");
    client.step(4, adam.clone());
    let whole = logps(&client, &client.model);
    let goes_on = |number: u64, moments: bool| {
        let load = json!({ "session_id": client.session, "model_seq_id": number, "path": path, "optimizer": moments });
        let model = text(&client.call("load_weights", load), "model_id");
        assert_eq!(logps(&client, &model), half);
        let client = &client;
        let input = json!({ "data": data(), "loss_fn": "cross_entropy" });
        client.call("forward_backward", json!({ "model_id": model, "seq_id": 1, "forward_backward_input": input }));
        client.call("optim_step", json!({ "model_id": model, "seq_id": 2, "adam_params": adam }));
        logps(client, &model)
    };
    assert_eq!(goes_on(1, true), whole);
    assert_ne!(goes_on(2, false), whole, "moments are zero");
    let load = json!({ "model_id": client.model, "seq_id": 5, "path": path, "optimizer": true });
    client.call("load_weights", load);
    assert_eq!(logps(&client, &client.model), half);
    let taken = json!({ "model_id": client.model, "seq_id": 6, "path": "half" });
    assert!(client.refused("save_weights", taken, 400).contains("another name"));
    let again = json!({ "model_id": client.model, "seq_id": 7, "path": "half", "overwrite": true });
    assert_eq!(client.call("save_weights", again)["path"], path);
    let info = client.ok("weights_info", json!({ "tinker_path": path }));
    assert_eq!(info["base_model"], "table");
    assert!(client.refused("weights_info", json!({ "tinker_path": "tinker://x" }), 404).contains("nothing was saved"));
}

#[test]
fn the_oldest_weights_go_where_there_are_too_many() {
    let client = with(oreal_engines::serve::ServeSettings { kept: 2, ..settings() }, base());
    let save = |number: u64| {
        let call = json!({ "model_id": client.model, "seq_id": number, "path": format!("s{number}") });
        text(&client.call("save_weights", call), "path")
    };
    let paths: Vec<String> = (0..3).map(save).collect();
    let load = |path: &str| json!({ "model_id": client.model, "path": path });
    assert!(client.refused("load_weights", load(&paths[0]), 410).contains("not kept any more"));
    for path in &paths[1..] {
        assert_eq!(client.call("load_weights", load(path))["path"], *path);
    }
}
