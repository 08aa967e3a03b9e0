//! Every algorithm solves the smallest environment.

use oreal::algos::BuiltIn;
use oreal::config::ModelSettings;
use oreal::envs::{Bandit, BuiltIn as EnvList, Env};
use oreal::{Config, Experiment, Progress};

/// Mean pass rate of the first and of the last five steps of training on two questions, from a weak start.
fn learning(algorithm: BuiltIn, model: ModelSettings, rate: f64) -> (f64, f64) {
    let bandit = Bandit::new(vec![0.2, 0.5], 1).unwrap();
    assert_eq!(bandit.name(), "bandit");
    let config = Config { env: EnvList::from(bandit).into(), algorithm: algorithm.into(), ..Config::default() };
    let experiment = Experiment::from_config(config).with(|s| {
        s.model = model;
        (s.warm_up.steps, s.warm_up.batch, s.warm_up.error_rate, s.warm_up.rate) = (30, 32, 0.7, rate);
        (s.train.steps, s.train.prompts, s.train.rollouts) = (100, 8, 8);
        s.rates.roles.values_mut().for_each(|of_role| *of_role = rate);
    });
    let mut rates = Vec::new();
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    let mut watch = |progress: Progress<'_>| {
        if let Progress::Step { record, .. } = progress {
            rates.push(record.pass_rate);
        }
    };
    experiment.train(&start, &mut watch).unwrap();
    let mean = |rates: &[f64]| rates.iter().sum::<f64>() / rates.len() as f64;
    (mean(&rates[..5]), mean(&rates[rates.len() - 5..]))
}

#[test]
fn every_algorithm_solves_the_bandit_on_a_table() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let (first, last) = learning(algorithm, ModelSettings::Table {}, 0.15);
        assert!(first < 0.8 && last > 0.95, "{name}/{preset}: pass rate from {first:.2} to {last:.2}");
    }
}

#[test]
fn every_algorithm_solves_the_bandit_on_a_transformer() {
    let small = ModelSettings::Transformer {
        family: Default::default(),
        num_hidden_layers: 1,
        hidden_size: 16,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        intermediate_size: 32,
        train_products: Default::default(),
        engine: None,
    };
    for (name, preset, algorithm) in BuiltIn::all() {
        let (first, last) = learning(algorithm, small.clone(), 0.01);
        assert!(first < 0.8 && last > 0.95, "{name}/{preset}: pass rate from {first:.2} to {last:.2}");
    }
}
