//! A run that is stopped goes on as if it had never stopped.

use std::fs;
use std::path::{Path, PathBuf};

use oreal::algos::BuiltIn;
use oreal::{Config, Error, Experiment, Progress, SharedStart, Stop};

#[path = "resume/same.rs"]
mod same;
#[path = "resume/tuning.rs"]
mod tuning;
use same::{assert_same, metrics};

const SETTINGS: &str = "[env]\nname = \"bandit\"\n[warm_up]\nsteps = 8\nbatch = 16\nrate = 0.02\n[train]\nsteps = 5\nprompts = \
                        4\nrollouts = 4\n[rates]\npolicy = 0.02\ncritic = 0.02\nreward_model = 0.02\n[evaluation]\ncompletions = \
                        8\n[record]\ncheckpoint_every = 2\ntranscripts_every = 1\n";

/// What computes the models.
const ENGINES: [&str; 3] = [
    "model.kind=table",
    "model={num_hidden_layers=1,hidden_size=16,intermediate_size=24,engine=\"fused\"}",
    "model={num_hidden_layers=1,hidden_size=16,intermediate_size=24,engine=\"stock\"}",
];

fn experiment(algorithm: BuiltIn, engine: &str) -> Experiment {
    let config = Config::from_toml(SETTINGS, "test", &[engine.to_owned()]).unwrap();
    let experiment = Experiment::from_config(Config { algorithm: algorithm.into(), ..config });
    // OREAL's policy waits ten steps.
    let steps = if experiment.config().unwrap().algorithm.name == "oreal" { 13 } else { 5 };
    experiment.with(|s| s.train.steps = steps)
}

fn rloo() -> Experiment {
    experiment(BuiltIn::presets("rloo").swap_remove(0).1, ENGINES[0])
}

fn quiet(_: Progress<'_>) {}

/// Runs until a step is made, and then stops.
fn stopped(experiment: &Experiment, folder: &Path, after: usize) -> String {
    let stop = Stop::default();
    let mut watch = |progress: Progress<'_>| match progress {
        Progress::Step { record, .. } if record.step + 1 == after => stop.ask(),
        _ => {}
    };
    let experiment = experiment.clone().record_in(folder).stopped_by(stop.clone());
    let stopped = experiment.run_watched(&mut watch).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { .. }), "{stopped}");
    stopped.to_string()
}

/// Goes on, and returns at which step and with what notes.
fn resumed(experiment: &Experiment, folder: &Path) -> (usize, Vec<String>) {
    let mut found = None;
    let mut watch = |progress: Progress<'_>| {
        if let Progress::Resumed { step, notes, .. } = progress {
            found = Some((step, notes.to_vec()));
        }
    };
    experiment.clone().record_in(folder).resume(&mut watch).unwrap();
    found.expect("that it goes on is said")
}

fn checkpoint(run: &Path, step: usize) -> PathBuf {
    run.join(format!("checkpoints/step-{step}"))
}

#[test]
fn every_algorithm_on_every_engine_goes_on_byte_for_byte() {
    let parent = tempfile::tempdir().unwrap();
    for engine in ENGINES {
        for name in BuiltIn::NAMES {
            let experiment = experiment(BuiltIn::presets(name).swap_remove(0).1, engine);
            let what = format!("{name} on {engine}");
            let [whole, parted] = ["whole", "parted"].map(|run| parent.path().join(format!("{what}/{run}")));
            experiment.clone().record_in(&whole).run().unwrap();
            let total = experiment.config().unwrap().settings.train.steps;
            let said = stopped(&experiment, &parted, total - 2);
            assert!(said.contains(&format!("after {} of {total} steps, all of them saved", total - 2)), "{said}");
            assert_eq!(resumed(&experiment, &parted), (total - 2, vec![]), "{what}");
            assert_same(&whole, &parted, &what);
        }
    }
}

#[test]
fn a_run_that_was_killed_goes_on_from_the_checkpoint_before() {
    let parent = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|run| parent.path().join(run));
    let experiment = rloo().with(|s| s.record.tensorboard = true);
    experiment.clone().record_in(&whole).run().unwrap();
    stopped(&experiment, &killed, 3);
    // As if the process had ended before it wrote this, and in the middle of a line.
    fs::remove_dir_all(checkpoint(&killed, 3)).unwrap();
    let cut = |name: &str| {
        let path = killed.join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    };
    ["metrics.jsonl", "transcripts.jsonl"].into_iter().for_each(cut);
    assert_eq!(resumed(&experiment, &killed), (2, vec![]));
    assert_same(&whole, &killed, "killed");
    let events = |run: &Path| fs::read(run.join("events.out.tfevents.oreal")).unwrap().len();
    assert_eq!(events(&whole), events(&killed), "the event file is cut back too");
}

