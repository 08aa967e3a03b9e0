//! A run is owned, and can be written down and taken up again.

use std::collections::BTreeMap;

use oreal::algos::BuiltIn;
use oreal::models::ModelState;
use oreal::{Config, Experiment, Run, StepRecord, TrainingState, WarmedUp, step};

const SETTINGS: &str = "[env]\nname = \"addition\"\ndigits = 1\n[model]\nnum_hidden_layers = 1\nhidden_size = 16\nintermediate_size = \
                        24\n[warm_up]\nsteps = 5\nbatch = 16\n[train]\nsteps = 5\nprompts = 4\nrollouts = 4\n[evaluation]\ncompletions = 10\n";

fn experiment(algorithm: BuiltIn) -> Experiment {
    let config = Config::from_toml(SETTINGS, "test", &[]).unwrap();
    Experiment::from_config(Config { algorithm: algorithm.into(), ..config })
}

/// Records without their times.
fn steps(run: &mut Run, count: usize) -> Vec<StepRecord> {
    let record = |_| {
        let record = StepRecord::new(&step(run).unwrap());
        StepRecord { seconds: Default::default(), ..record }
    };
    (0..count).map(record).collect()
}

fn through_bytes(state: &TrainingState) -> TrainingState {
    let model = |(role, model): (&String, &ModelState)| {
        (role.clone(), ModelState::from_bytes(&model.to_bytes().unwrap()).unwrap())
    };
    let models: BTreeMap<String, ModelState> = state.models.iter().map(model).collect();
    TrainingState { models, ..state.clone() }
}

#[test]
fn a_run_goes_on_from_its_state_as_if_it_had_never_stopped() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let mut experiment = experiment(algorithm);
        if name == "oreal" {
            experiment = experiment.with(|s| s.train.steps = 14);
        }
        let start: WarmedUp = experiment.warm_up(&mut |_| {}).unwrap();
        let total = if name == "oreal" { 14 } else { 5 };
        let mut whole = experiment.prepare(&start).unwrap();
        let expected = steps(&mut whole, total);
        let mut first = experiment.prepare(&start).unwrap();
        let mut found = steps(&mut first, total - 3);
        let state = through_bytes(&first.state().unwrap());
        drop(first);
        let mut second = experiment.prepare(&start).unwrap();
        second.restore(&state).unwrap();
        assert_eq!(second.next_step(), total - 3);
        found.extend(steps(&mut second, 3));
        assert_eq!(found, expected, "{name}/{preset}");
        assert_eq!(second.state().unwrap(), whole.state().unwrap(), "{name}/{preset}");
    }
}

#[test]
fn an_epoch_passes_over_every_problem_once_in_an_order_of_its_own() {
    let text = "[env]\nname = \"bandit\"\n[model]\nkind = \"table\"\n[warm_up]\nsteps = 0\n[train]\nprompts = 8\n";
    let experiment = Experiment::from_config(Config::from_toml(text, "test", &[]).unwrap());
    let run = experiment.prepare(&experiment.warm_up(&mut |_| {}).unwrap()).unwrap();
    let epoch = |number: usize| -> Vec<u64> {
        (7 * number..7 * number + 7).flat_map(|step| run.problems(step)).map(|problem| problem.id).collect()
    };
    let sorted = |mut ids: Vec<u64>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(epoch(0)), (0..56).collect::<Vec<_>>(), "56 problems in 7 steps of 8");
    assert_eq!(sorted(epoch(3)), (0..56).collect::<Vec<_>>());
    assert!(epoch(0) != epoch(1) && epoch(0) != sorted(epoch(0)));
    assert_eq!(run.problems(11), run.problems(11), "a step's problems follow from its number");
    let other = experiment.clone().with(|s| s.seed = 1);
    let other = other.prepare(&other.warm_up(&mut |_| {}).unwrap()).unwrap();
    assert_ne!(other.problems(0), run.problems(0), "and from the seed");
}

#[test]
fn a_reference_starts_as_the_policy_or_fresh() {
    let of = |start: &str| {
        let set = [format!("roles.reference.start={start}"), "algorithm.name=grpo".to_owned()];
        let experiment = Experiment::from_config(Config::from_toml(SETTINGS, "test", &set).unwrap());
        let mut run = experiment.prepare(&experiment.warm_up(&mut |_| {}).unwrap()).unwrap();
        steps(&mut run, 1).remove(0).kl_to_reference.unwrap()
    };
    assert!(of("policy").abs() < 1e-12, "before the first update both are the same");
    assert!(of("fresh") > 1e-3);
}

#[test]
fn a_state_of_other_roles_is_refused() {
    let by_name = |name: &str| experiment(BuiltIn::presets(name).swap_remove(0).1);
    let start = by_name("rft").warm_up(&mut |_| {}).unwrap();
    let state = by_name("rft").prepare(&start).unwrap().state().unwrap();
    let message = by_name("ppo").prepare(&start).unwrap().restore(&state).unwrap_err().to_string();
    assert!(message.contains("critic") || message.contains("reference"), "{message}");
}

#[test]
fn a_run_moves_to_another_thread() {
    let experiment = experiment(BuiltIn::presets("rloo").swap_remove(0).1);
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    let mut here = experiment.prepare(&start).unwrap();
    let mut there = experiment.prepare(&start).unwrap();
    let elsewhere = std::thread::spawn(move || steps(&mut there, 2)).join().unwrap();
    assert_eq!(steps(&mut here, 2), elsewhere);
}
