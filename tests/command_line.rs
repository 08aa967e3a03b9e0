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
    for name in BuiltIn::NAMES.iter().chain(oreal::envs::BuiltIn::NAMES) {
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
    let page = text(&oreal(&["show", "grpo", "--set", "beta=0"]).stdout);
    assert!(!page.contains("reference"), "no weight, no reference:\n{page}");
}

#[test]
fn every_command_has_help_and_every_shell_completions() {
    for command in ["compare", "train", "list", "show", "claims", "completions"] {
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
    ("[train]\nstep = 3", &[], &["experiment.toml", "[train]", "unknown field `step`", "steps"]),
    ("sed = 3", &[], &["experiment.toml", "unknown field `sed`"]),
    ("[env]\ndigits = 2", &[], &["[env]", "name"]),
    ("[env]\nname = \"additon\"", &[], &["[env]", "additon", "addition"]),
    ("[env]\nname = \"addition\"\ndigits = 0", &[], &["[env]", "digits must be from 1 to 9, got 0"]),
    ("[algorithm]\nname = \"grpo\"\nbta = 1", &[], &["[algorithm]", "unknown field `bta`", "beta"]),
    ("[algorithm]\nname = \"grpo\"\npreset = \"x\"", &[], &["algorithm.preset", "deepseek, dapo, dr_grpo"]),
    ("[train]\nprompts = 0", &[], &["train.prompts", "at least 1"]),
    ("[train]\nprompts = -1", &[], &["[train]", "invalid value"]),
    ("[sampling]\ntop_p = 1.5", &[], &["sampling.top_p"]),
    ("[model]\nkind = \"transformer\"\nnum_attention_heads = 3", &[], &["policy", "hidden_size"]),
    ("[model]\nkind = \"transformer\"\nlayer = 3", &[], &["[model]", "unknown field `layer`"]),
    ("", &["optimiser.clip=-1"], &["[optimiser]", "clip"]),
    ("", &["model.num_hidden_layers=0"], &["policy", "model.num_hidden_layers"]),
    ("[train", &[], &["experiment.toml", "line 1"]),
    ("", &["train.steps"], &["--set train.steps", "section.key=value"]),
    ("", &["train.steps=few"], &["[train]", "expected usize"]),
    ("", &["seed.x=1"], &["seed"]),
    ("device = \"gpu\"", &[], &["\"gpu\" is no device", "cuda:0"]),
    ("device = \"cuda:0\"\n[model]\nkind = \"table\"", &[], &["device must be \"cpu\""]),
    // Without the feature, or without so many GPUs.
    (
        "device = \"cuda:99\"",
        &[],
        &["policy", "cuda:99", if cfg!(feature = "dfdx-cuda") { "nvidia-smi" } else { "dfdx-cuda" }],
    ),
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
        (&["show", "oreal/papr"], "papr"),
        (&["compare", "--algorithms", "rft,rft"], "rft is named twice"),
    ] {
        let output = oreal(args);
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(named), "{args:?}: {error}");
    }
}

#[test]
fn a_loss_that_is_no_number_names_its_node_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("experiment.toml");
    let config = "[env]\nname = \"bandit\"\n[model]\nkind = \"table\"\n[warm_up]\nsteps = 2\n[train]\nsteps = 2\n[algorithm]\nname = \
                  \"dr\"";
    let config = config.replace("\"dr\"", "\"grpo\"\naverage = { constant = 0.0 }");
    std::fs::write(&file, config).unwrap();
    let out = folder.path().join("out");
    let output = oreal(&["train", file.to_str().unwrap(), "--quiet", "--out", out.to_str().unwrap()]);
    let error = text(&output.stderr);
    assert!(!output.status.success() && error.contains("step 0") && error.contains("not finite"), "{error}");
}
