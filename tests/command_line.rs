//! What a user sees: lists, pages, and a message for every mistake.

use std::process::{Command, Output};

use oreal::algos::BuiltIn;

fn oreal(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_oreal")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn lists_name_everything() {
    let list = text(&oreal(&["list"]).stdout);
    for name in BuiltIn::NAMES.iter().chain(oreal::envs::BuiltIn::NAMES).chain(&["math"]) {
        assert!(list.contains(&format!("  {name} ")), "{name} is not in the list");
    }
    for (name, preset, _) in BuiltIn::all() {
        assert!(preset == "default" || list.contains(preset), "{name}/{preset} is not in the list");
    }
}

#[test]
fn every_algorithm_has_a_page() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let page = oreal(&["show", &format!("{name}/{preset}")]);
        assert!(page.status.success(), "{name}/{preset}: {}", text(&page.stderr));
        let page = text(&page.stdout);
        for part in [algorithm.about(), "loss", "reads", "roles", "coupling", "[algorithm]"] {
            assert!(page.contains(part), "{name}/{preset} does not say {part:?}:\n{page}");
        }
    }
    let page = text(&oreal(&["show", "rloo", "--set", "added.entropy=0.01"]).stdout);
    assert!(page.contains("c_H·mean_batch(H(π))") && page.contains("c_H = 0.01"), "{page}");
    let page = text(&oreal(&["show", "grpo", "--set", "beta={from=0.04,to=0.0,steps=50}"]).stdout);
    assert!(page.contains("β = 0.04 -> 0 over 50 steps"), "{page}");
    let page = text(&oreal(&["show", "grpo", "--set", "beta=0"]).stdout);
    assert!(!page.contains("reference"), "no weight, no reference:\n{page}");
}

