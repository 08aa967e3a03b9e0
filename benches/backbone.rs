//! The transformer by size, on the CPU in f32, in tokens per second.
//!
//! `cargo bench --bench backbone` (a name after `--` picks: `-- step/A`)
//!
//! `read` is log-probabilities without gradient, `step` is forward, backward and one step of the optimiser, and `sample`
//! is drawing one token after another. Each is of a batch of completions of equal length, every one behind a prompt of a
//! single token; the tokens counted are those of the completions.

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use oreal::models::{
    Backbone, Head, Key, Optimiser, Sampler, Sampling, Sequence, Signal, Signals, Token, Transformer,
    TransformerConfig, Want,
};

/// A transformer, and the batch it is measured on.
struct Size {
    name: &'static str,
    vocab: usize,
    hidden: usize,
    layers: usize,
    heads: usize,
    wide: usize,
    /// Tokens of a completion.
    length: usize,
    /// Completions.
    batch: usize,
}

const SIZES: [Size; 3] = [
    Size { name: "A", vocab: 32, hidden: 64, layers: 2, heads: 4, wide: 128, length: 24, batch: 256 },
    Size { name: "B", vocab: 64, hidden: 128, layers: 4, heads: 4, wide: 384, length: 64, batch: 64 },
    Size { name: "C", vocab: 4096, hidden: 512, layers: 8, heads: 8, wide: 1408, length: 256, batch: 4 },
];

fn main() {
    oreal::models::keep_memory();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (name, measure) in [("read", read as Measure), ("step", step), ("sample", sample)] {
        let mut group = criterion.benchmark_group(name);
        for size in &SIZES {
            group.throughput(Throughput::Elements((size.batch * size.length) as u64));
            measure(&mut group, size);
        }
        group.finish();
    }
    criterion.final_summary();
}

type Measure = fn(&mut BenchmarkGroup<'_, WallTime>, &Size);

fn read(group: &mut BenchmarkGroup<'_, WallTime>, size: &Size) {
    let (prompts, completions) = (size.prompts(), size.completions());
    let batch = sequences(&prompts, &completions);
    group.bench_function(size.name, |bencher| {
        let model = size.model();
        bencher.iter(|| model.read(&batch, &want()).expect("signals"));
    });
}

fn step(group: &mut BenchmarkGroup<'_, WallTime>, size: &Size) {
    let (prompts, completions) = (size.prompts(), size.completions());
    let batch = sequences(&prompts, &completions);
    let cotangent = -1.0 / (size.batch * size.length) as f64;
    let mut loss =
        |signals: &Signals| Signals([(Signal::Logp, vec![cotangent; signals.0[&Signal::Logp].len()])].into());
    group.bench_function(size.name, |bencher| {
        let mut model = size.model();
        bencher.iter(|| {
            model.backward(&batch, &want(), &mut loss).expect("a gradient");
            model.step(1e-5).expect("a step")
        });
    });
}

fn sample(group: &mut BenchmarkGroup<'_, WallTime>, size: &Size) {
    let prompts = size.prompts();
    let prompts: Vec<&[Token]> = prompts.iter().map(|prompt| prompt.as_slice()).collect();
    let keys: Vec<Key> = (0..size.batch as u64).map(|sample| Key { seed: 0, step: 0, prompt: 0, sample }).collect();
    let how = Sampling { max_tokens: size.length, ..Sampling::default() };
    group.bench_function(size.name, |bencher| {
        let mut model = size.model();
        bencher.iter(|| model.sample(&prompts, &keys, &how).expect("completions"));
    });
}

impl Size {
    fn model(&self) -> Transformer<f32> {
        let config = TransformerConfig {
            vocab_size: self.vocab,
            hidden_size: self.hidden,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: self.heads,
            intermediate_size: self.wide,
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: false,
        };
        Transformer::new(config, Head::Vocabulary, &Optimiser::default(), 0).expect("a valid size")
    }

    fn prompts(&self) -> Vec<[Token; 1]> {
        (0..self.batch).map(|i| [(i % self.vocab) as Token]).collect()
    }

    fn completions(&self) -> Vec<Vec<Token>> {
        let token = |i: usize, t: usize| ((i * 31 + t * 17 + 1) % self.vocab) as Token;
        (0..self.batch).map(|i| (0..self.length).map(|t| token(i, t)).collect()).collect()
    }
}

fn sequences<'a>(prompts: &'a [[Token; 1]], completions: &'a [Vec<Token>]) -> Vec<Sequence<'a>> {
    prompts.iter().zip(completions).map(|(prompt, completion)| Sequence { prompt, completion }).collect()
}

fn want() -> Want {
    Want { signals: vec![Signal::Logp], temperature: 1.0 }
}
