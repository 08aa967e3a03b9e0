//! The transformer by size, on the CPU in f32, in tokens per second.
//!
//! `cargo bench --bench backbone` (a name after `--` picks: `-- step/A`)
//!
//! `read` is log-probabilities without gradient, `step` is forward, backward and one step of the optimiser, and `sample`
//! is drawing one token after another. The tokens counted are those of the completions.

mod sizes;

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use oreal::models::{Device, Products, Signal, Signals};
use sizes::{SIZES, Size, want};

fn main() {
    oreal::models::keep_memory();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for (name, measure) in [("read", read as Measure), ("step", step), ("sample", sample)] {
        let mut group = criterion.benchmark_group(name);
        for size in &SIZES[..3] {
            measure(&mut group, size);
        }
        group.finish();
    }
    criterion.final_summary();
}

type Measure = fn(&mut BenchmarkGroup<'_, WallTime>, &Size);

fn read(group: &mut BenchmarkGroup<'_, WallTime>, size: &Size) {
    let data = size.data();
    group.throughput(Throughput::Elements((size.batch * size.length) as u64));
    group.bench_function(size.name, |bencher| {
        let model = size.model(Device::Cpu, Products::F32);
        bencher.iter(|| model.read(&data.sequences(), &want()).expect("signals"));
    });
}

fn step(group: &mut BenchmarkGroup<'_, WallTime>, size: &Size) {
    let data = size.data();
    let cotangent = -1.0 / (size.batch * size.length) as f64;
    let cotangents = Signals([(Signal::Logp, vec![cotangent; size.batch * size.length])].into());
    group.throughput(Throughput::Elements((size.batch * size.length) as u64));
    group.bench_function(size.name, |bencher| {
        let mut model = size.model(Device::Cpu, Products::F32);
        bencher.iter(|| {
            let (_, pass) = model.forward(&data.sequences(), &want()).expect("signals");
            pass.backward(&cotangents).expect("a gradient");
            let norm = model.gradient_norm().expect("a finite gradient");
            model.step(1e-5, norm).expect("a step")
        });
    });
}

fn sample(group: &mut BenchmarkGroup<'_, WallTime>, size: &Size) {
    let (data, how) = (size.data(), size.sampling());
    group.throughput(Throughput::Elements((size.batch * size.drawn) as u64));
    group.bench_function(size.name, |bencher| {
        let model = size.model(Device::Cpu, Products::F32);
        bencher.iter(|| model.draw(&data.requests(), &how).expect("completions"));
    });
}