#[test]
fn every_command_has_help_and_every_shell_completions() {
    for command in ["compare", "ablate", "train", "eval", "grade", "list", "show", "claims", "completions"] {
        let help = oreal(&[command, "--help"]);
        assert!(help.status.success() && text(&help.stdout).contains("Usage: oreal"), "{command}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(text(&oreal(&["completions", shell]).stdout).contains("oreal"), "{shell}");
    }
}

#[test]
fn a_section_that_does_not_say_its_kind_is_of_the_default_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut args = vec!["compare", "--quiet", "--algorithms", "rloo", "--out", folder.path().to_str().unwrap()];
    for setting in
        ["env.digits=1", "model.num_hidden_layers=1", "optimiser.clip=\"off\"", "warm_up.steps=1", "train.steps=1"]
    {
        args.extend(["--set", setting]);
    }
    let output = oreal(&args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let config = std::fs::read_to_string(folder.path().join("compare-addition-1/rloo/config.toml")).unwrap();
    for line in ["kind = \"transformer\"", "num_hidden_layers = 1", "rule = \"adamw\"", "clip = \"off\"", "digits = 1"]
    {
        assert!(config.contains(line), "{line} is not in\n{config}");
    }
}

/// What is wrong, as a file or a setting, and what the message must name.
const MISTAKES: &[(&str, &[&str], &[&str])] = &[
    ("[train]\nstep = 3", &[], &["experiment.toml", "train.step", "unknown field `step`", "steps"]),
    ("sed = 3", &[], &["experiment.toml", "unknown field `sed`"]),
    ("[env]\ndigits = 2", &[], &["env.name", "missing"]),
    ("[env]\nname = \"\"", &[], &["env.name", "\"\" is unknown", "addition"]),
    ("[env]\nname = \"additon\"", &[], &["env.name", "additon", "addition"]),
    ("[env]\nname = 3", &[], &["env.name", "not a text"]),
    ("[env]\nname = \"addition\"\ndigits = 0", &[], &["env.digits", "digits must be from 1 to 9, got 0"]),
    ("[algorithm]\nname = \"grpo\"\nbta = 1", &[], &["algorithm.bta", "unknown field `bta`", "beta"]),
    ("[algorithm]\nname = \"grpo\"\npreset = \"x\"", &[], &["algorithm.preset", "deepseek, dapo, dr_grpo"]),
    ("[train]\nprompts = 0", &[], &["train.prompts", "at least 1"]),
    ("[train]\nprompts = -1", &[], &["train.prompts", "-1"]),
    ("[train]\nsteps = 1.5", &[], &["train.steps", "1.5"]),
    ("seed = -1", &[], &["seed", "-1"]),
    ("[sampling]\ntop_p = 1.5", &[], &["sampling.top_p"]),
    ("[sampling]\ntemperature = 1e-300", &[], &["sampling.temperature", "from 0.001 to 1000"]),
    ("[sampling]\ntemperature = nan", &[], &["sampling.temperature"]),
    ("[evaluation]\ntemperature = -1", &[], &["evaluation.temperature", "or 0"]),
    ("[model]\nkind = \"transformer\"\nnum_attention_heads = 3", &[], &["model.num_attention_heads"]),
    ("[model]\nkind = \"transformer\"\nlayer = 3", &[], &["model.layer", "unknown field `layer`"]),
    ("[model]\nkind = \"tabel\"", &[], &["model", "tabel", "table"]),
    ("", &["optimiser.clip=-1"], &["--set optimiser.clip=-1", "optimiser.clip"]),
    ("", &["optimiser.epsilon=0"], &["optimiser.epsilon"]),
    ("[model]\nkind = \"table\"", &["optimiser.beta1=2"], &["--set optimiser.beta1=2", "optimiser.beta1"]),
    ("", &["optimiser.rule=adam"], &["optimiser", "adam"]),
    ("", &["model.num_hidden_layers=0"], &["model.num_hidden_layers"]),
    ("", &["rates.polcy=0.1"], &["rates.polcy", "unknown role", "policy"]),
    ("", &["rates.policy=-1"], &["rates.policy"]),
    ("", &["roles.critc.start=fresh"], &["roles.critc", "unknown role"]),
    ("", &["roles.critic.start=warm"], &["roles", "warm"]),
    ("[train", &[], &["experiment.toml", "line 1"]),
    ("", &["train.steps"], &["--set train.steps", "section.key=value"]),
    ("", &["train.steps=few"], &["--set train.steps=few", "train.steps"]),
    ("", &["seed.x=1"], &["--set seed.x=1", "seed"]),
    ("", &["=3"], &["--set =3", "section.key=value"]),
    ("", &["train.=3"], &["--set train.=3", "section.key=value"]),
    ("device = \"gpu\"", &[], &["\"gpu\" is no device", "cuda:0"]),
    ("device = \"cuda:0\"\n[model]\nkind = \"table\"", &[], &["device", "must be \"cpu\""]),
    // Sizes that no machine has.
    ("", &["train.prompts=1000000000"], &["train.prompts", "memory", "lower it"]),
    ("", &["train.rollouts=1000000000"], &["train.rollouts", "memory", "lower it"]),
    ("", &["train.rollouts=9223372036854775807"], &["train.rollouts", "memory"]),
    ("", &["evaluation.completions=1000000000000"], &["evaluation.completions", "memory"]),
    ("", &["warm_up.batch=1000000000000"], &["warm_up.batch", "memory"]),
    ("", &["model.num_hidden_layers=100000000"], &["model.num_hidden_layers"]),
    ("", &["model.hidden_size=4096000"], &["model.hidden_size"]),
    ("", &["model.num_hidden_layers=400", "model.hidden_size=8192"], &["model.", "memory"]),
    // Settings of algorithms without sense.
    ("", &["algorithm.name=ppo", "algorithm.epochs=0"], &["algorithm.epochs"]),
    ("", &["algorithm.name=ppo", "algorithm.minibatches=0"], &["algorithm.minibatches"]),
    ("", &["algorithm.name=ppo", "algorithm.clip=-1"], &["--set algorithm.clip=-1", "algorithm.clip"]),
    ("", &["algorithm.name=ppo", "algorithm.discount=7"], &["algorithm.discount"]),
    ("", &["algorithm.name=oreal", "algorithm.token_weights={threshold=1.5}"], &["algorithm.token_weights"]),
    ("", &["algorithm.name=oreal", "algorithm.token_weights={top_share=-1.0}"], &["algorithm.token_weights"]),
    ("", &["algorithm.name=oreal", "algorithm.token_weights={top_share=nan}"], &["algorithm.token_weights"]),
    ("", &["algorithm.name=oreal", "algorithm.eta=nan"], &["--set algorithm.eta=nan", "algorithm.eta"]),
    ("", &["algorithm.name=rloo", "algorithm.average={constant=-4.0}"], &["algorithm.average"]),
    ("", &["algorithm.name=rft", "algorithm.per_prompt=0"], &["algorithm.per_prompt"]),
    (
        "",
        &["algorithm.name=grpo", "algorithm.scale={deviation={degrees_of_freedom=1.0,epsilon=-1.0}}"],
        &["algorithm.scale", "epsilon"],
    ),
    // Without the feature, or without so many GPUs.
    ("device = \"cuda:99\"", &[], &["cuda:99", if cfg!(feature = "dfdx-cuda") { "nvidia-smi" } else { "dfdx-cuda" }]),
];

#[test]
fn every_mistake_has_a_message_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("experiment.toml"), folder.path().join("out"));
    for (content, set, named) in MISTAKES {
        std::fs::write(&file, content).unwrap();
        let mut args = vec!["train", file.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()];
        set.iter().for_each(|setting| args.extend(["--set", setting]));
        let output = oreal(&args);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{content:?} {set:?}: {error}");
        for word in *named {
            assert!(error.contains(word), "{content:?} {set:?} does not name {word:?}: {error}");
        }
        assert!(!error.contains("panicked"), "{error}");
        let left = std::fs::read_dir(&out).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{content:?} {set:?} left something behind");
    }
}

