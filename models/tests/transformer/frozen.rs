//! Transformers that do not learn: they compute what those that learn compute, with their weights left in the files.

use std::path::Path;

use oreal_models::transformer::Config;
use oreal_models::{
    Completion, Frozen, Head, Key, Model, Optimiser, Precision, Products, Request, Sampling, Saving, Sequence, Signal,
    Signals, Token, Transformer,
};

use crate::common::{agree, config, families, want};

const BF16: Saving = Saving { precision: Precision::Bf16, shard_size: 5_000_000_000 };

/// Too large for the cache of a core, so that all threads share each matmul and weights are read where they are.
fn large() -> Config {
    Config { vocab_size: 4003, hidden_size: 256, intermediate_size: 528, ..config(true) }
}

/// A checkpoint in bf16, and what a model that learns makes of it.
fn saved(folder: &Path, config: &Config, head: Head) -> Transformer {
    let mut model = Transformer::<f32>::new(config.clone(), head, &Optimiser::default(), 3).unwrap();
    // Biases and scalar heads start at zero, and norms at one.
    let vectors: Vec<(String, usize)> = model
        .weights()
        .filter(|(_, numbers)| numbers.len() <= 528)
        .map(|(name, x)| (name.to_owned(), x.len()))
        .collect();
    for (name, count) in vectors {
        (0..count).for_each(|i| model.nudge(&name, i, 0.2 * ((i * 5 + name.len()) as f64).sin()).unwrap());
    }
    model.save_as(folder, &BF16).unwrap();
    Transformer::load(folder, head, &Optimiser::default()).unwrap()
}

fn open(folder: &Path, head: Head, products: Products) -> Frozen {
    Frozen::open(folder, head, products).unwrap()
}

/// Longer than a strip of queries, and of one token.
fn sequences(vocabulary: usize) -> Vec<(Vec<Token>, Vec<Token>)> {
    let tokens =
        |i: usize, count: usize| (0..count).map(|t| ((i * 31 + t * t * 7 + 1) % vocabulary) as Token).collect();
    [(30, 41), (1, 1), (5, 90), (13, 2), (1, 12)]
        .iter()
        .enumerate()
        .map(|(i, n)| (tokens(i, n.0), tokens(i + 9, n.1)))
        .collect()
}

fn read(model: &dyn Model, signals: &[Signal]) -> Signals {
    let sequences = sequences(7);
    let batch: Vec<_> = sequences.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    model.read(&batch, &want(signals, 0.9)).unwrap()
}

fn forward(model: &mut dyn Model, signals: &[Signal]) -> Signals {
    let sequences = sequences(7);
    let batch: Vec<_> = sequences.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    model.forward(&batch, &want(signals, 0.9)).unwrap().0
}

fn draw(model: &dyn Model, how: &Sampling) -> Vec<Completion> {
    let sequences = sequences(7);
    let key = |sample| Key { seed: 4, step: 0, prompt: 1, sample };
    let requests: Vec<_> = (0..).zip(&sequences).map(|(i, (prompt, _))| Request { prompt, key: key(i) }).collect();
    model.draw(&requests, how).unwrap()
}

const SIGNALS: [Signal; 2] = [Signal::Logp, Signal::Entropy];
const SCALARS: [Signal; 2] = [Signal::Scalar, Signal::ScalarAfter];

#[test]
fn a_large_model_reads_and_draws_the_same_bits_from_bf16_as_from_f32() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = saved(folder.path(), &large(), Head::Vocabulary);
    let frozen = open(folder.path(), Head::Vocabulary, Products::F32);
    let learnt = forward(&mut model, &SIGNALS);
    assert_eq!(read(&model, &SIGNALS), learnt, "a forward pass for learning, and reading");
    assert_eq!(read(&frozen, &SIGNALS), learnt);
    for (temperature, max_tokens) in [(1.0, 20), (0.0, 20), (1.0, 2)] {
        let how = Sampling { temperature, max_tokens, top_p: 0.95, ..Sampling::default() };
        assert_eq!(draw(&frozen, &how), draw(&model, &how), "temperature {temperature}, {max_tokens} tokens");
    }
}

#[test]
fn a_large_model_reports_the_same_scalars() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = saved(folder.path(), &large(), Head::Scalar);
    let frozen = open(folder.path(), Head::Scalar, Products::F32);
    assert_eq!(read(&frozen, &SCALARS), forward(&mut model, &SCALARS));
    let message = frozen.read(&[Sequence { prompt: &[1], completion: &[2] }], &want(&SIGNALS, 1.0)).unwrap_err();
    assert!(message.to_string().contains("Scalar head does not report Logp"), "{message}");
}

