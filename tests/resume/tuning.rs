//! The same of fine-tuning.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use oreal::sft::{FineTuning, SftProgress, SftSettings};
use oreal::{Catalogue, Error, Stop};
use tempfile::TempDir;

use crate::same::{assert_same, metrics};
use crate::{checkpoint, damage, kept};

/// A folder with texts and a tokenizer, made once.
static START: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let size = ["--count", "60", "--held-out", "5", "--steps", "1"];
    run(&[&["oreal", "word-problems", "--out", &at("data")], &size[..]].concat()).unwrap();
    let (texts, fields) = (at("data/train.jsonl"), "problem,solution");
    run(&["oreal", "tokenizer", "--texts", &texts, "--fields", fields, "--size", "300", "--out", &at("tokenizer")])
        .unwrap();
    folder
});

fn run(arguments: &[&str]) -> oreal::Result<String> {
    Catalogue::built_in().run(arguments)
}

/// Six steps, a checkpoint after every second.
fn settings(engine: &str) -> SftSettings {
    let text = format!(
        r#"
model = {{ kind = "transformer", num_hidden_layers = 1, hidden_size = 16, num_attention_heads = 2, num_key_value_heads = 1, intermediate_size = 16, engine = "{engine}" }}
text = {{ tokenizer = "{0}/tokenizer" }}
examples = {{ kind = "texts", file = "{0}/data/train.jsonl", fields = ["problem", "solution"] }}
sft = {{ tokens = 512, most_steps = 6, rate = 1e-2, warmup = 2, held_out = 0.1 }}
record = {{ checkpoint_every = 2 }}
"#,
        START.path().display()
    );
    toml::from_str(&text).unwrap()
}

fn fused() -> SftSettings {
    settings("fused")
}

fn tuning(settings: &SftSettings) -> FineTuning {
    FineTuning::new(settings.clone()).unwrap()
}

fn quiet(_: SftProgress<'_>) {}

fn whole(settings: &SftSettings, folder: &Path) {
    tuning(settings).run(folder, &mut quiet).unwrap();
}

/// Runs until a step is made, and then stops.
fn stopped(settings: &SftSettings, folder: &Path, after: usize) -> String {
    let stop = Stop::default();
    let mut watch = |progress: SftProgress<'_>| match progress {
        SftProgress::Step(step) if step.step + 1 == after => stop.ask(),
        _ => {}
    };
    let stopped = tuning(settings).stopped_by(stop.clone()).run(folder, &mut watch).unwrap_err();
    assert!(matches!(stopped, Error::Stopped { .. }), "{stopped}");
    stopped.to_string()
}

/// Goes on, and returns at which step and with what notes.
fn resumed(settings: &SftSettings, folder: &Path) -> (usize, Vec<String>) {
    let mut found = None;
    let mut watch = |progress: SftProgress<'_>| {
        if let SftProgress::Resumed { step, notes } = progress {
            found = Some((step, notes.to_vec()));
        }
    };
    tuning(settings).resume(folder, &mut watch).unwrap();
    found.expect("that it goes on is said")
}

#[test]
fn fine_tuning_goes_on_byte_for_byte() {
    let parent = tempfile::tempdir().unwrap();
    for engine in ["fused", "stock"] {
        for (every, best) in [(2, false), (2, true), (0, false)] {
            let mut settings = settings(engine);
            (settings.record.checkpoint_every, settings.record.keep_best) = (every, best);
            let what = format!("{engine}, every {every}, best {best}");
            let [undisturbed, parted] = ["whole", "parted"].map(|run| parent.path().join(format!("{what}/{run}")));
            whole(&settings, &undisturbed);
            assert_eq!(metrics(&undisturbed).len(), 6);
            let said = stopped(&settings, &parted, 3);
            assert!(said.contains("after 3 of 6 steps, all of them saved"), "{said}");
            assert_eq!(resumed(&settings, &parted), (3, vec![]), "{what}");
            assert_same(&undisturbed, &parted, &what);
        }
    }
}

#[test]
fn fine_tuning_that_was_killed_goes_on_from_the_checkpoint_before() {
    let parent = tempfile::tempdir().unwrap();
    let [undisturbed, killed] = ["whole", "killed"].map(|run| parent.path().join(run));
    whole(&fused(), &undisturbed);
    stopped(&fused(), &killed, 3);
    // As if the process had ended before it wrote this, and in the middle of a line.
    fs::remove_dir_all(checkpoint(&killed, 3)).unwrap();
    let path = killed.join("metrics.jsonl");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    assert_eq!(resumed(&fused(), &killed), (2, vec![]));
    assert_same(&undisturbed, &killed, "killed");
    let early = parent.path().join("early");
    fs::create_dir(&early).unwrap();
    fs::copy(undisturbed.join("config.toml"), early.join("config.toml")).unwrap();
    assert_eq!(resumed(&fused(), &early), (0, vec![]), "killed before its first checkpoint");
    assert_same(&undisturbed, &early, "early");
}

