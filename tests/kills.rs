//! The program is killed at random moments and goes on until it is done: what it leaves is what it leaves undisturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use oreal::rand::rngs::ChaCha8Rng;
use oreal::rand::{RngExt, SeedableRng};

#[path = "resume/same.rs"]
mod same;
use same::{assert_same, metrics};

/// A checkpoint after each step, so that many moments are within the writing of one.
const SETTINGS: &str = "[env]\nname = \"addition\"\ndigits = 1\n[model]\nnum_hidden_layers = 1\nhidden_size = \
                        16\nintermediate_size = 24\n[warm_up]\nsteps = 10\nbatch = 8\n[train]\nsteps = 30\nprompts = 4\nrollouts \
                        = 4\n[evaluation]\ncompletions = 20\n[record]\ncheckpoint_every = 1\ntranscripts_every = 1\n";

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// A folder with the experiment, and one for what it leaves.
fn prepared() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let [file, out] = ["experiment.toml", "out"].map(|name| folder.path().join(name).display().to_string());
    fs::write(&file, SETTINGS).unwrap();
    (folder, file, out)
}

/// The same of fine-tuning, with texts and a tokenizer.
fn prepared_tuning() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let [file, out, data, tokenizer] =
        ["tuning.toml", "out", "data", "tokenizer"].map(|name| folder.path().join(name).display().to_string());
    let size = ["--count", "60", "--held-out", "5", "--steps", "1"];
    succeeded(&program(&[&["word-problems", "--out", &data], &size[..]].concat()).output().unwrap());
    let (texts, fields) = (format!("{data}/train.jsonl"), "problem,solution");
    let trained = ["tokenizer", "--texts", &texts, "--fields", fields, "--size", "300", "--out", &tokenizer];
    succeeded(&program(&trained).output().unwrap());
    let settings = format!(
        "[model]\nkind = \"transformer\"\nnum_hidden_layers = 1\nhidden_size = 16\nintermediate_size = 24\n[text]\ntokenizer = \
         \"{tokenizer}\"\n[examples]\nkind = \"texts\"\nfile = \"{texts}\"\nfields = [\"problem\", \"solution\"]\n[sft]\nepochs = \
         4\ntokens = 512\nheld_out = 0.1\nrate = 1e-2\n[record]\ncheckpoint_every = 1\nkeep_best = true\n"
    );
    fs::write(&file, settings).unwrap();
    (folder, file, out)
}