#[test]
fn every_family_reads_the_same_numbers() {
    for config in families() {
        let folder = tempfile::tempdir().unwrap();
        let model = saved(folder.path(), &config, Head::Vocabulary);
        let frozen = open(folder.path(), Head::Vocabulary, Products::F32);
        println!("{:?}", config.family);
        agree(&read(&frozen, &SIGNALS), &read(&model, &SIGNALS));
        let how = Sampling { max_tokens: 15, ..Sampling::default() };
        assert_eq!(draw(&frozen, &how), draw(&model, &how));
        model.save(folder.path()).unwrap();
        let wide = open(folder.path(), Head::Vocabulary, Products::F32);
        agree(&read(&wide, &SIGNALS), &read(&model, &SIGNALS));
    }
}

#[test]
fn products_in_bf16_are_near_and_the_same_at_any_number_of_threads() {
    for config in [large(), config(false)] {
        let folder = tempfile::tempdir().unwrap();
        saved(folder.path(), &config, Head::Vocabulary);
        let near = match Frozen::open(folder.path(), Head::Vocabulary, Products::Bf16) {
            Ok(near) => near,
            Err(problem) => {
                assert!(problem.to_string().contains("model.products: this processor has neither"), "{problem}");
                return;
            }
        };
        let exact = read(&open(folder.path(), Head::Vocabulary, Products::F32), &SIGNALS);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let how = Sampling { max_tokens: 5, ..Sampling::default() };
            pool.install(|| (read(&near, &SIGNALS), draw(&near, &how)))
        };
        let (found, drawn) = run(1);
        assert_eq!(run(3), (found.clone(), drawn));
        let pairs = exact.0[&Signal::Logp].iter().zip(&found.0[&Signal::Logp]);
        let off = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off > 0.0 && off < 0.05, "off by {off}");
    }
}

#[test]
fn it_does_not_learn_but_its_forks_do() {
    let folder = tempfile::tempdir().unwrap();
    let model = saved(folder.path(), &config(false), Head::Vocabulary);
    let mut frozen = open(folder.path(), Head::Vocabulary, Products::F32);
    let batch = [Sequence { prompt: &[1], completion: &[2] }];
    let message = frozen.forward(&batch, &want(&SIGNALS, 1.0)).err().unwrap().to_string();
    assert!(message.contains("does not learn: fork it"), "{message}");
    assert!(frozen.step(0.1, Some(1.0)).is_err());
    assert_eq!(frozen.gradient_norm().unwrap(), Some(0.0));
    let mut fork = frozen.forked(Head::Vocabulary, &Optimiser::default()).unwrap();
    assert!(fork.weights().eq(model.weights()));
    let expected = model.fork(Head::Scalar, &Optimiser::default()).unwrap();
    let critic = frozen.fork(Head::Scalar, &Optimiser::default()).unwrap();
    assert_eq!(read(&*critic, &SCALARS), read(&*expected, &SCALARS));
    let (signals, pass) = Model::forward(&mut fork, &batch, &want(&[Signal::Logp], 1.0)).unwrap();
    pass.backward(&signals).unwrap();
    let norm = fork.gradient_norm().unwrap();
    fork.step(0.1, norm).unwrap();
    assert!(norm > Some(0.0) && !fork.weights().eq(model.weights()));
}

#[test]
fn it_is_written_as_it_was_read() {
    let [folder, copy] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    saved(folder.path(), &config(true), Head::Vocabulary);
    let mut frozen = open(folder.path(), Head::Vocabulary, Products::F32);
    frozen.save(copy.path()).unwrap();
    for file in ["model.safetensors", "config.json"] {
        let [a, b] = [&folder, &copy].map(|folder| std::fs::read(folder.path().join(file)).unwrap());
        assert_eq!(a, b, "{file}");
    }
    let state = frozen.state().unwrap();
    frozen.restore(&state).unwrap();
    let other = Transformer::<f32>::new(config(true), Head::Vocabulary, &Optimiser::default(), 1).unwrap();
    assert!(frozen.restore(&other.state().unwrap()).is_err());
}

#[test]
fn numbers_that_are_not_finite_are_named() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path(), &config(true), Head::Vocabulary);
    let path = folder.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    (bytes[last - 1], bytes[last]) = (0xc0, 0x7f);
    std::fs::write(&path, bytes).unwrap();
    let message = Frozen::open(folder.path(), Head::Vocabulary, Products::F32).unwrap_err().to_string();
    assert!(message.contains("tensor `model.") && message.contains("NaN or an infinity"), "{message}");
}
