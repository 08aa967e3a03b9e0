//! What a run shows while it goes on, and what it leaves for others to show.

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SETTINGS: &str = "[env]\nname = \"bandit\"\n[model]\nkind = \"table\"\n[warm_up]\nsteps = 3\nbatch = 4\n[train]\nsteps = \
                        12\nprompts = 4\nrollouts = 4\n[evaluation]\ncompletions = 8\n";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("experiment.toml"), SETTINGS).unwrap();
        Place(folder)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
        command.args(args).current_dir(self.0.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Of a command that succeeds.
    fn run(&self, args: &[&str]) -> (String, String) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        assert!(status.success(), "{args:?}: {}", String::from_utf8_lossy(&stderr));
        (String::from_utf8(stdout).unwrap(), said(&stderr))
    }
}

/// Standard error, without the notice of a program that was built unoptimised.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().filter(|line| !line.contains("built without optimisation")).collect()
}

#[test]
fn json_is_a_line_for_each_step_and_the_report_last() {
    let place = Place::new();
    let (printed, told) = place.run(&["train", "experiment.toml", "--json"]);
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 13, "{printed}");
    let recorded = fs::read_to_string(place.0.path().join("runs/bandit-oreal-1/metrics.jsonl")).unwrap();
    let recorded: Vec<Value> = recorded.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[..12], recorded);
    assert_eq!(lines[12]["steps"], 12);
    assert!(lines[12]["after"]["rate"].is_number() && lines[12]["config"]["train"]["prompts"] == 4);
    assert_eq!(told, "", "no bars");
    let (printed, _) = place.run(&["compare", "experiment.toml", "--algorithms", "oreal,rft", "--json"]);
    let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let runs: Vec<&str> = lines[..24].iter().map(|line| line["run"].as_str().unwrap()).collect();
    assert_eq!([runs[0], runs[11], runs[12], runs[23]], ["oreal", "oreal", "rft", "rft"]);
    assert_eq!((lines.len(), lines[24].as_array().unwrap().len()), (25, 2));
}

#[test]
fn without_a_terminal_there_are_no_bars_and_never_a_colour() {
    let place = Place::new();
    for (args, variable) in [(&["--quiet"] as &[&str], "NO_COLOR"), (&[], "NO_COLOR"), (&[], "CLICOLOR_FORCE")] {
        let mut command = place.command(&[&["train", "experiment.toml"], args].concat());
        let output = command.env(variable, "1").output().unwrap();
        assert!(output.status.success());
        for bytes in [&output.stdout, &output.stderr] {
            assert!(!bytes.contains(&0x1b) && !bytes.contains(&b'\r'), "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(said(&output.stderr), "");
        assert!(String::from_utf8_lossy(&output.stdout).contains("recorded in runs/bandit-oreal-"));
    }
}

#[test]
fn a_run_is_watched_to_its_end() {
    let place = Place::new();
    place.run(&["train", "experiment.toml", "--quiet"]);
    let (printed, _) = place.run(&["watch", "runs/bandit-oreal-1", "--every", "5"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].contains("reward") && lines[0].contains("tokens/s"), "{printed}");
    let steps: Vec<&str> = lines[1..5].iter().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(steps, ["0", "5", "10", "11"]);
    assert!(lines.len() == 6 && lines[5].starts_with("finished after 12 steps: "), "{printed}");
    fs::create_dir(place.0.path().join("empty")).unwrap();
    let refused = place.command(&["watch", "empty"]).output().unwrap();
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("there is no run"));

    let running = place.command(&["train", "experiment.toml", "--quiet", "--set", "train.steps=60"]).spawn().unwrap();
    let run = place.0.path().join("runs/bandit-oreal-2");
    while !run.join("config.toml").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let (printed, _) = place.run(&["watch", "runs/bandit-oreal-2", "--every", "1"]);
    assert!(running.wait_with_output().unwrap().status.success());
    assert_eq!(printed.lines().count(), 62, "{printed}");
    assert!(printed.ends_with("after\n") && printed.contains("\nfinished after 60 steps"), "{printed}");
}

#[test]
fn every_number_is_in_the_event_file() {
    let place = Place::new();
    let (printed, _) = place.run(&["train", "experiment.toml", "--quiet", "--set", "record.tensorboard=true"]);
    assert!(printed.contains("recorded in"));
    let run = place.0.path().join("runs/bandit-oreal-1");
    let bytes = fs::read(run.join("events.out.tfevents.oreal")).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        records.push(&rest[12..12 + length]);
        rest = &rest[16 + length..];
    }
    assert_eq!(records.len(), 1 + 12 + 2, "the version, the steps, and the pass rates before and after");
    let has = |record: &[u8], tag: &str| record.windows(tag.len()).any(|part| part == tag.as_bytes());
    for tag in ["reward", "pass_rate", "terms/right", "gradient_norm/reward_model", "seconds/update"] {
        assert!(records[2..14].iter().any(|record| has(record, tag)), "{tag}");
    }
    assert!(has(records[1], "held_out/pass_rate") && has(records[14], "held_out/pass_rate"));
    place.run(&["train", "experiment.toml", "--quiet"]);
    assert!(!place.0.path().join("runs/bandit-oreal-2/events.out.tfevents.oreal").exists());
}

