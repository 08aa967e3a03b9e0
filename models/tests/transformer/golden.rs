//! Log-probabilities and greedy completions of small checkpoints, against transformers: `tests/golden/make.py` made
//! the files. On these checkpoints transformers in f32 differs from itself in f64 by up to 1e-5.

use std::fs;
use std::path::{Path, PathBuf};

use oreal_models::transformer::{Cpu, Fused, Stock};
use oreal_models::{Head, Key, Model, Optimiser, Request, Sampling, Sequence, Signal, Token, Transformer};
use serde::Deserialize;

use crate::common::{Way, want};

/// What transformers computed in f32.
#[derive(Deserialize)]
struct Golden {
    sequences: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    prompt: Vec<Token>,
    completion: Vec<Token>,
    /// Of each token of the completion, nats.
    logps: Vec<f64>,
    /// The most likely token after the prompt, then after that, and so on.
    greedy: Vec<Token>,
}

/// Folders of `tests/golden`, in order.
fn checkpoints() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("golden.json").exists()).collect();
    folders.sort();
    assert!(folders.len() >= 7, "{folders:?}");
    folders
}

/// Largest difference of a log-probability.
fn difference<O: Way>(folder: &Path) -> f64 {
    let golden: Golden = serde_json::from_slice(&fs::read(folder.join("golden.json")).unwrap()).unwrap();
    let model = Transformer::<f32, O>::load(folder, Head::Vocabulary, &Optimiser::default()).unwrap();
    let batch: Vec<Sequence<'_>> =
        golden.sequences.iter().map(|Expected { prompt, completion, .. }| Sequence { prompt, completion }).collect();
    let read = model.read(&batch, &want(&[Signal::Logp], 1.0)).unwrap();
    let expected: Vec<f64> = golden.sequences.iter().flat_map(|sequence| sequence.logps.clone()).collect();
    assert_eq!(expected.len(), read.0[&Signal::Logp].len());
    for Expected { prompt, greedy, .. } in &golden.sequences {
        let how = Sampling { temperature: 0.0, max_tokens: greedy.len(), ..Sampling::default() };
        let request = Request { prompt, key: Key { seed: 1, step: 1, prompt: 1, sample: 1 } };
        let drawn = &model.draw(&[request], &how).unwrap()[0];
        assert_eq!(&drawn.tokens, greedy, "{} after {prompt:?}", folder.display());
    }
    read.0[&Signal::Logp].iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn log_probabilities_and_greedy_completions_are_those_of_transformers() {
    for folder in checkpoints() {
        for (way, off) in [("fused", difference::<Fused>(&folder)), ("stock", difference::<Stock<Cpu>>(&folder))] {
            println!("{} {way}: {off:e}", folder.file_name().unwrap().display());
            assert!(off < 1e-4, "{} {way}: {off}", folder.display());
        }
    }
}
