//! What was stopped or failed goes on.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::*;

#[test]
fn finished_cells_never_run_again_and_a_killed_one_does() {
    let parent = tempfile::tempdir().unwrap();
    let text = format!("{FILE}{GRID}");
    ablate(parent.path(), &text, &[]).unwrap();
    let folder = first(parent.path());
    let report = |label: &str, seed: u64| folder.join(label).join(format!("seed-{seed}/report.json"));
    let written = || -> Vec<Option<Vec<u8>>> {
        LABELS.iter().flat_map(|label| (3..6).map(|seed| fs::read(report(label, seed)).ok())).collect()
    };
    let (before, expected) = (written(), results(&folder));
    // One was killed after some steps, one before its first.
    fs::remove_file(report(LABELS[1], 4)).unwrap();
    let metrics = folder.join(LABELS[1]).join("seed-4/metrics.jsonl");
    fs::write(&metrics, "{\"step\":0,\"rew").unwrap();
    fs::remove_dir_all(folder.join(LABELS[4]).join("seed-5")).unwrap();
    resume(&folder).unwrap();
    assert!(results(&folder) == expected, "the same results in one go and in two");
    let again: Vec<usize> =
        before.iter().zip(written()).enumerate().filter(|(_, (a, b))| *a != b).map(|(i, _)| i).collect();
    // Reports hold wall times, so that a run that was made again has another one.
    assert_eq!(again, [4, 14], "only the two that were not finished");
    // With everything finished nothing is trained at all.
    let (before, clock) = (written(), std::time::Instant::now());
    resume(&folder).unwrap();
    assert!(written() == before && clock.elapsed().as_secs() < 60);
}

#[test]
fn a_folder_with_runs_of_other_settings_is_refused_by_the_setting() {
    let parent = tempfile::tempdir().unwrap();
    ablate(parent.path(), &format!("{FILE}{GRID}"), &[]).unwrap();
    let folder = first(parent.path());
    let before = results(&folder);
    let resumed = folder.display().to_string();
    let arguments = ["oreal", "ablate", "--quiet", "--resume", &resumed, "--set", "train.prompts=5"];
    let error = Catalogue::built_in().run(&arguments).unwrap_err().to_string();
    for word in ["seed-3", "train.prompts = 4", "is 5 now", "new folder"] {
        assert!(error.contains(word), "{error}");
    }
    assert!(results(&folder) == before);
}

/// The program, which is told to stop when a first run is finished.
fn interrupted(args: &[&str], parent: &Path) -> (PathBuf, Output) {
    let out = parent.join("stopped").display().to_string();
    let arguments = [&args[..2], &["--quiet", "--out", &out], &args[2..]].concat();
    let mut child = program(&arguments);
    let finished = || find(Path::new(&out), &|path| path.ends_with("report.json"));
    while finished().is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was told to stop");
        std::thread::sleep(Duration::from_millis(1));
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    (fs::read_dir(&out).unwrap().next().unwrap().unwrap().path(), output)
}

fn program(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

/// A file below a folder.
fn find(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let paths = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    paths.into_iter().find_map(|path| if wanted(&path) { Some(path) } else { find(&path, wanted) })
}

#[test]
fn an_interrupt_saves_the_steps_and_says_how_to_go_on() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("grid.toml");
    let steps = FILE.replace("steps = 6", "steps = 20");
    for (command, text, args, cells) in [
        ("ablate", format!("{steps}{GRID}"), &["--parallel", "2", "--set", "ablation.seeds=2"] as &[&str], 10),
        ("compare", steps.clone(), &["--algorithms", "rloo,rft,grpo", "--seeds", "2"], 6),
    ] {
        fs::write(&file, text).unwrap();
        let [file, whole] = [&file, &parent.path().join("whole")].map(|path| path.display().to_string());
        let args = [&[command, &file], args].concat();
        let (folder, output) = interrupted(&args, &parent.path().join(command));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        let advice = format!("to go on: oreal {command} --resume {}", folder.display());
        assert!(said.contains(&format!(" of {cells} runs; what the others had done is saved; {advice}")), "{said}");
        let so_far = json(&folder.join("results.json"));
        let rows = so_far["variants"].as_array().unwrap();
        let open: usize = rows.iter().map(|row| row["unfinished"].as_array().unwrap().len()).sum();
        let finished: u64 = rows.iter().map(|row| row["runs"].as_u64().unwrap()).sum();
        assert!(finished > 0 && finished as usize + open == cells && open > 0, "{so_far:#}");
        for run in rows.iter().flat_map(|row| row["unfinished"].as_array().unwrap()) {
            let run = folder.join(run.as_str().unwrap());
            let steps = if run.join("metrics.jsonl").exists() { metrics(&run).len() } else { 0 };
            let saved = run.join(format!("checkpoints/step-{steps}")).exists();
            assert!(steps == 0 || saved, "{}: step {steps} is not saved", run.display());
        }

        Catalogue::built_in().run(&["oreal", command, "--quiet", "--resume", &folder.display().to_string()]).unwrap();
        let undisturbed = [&["oreal"], &args[..], &["--quiet", "--out", &whole]].concat();
        Catalogue::built_in().run(&undisturbed).unwrap();
        let name = if command == "ablate" { "ablate-grid-1" } else { "compare-bandit-1" };
        let whole = Path::new(&whole).join(name);
        assert!(results(&whole) == results(&folder), "{command}: the results differ");
        for row in rows {
            let run = |folder: &Path| folder.join(row["label"].as_str().unwrap()).join("seed-4");
            assert_eq!(metrics(&run(&whole)), metrics(&run(&folder)), "{command}: {row}");
            let weights = |folder: &Path| fs::read(run(folder).join("policy/model.safetensors")).unwrap();
            assert!(weights(&whole) == weights(&folder), "{command}: {row}: weights differ");
        }
    }
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("grid.toml");
    // Steps that take longer than the test.
    fs::write(&file, format!("{FILE}{GRID}").replace("prompts = 4", "prompts = 20000")).unwrap();
    let [file, out] = [file, parent.path().join("out")].map(|path| path.display().to_string());
    let mut child = program(&["ablate", &file, "--quiet", "--out", &out]);
    while find(Path::new(&out), &|path| path.ends_with("metrics.jsonl")).is_none() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was told to stop");
        std::thread::sleep(Duration::from_millis(1));
    }
    interrupt(&child);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("once more ends at once")));
    let clock = Instant::now();
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(clock.elapsed().as_secs() < 5 && said.next().is_none(), "it did not wait for the step");
}

#[test]
fn a_folder_without_an_ablation_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let error = resume(parent.path()).unwrap_err().to_string();
    assert!(error.contains("there is no ablation.toml") && error.contains("oreal compare --resume"), "{error}");
}