/// A grid of two algorithms and two seeds.
const GRID: &str = "[ablation]\nseeds = 2\nparallel = 1\n[ablation.axes]\nalgorithm = [\"rloo\", \"rft\"]\n";

#[test]
fn an_ablation_tells_each_run_that_is_done() {
    let place = Place::new();
    fs::write(place.0.path().join("grid.toml"), format!("{SETTINGS}{GRID}")).unwrap();
    let (printed, told) = place.run(&["ablate", "grid.toml"]);
    assert!(printed.contains("\nvariant ") && printed.contains("recorded in runs/ablate-grid-1"), "{printed}");
    for (number, run) in ["rloo/seed-0", "rft/seed-0", "rloo/seed-1", "rft/seed-1"].into_iter().enumerate() {
        assert!(told.contains(&format!("{}/4 {run}: ", number + 1)), "{run}: {told}");
    }
    assert_eq!((told.matches("% after, ").count(), told.matches("; left 0:0").count()), (4, 3), "{told}");
    assert!(!told.contains('\u{1b}') && !told.contains('\r'), "{told:?}");
    let (_, told) = place.run(&["ablate", "grid.toml", "--quiet"]);
    assert_eq!(told, "");
}

#[test]
fn json_of_several_seeds_is_a_line_for_each_run_and_the_results_last() {
    let place = Place::new();
    fs::write(place.0.path().join("grid.toml"), format!("{SETTINGS}{GRID}")).unwrap();
    let compare: &[&str] = &["compare", "experiment.toml", "--algorithms", "rloo,rft", "--seeds", "2"];
    for (args, folder) in [(&["ablate", "grid.toml"] as &[&str], "ablate-grid-1"), (compare, "compare-bandit-1")] {
        let (printed, told) = place.run(&[args, &["--json"]].concat());
        assert_eq!(told, "", "no bars");
        let lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut runs: Vec<&str> = lines[..4].iter().map(|line| line["run"].as_str().unwrap()).collect();
        runs.sort_unstable();
        assert_eq!(runs, ["rft/seed-0", "rft/seed-1", "rloo/seed-0", "rloo/seed-1"]);
        let folder = place.0.path().join("runs").join(folder);
        for line in &lines[..4] {
            let report = fs::read(folder.join(line["run"].as_str().unwrap()).join("report.json")).unwrap();
            let report: Value = serde_json::from_slice(&report).unwrap();
            assert!(report["after"] == line["after"] && report["steps"] == line["steps"], "{line}");
        }
        let results: Value = serde_json::from_slice(&fs::read(folder.join("results.json")).unwrap()).unwrap();
        assert_eq!(lines[4..], [results]);
        // What has finished is not told again.
        let (printed, _) = place.run(&[args[0], "--json", "--resume", folder.to_str().unwrap()]);
        assert_eq!(printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>(), lines[4..]);
    }
}

#[test]
fn all_runs_of_an_ablation_are_watched() {
    let place = Place::new();
    fs::write(place.0.path().join("grid.toml"), format!("{SETTINGS}{GRID}")).unwrap();
    let folder = place.0.path().join("runs/ablate-grid-1");
    let longer = ["--set", "train.steps=40", "--set", "sentinels.on_stop=warn"];
    let running = place.command(&[&["ablate", "grid.toml", "--quiet"], &longer[..]].concat()).spawn().unwrap();
    while !folder.join("ablation.toml").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let (printed, _) = place.run(&["watch", "runs/ablate-grid-1", "--every", "1"]);
    assert!(running.wait_with_output().unwrap().status.success());
    assert!(printed.starts_with("run ") && printed.ends_with("\n4 of 4 runs have finished\n"), "{printed}");
    for run in ["rloo/seed-0", "rft/seed-0", "rloo/seed-1", "rft/seed-1"] {
        let lines: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix(run)).collect();
        assert!(lines.last().unwrap().trim().starts_with("finished after 40 steps: "), "{run}: {printed}");
        // Of a run that it came to late, the steps before are one line, or none where it has ended.
        assert!(lines.len() <= 41, "{run}: {printed}");
    }

    // Of what has ended there is a line for each run.
    let foreign = folder.join("rft/seed-1");
    fs::remove_dir_all(&foreign).unwrap();
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "my only copy").unwrap();
    let failed = place.command(&["ablate", "--quiet", "--resume", "runs/ablate-grid-1"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stdout).contains("holds something that is no run"), "the table says why");
    let (printed, _) = place.run(&["watch", "runs/ablate-grid-1"]);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(
        lines.len() == 6 && lines[1..4].iter().all(|line| line.contains(" finished after 40 steps: ")),
        "{printed}"
    );
    assert!(lines[4].starts_with("rft/seed-1   failed: ") && lines[4].contains("no run"), "{printed}");
    let advice =
        "3 of 4 runs have finished; no process works on the others; to go on: oreal ablate --resume runs/ablate-grid-1";
    assert_eq!(lines[5], advice);
    // Any folder of runs will do.
    let (printed, _) = place.run(&["watch", "runs"]);
    assert!(
        printed.contains("ablate-grid-1/rloo/seed-0  finished after 40 steps") && printed.contains("\n3 of 3 "),
        "{printed}"
    );
}
