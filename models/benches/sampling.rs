//! Drawing one token from a vocabulary of 152,000, against one pass over the logits: their maximum and the sum of their
//! exponentials, as the log-probability of a token takes it.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use oreal_models::Sampling;
use oreal_models::head::Softmax;
use oreal_models::sampling::draw;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const VOCABULARY: usize = 152_000;

/// Normal logits; the larger the deviation, the fewer tokens hold most of the probability.
fn logits(deviation: f64) -> Vec<f32> {
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    let mut normal = || {
        let (radius, angle) = (1.0 - stream.random::<f64>(), stream.random::<f64>());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    };
    (0..VOCABULARY).map(|_| (deviation * normal()) as f32).collect()
}

fn sampling(c: &mut Criterion) {
    for (name, deviation) in [("flat", 1.0), ("even", 2.5), ("peaked", 5.0)] {
        let logits = logits(deviation);
        let mut group = c.benchmark_group(format!("sampling/{name}"));
        group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
        group.bench_function("one pass", |b| b.iter(|| Softmax::new(black_box(&logits), 0.7)));
        for (setting, top_k, top_p) in [
            ("all", 0, 1.0),
            ("top-k 50", 50, 1.0),
            ("top-p 0.9", 0, 0.9),
            ("top-k 50, top-p 0.9", 50, 0.9),
            ("top-k 5000", 5000, 1.0),
        ] {
            let how = Sampling { temperature: 0.7, top_k, top_p, ..Sampling::default() };
            let mut uniforms = (0u32..).map(|i| f64::from(i % 997) / 997.0);
            group.bench_function(setting, |b| {
                b.iter(|| draw(black_box(&logits), &how, uniforms.next().unwrap_or_default()).unwrap())
            });
        }
        group.finish();
    }
}

criterion_group!(benches, sampling);
criterion_main!(benches);
