//! Learning with products in bf16: near to that in f32, with weights in f32, and the same at any number of threads.

use oreal_models::transformer::{Config, Fused};
use oreal_models::{
    Device, Engine, Head, Key, Model, Optimiser, Products, Request, Runtime, Sampling, Sequence, Signal, Signals,
    Token, Transformer,
};

use crate::common::{config, cotangents, differentiate, step, want};

const SIGNALS: [Signal; 2] = [Signal::Logp, Signal::Entropy];

/// Too large for the cache of a core, with sizes that are no multiples of 32; and small.
fn sizes() -> [Config; 2] {
    [Config { vocab_size: 4003, hidden_size: 264, intermediate_size: 523, ..config(true) }, config(false)]
}

/// `None` on a processor without products in bf16, which says so.
fn model(config: &Config, products: Products) -> Option<Transformer<f32, Fused>> {
    let mut model = Transformer::new(config.clone(), Head::Vocabulary, &Optimiser::default(), 3).unwrap();
    match model.set_products(products) {
        Ok(()) => Some(model),
        Err(problem) => {
            assert!(problem.to_string().contains("model.train_products: this processor has neither"), "{problem}");
            None
        }
    }
}

fn sequences() -> Vec<(Vec<Token>, Vec<Token>)> {
    let tokens = |i: usize, count: usize| (0..count).map(|t| ((i * 31 + t * t * 3 + 1) % 7) as Token).collect();
    [(30, 41), (1, 1), (5, 90), (13, 2)].iter().enumerate().map(|(i, n)| (tokens(i, n.0), tokens(i + 9, n.1))).collect()
}

/// The signals of a forward pass, and the gradient.
fn pass(model: &mut Transformer<f32, Fused>) -> (Signals, Vec<f32>) {
    let sequences = sequences();
    let batch: Vec<_> = sequences.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    let mut found = Signals::default();
    differentiate(model, &batch, &want(&SIGNALS, 0.9), |signals| {
        found = signals.clone();
        cotangents(signals)
    });
    (found, model.gradient().flat_map(|(_, numbers)| numbers).collect())
}

#[test]
fn signals_and_gradients_are_near() {
    for config in sizes() {
        let Some(mut near) = model(&config, Products::Bf16) else { return };
        let mut exact = model(&config, Products::F32).unwrap();
        let ((found, slope), (expected, exact_slope)) = (pass(&mut near), pass(&mut exact));
        for signal in SIGNALS {
            let pairs = found.0[&signal].iter().zip(&expected.0[&signal]);
            let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off > 0.0 && off < 0.05, "{signal:?} is off by {off}");
        }
        let square = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let off =
            square(&mut slope.iter().zip(&exact_slope).map(|(a, b)| a - b)) / square(&mut exact_slope.into_iter());
        // Cotangents of either sign cancel, errors do not.
        assert!(off > 0.0 && off.sqrt() < 0.05, "the gradient is off by {} of its length", off.sqrt());
    }
}

#[test]
fn what_is_read_is_what_a_pass_reports_and_forks_do_the_same() {
    for config in sizes() {
        let Some(mut model) = model(&config, Products::Bf16) else { return };
        let (signals, _) = pass(&mut model);
        let sequences = sequences();
        let batch: Vec<_> = sequences.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
        assert_eq!(model.read(&batch, &want(&SIGNALS, 0.9)).unwrap(), signals);
        let fork = model.fork(Head::Vocabulary, &Optimiser::default()).unwrap();
        assert_eq!(fork.read(&batch, &want(&SIGNALS, 0.9)).unwrap(), signals, "a fork");
        // A number that is off by one part in 10^7 may be rounded to another bf16.
        let key = Key { seed: 4, step: 0, prompt: 1, sample: 0 };
        let how = Sampling { max_tokens: 20, ..Sampling::default() };
        let drawn = model.draw(&[Request { prompt: &[1, 2, 3], key }], &how).unwrap().remove(0);
        let read = Sequence { prompt: &[1, 2, 3], completion: &drawn.tokens };
        let read = &model.read(&[read], &want(&[Signal::Logp], 1.0)).unwrap().0[&Signal::Logp];
        for (a, b) in read.iter().zip(&drawn.sampled_logp.unwrap()) {
            assert!((a - b).abs() < 2e-3, "{a} read, {b} drawn");
        }
    }
}

#[test]
fn weights_stay_in_f32_and_are_the_same_at_any_number_of_threads() {
    for config in sizes() {
        if model(&config, Products::Bf16).is_none() {
            return;
        }
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut model = model(&config, Products::Bf16).unwrap();
                for _ in 0..2 {
                    pass(&mut model);
                    step(&mut model, 1e-5);
                }
                model.weights().flat_map(|(_, numbers)| numbers).map(f32::to_bits).collect::<Vec<u32>>()
            })
        };
        let weights = run(1);
        assert!(weights.iter().filter(|bits| **bits << 16 != 0).count() > weights.len() / 2, "weights rounded to bf16");
        assert!(run(2) == weights && run(3) == weights, "other bits at another number of threads");
    }
}

#[test]
fn the_other_engine_refuses_them_by_key() {
    let runtime = Runtime::new(Some(Engine::Stock), Device::Cpu).unwrap();
    assert!(runtime.with_products(Products::F32).is_ok());
    let message = runtime.with_products(Products::Bf16).unwrap_err().to_string();
    assert!(message.starts_with("model.train_products: the engine stock has no products in bf16"), "{message}");
}
