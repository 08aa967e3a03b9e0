//! Training steps at the default sizes, in seconds, and what they are spent on.
//!
//! `cargo bench --bench step` (a name after `--` picks: `-- grpo`)
//!
//! One start is shared by all, with too short a warm-up to be right often: its pass rate is printed. Each algorithm has
//! its default settings, except that OREAL's policy learns from the first step on. First comes a table of one run of
//! each: milliseconds a step, their share by stage, and how many of the drawn trajectories were learnt from. Then the
//! timings: one iteration is a run of [`STEPS`] steps without evaluation, and the elements of its throughput are steps.

use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use oreal::algos::{BuiltIn, Grpo, Oreal, Ppo, Rft};
use oreal::{Config, Experiment, Run, StepRecord, WarmedUp, train};

/// Steps of warm-up.
const WARM_UP: usize = 600;
/// Steps of training.
const STEPS: usize = 4;

fn main() {
    oreal::models::keep_memory();
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    let experiments = experiments();
    let start = experiments[0].1.warm_up(&mut |_| {}).expect("a start");
    table(&experiments, &start);
    timings(&mut criterion, &experiments, &start);
    criterion.final_summary();
}

fn experiments() -> Vec<(&'static str, Experiment)> {
    let algorithms = [
        ("oreal", BuiltIn::Oreal(Oreal { frozen_steps: 0, ..Oreal::default() })),
        ("grpo", BuiltIn::Grpo(Grpo::default())),
        ("ppo", BuiltIn::Ppo(Ppo::default())),
        ("rft", BuiltIn::Rft(Rft::default())),
    ];
    let experiment = |algorithm: BuiltIn| {
        Experiment::from_config(Config { algorithm: algorithm.into(), ..Config::default() }).with(|settings| {
            settings.warm_up.steps = WARM_UP;
            settings.train.steps = STEPS;
        })
    };
    algorithms.map(|(name, algorithm)| (name, experiment(algorithm))).into()
}

fn timings(criterion: &mut Criterion, experiments: &[(&str, Experiment)], start: &WarmedUp) {
    let mut group = criterion.benchmark_group(format!("{STEPS} steps"));
    group.throughput(Throughput::Elements(STEPS as u64));
    for (name, experiment) in experiments {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_batched(
                || experiment.prepare(start).expect("a policy of a known size"),
                records,
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn table(experiments: &[(&str, Experiment)], start: &WarmedUp) {
    println!("pass rate of the start: {}\n", start.pass_rate);
    println!("           ms/step  sample   judge    fill  update  learnt from");
    for (name, experiment) in experiments {
        println!("{name:10} {}", row(&records(experiment.prepare(start).expect("a policy of a known size"))));
    }
    println!();
}

fn row(records: &[StepRecord]) -> String {
    let mean = |of: &dyn Fn(&StepRecord) -> f64| records.iter().map(of).sum::<f64>() / records.len() as f64;
    let stages = [
        mean(&|record| record.seconds.sample),
        mean(&|record| record.seconds.judge),
        mean(&|record| record.seconds.fill),
        mean(&|record| record.seconds.update),
    ];
    let whole: f64 = stages.iter().sum();
    let shares = stages.map(|stage| format!("{:6.1}%", 100.0 * stage / whole)).join(" ");
    let (kept, drawn) = (mean(&|record| record.kept as f64), mean(&|record| record.trajectories as f64));
    format!("{:7.1} {shares}  {kept:.0} of {drawn:.0}", 1e3 * whole)
}

fn records(mut run: Run) -> Vec<StepRecord> {
    let mut records = Vec::new();
    let trained = train(&mut run, &mut |done| {
        records.push(StepRecord::new(done));
        Ok(())
    });
    trained.expect("a run without errors");
    records
}
