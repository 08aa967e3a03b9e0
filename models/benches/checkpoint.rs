//! A checkpoint of the sizes of Qwen2.5-0.5B, with random weights in bf16: loading, drawing and reading.
//!
//! ```sh
//! cargo bench -p oreal-models --bench checkpoint -- [FOLDER] [frozen|bf16|f32]..
//! ```
//! The folder is filled when it is empty (1 GB), and kept. Peak memory is the process's: give one model to see its own.
//! `checkpoint.py` beside this file runs it by turns with transformers.

use std::path::{Path, PathBuf};
use std::time::Instant;

use oreal_models::architecture::{Config, Family, RopeScaling};
use oreal_models::{
    Frozen, Head, Key, Model, Optimiser, Precision, Products, Request, Sampling, Saving, Sequence, Signal, Token,
    Transformer, Want,
};
use rayon::prelude::*;

fn config() -> Config {
    Config {
        family: Family::Qwen2,
        vocab_size: 151_936,
        hidden_size: 896,
        num_hidden_layers: 24,
        num_attention_heads: 14,
        num_key_value_heads: 2,
        head_dim: None,
        intermediate_size: 4864,
        rope_theta: 1e6,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
    }
}

fn write(folder: &Path) {
    let model = Transformer::<f32>::new(config(), Head::Vocabulary, &Optimiser::default(), 0).unwrap();
    let how = Saving { precision: Precision::Bf16, ..Saving::default() };
    model.save_as(folder, &how).unwrap();
}

fn load(name: &str, folder: &Path) -> Box<dyn Model> {
    let products = if name == "bf16" { Products::Bf16 } else { Products::F32 };
    match name {
        "f32" => Box::new(Transformer::<f32>::load(folder, Head::Vocabulary, &Optimiser::default()).unwrap()),
        _ => Box::new(Frozen::open(folder, Head::Vocabulary, products).unwrap()),
    }
}

fn prompt(i: usize, length: usize) -> Vec<Token> {
    (0..length).map(|t| ((i * 7919 + t * t * 31 + 5) % 151_936) as Token).collect()
}

/// Seconds to draw.
fn draw(model: &dyn Model, count: usize, how: &Sampling) -> f64 {
    let prompt = prompt(0, 16);
    let key = |sample| Key { seed: 0, step: 0, prompt: 0, sample };
    let requests: Vec<Request<'_>> = (0..count).map(|i| Request { prompt: &prompt, key: key(i as u64) }).collect();
    let start = Instant::now();
    let drawn = model.draw(&requests, how).unwrap();
    assert!(drawn.iter().all(|completion| completion.tokens.len() == how.max_tokens));
    start.elapsed().as_secs_f64()
}

/// Seconds to read, and the log-probabilities.
fn read(model: &dyn Model, count: usize, length: usize) -> (f64, Vec<f64>) {
    let texts: Vec<Vec<Token>> = (0..count).map(|i| prompt(i, length + 1)).collect();
    let batch: Vec<Sequence<'_>> =
        texts.iter().map(|text| Sequence { prompt: &text[..1], completion: &text[1..] }).collect();
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    let start = Instant::now();
    let mut signals = model.read(&batch, &want).unwrap();
    (start.elapsed().as_secs_f64(), signals.0.remove(&Signal::Logp).unwrap())
}

/// Gigabytes per second that all threads together read from memory, in 8 streams each.
fn bandwidth() -> f64 {
    let numbers = vec![1u64; 1 << 27];
    let sum = |part: &[u64]| {
        let streams: Vec<&[u64]> = part.chunks_exact(part.len() / 8).collect();
        let mut sums = [0u64; 8];
        for first in (0..streams[0].len()).step_by(64) {
            for stream in &streams {
                let lines = stream[first..][..64].as_chunks::<8>().0;
                lines.iter().for_each(|line| sums.iter_mut().zip(line).for_each(|(sum, x)| *sum += x));
            }
        }
        sums.iter().sum::<u64>()
    };
    let best = (0..10).map(|_| {
        let start = Instant::now();
        let total: u64 = numbers.par_chunks(1 << 19).map(sum).sum();
        assert_eq!(total, 1 << 27);
        8.0 * (1 << 27) as f64 / start.elapsed().as_secs_f64() / 1e9
    });
    best.fold(0.0, f64::max)
}

/// A line of `/proc/self/status`, in megabytes.
fn memory(what: &str) -> f64 {
    let all = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = all.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1e3
}

/// One figure on a line of its own, as checkpoint.py reads it.
fn say(model: &str, what: &str, value: f64) {
    println!("{model} | {what} | {value:.3e}");
}

fn main() {
    oreal_models::keep_memory();
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let folder = arguments.first().map_or_else(|| std::env::temp_dir().join("oreal-0.5b"), PathBuf::from);
    if !folder.join("config.json").exists() {
        write(&folder);
    }
    let names =
        if arguments.len() > 1 { arguments[1..].to_vec() } else { ["frozen", "bf16", "f32"].map(Into::into).into() };
    say("memory", "read, GB/s", bandwidth());
    let greedy = |max_tokens| Sampling { temperature: 0.0, max_tokens, ..Sampling::default() };
    let plain = Sampling { max_tokens: 64, ..Sampling::default() };
    let mut exact: Option<Vec<f64>> = None;
    for name in &names {
        let start = Instant::now();
        let model = load(name, &folder);
        draw(&*model, 1, &greedy(1));
        say(name, "load and one token, s", start.elapsed().as_secs_f64());
        let (seconds, logps) = read(&*model, 8, 128);
        say(name, "read 8 x 128, s", seconds);
        say(name, "peak so far, MB", memory("VmHWM"));
        if let Some(exact) = &exact {
            let off: Vec<f64> = exact.iter().zip(&logps).map(|(a, b)| (a - b).abs()).collect();
            say(name, "log-probabilities off, mean", off.iter().sum::<f64>() / off.len() as f64);
            say(name, "log-probabilities off, greatest", off.iter().copied().fold(0.0, f64::max));
        }
        exact.get_or_insert(logps);
        let seconds = draw(&*model, 1, &greedy(64));
        let bytes = if name == "f32" { 4.0 } else { 2.0 } * 0.494;
        say(name, "greedy 64, s", seconds);
        say(name, "greedy 64, GB/s", 64.0 * bytes / seconds);
        say(name, "draw 16 x 64, s", draw(&*model, 16, &plain));
        let nucleus = Sampling { top_p: 0.9, ..plain.clone() };
        say(name, "draw 16 x 64 with top-p 0.9, s", draw(&*model, 16, &nucleus));
        say(name, "peak, MB", memory("VmHWM"));
        say(name, "without the file, MB", memory("RssAnon"));
    }
}
