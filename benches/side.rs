//! Our side of the comparison with PyTorch and TRL that `benches/pytorch.py` makes; by itself it measures nothing.
//!
//! Its argument is the device. Each line of standard input is a [`Request`] in JSON, and is answered with one line of JSON. Times are in
//! milliseconds and leave out reading requests and writing answers.

mod sizes;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use oreal::algos::Level;
use oreal::envs::Problem;
use oreal::models::{Device, InProcess, Model, Products, Sampling, Signal, Signals, Token};
use oreal::rollout::sequences;
use oreal::text::END;
use oreal::{Config, Experiment, Run, train};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use serde_json::{Value, json};
use sizes::{Batch, SIZES, Size, want};

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    /// Writes a size's weights as Hugging Face names them, and its batch as `batch.json`.
    Save { size: String, folder: PathBuf },
    /// A training step of a size, with products of this precision.
    Step {
        size: String,
        #[serde(default)]
        products: Products,
    },
    /// Draws the completions of a size; at temperature 0 the most likely ones.
    Sample { size: String, temperature: f64 },
    /// Warms a policy up with these settings (`section.key=value`) and writes it with its tokenizer; then one step of
    /// training for each line, until there is no more.
    Train { set: Vec<String>, folder: PathBuf },
    /// The most memory this process has held so far.
    Memory {},
}

fn main() {
    oreal::models::keep_memory();
    oreal::models::allow_tf32();
    let device = std::env::args().nth(1).map_or(Device::Cpu, |device| device.parse().expect("a device"));
    let mut subjects = Subjects { device, made: BTreeMap::new() };
    while let Some(line) = line() {
        answer(&match serde_json::from_str(&line).expect("a request") {
            Request::Save { size, folder } => subjects.of(size, Products::F32).save(&folder),
            Request::Step { size, products } => subjects.of(size, products).step(),
            Request::Sample { size, temperature } => subjects.of(size, Products::F32).sample(temperature),
            Request::Train { set, folder } => return training(&set, &folder),
            Request::Memory {} => json!({ "mb": peak_memory() }),
        });
    }
}

/// Each made when it is first asked for.
struct Subjects {
    device: Device,
    made: BTreeMap<(String, Option<&'static str>), Subject>,
}

impl Subjects {
    fn of(&mut self, size: String, products: Products) -> &mut Subject {
        let device = self.device;
        self.made.entry((size, products.unit())).or_insert_with_key(|(size, _)| Subject::new(size, device, products))
    }
}

/// A model of some size with what it is measured on.
struct Subject {
    size: &'static Size,
    model: Box<dyn Model>,
    data: Batch,
    /// Of each token in the loss.
    weights: Vec<f64>,
}

impl Subject {
    fn new(name: &str, device: Device, products: Products) -> Subject {
        let size = SIZES.iter().find(|size| size.name == name).expect("a known size");
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let weights = (0..size.batch * size.length).map(|_| rng.random_range(-0.5..1.5)).collect();
        Subject { size, model: size.model(device, products), data: size.data(), weights }
    }

    fn save(&self, folder: &Path) -> Value {
        self.model.save(folder).expect("a folder that can be written");
        let Batch { prompts, completions } = &self.data;
        let batch = json!({
            "prompts": prompts, "completions": completions, "weights": self.weights, "drawn": self.size.drawn,
        });
        fs::write(folder.join("batch.json"), batch.to_string()).expect("a folder that can be written");
        json!({})
    }

    /// The loss is the mean of `-weight * logp` over the batch's tokens.
    fn step(&mut self) -> Value {
        let scale = -1.0 / self.weights.len() as f64;
        let clock = Instant::now();
        let (signals, pass) = self.model.forward(&self.data.sequences(), &want()).expect("signals");
        let pairs = self.weights.iter().zip(&signals.0[&Signal::Logp]);
        let value = scale * pairs.map(|(weight, logp)| weight * logp).sum::<f64>();
        let cotangents = self.weights.iter().map(|weight| scale * weight).collect();
        pass.backward(&Signals([(Signal::Logp, cotangents)].into())).expect("a gradient");
        let norm = self.model.gradient_norm().expect("a finite gradient");
        self.model.step(1e-5, norm).expect("a step");
        json!({ "ms": since(clock), "loss": value, "norm": norm })
    }

    fn sample(&mut self, temperature: f64) -> Value {
        let how = Sampling { temperature, ..self.size.sampling() };
        let clock = Instant::now();
        let drawn = self.model.draw(&self.data.requests(), &how).expect("completions");
        let ms = since(clock);
        let tokens: Vec<&Vec<Token>> = drawn.iter().map(|completion| &completion.tokens).collect();
        json!({ "ms": ms, "tokens": tokens })
    }
}

/// The settings are put over those of toy addition.
fn training(set: &[String], folder: &Path) {
    let experiment = Experiment::from_config(Config::from_toml("", "the request", set).expect("settings"));
    let start = experiment.warm_up(&mut |_| {}).expect("a start");
    start.policy.save(folder).expect("a folder that can be written");
    start.renderer.save(folder).expect("a folder that can be written");
    let mut run = experiment.prepare(&start).expect("a policy of a known size");
    answer(&introduction(&mut run));
    if line().is_none() {
        return;
    }
    let mut clock = Instant::now();
    let trained = train(&mut run, &mut |done| {
        let ms = since(clock);
        let trajectories = done.full.layout().count(Level::Trajectory) as f64;
        let kept = done.kept.iter().filter(|kept| **kept).count();
        answer(
            &json!({ "ms": ms, "length": done.full.layout().count(Level::Token) as f64 / trajectories, "kept": kept }),
        );
        if line().is_none() {
            std::process::exit(0);
        }
        clock = Instant::now();
        Ok(())
    });
    trained.expect("a run without errors");
}

/// What TRL needs to do the same, and some log-probabilities to check it by.
fn introduction(run: &mut Run) -> Value {
    let problems: Vec<Problem> = (0..run.settings.train.steps).flat_map(|step| run.problems(step)).collect();
    let problems: Vec<_> =
        problems.iter().map(|problem| (problem.prompt.to_string(), problem.answer.clone())).collect();
    let first = run.problems(0);
    let (policy, rollout) = (run.roles.policy().expect("a policy"), run.rollout());
    let (groups, _) = rollout.groups(policy, &mut InProcess::default(), 0, first, 1).expect("completions");
    let sequences = sequences(&groups);
    let signals = policy.read(&sequences, &want()).expect("signals");
    let sequences: Vec<_> = sequences.iter().map(|sequence| (sequence.prompt, sequence.completion)).collect();
    json!({
        "problems": problems, "max_tokens": rollout.sampling.max_tokens, "end": END,
        "sequences": sequences, "logp": signals.0[&Signal::Logp],
    })
}

/// The next of standard input.
fn line() -> Option<String> {
    io::stdin().lines().next().map(|line| line.expect("text"))
}

fn answer(value: &Value) {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}").and_then(|()| out.flush()).expect("a reader");
}

fn since(clock: Instant) -> f64 {
    1e3 * clock.elapsed().as_secs_f64()
}

/// In MB, as Linux counts it.
fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024.0 / 1e6
}