#[test]
fn a_run_that_ended_in_its_warm_up_begins_anew() {
    let parent = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|run| parent.path().join(run));
    rloo().record_in(&whole).run().unwrap();
    let stop = Stop::default();
    let asked = stop.clone();
    let problem = rloo().record_in(&killed).stopped_by(stop).run_watched(&mut |_| asked.ask()).unwrap_err().to_string();
    assert!(problem.contains("during the warm-up"), "{problem}");
    rloo().record_in(&killed).resume(&mut quiet).unwrap();
    assert_same(&whole, &killed, "killed in the warm-up");
}

/// What a checkpoint can suffer, by file.
fn damage(place: &Path, name: &str, how: &str) {
    let path = place.join(name);
    let mut bytes = fs::read(&path).unwrap();
    match how {
        "missing" => return fs::remove_file(&path).unwrap(),
        "truncated" => bytes.truncate(bytes.len() / 2),
        "longer" => bytes.push(0),
        _ => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
        }
    }
    fs::write(&path, bytes).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_taken() {
    let parent = tempfile::tempdir().unwrap();
    let whole = parent.path().join("whole");
    rloo().record_in(&whole).run().unwrap();
    for name in ["policy.safetensors", "state.json", "manifest.json"] {
        for how in ["missing", "truncated", "longer", "changed"] {
            let run = parent.path().join(format!("{name}-{how}"));
            stopped(&rloo(), &run, 3);
            damage(&checkpoint(&run, 3), name, how);
            let (step, notes) = resumed(&rloo(), &run);
            assert_eq!(step, 2, "{name} {how}: {notes:?}");
            // A digest that was changed in the manifest is told of its file.
            let named = if (name, how) == ("manifest.json", "changed") { "" } else { name };
            assert!(notes.len() == 1 && notes[0].contains(&format!("step-3/{named}")), "{name} {how}: {notes:?}");
            assert_same(&whole, &run, &format!("{name} {how}"));
        }
    }
    let run = parent.path().join("none is whole");
    stopped(&rloo(), &run, 3);
    [2, 3].into_iter().for_each(|step| damage(&checkpoint(&run, step), "policy.safetensors", "changed"));
    let (step, notes) = resumed(&rloo(), &run);
    assert!(step == 0 && notes.len() == 3 && notes[2].contains("begins anew"), "{notes:?}");
    assert_same(&whole, &run, "none is whole");
}

#[test]
fn rollouts_that_are_drawn_already_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    for (name, engine) in [("rloo", ENGINES[0]), ("vine_ppo", ENGINES[0]), ("grpo", ENGINES[1]), ("rft", ENGINES[2])] {
        let experiment = experiment(BuiltIn::presets(name).swap_remove(0).1, engine).with(|s| s.train.steps_ahead = 2);
        let [whole, parted] = ["whole", "parted"].map(|run| parent.path().join(name).join(run));
        experiment.clone().record_in(&whole).run().unwrap();
        stopped(&experiment, &parted, 2);
        assert!(checkpoint(&parted, 2).join("rollouts.json").exists(), "{name}");
        assert_eq!(resumed(&experiment, &parted), (2, vec![]), "{name}");
        assert_same(&whole, &parted, name);
        assert!(!checkpoint(&parted, 5).join("rollouts.json").exists(), "{name}: nothing is drawn after the last step");
    }
    let experiment = rloo().with(|s| s.train.steps_ahead = 1);
    let whole = parent.path().join("undamaged");
    experiment.clone().record_in(&whole).run().unwrap();
    for how in ["missing", "truncated", "changed"] {
        let run = parent.path().join(how);
        stopped(&experiment, &run, 3);
        damage(&checkpoint(&run, 3), "rollouts.json", how);
        let (step, notes) = resumed(&experiment, &run);
        assert!(step == 2 && notes.len() == 1 && notes[0].contains("step-3/rollouts.json"), "{how}: {notes:?}");
        assert_same(&whole, &run, how);
    }
}

