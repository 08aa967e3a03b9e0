//! Milliseconds of one training step and of drawing one batch, on the CPU: median of many.
//!
//! `cargo run --release -p oreal-models --example step -- 128 256 1024` (numbers of sequences)

use std::time::Instant;

use oreal_models::transformer::{Config, Fused};
use oreal_models::{
    Backbone, Head, Key, Optimiser, Result, Sampler, Sampling, Sequence, Signal, Signals, Transformer, Want,
};

fn main() -> Result<()> {
    oreal_models::keep_memory();
    for batch in std::env::args().skip(1).filter_map(|size| size.parse().ok()) {
        let (step, read, sample) = times(batch)?;
        println!("{batch:5} sequences: step {step:6.2} ms, read {read:6.2} ms, sample {sample:6.2} ms");
    }
    Ok(())
}

/// Hidden 64, 2 layers, vocabulary 16, 4 tokens of prompt and 9 of completion.
fn times(batch: usize) -> Result<(f64, f64, f64)> {
    let config = Config {
        vocab_size: 16,
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 4,
        intermediate_size: 128,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: false,
    };
    let mut model = Transformer::<f32, Fused>::new(config, Head::Vocabulary, &Optimiser::default(), 0)?;
    let prompts: Vec<[u32; 4]> = (0..batch as u32).map(|i| [i % 16, i / 16 % 16, 3, 4]).collect();
    let prompts: Vec<&[u32]> = prompts.iter().map(|p| p.as_slice()).collect();
    let keys: Vec<Key> = (0..batch as u64).map(|sample| Key { seed: 0, step: 0, prompt: 0, sample }).collect();
    let how = Sampling { max_tokens: 9, ..Sampling::default() };
    let drawn = model.sample(&prompts, &keys, &how)?;
    let sequences = prompts.iter().zip(&drawn).map(|(prompt, c)| Sequence { prompt, completion: &c.tokens });
    let sequences: Vec<Sequence<'_>> = sequences.collect();
    let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
    let mut loss = |s: &Signals| Signals([(Signal::Logp, vec![-0.001; s.0[&Signal::Logp].len()])].into());
    let step = median(|| {
        model.backward(&sequences, &want, &mut loss)?;
        model.step(1e-5).map(|_| ())
    })?;
    let read = median(|| model.read(&sequences, &want).map(|_| ()))?;
    let sample = median(|| model.sample(&prompts, &keys, &how).map(|_| ()))?;
    Ok((step, read, sample))
}

fn median(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..31 {
        let start = Instant::now();
        work()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
