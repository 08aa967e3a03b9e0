//! What is found out about servers that differ in what they do with a gradient.

use std::sync::Mutex;

use oreal_engines::testing::proxy::{Mischief, proxy};
use oreal_engines::tinker::{Carrier, Meaning, Older, Probed, Remote, RemoteSettings, compare, probe};
use oreal_models::{Model, Sequence, Signal, Signals};
use serde_json::{Value, json};

use super::{SEQUENCES, adamw, connect, served, settings, step, want};

fn found(change: impl Fn(&str, Value) -> Value + Send + Sync + 'static) -> Probed {
    let serving = served();
    let proxy = proxy(&serving.url(), change, |_, _| Mischief::None);
    probe(&connect(&proxy.url()), &settings()).unwrap()
}

#[test]
fn a_server_that_sums_signed_weights_is_good_in_every_way() {
    let probed = found(|_, body| body);
    assert_eq!((probed.carrier, probed.clips, probed.knows_numbers), (Some(Carrier::CrossEntropy), true, true));
    assert_eq!(probed.older, Older::Always);
    let other: Vec<_> = probed.findings.iter().filter(|finding| finding.meaning == Meaning::Bad).collect();
    assert!(other.is_empty() && probed.findings.len() >= 6, "{other:?}");
}

/// Every datum of a gradient, with this done to its loss inputs and the number of data.
fn each_datum(path: &str, mut body: Value, of: impl Fn(&mut Value, usize)) -> Value {
    if path.ends_with("/forward_backward") {
        let data = body["forward_backward_input"]["data"].as_array_mut().unwrap();
        let count = data.len();
        data.iter_mut().for_each(|datum| of(&mut datum["loss_fn_inputs"], count));
    }
    body
}

fn scale(numbers: &mut Value, by: f64) {
    for number in numbers["data"].as_array_mut().unwrap() {
        *number = json!(number.as_f64().unwrap() * by);
    }
}

fn total(numbers: &Value) -> f64 {
    numbers["data"].as_array().unwrap().iter().filter_map(Value::as_f64).sum()
}

/// As SkyRL's `tx`: each sequence is divided by the sum of its weights, then by the number of sequences.
fn mean(path: &str, body: Value) -> Value {
    each_datum(path, body, |inputs, count| {
        let by = 1.0 / (total(&inputs["weights"]).max(1e-9) * count as f64);
        let carried = if inputs.get("advantages").is_some() { "advantages" } else { "weights" };
        scale(&mut inputs[carried], by);
    })
}

#[test]
fn a_server_that_divides_by_the_weights_is_used_by_importance_sampling() {
    let probed = found(mean);
    assert_eq!(probed.carrier, Some(Carrier::ImportanceSampling));
    let of_weights = &probed.findings[1];
    assert!(of_weights.meaning == Meaning::Note && of_weights.answer.contains("does not"), "{of_weights:?}");
}

/// The gradient of one model behind the server that divides is that of another behind the one that sums, sequence by sequence.
#[test]
fn the_detour_has_the_gradient_of_the_sum() {
    let serving = served();
    let dividing = proxy(&serving.url(), mean, |_, _| Mischief::None);
    let moved = |url: &str, carrier| {
        let settings = RemoteSettings { carrier, batch: 16, ..settings() };
        let mut model = Remote::new(connect(url), settings, &adamw()).unwrap();
        let batch: Vec<Sequence<'_>> =
            SEQUENCES.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
        for _ in 0..3 {
            let (_, pass) = model.forward(&batch, &want(Signal::Logp)).unwrap();
            pass.backward(&Signals([(Signal::Logp, super::cotangents())].into())).unwrap();
            step(&mut model, 0.1);
        }
        super::read(&model, Signal::Logp)
    };
    let direct = moved(&serving.url(), Carrier::CrossEntropy);
    super::assert_close(&moved(&dividing.url(), Carrier::ImportanceSampling), &direct, 1e-4);
}