#[test]
fn records_that_are_not_those_of_the_checkpoint_are_named() {
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    stopped(&rloo(), &run, 3);
    let path = run.join("metrics.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let two: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    fs::write(&path, two).unwrap();
    let (step, notes) = resumed(&rloo(), &run);
    assert!(step == 2 && notes[0].contains("metrics.jsonl"), "{notes:?}");
    assert_eq!(metrics(&run).len(), 5);
}

#[test]
fn what_cannot_go_on_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    let refused = |experiment: Experiment| experiment.resume(&mut quiet).unwrap_err().to_string();
    assert!(refused(rloo()).contains("Experiment::record_in"));
    assert!(refused(rloo().record_in(&run)).contains("there is no run"));
    assert!(!run.exists(), "nothing is made by asking");
    stopped(&rloo(), &run, 3);
    let other = refused(rloo().with(|s| s.train.prompts = 5).record_in(&run));
    assert!(other.contains("train.prompts is 4 there and 5 here"), "{other}");
    let other = refused(rloo().with(|s| s.record.keep_last = 3).record_in(&run));
    assert!(other.contains("record.keep_last"), "{other}");
    let path = run.join("config.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("rollouts = 4", "rollouts = 5")).unwrap();
    let edited = refused(rloo().with(|s| s.train.rollouts = 5).record_in(&run));
    assert!(edited.contains("manifest.json") && edited.contains("settings.train.rollouts is 4"), "{edited}");
    fs::write(&path, text).unwrap();
    let mut while_it_runs = None;
    let again = &mut |_: Progress<'_>| while_it_runs = Some(refused(rloo().record_in(&run)));
    rloo().record_in(&run).resume(again).unwrap();
    let message = while_it_runs.unwrap();
    assert!(message.contains("another process is working on this run"), "{message}");
    let finished = refused(rloo().record_in(&run));
    assert!(finished.contains("has finished"), "{finished}");
}

#[test]
fn an_experiment_of_values_from_rust_goes_on_too() {
    let parent = tempfile::tempdir().unwrap();
    let [whole, parted] = ["whole", "parted"].map(|run| parent.path().join(run));
    let of = |seed| {
        Experiment::new(oreal::envs::Bandit::new(vec![0.5], 1).unwrap(), oreal::algos::Rloo::default()).with(|s| {
            *s = rloo().config().unwrap().settings;
            s.seed = seed;
        })
    };
    of(1).record_in(&whole).run().unwrap();
    stopped(&of(1), &parted, 3);
    let other = of(2).record_in(&parted).resume(&mut quiet).unwrap_err().to_string();
    assert!(other.contains("manifest.json: seed is 1 there and 2 here"), "{other}");
    assert_eq!(resumed(&of(1), &parted).0, 3);
    assert_eq!(metrics(&whole), metrics(&parted));
}

/// Steps of the checkpoints that are left.
fn kept(run: &Path) -> Vec<usize> {
    let names = fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().file_name());
    let step = |name: std::ffi::OsString| name.to_str()?.strip_prefix("step-")?.parse().ok();
    let mut steps: Vec<usize> = names.map(|name| step(name).expect("only checkpoints are left")).collect();
    steps.sort();
    steps
}

#[test]
fn the_newest_checkpoints_and_the_best_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let run = |name: &str, every, last, best| {
        let folder = parent.path().join(name);
        let experiment = rloo().with(|s| {
            (s.record.checkpoint_every, s.record.keep_last, s.record.keep_best) = (every, last, best);
            // Pass rates go up and down by chance.
            (s.train.steps, s.train.prompts) = (8, 16);
            s.rates.roles.values_mut().for_each(|rate| *rate = 0.0);
        });
        experiment.record_in(&folder).run().unwrap();
        folder
    };
    assert_eq!(kept(&run("two", 3, 2, false)), [6, 8], "the last step has one too");
    assert_eq!(kept(&run("five", 1, 5, false)), [4, 5, 6, 7, 8]);
    assert!(!run("none", 0, 2, false).join("checkpoints").exists());
    let best = run("best", 1, 1, true);
    let rates: Vec<f64> = metrics(&best)
        .iter()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["pass_rate"].as_f64().unwrap())
        .collect();
    let most = rates.iter().copied().fold(0.0, f64::max);
    let highest = (1..=8).filter(|step| rates[step - 1] == most).max().unwrap();
    let expected: std::collections::BTreeSet<usize> = [highest, 8].into();
    assert!(highest < 8, "the test says nothing: {rates:?}");
    assert_eq!(kept(&best), expected.into_iter().collect::<Vec<_>>(), "{rates:?}");
    assert!(checkpoint(&best, highest).join("policy/model.safetensors").exists(), "to be evaluated");
}

#[test]
fn an_experiment_is_completed_whatever_it_finds() {
    let parent = tempfile::tempdir().unwrap();
    let [whole, fresh, parted] = ["whole", "fresh", "parted"].map(|run| parent.path().join(run));
    let report = rloo().record_in(&whole).run().unwrap();
    let start = SharedStart::default();
    let kept = rloo().record_in(&whole).complete(&start, &mut |_| panic!("it has finished")).unwrap();
    assert_eq!(kept, report);
    assert_eq!(start.seconds(), None, "nobody needed a warm-up");
    rloo().record_in(&fresh).complete(&start, &mut quiet).unwrap();
    assert_same(&whole, &fresh, "fresh");
    assert!(start.seconds().is_some());
    stopped(&rloo(), &parted, 3);
    let mut warmed_up = false;
    let watch = &mut |progress: Progress<'_>| warmed_up |= matches!(progress, Progress::WarmUp { .. });
    rloo().record_in(&parted).complete(&start, watch).unwrap();
    assert!(!warmed_up);
    assert_same(&whole, &parted, "parted");
    let other = rloo().with(|s| s.seed = 9).record_in(&whole).complete(&start, &mut quiet).unwrap_err().to_string();
    assert!(other.contains("seed is 0 there and 9 here"), "{other}");
    let nowhere = rloo().complete(&start, &mut quiet).unwrap();
    assert_eq!(nowhere.after, report.after);
}
