//! Values and gradients of the losses, against the table itself.

use oreal_models::{Model, Sequence, Signal, Table, Token, Want};
use serde_json::{Value, json};

use crate::setup::{Client, VOCABULARY, client, datum, descent, floats, table};

const INPUT: [Token; 3] = [1, 2, 3];
/// The second is not the token that follows.
const TARGETS: [Token; 3] = [2, 0, 4];

/// The contexts of the targets above, as the table has them.
const CONTEXTS: [(&[Token], &[Token]); 3] = [(&[1], &[]), (&[1], &[2]), (&[1], &[2, 3])];

fn logp(table: &Table, (prompt, prefix): (&[Token], &[Token]), target: Token) -> f64 {
    let completion = [prefix, &[target]].concat();
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    let read = table.read(&[Sequence { prompt, completion: &completion }], &want).unwrap();
    *read.0[&Signal::Logp].last().unwrap()
}

fn own() -> Vec<f64> {
    CONTEXTS.iter().zip(TARGETS).map(|(context, target)| logp(&table(), *context, target)).collect()
}

#[test]
fn log_probabilities_are_those_of_the_model() {
    let client = client();
    let logps = client.logps(&client.model, &INPUT, &TARGETS);
    for (found, own) in logps.iter().zip(own()) {
        assert!((found - own).abs() < 1e-15, "{found} {own}");
    }
    assert_eq!(client.logps(&client.model, &[4], &[4]), [logp(&table(), (&[4], &[]), 4)]);
}

/// The numbers of a loss for each token.
struct Given {
    weights: [f64; 3],
    drawn: [f64; 3],
    advantages: [f64; 3],
}

/// The loss as the documentation of Tinker defines it; `clipped` is the ratio of CISPO, through which no gradient flows.
fn loss(name: &str, logps: &[f64], given: &Given, clipped: &[f64]) -> f64 {
    let share = |i: usize| {
        let ratio = (logps[i] - given.drawn[i]).exp();
        let advantage = given.advantages[i];
        -match name {
            "cross_entropy" => given.weights[i] * logps[i],
            "importance_sampling" => ratio * advantage,
            "ppo" => (ratio * advantage).min(ratio.clamp(0.8, 1.2) * advantage),
            "cispo" => clipped[i] * advantage * logps[i],
            _ => unreachable!("{name}"),
        }
    };
    (0..3).map(share).sum()
}

fn data(name: &str, given: &Given) -> Value {
    let mut datum = datum(&INPUT, &TARGETS, &given.weights);
    if name != "cross_entropy" {
        datum["loss_fn_inputs"] = json!({
            "target_tokens": { "data": TARGETS, "dtype": "int64" },
            "logprobs": { "data": given.drawn, "dtype": "float32" },
            "advantages": { "data": given.advantages, "dtype": "float32" },
        });
    }
    json!([datum])
}

/// After one step of gradient descent, the log-probabilities of the row have moved by the gradient.
#[test]
fn gradients_equal_finite_differences_of_the_documented_loss() {
    let own = own();
    // Ratios below, within and above the thresholds, with advantages of both signs.
    let given = |shift: f64| Given {
        weights: [1.5, -0.7, 0.3],
        drawn: [own[0] - 0.5, own[1] + 0.05, own[2] + 0.4].map(|logp| logp + shift),
        advantages: [0.8, -1.1, 0.6],
    };
    for name in ["cross_entropy", "importance_sampling", "ppo", "cispo"] {
        for (shift, sign) in [(0.0, 1.0), (-0.03, -1.0)] {
            let mut given = given(shift);
            given.advantages = given.advantages.map(|advantage| sign * advantage);
            check_gradient(name, &given);
        }
    }
}

fn check_gradient(name: &str, given: &Given) {
    let (client, own) = (client(), own());
    let clipped: Vec<f64> =
        own.iter().zip(given.drawn).map(|(logp, drawn)| (logp - drawn).exp().clamp(0.8, 1.2)).collect();
    let output = client.backward(0, data(name, given), name);
    let (value, expected) = (output["metrics"]["loss:sum"].as_f64().unwrap(), loss(name, &own, given, &clipped));
    assert!((value - expected).abs() < 1e-12, "{name}: {value} {expected}");
    let rate = 1e-3;
    client.step(1, descent(rate));
    for (i, (prompt, prefix)) in CONTEXTS.into_iter().enumerate() {
        let before = logits(&table(), prompt, prefix);
        let slope = |token: usize| {
            let at = |change: f64| {
                let mut table = table();
                let mut logits = before.clone();
                logits[token] += change;
                table.set_logits(prompt, prefix, &logits);
                let logps: Vec<f64> =
                    CONTEXTS.iter().zip(TARGETS).map(|(c, target)| logp(&table, *c, target)).collect();
                loss(name, &logps, given, &clipped)
            };
            (at(1e-6) - at(-1e-6)) / 2e-6
        };
        let mut moved = table();
        let after: Vec<f64> = (0..VOCABULARY).map(|token| before[token] - rate * slope(token)).collect();
        moved.set_logits(prompt, prefix, &after);
        for token in 0..VOCABULARY as Token {
            let (found, expected) = (read(&client, prompt, prefix, token), logp(&moved, (prompt, prefix), token));
            assert!((found - expected).abs() < 1e-9, "{name} at {i}, token {token}: {found} {expected}");
        }
    }
}

