//! Models on a server of the Tinker API, against the same models in this process.

mod faults;
mod model;
mod probe;

use std::sync::Arc;

use oreal_engines::serve::{Base, ServeSettings, Serving};
use oreal_engines::tinker::{Carrier, Remote, RemoteSettings, Service, ServiceSettings};
use oreal_models::{Clip, Decayed, Model, Optimiser, Sequence, Signal, Signals, Table, Want};

const VOCABULARY: usize = 5;

/// A table with logits that are not all equal, behind a server.
fn served() -> Serving {
    let make = || Ok(Box::new(table()) as _);
    let base = Base { name: "table".to_owned(), vocabulary: VOCABULARY, ..Base::new(Arc::new(make)) };
    Serving::start(ServeSettings { port: 0, ..ServeSettings::default() }, base).unwrap()
}

fn table() -> Table {
    let mut table = Table::new(VOCABULARY, &adamw()).unwrap();
    for (prompt, completion) in SEQUENCES {
        for length in 0..completion.len() {
            let logits: Vec<f64> =
                (0..VOCABULARY).map(|i| ((i * 3 + length * 2 + prompt.len()) % 7) as f64 / 4.0).collect();
            table.set_logits(prompt, &completion[..length], &logits);
        }
    }
    table
}

fn adamw() -> Optimiser {
    Optimiser::AdamW {
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.1,
        decay: Decayed::All,
        clip: Clip::Norm(0.5),
        clip_epsilon: 0.0,
    }
}

/// A table keeps prompts and completions apart, which the protocol does not: with prompts of one token the server reads what is read
/// here.
const SEQUENCES: [(&[u32], &[u32]); 3] = [(&[1], &[3, 0, 4]), (&[2], &[1]), (&[4], &[2, 2])];

fn batch() -> Vec<Sequence<'static>> {
    SEQUENCES.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

fn want(signal: Signal) -> Want {
    Want { signals: vec![signal], temperature: 1.0 }
}

fn connect(url: &str) -> Arc<Service> {
    let settings =
        ServiceSettings { url: url.to_owned(), retries: 8, backoff_seconds: 0.001, ..ServiceSettings::default() };
    Service::connect(&settings).unwrap()
}

fn settings() -> RemoteSettings {
    RemoteSettings {
        base_model: "table".to_owned(),
        rank: 4,
        seed: 0,
        vocabulary: VOCABULARY,
        carrier: Carrier::CrossEntropy,
        score_tokens: [3, 4],
        batch: 2,
    }
}

fn remote(url: &str) -> Remote {
    Remote::new(connect(url), settings(), &adamw()).unwrap()
}

fn read(model: &dyn Model, signal: Signal) -> Vec<f64> {
    model.read(&batch(), &want(signal)).unwrap().0.remove(&signal).unwrap()
}

/// A backward pass with these cotangents, of both signs.
fn backward(model: &mut dyn Model, signal: Signal) {
    let (_, pass) = model.forward(&batch(), &want(signal)).unwrap();
    pass.backward(&Signals([(signal, cotangents())].into())).unwrap();
}

fn cotangents() -> Vec<f64> {
    vec![0.5, -1.0, 0.25, -2.0, 0.75, 0.0]
}

fn step(model: &mut dyn Model, rate: f64) {
    let norm = model.gradient_norm().unwrap();
    model.step(rate, norm).unwrap();
}

fn assert_close(found: &[f64], expected: &[f64], off: f64) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= off), "{found:?} where {expected:?}");
}