#[test]
fn a_damaged_checkpoint_of_fine_tuning_is_named_and_the_one_before_is_taken() {
    let parent = tempfile::tempdir().unwrap();
    let undisturbed = parent.path().join("whole");
    whole(&fused(), &undisturbed);
    for (name, how) in [("policy.safetensors", "changed"), ("state.json", "truncated"), ("manifest.json", "missing")] {
        let run = parent.path().join(name);
        stopped(&fused(), &run, 3);
        damage(&checkpoint(&run, 3), name, how);
        let (step, notes) = resumed(&fused(), &run);
        assert!(step == 2 && notes.len() == 1 && notes[0].contains(&format!("step-3/{name}")), "{name}: {notes:?}");
        assert_same(&undisturbed, &run, name);
    }
    let run = parent.path().join("none is whole");
    stopped(&fused(), &run, 3);
    [2, 3].into_iter().for_each(|step| damage(&checkpoint(&run, step), "policy.safetensors", "changed"));
    let (step, notes) = resumed(&fused(), &run);
    assert!(step == 0 && notes.len() == 3 && notes[2].contains("begins anew"), "{notes:?}");
    assert_same(&undisturbed, &run, "none is whole");
}

#[test]
fn fine_tuning_that_cannot_go_on_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let run = parent.path().join("run");
    let refused = |settings: &SftSettings| tuning(settings).resume(&run, &mut quiet).unwrap_err().to_string();
    assert!(refused(&fused()).contains("there is no fine-tuning"));
    assert!(!run.exists(), "nothing is made by asking");
    let texts = parent.path().join("texts.jsonl");
    let first = fs::read_to_string(START.path().join("data/train.jsonl")).unwrap();
    fs::write(&texts, &first).unwrap();
    let mut settings = fused();
    settings.examples = oreal::sft::Examples::Texts {
        file: texts.display().to_string(),
        fields: vec!["problem".to_owned(), "solution".to_owned()],
    };
    stopped(&settings, &run, 3);
    let mut other = settings.clone();
    other.sft.rate = 0.02;
    assert!(refused(&other).contains("sft.rate is 0.01 there and 0.02 here"), "{}", refused(&other));
    fs::write(&texts, first.lines().rev().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let changed = refused(&settings);
    assert!(changed.contains("examples.json: sha256 is"), "{changed}");
    fs::write(&texts, first).unwrap();
    let mut while_it_runs = None;
    let again = &mut |_: SftProgress<'_>| while_it_runs = Some(refused(&settings));
    tuning(&settings).resume(&run, again).unwrap();
    assert!(while_it_runs.unwrap().contains("another process is working on this run"));
    assert!(refused(&settings).contains("has finished"));
    let taken = tuning(&settings).run(&run, &mut quiet).unwrap_err().to_string();
    assert!(taken.contains("a run is recorded in a new folder"), "{taken}");
}

#[test]
fn the_newest_checkpoints_of_fine_tuning_and_the_best_are_kept() {
    let parent = tempfile::tempdir().unwrap();
    let left = |name: &str, best: bool| {
        let mut settings = fused();
        // A rate at which the loss goes up.
        (settings.sft.rate, settings.sft.warmup, settings.sft.floor, settings.sft.most_steps) = (0.5, 0, 1.0, 2);
        (settings.record.checkpoint_every, settings.record.keep_last, settings.record.keep_best) = (1, 1, best);
        let run = parent.path().join(name);
        whole(&settings, &run);
        run
    };
    assert_eq!(kept(&left("newest", false)), [2]);
    let mut none_held_out = fused();
    (none_held_out.sft.held_out, none_held_out.record.keep_best) = (0.0, true);
    let problem = FineTuning::new(none_held_out).err().unwrap().to_string();
    assert!(problem.starts_with("record.keep_best: "), "{problem}");
    let run = left("best", true);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(run.join("report.json")).unwrap()).unwrap();
    let measured = metrics(&run);
    let measured = measured.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let losses: Vec<f64> = [report["before"].clone()]
        .into_iter()
        .chain(measured.map(|line| line["held_out"].clone()))
        .map(|loss| loss.as_f64().unwrap())
        .collect();
    assert_eq!(losses.len(), 3);
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let best = losses.iter().rposition(|loss| *loss == least).unwrap();
    assert!(best < 2, "the test says nothing: {losses:?}");
    assert_eq!(kept(&run), [best, 2], "{losses:?}");
    assert!(checkpoint(&run, best).join("policy/model.safetensors").exists(), "to be evaluated");
}

#[test]
fn fine_tuning_is_followed_and_is_told_from_a_run() {
    let parent = tempfile::tempdir().unwrap();
    let run: PathBuf = parent.path().join("run");
    let place = run.display().to_string();
    stopped(&fused(), &run, 3);
    let end = self::run(&["oreal", "watch", &place]).unwrap();
    assert!(end.contains("made 3 of 6 steps; to go on: oreal sft --resume"), "{end}");
    let other = self::run(&["oreal", "train", "--quiet", "--resume", &place]).unwrap_err().to_string();
    assert!(other.contains("config.toml"), "{other}");
    let done = self::run(&["oreal", "sft", "--quiet", "--resume", &place]).unwrap();
    assert!(done.contains("6 steps") && done.contains(&format!("recorded in {place}")), "{done}");
    let end = self::run(&["oreal", "watch", &place]).unwrap();
    assert!(end.starts_with("finished after 6 steps: loss ") && end.contains("on held-out examples"), "{end}");
}