/// The folder that is made last in this one, once it is made.
fn made(out: &str, program: &mut Child) -> PathBuf {
    for _ in 0..1000 {
        let newest = fs::read_dir(out).ok().and_then(|entries| entries.map(|entry| entry.unwrap().path()).max());
        if let Some(folder) = newest {
            return folder;
        }
        assert!(program.try_wait().unwrap().is_none(), "it ended before it made a folder");
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("no folder was made");
}

/// Waits so long, then kills, unless it has ended.
fn kill_after(mut child: Child, wait: Duration) -> Option<Output> {
    let clock = Instant::now();
    while clock.elapsed() < wait {
        if child.try_wait().unwrap().is_some() {
            return Some(child.wait_with_output().unwrap());
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

/// Kills a command, goes on with it, kills that, .. until it is done; how often it was killed. The first `most` times only.
fn killed_until_done(
    command: &str,
    args: &[&str],
    out: &str,
    longest: Duration,
    most: usize,
    seed: u64,
) -> (PathBuf, usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut wait = |kills: usize| match kills < most {
        true => longest.mul_f64(rng.random::<f64>()),
        false => Duration::from_secs(600),
    };
    let mut first = program(&[&[command, "--quiet", "--out", out], args].concat()).spawn().unwrap();
    let folder = made(out, &mut first);
    let mut kills = 1;
    kill_after(first, wait(0));
    loop {
        let place = folder.display().to_string();
        let child = program(&[command, "--quiet", "--resume", &place]).spawn().unwrap();
        match kill_after(child, wait(kills)) {
            None => kills += 1,
            // Killed before its settings were there.
            Some(output) if kills == 1 && text(&output.stderr).contains("start") => {
                fs::remove_dir_all(out).unwrap();
                return killed_until_done(command, args, out, longest, most, seed + 1);
            }
            // Killed after the report, before it was printed.
            Some(output) if text(&output.stderr).contains("has finished") => return (folder, kills),
            Some(output) => {
                succeeded(&output);
                return (folder, kills);
            }
        }
    }
}

fn undisturbed(file: &str, out: &str) -> (PathBuf, Duration) {
    let clock = Instant::now();
    succeeded(&program(&["train", file, "--quiet", "--out", out]).output().unwrap());
    (Path::new(out).join("addition-oreal-1"), clock.elapsed())
}

/// Kills so often, over several runs; each must end as the one that was left alone.
fn kills(times: usize, each: usize) {
    let (folder, file, out) = prepared();
    let (whole, took) = undisturbed(&file, &out);
    let (mut done, mut round) = (0, 0);
    while done < times {
        let out = folder.path().join(format!("round-{round}")).display().to_string();
        let most = each.min(times - done);
        let (run, killed) = killed_until_done("train", &[&file], &out, took.mul_f64(0.6), most, 100 * round + 1);
        assert_same(&whole, &run, &format!("round {round}, killed {killed} times"));
        (done, round) = (done + killed, round + 1);
        println!("round {round}: killed {killed} times, {done} in all");
    }
}

#[test]
fn a_run_that_is_killed_three_times_ends_as_if_left_alone() {
    kills(3, 3);
}

#[test]
#[ignore = "takes minutes: cargo test --test kills -- --ignored --nocapture"]
fn a_run_that_is_killed_a_hundred_times_ends_as_if_left_alone() {
    kills(100, 20);
}

#[test]
fn a_comparison_that_is_killed_ends_as_if_left_alone() {
    let (_folder, file, out) = prepared();
    let args = [&file, "--algorithms", "rloo,rft", "--set", "train.steps=10"];
    let clock = Instant::now();
    let whole = format!("{out}-whole");
    succeeded(&program(&[&["compare", "--quiet", "--out", &whole], &args[..]].concat()).output().unwrap());
    let (run, _) = killed_until_done("compare", &args, &out, clock.elapsed().mul_f64(0.7), 3, 5);
    let whole = Path::new(&whole).join("compare-addition-1");
    for label in ["rloo", "rft"] {
        assert_same(&whole.join(label), &run.join(label), label);
    }
    let labels = |folder: &Path| {
        let reports: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap();
        let of = |report: &serde_json::Value| (report["algorithm"].to_string(), report["after"].to_string());
        reports.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(labels(&whole), labels(&run));
    assert_eq!(labels(&run).len(), 2);
    let again = program(&["compare", "--quiet", "--resume", run.to_str().unwrap()]).output().unwrap();
    succeeded(&again);
    assert!(!text(&again.stdout).contains("warm-up took"), "all of it was kept: {}", text(&again.stdout));
}

#[test]
fn fine_tuning_that_is_killed_or_interrupted_ends_as_if_left_alone() {
    let (folder, file, out) = prepared_tuning();
    let clock = Instant::now();
    succeeded(&program(&["sft", &file, "--quiet", "--out", &out]).output().unwrap());
    let (whole, took) = (Path::new(&out).join("sft-1"), clock.elapsed());
    let out = folder.path().join("killed").display().to_string();
    let (run, killed) = killed_until_done("sft", &[&file], &out, took.mul_f64(0.6), 3, 11);
    assert_same(&whole, &run, &format!("fine-tuning, killed {killed} times"));
    let out = folder.path().join("interrupted").display().to_string();
    let mut child = program(&["sft", &file, "--quiet", "--out", &out]).spawn().unwrap();
    let run = made(&out, &mut child);
    while !run.join("metrics.jsonl").exists() || metrics(&run).len() < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (said, advice) = (text(&output.stderr), format!("to go on: oreal sft --resume {}", run.display()));
    assert!(output.status.code() == Some(130) && said.contains(&advice), "{said}");
    succeeded(&program(&["sft", "--quiet", "--resume", run.to_str().unwrap()]).output().unwrap());
    assert_same(&whole, &run, "fine-tuning, interrupted");
    let output = program(&["sft", "--quiet", "--resume", run.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success() && text(&output.stderr).contains("has finished"), "{}", text(&output.stderr));
}

#[test]
fn an_interrupted_run_saves_its_step_and_says_how_to_go_on() {
    let (folder, file, out) = prepared();
    let (whole, _) = undisturbed(&file, &out);
    let out = folder.path().join("interrupted").display().to_string();
    let mut child = program(&["train", &file, "--quiet", "--out", &out]).spawn().unwrap();
    let run = made(&out, &mut child);
    while !run.join("metrics.jsonl").exists() || metrics(&run).len() < 3 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (said, advice) = (text(&output.stderr), format!("to go on: oreal train --resume {}", run.display()));
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("of 30 steps, all of them saved") && said.contains(&advice), "{said}");
    let steps = metrics(&run).len();
    assert!(steps < 30 && run.join(format!("checkpoints/step-{steps}")).exists(), "{steps}");
    let output = program(&["train", "--quiet", "--resume", run.to_str().unwrap()]).output().unwrap();
    succeeded(&output);
    assert_same(&whole, &run, "interrupted");
    let output = program(&["train", "--quiet", "--resume", run.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success() && text(&output.stderr).contains("has finished"), "{}", text(&output.stderr));
}

/// A limit on the length of files stands for a disk that is full: the write that passes it fails.
#[test]
#[cfg(target_os = "linux")]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let (folder, file, out) = prepared();
    // Checkpoints are then the longest files.
    fs::write(&file, SETTINGS.replace("transcripts_every = 1", "transcripts_every = 0")).unwrap();
    let (whole, _) = undisturbed(&file, &out);
    let full = folder.path().join("full").display().to_string();
    // Moments make the states after the first step three times as long.
    let start = fs::metadata(whole.join("policy/model.safetensors")).unwrap().len();
    let blocks = 2 * start / 512;
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &limited, "sh", env!("CARGO_BIN_EXE_oreal"), "train", &file, "--quiet", "--out", &full]);
    let output = shell.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let run = Path::new(&full).join("addition-oreal-1");
    let last = said.split("the checkpoint of step ").nth(1).and_then(|rest| rest.split(' ').next()).expect(&said);
    for part in ["could be written", "is whole", "--resume", "safetensors"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let left: Vec<String> = fs::read_dir(run.join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(left.contains(&format!("step-{last}")) && left.iter().all(|name| name.starts_with("step-")), "{left:?}");
    succeeded(&program(&["train", "--quiet", "--resume", run.to_str().unwrap()]).output().unwrap());
    assert_same(&whole, &run, "with room again");
}
