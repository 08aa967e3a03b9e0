//! The gradient of every signal, through the whole transformer, against central differences in f64.

use crate::common::{ALL, Way, batch, config, cotangents, differentiate, every_way, inner, want};
use oreal_models::transformer::Config;
use oreal_models::{Head, Model, Optimiser, Signal, Transformer};

every_way!(families, untied, tied, scalar, signals_add_up, batches_add_up_and_padding_is_nothing);

fn model<O: Way>(config: &Config, head: Head) -> Transformer<f64, O> {
    let mut model = Transformer::<f64, O>::new(config.clone(), head, &Optimiser::EXACT, 5).unwrap();
    // Biases and norms start equal and scalar heads at zero: move everything, so that nothing is right by symmetry.
    let all: Vec<(String, usize)> = model.weights().map(|(name, w)| (name.to_string(), w.len())).collect();
    for (name, length) in all {
        for entry in 0..length {
            model.nudge(&name, entry, 0.3 * ((entry * 7 + name.len()) as f64).sin()).unwrap();
        }
    }
    model
}

fn check<O: Way>(config: &Config, head: Head, signal: Signal, temperature: f64) {
    let mut model = model::<O>(config, head);
    let want = want(&[signal], temperature);
    let mut g = Default::default();
    differentiate(&mut model, &batch(), &want, |signals| {
        g = cotangents(signals);
        g.clone()
    });
    let gradient: Vec<(String, Vec<f64>)> = model.gradient().map(|(n, g)| (n.to_string(), g)).collect();
    assert_eq!(gradient.len(), model.weights().count(), "every weight has a gradient");
    for (name, slopes) in gradient {
        let entries = [0, slopes.len() / 3, slopes.len() / 2, slopes.len() - 1];
        for entry in entries {
            let mut at = |change: f64| {
                model.nudge(&name, entry, change).unwrap();
                let value = inner(&model.read(&batch(), &want).unwrap(), &g);
                model.nudge(&name, entry, -change).unwrap();
                value
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let error = (slopes[entry] - difference).abs() / (1.0 + difference.abs());
            assert!(error < 1e-7, "{signal:?} {name}[{entry}]: {} but {difference}", slopes[entry]);
        }
    }
}

fn families<O: Way>() {
    for config in crate::common::families() {
        println!("{config:?}");
        check::<O>(&config, Head::Vocabulary, Signal::Logp, 1.0);
        check::<O>(&config, Head::Scalar, Signal::ScalarAfter, 1.0);
    }
}

fn untied<O: Way>() {
    check::<O>(&config(false), Head::Vocabulary, Signal::Logp, 1.0);
    check::<O>(&config(false), Head::Vocabulary, Signal::Entropy, 1.7);
}

fn tied<O: Way>() {
    check::<O>(&config(true), Head::Vocabulary, Signal::Logp, 0.6);
    check::<O>(&config(true), Head::Vocabulary, Signal::Entropy, 1.0);
}

fn scalar<O: Way>() {
    check::<O>(&config(false), Head::Scalar, Signal::Scalar, 1.0);
    check::<O>(&config(true), Head::Scalar, Signal::ScalarAfter, 1.0);
}

fn signals_add_up<O: Way>() {
    for (head, signals) in [(Head::Vocabulary, &ALL[..2]), (Head::Scalar, &ALL[2..])] {
        let (mut joint, mut apart) = (model::<O>(&config(true), head), model::<O>(&config(true), head));
        differentiate(&mut joint, &batch(), &want(signals, 1.3), cotangents);
        for signal in signals {
            differentiate(&mut apart, &batch(), &want(&[*signal], 1.3), cotangents);
        }
        crate::common::close(&joint, &apart, 1e-12);
    }
}

fn batches_add_up_and_padding_is_nothing<O: Way>() {
    let model = || model::<O>(&config(true), Head::Vocabulary);
    let (mut whole, mut parts) = (model(), model());
    let want = want(&ALL[..2], 0.9);
    let signals = whole.read(&batch(), &want).unwrap();
    let mut all = Default::default();
    differentiate(&mut whole, &batch(), &want, |s| {
        all = cotangents(s);
        all.clone()
    });
    let mut first = 0;
    for sequence in batch() {
        let end = first + sequence.completion.len();
        let alone = parts.read(&[sequence], &want).unwrap();
        for (signal, column) in &alone.0 {
            for (a, b) in column.iter().zip(&signals.0[signal][first..end]) {
                assert!((a - b).abs() < 1e-13, "{signal:?} alone {a}, in a batch {b}");
            }
        }
        let part = crate::common::rows(&all, first..end);
        differentiate(&mut parts, &[sequence], &want, |_| part.clone());
        first = end;
    }
    crate::common::close(&whole, &parts, 1e-12);
}