#[test]
fn a_server_that_makes_a_mask_of_weights_is_refused_with_what_it_does() {
    let masked = |path: &str, body| {
        each_datum(path, body, |inputs, _| {
            for name in ["weights", "advantages"] {
                let Some(numbers) = inputs.get_mut(name) else { continue };
                for number in numbers["data"].as_array_mut().unwrap() {
                    *number = json!(f64::from(number.as_f64() != Some(0.0)));
                }
            }
        })
    };
    let probed = found(masked);
    let refused = probed.carrier().unwrap_err().to_string();
    assert!(refused.contains("no loss of this server carries cotangents"), "{refused}");
    assert!(refused.contains("sign"), "{refused}");
}

#[test]
fn the_same_weights_here_have_the_same_log_probabilities() {
    let serving = served();
    let against = |here: &dyn Model| compare(&connect(&serving.url()), &settings(), here).unwrap();
    assert_eq!(against(&super::table()).meaning, Meaning::Good);
    let mut other = super::table();
    super::backward(&mut other, Signal::Logp);
    step(&mut other, 0.3);
    assert_eq!(against(&other).meaning, Meaning::Bad);
}

/// As embeddings that are padded beyond the tokenizer.
#[test]
fn tokens_beyond_the_tokenizer_do_no_harm() {
    let serving = served();
    let settings = RemoteSettings { vocabulary: 4, score_tokens: [2, 3], ..settings() };
    let probed = probe(&connect(&serving.url()), &settings).unwrap();
    assert!(probed.findings.iter().all(|finding| finding.meaning != Meaning::Bad), "{:?}", probed.findings);
    assert!(
        probed.findings.iter().any(|finding| finding.answer.starts_with("those of the trainer")),
        "some are compared"
    );
}

#[test]
fn settings_that_a_server_ignores_are_found() {
    let deaf = |path: &str, mut body: Value| {
        if path.ends_with("/optim_step") {
            body["adam_params"]["grad_clip_norm"] = json!(0.0);
        }
        if path.ends_with("/save_weights_for_sampler") {
            // What is saved is named by the number here.
            body["path"] = json!(format!("weights-{}", body["seq_id"]));
            body["sampling_session_seq_id"] = Value::Null;
        }
        if let Some(number) = body.get_mut("seq_id") {
            *number = Value::Null;
        }
        body
    };
    let probed = found(deaf);
    assert!(!probed.clips && !probed.knows_numbers);
    assert_eq!(probed.carrier, Some(Carrier::CrossEntropy));
}

#[test]
fn servers_that_forget_older_weights_are_found() {
    // Whatever session is asked for, the newest one that was asked for so far is drawn from.
    let newest = Mutex::new(String::new());
    let only_the_newest = move |path: &str, mut body: Value| {
        if path.ends_with("/asample") {
            let mut newest = newest.lock().unwrap();
            let asked = body["sampling_session_id"].as_str().unwrap();
            *newest = if (asked.len(), asked) > (newest.len(), &newest) { asked.to_owned() } else { newest.clone() };
            body["sampling_session_id"] = json!(*newest);
        }
        body
    };
    assert_eq!(found(only_the_newest).older, Older::UntilNewer);
    // As SkyRL's `tx`: what is drawn from is loaded into the model that trains, which then reads as before its step.
    let state = Mutex::new((None::<Value>, None::<Value>, false));
    let overwritten = move |path: &str, mut body: Value| {
        let (first, moved, drawn) = &mut *state.lock().unwrap();
        match path.rsplit('/').next().unwrap() {
            "optim_step" => (*moved, *drawn) = (Some(body["model_id"].clone()), false),
            "asample" => *drawn = true,
            "forward" if *drawn && *moved == Some(body["model_id"].clone()) => {
                body["model_id"] = first.clone().unwrap();
                body["seq_id"] = Value::Null;
            }
            "forward" => {
                first.get_or_insert(body["model_id"].clone());
            }
            _ => {}
        }
        body
    };
    let probed = found(overwritten);
    assert_eq!(probed.older, Older::Never);
    let told = probed.findings.iter().find(|finding| finding.question.contains("older weights")).unwrap();
    assert!(told.answer.contains("what trains becomes") && told.answer.contains("must be at most 0"), "{told:?}");
}