#[test]
fn missing_things_are_named() {
    for (args, named) in [
        (&["train", "nowhere.toml"] as &[&str], "nowhere.toml"),
        (&["show", "grop"], "grop"),
        (&["show", ""], "\"\" is unknown"),
        (&["show", "oreal/papr"], "papr"),
        (&["compare", "--algorithms", "rft,rft"], "rft is named twice"),
    ] {
        let output = oreal(args);
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(named), "{args:?}: {error}");
    }
}

#[test]
fn hostile_input_is_refused() {
    let dots = format!("a{}=1", ".a".repeat(60_000));
    let brackets = format!("seed={}", "[".repeat(60_000));
    let folder = tempfile::tempdir().unwrap();
    let [deep, long, bytes] = ["deep.toml", "long.toml", "bytes.toml"].map(|name| folder.path().join(name));
    std::fs::write(&deep, format!("{dots}\n")).unwrap();
    std::fs::write(&long, "#".repeat(2 << 20)).unwrap();
    std::fs::write(&bytes, [0xff, 0xfe, 0]).unwrap();
    let path = |path: &'static str| path;
    for (args, named) in [
        (vec!["compare", "--set", &dots], "deeper than"),
        (vec!["compare", "--set", &brackets], "seed"),
        (vec!["train", deep.to_str().unwrap()], "deep.toml"),
        (vec!["train", long.to_str().unwrap()], "longer than"),
        (vec!["train", bytes.to_str().unwrap()], "UTF-8"),
        (vec!["train", path("/dev/zero")], "longer than"),
    ] {
        let output = oreal(&[args.as_slice(), &["--quiet", "--out", folder.path().to_str().unwrap()]].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{named}: {:.300}", error);
        assert!(error.contains(named) && error.len() < 2000, "{named}: {error:.300}");
    }
}

/// Small enough to take a moment.
const SMALL: &[&str] = &[
    "--set",
    "env.digits=1",
    "--set",
    "model.num_hidden_layers=1",
    "--set",
    "warm_up.steps=1",
    "--set",
    "train.steps=2",
    "--set",
    "train.prompts=4",
    "--set",
    "train.rollouts=4",
    "--set",
    "evaluation.completions=10",
];

#[test]
fn settings_of_the_algorithm_act_in_a_comparison() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let table = [
        "model.kind=table",
        "warm_up.steps=20",
        "warm_up.rate=0.5",
        "train.steps=2",
        "train.prompts=8",
        "env.digits=1",
    ];
    let table: Vec<&str> = table.into_iter().flat_map(|setting| ["--set", setting]).collect();
    let compare = |number: usize, more: &[&str]| {
        let output = oreal(&[&["compare", "--quiet", "--out", out], table.as_slice(), more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let run = folder.path().join(format!("compare-addition-{number}/oreal-outcome"));
        let metrics = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        let losses = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].to_string();
        (metrics.lines().map(losses).collect::<Vec<_>>(), std::fs::read_to_string(run.join("config.toml")).unwrap())
    };
    let (plain, _) = compare(1, &["--algorithms", "oreal/outcome"]);
    let (set, config) = compare(2, &["--algorithms", "oreal/outcome", "--set", "algorithm.eta=100"]);
    assert!(plain != set && config.contains("eta = 100"), "{config}");
    let file = folder.path().join("file.toml");
    std::fs::write(
        &file,
        "[env]\nname = \"addition\"\n[algorithm]\nname = \"oreal\"\npreset = \"outcome\"\neta = 100.0\n",
    )
    .unwrap();
    let (said, _) = compare(3, &[file.to_str().unwrap(), "--algorithms", "oreal/outcome,rft"]);
    assert_eq!(said, set);
    let refused = oreal(&["compare", file.to_str().unwrap(), "--algorithms", "rft", "--out", out]);
    assert!(text(&refused.stderr).contains("[algorithm] is oreal/outcome"), "{}", text(&refused.stderr));
    let refused = oreal(&["compare", "--algorithms", "oreal,rft", "--set", "algorithm.eta=100", "--out", out]);
    assert!(text(&refused.stderr).contains("algorithm.eta"), "rft has no eta: {}", text(&refused.stderr));
}

#[test]
fn two_comparisons_at_once_have_folders_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let start = |seed: &str, algorithm: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
        command.args(["compare", "--quiet", "--out", folder.path().to_str().unwrap(), "--algorithms", algorithm]);
        command.args(SMALL).args(["--set", seed]).spawn().unwrap()
    };
    let running = [start("seed=1", "rft"), start("seed=2", "rloo")];
    assert!(running.into_iter().all(|mut run| run.wait().unwrap().success()));
    let mut found: Vec<String> = Vec::new();
    for number in 1..=2 {
        let run = folder.path().join(format!("compare-addition-{number}"));
        let algorithms = ["rft", "rloo"].into_iter().filter(|name| run.join(name).exists());
        found.extend(algorithms.map(str::to_owned));
        assert!(run.join("report.json").exists() && run.join("table.txt").exists());
    }
    found.sort();
    assert_eq!(found, ["rft", "rloo"], "each in one folder");
}

#[test]
fn a_folder_that_cannot_be_written_is_found_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let out = file.join("runs");
    for args in [&["compare"] as &[&str], &["train", "examples/addition.toml"]] {
        let clock = std::time::Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_oreal"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(args).args(["--quiet", "--out", out.to_str().unwrap()]);
        let output = command.output().unwrap();
        assert!(!output.status.success() && text(&output.stderr).contains("file"), "{}", text(&output.stderr));
        assert!(clock.elapsed().as_secs() < 5, "found only after the warm-up");
    }
}

#[test]
fn a_setting_that_cannot_act_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["compare", "--quiet", "--algorithms", "grpo", "--out", folder.path().to_str().unwrap()];
    let one_update = ["--set", "algorithm.minibatches=1"];
    let output = oreal(&[&args, SMALL, &one_update].concat());
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("clip_low cannot act"), "{said}");
    let manifest = std::fs::read_to_string(folder.path().join("compare-addition-1/grpo/manifest.json")).unwrap();
    assert!(manifest.contains("cannot act"), "{manifest}");
}
