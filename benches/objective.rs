//! Objectives and credits, of every algorithm with every preset, in tokens per second.
//!
//! `cargo bench --bench objective` (a name after `--` picks: `-- long/evaluate/grpo`)
//!
//! `evaluate` is an objective's value with the cotangents of all its signals; `credit` is the advantages. Both run in
//! f64 on one thread, on a whole batch whose columns are in place. No model is involved.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use oreal::algos::{BuiltIn, Column, Experience, Layout, Level, credit_of};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Name, groups, trajectories of each, and lengths in tokens.
const BATCHES: [(&str, usize, usize, std::ops::RangeInclusive<usize>); 2] =
    [("short", 64, 16, 1..=16), ("long", 8, 16, 900..=1100)];

fn main() {
    oreal::models::keep_memory();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for (name, groups, size, lengths) in BATCHES {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let lengths = (0..groups).map(|_| (0..size).map(|_| rng.random_range(lengths.clone())).collect());
        let x = experience(Layout::new(&lengths.collect::<Vec<_>>()).unwrap(), &mut rng);
        evaluate(&mut group(&mut criterion, &format!("{name}/evaluate"), &x), &x);
        credit(&mut group(&mut criterion, &format!("{name}/credit"), &x), &x);
    }
    criterion.final_summary();
}

/// Benchmarks whose throughput is in tokens of the batch.
fn group<'a>(criterion: &'a mut Criterion, name: &str, x: &Experience) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(x.layout().count(Level::Token) as u64));
    group
}

fn evaluate(group: &mut BenchmarkGroup<'_, WallTime>, x: &Experience) {
    for (name, preset, algorithm) in BuiltIn::all() {
        let objective = algorithm.objective();
        let x = x.clone().with(Column::ADVANTAGE, credit_of(&*algorithm).evaluate(x)).unwrap();
        let id = BenchmarkId::from_parameter(format!("{name}-{preset}"));
        group.bench_function(id, |bencher| bencher.iter(|| objective.evaluate(black_box(&x))));
    }
}

fn credit(group: &mut BenchmarkGroup<'_, WallTime>, x: &Experience) {
    for (name, preset, algorithm) in BuiltIn::all() {
        let credit = credit_of(&*algorithm);
        let id = BenchmarkId::from_parameter(format!("{name}-{preset}"));
        group.bench_function(id, |bencher| bencher.iter(|| credit.evaluate(black_box(x))));
    }
}

/// Every column: log-probabilities that lie close to each other, as many right answers as wrong ones, no duplicates.
fn experience(layout: Layout, rng: &mut ChaCha8Rng) -> Experience {
    let logp: Vec<f64> = (0..layout.count(Level::Token)).map(|_| -rng.random_range(0.1..3.0)).collect();
    let mut x = Experience::new(layout);
    for column in Column::ALL {
        let values = match column {
            Column::LOGP | Column::OLD_LOGP | Column::REF_LOGP | Column::SAMPLED_LOGP => {
                logp.iter().map(|logp| logp + rng.random_range(-0.1..0.1)).collect()
            }
            Column::REWARD => (0..x.layout().count(column.level())).map(|_| f64::from(rng.random_bool(0.5))).collect(),
            Column::DUPLICATE | Column::TRUNCATED => vec![0.0; x.layout().count(column.level())],
            _ => (0..x.layout().count(column.level())).map(|_| rng.random_range(-1.5..1.5)).collect(),
        };
        x.set(column, values).unwrap();
    }
    x
}