fn logits(table: &Table, prompt: &[Token], prefix: &[Token]) -> Vec<f64> {
    table.row(prompt, prefix).logits
}

/// The log-probability of a token after a context, on the server.
fn read(client: &Client, prompt: &[Token], prefix: &[Token], target: Token) -> f64 {
    let input = [prompt, prefix].concat();
    let targets = vec![target; input.len()];
    *client.logps(&client.model, &input, &targets).last().unwrap()
}

#[test]
fn thresholds_act() {
    let own = own();
    let given = Given { weights: [1.0; 3], drawn: [0, 1, 2].map(|i| own[i] - 0.3), advantages: [1.0; 3] };
    let value = |loss: &str, config: Value| {
        let client = client();
        let input = json!({ "data": data(loss, &given), "loss_fn": loss, "loss_fn_config": config });
        let call = json!({ "model_id": client.model, "forward_backward_input": input });
        client.call("forward_backward", call)["metrics"]["loss:sum"].as_f64().unwrap()
    };
    let ratio = 0.3_f64.exp();
    assert!((value("ppo", json!({})) + 3.0 * 1.2).abs() < 1e-12);
    assert!((value("ppo", json!({ "clip_high_threshold": 1.3 })) + 3.0 * 1.3).abs() < 1e-12);
    assert!((value("ppo", json!({ "clip_high_threshold": 2 })) + 3.0 * ratio).abs() < 1e-12);
    let cispo = value("cispo", json!({ "clip_low_threshold": 1.4, "clip_high_threshold": 1.5 }));
    assert!((cispo + 1.4 * own.iter().sum::<f64>()).abs() < 1e-12);
}

#[test]
fn sums_over_sequences_and_calls_and_signs_are_exact() {
    let change = |calls: &[Value]| {
        let client = client();
        let before = client.logps(&client.model, &INPUT, &TARGETS);
        for (number, data) in calls.iter().enumerate() {
            client.backward(number as u64, data.clone(), "cross_entropy");
        }
        client.step(calls.len() as u64, descent(1e-6));
        let after = client.logps(&client.model, &INPUT, &TARGETS);
        before.iter().zip(after).map(|(before, after)| after - before).collect::<Vec<f64>>()
    };
    let one = datum(&INPUT, &TARGETS, &[1.0, -2.0, 0.5]);
    let other = datum(&[1, 2], &[2, 3], &[0.25, 3.0]);
    let (a, b) = (change(&[json!([one])]), change(&[json!([other])]));
    let negative = change(&[json!([datum(&INPUT, &TARGETS, &[-1.0, 2.0, -0.5])])]);
    let twice = change(&[json!([one, one])]);
    assert!(
        a.iter().zip(twice).all(|(a, twice)| (2.0 * a - twice).abs() < 1e-11),
        "a sequence counts as often as it comes"
    );
    for both in [change(&[json!([one, other])]), change(&[json!([one]), json!([other])])] {
        for i in 0..3 {
            assert!((both[i] - a[i] - b[i]).abs() < 1e-11, "{i}: {} {} {}", both[i], a[i], b[i]);
        }
    }
    assert!(a.iter().zip(negative).all(|(a, negative)| (a + negative).abs() < 1e-11 && a.abs() > 1e-8));
}

#[test]
fn a_forward_call_leaves_no_gradient() {
    let client = client();
    let before = client.logps(&client.model, &INPUT, &TARGETS);
    client.step(0, descent(1.0));
    assert_eq!(client.logps(&client.model, &INPUT, &TARGETS), before);
    let output = client.backward(1, json!([datum(&INPUT, &TARGETS, &[1.0; 3])]), "cross_entropy");
    assert_eq!(floats(&output["loss_fn_outputs"][0]["logprobs"]["data"]), before);
}

/// More tokens than one forward pass takes.
#[test]
fn a_large_batch_is_cut_without_a_change_of_its_gradient() {
    let row = |number: usize| {
        let tokens: Vec<Token> =
            (0..16).map(|i| ((number >> (2 * (i % 6))) % 4) as Token + Token::from(i % 5 == 0)).collect();
        let targets = [&tokens[1..], &[(number % 5) as Token]].concat();
        datum(&tokens, &targets, &[0.01; 16])
    };
    let rows: Vec<Value> = (0..1200).map(row).collect();
    let norm = |parts: &[&[Value]]| {
        let client = client();
        for (number, part) in parts.iter().enumerate() {
            client.backward(number as u64, json!(part), "cross_entropy");
        }
        let done = client.step(parts.len() as u64, descent(1e-3));
        let logps = client.logps(&client.model, &INPUT, &TARGETS);
        (done["metrics"]["grad_norm:last"].as_f64().unwrap(), logps)
    };
    let (whole, parts) = (norm(&[&rows]), norm(&[&rows[..500], &rows[500..900], &rows[900..]]));
    assert!((whole.0 - parts.0).abs() < 1e-9 * whole.0 && whole.0 > 0.1, "{} {}", whole.0, parts.0);
    assert!(whole.1.iter().zip(&parts.1).all(|(whole, parts)| (whole - parts).abs() < 1e-9));
}
