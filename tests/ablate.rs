//! Ablations: every cell is a run that is trained once, and the results follow from the folders alone.

use std::fs;
use std::path::{Path, PathBuf};

use oreal::ablate::{Ablation, Results};
use oreal::statistics::wilcoxon;
use oreal::{Budget, Catalogue, Config, Experiment, StepRecord, step};
use serde_json::Value;

const FILE: &str = r#"
seed = 3
[env]
name = "bandit"
[model]
kind = "transformer"
num_hidden_layers = 1
hidden_size = 16
num_attention_heads = 2
num_key_value_heads = 1
intermediate_size = 32
[warm_up]
steps = 8
batch = 8
rate = 0.01
[train]
steps = 6
prompts = 4
rollouts = 4
[rates]
policy = 0.01
[evaluation]
completions = 40
[record]
transcripts_every = 0
"#;

const GRID: &str = r#"
[ablation]
seeds = 3
[ablation.axes]
algorithm = ["rloo", "grpo/dr_grpo"]
"rates.policy" = [0.0, 0.02]
[[ablation.variants]]
label = "no-negatives"
algorithm = "oreal/outcome"
set = ["algorithm.eta=0"]
"#;

const LABELS: [&str; 5] =
    ["rloo,policy=0.0", "rloo,policy=0.02", "grpo-dr_grpo,policy=0.0", "grpo-dr_grpo,policy=0.02", "no-negatives"];

/// Runs `oreal ablate`; what it prints.
fn ablate(folder: &Path, text: &str, more: &[&str]) -> oreal::Result<String> {
    let file = folder.join("grid.toml");
    fs::write(&file, text).unwrap();
    let (file, out) = (file.display().to_string(), folder.join("out").display().to_string());
    let arguments = ["oreal", "ablate", &file, "--quiet", "--out", &out];
    Catalogue::built_in().run(&[&arguments, more].concat())
}

fn first(folder: &Path) -> PathBuf {
    folder.join("out/ablate-grid-1")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Every line of a run's metrics without its times.
fn metrics(run: &Path) -> Vec<StepRecord> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let record = |line: &str| StepRecord { seconds: Default::default(), ..serde_json::from_str(line).unwrap() };
    text.lines().map(record).collect()
}

/// Files that may not depend on how runs were scheduled.
fn results(folder: &Path) -> Vec<Vec<u8>> {
    ["results.json", "results.csv", "results.md"].map(|name| fs::read(folder.join(name)).unwrap()).to_vec()
}

#[test]
fn every_cell_of_a_grid_is_an_ordinary_run_and_every_variant_has_a_row() {
    let parent = tempfile::tempdir().unwrap();
    let printed = ablate(parent.path(), &format!("{FILE}{GRID}"), &[]).unwrap();
    let folder = first(parent.path());
    let results = json(&folder.join("results.json"));
    let [markdown, csv] = ["results.md", "results.csv"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    assert_eq!(csv.lines().count(), 1 + LABELS.len());
    for (number, label) in LABELS.into_iter().enumerate() {
        let row = &results["variants"][number];
        assert!(row["label"] == label && printed.contains(label) && markdown.contains(label), "{label}: {printed}");
        for (place, seed) in (3..6).enumerate() {
            let run = folder.join(label).join(format!("seed-{seed}"));
            let report = json(&run.join("report.json"));
            assert!(report["seed"] == seed && run.join("policy").is_dir(), "{label} {seed}");
            assert_eq!(report["after"]["rate"], row["scores"][0][place], "{label} {seed}");
            assert_eq!(metrics(&run).len(), 6);
        }
    }
    let mean = |number: usize| results["variants"][number]["summary"]["mean"]["value"].as_f64().unwrap();
    let versus = &results["variants"][1]["versus"];
    let difference = versus["difference"]["value"].as_f64().unwrap();
    assert!((difference - (mean(1) - mean(0))).abs() < 1e-12, "{versus}");
    assert!(results["variants"][0].get("versus").is_none(), "the first variant is what others are compared with");
    let p = |name: &str| versus[name].as_f64().unwrap();
    let score = |variant: usize, seed: usize| results["variants"][variant]["scores"][0][seed].as_f64().unwrap();
    let differences: Vec<f64> = (0..3).map(|seed| score(1, seed) - score(0, seed)).collect();
    assert!(p("wilcoxon") == wilcoxon(&differences) && p("wilcoxon_holm") >= p("wilcoxon"), "{versus}");
    assert!(markdown.contains("take 8 seeds or more"), "{markdown}");
}

#[test]
fn the_variants_of_a_seed_share_one_warm_up() {
    let parent = tempfile::tempdir().unwrap();
    ablate(parent.path(), &format!("{FILE}{GRID}"), &[]).unwrap();
    let folder = first(parent.path());
    let before =
        |label: &str, seed: u64| json(&folder.join(label).join(format!("seed-{seed}/report.json")))["before"].clone();
    for seed in 3..6 {
        assert!(LABELS.iter().all(|label| before(label, seed) == before(LABELS[0], seed)), "seed {seed}");
        // With a rate of 0 the policy that was trained is the one that the warm-up made.
        let weights =
            |label: &str| fs::read(folder.join(format!("{label}/seed-{seed}/policy/model.safetensors"))).unwrap();
        assert!(weights(LABELS[0]) == weights(LABELS[2]) && weights(LABELS[0]) != weights(LABELS[1]), "seed {seed}");
    }
    let weights =
        |seed: u64| fs::read(folder.join(LABELS[0]).join(format!("seed-{seed}/policy/model.safetensors"))).unwrap();
    assert!(weights(3) != weights(4), "seeds have warm-ups of their own");
}

#[test]
fn results_are_the_same_bytes_whatever_runs_at_once() {
    let [one, three] = ["1", "3"].map(|parallel| {
        let parent = tempfile::tempdir().unwrap();
        ablate(parent.path(), &format!("{FILE}{GRID}"), &["--parallel", parallel]).unwrap();
        parent
    });
    let [a, b] = [&one, &three].map(|parent| first(parent.path()));
    assert!(results(&a) == results(&b), "results differ");
    for label in LABELS {
        for seed in 3..6 {
            let run = |folder: &Path| metrics(&folder.join(label).join(format!("seed-{seed}")));
            assert_eq!(run(&a), run(&b), "{label} {seed}");
        }
    }
}

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
    let resumed = folder.display().to_string();
    let arguments = ["oreal", "ablate", "--quiet", "--resume", &resumed];
    Catalogue::built_in().run(&arguments).unwrap();
    assert!(results(&folder) == expected, "the same results in one go and in two");
    let again: Vec<usize> =
        before.iter().zip(written()).enumerate().filter(|(_, (a, b))| *a != b).map(|(i, _)| i).collect();
    // Reports hold wall times, so that a run that was made again has another one.
    assert_eq!(again, [4, 14], "only the two that were not finished");
    // With everything finished nothing is trained at all.
    let (before, clock) = (written(), std::time::Instant::now());
    Catalogue::built_in().run(&arguments).unwrap();
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

#[test]
fn a_cell_that_fails_is_told_and_the_others_go_on() {
    let parent = tempfile::tempdir().unwrap();
    let folder = first(parent.path());
    let foreign = folder.join(LABELS[1]).join("seed-4");
    ablate(parent.path(), &format!("{FILE}{GRID}"), &[]).unwrap();
    fs::remove_dir_all(&foreign).unwrap();
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "my only copy").unwrap();
    fs::remove_dir_all(folder.join(LABELS[2]).join("seed-4")).unwrap();
    let resumed = folder.display().to_string();
    let arguments = ["oreal", "ablate", "--quiet", "--resume", &resumed];
    let error = Catalogue::built_in().run(&arguments).unwrap_err().to_string();
    assert!(error.contains("1 runs failed") && error.contains("holds something that is no run"), "{error}");
    assert!(foreign.join("thesis.tex").exists() && folder.join(LABELS[2]).join("seed-4/report.json").exists());
    let row = &json(&folder.join("results.json"))["variants"][1];
    assert!(row["runs"] == 2 && row["unfinished"][0].as_str().unwrap().ends_with("seed-4"), "{row}");
    assert_eq!(row["versus"]["pairs"], 2, "pairs are of the seeds that both have");
}

#[test]
fn variants_spend_equally() {
    for (matched, budget, key, step) in
        [("rollouts", 64, "rollouts", 16), ("updates", 10, "updates", 4), ("tokens", 100, "tokens", 128)]
    {
        let parent = tempfile::tempdir().unwrap();
        let grid = format!(
            "[ablation]\nseeds = 1\nmatch = \"{matched}\"\nbudget = {budget}\n[ablation.axes]\nalgorithm = [\"ppo\", \"rft\"]"
        );
        ablate(parent.path(), &format!("{FILE}{grid}"), &["--set", "train.steps=40"]).unwrap();
        for label in ["ppo", "rft"] {
            let report = json(&first(parent.path()).join(label).join("seed-3/report.json"));
            let spent = report["spent"][key].as_u64().unwrap();
            assert!((budget..budget + step).contains(&spent), "{label}: {report}");
            assert!(report["steps"].as_u64() < Some(40), "{label}: {report}");
        }
    }
}

#[test]
fn learning_rates_follow_the_budget() {
    let text = format!("{FILE}\n[algorithm]\nname = \"rloo\"\n");
    let config = Config::from_toml(&text, "test", &["rates.warmup=0".into(), "rates.floor=0.5".into()]).unwrap();
    let rates = |budget| {
        let experiment =
            Experiment::from_config(config.clone()).with(|s| (s.train.budget, s.train.steps) = (budget, 60));
        let start = experiment.warm_up(&mut |_| {}).unwrap();
        let (mut run, mut rates) = (experiment.prepare(&start).unwrap(), Vec::new());
        while !run.is_over() {
            rates.push(StepRecord::new(&step(&mut run).unwrap()).rate["policy"]);
        }
        rates
    };
    let (whole, half) = (rates(Budget::Off), rates(Budget::Rollouts(16 * 30)));
    assert_eq!((whole.len(), half.len()), (60, 30));
    for (place, rate) in half.iter().enumerate() {
        assert_eq!(*rate, whole[2 * place], "half the steps, the same schedule");
    }
}

#[test]
fn a_run_that_goes_on_spends_the_rest_of_its_budget() {
    let text = format!("{FILE}\n[algorithm]\nname = \"rloo\"\n");
    let config = Config::from_toml(&text, "test", &["train.steps=40".into()]).unwrap();
    let experiment = Experiment::from_config(config).with(|s| s.train.budget = Budget::Rollouts(96));
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    let mut first = experiment.prepare(&start).unwrap();
    (0..4).for_each(|_| drop(step(&mut first).unwrap()));
    let mut second = experiment.prepare(&start).unwrap();
    second.restore(&first.state().unwrap()).unwrap();
    let mut more = 0;
    while !second.is_over() {
        step(&mut second).unwrap();
        more += 1;
    }
    assert_eq!(more, 2, "96 rollouts are 6 steps");
}

/// What is wrong with an ablation, and what the message must name.
const MISTAKES: &[(&str, &[&str])] = &[
    ("", &["[ablation] is missing", "docs/ablations.md"]),
    ("[ablation]", &["ablation.axes", "nothing to compare"]),
    ("[ablation]\nseed = 3", &["ablation.seed", "unknown field"]),
    ("[ablation]\nseeds = 0", &["ablation.seeds", "at least 1"]),
    ("[ablation]\nseeds = [1, 1]", &["ablation.seeds", "twice"]),
    ("[ablation]\nseeds = [1000001]", &["ablation.seeds", "pilots"]),
    ("[ablation]\nseeds = 100000", &["ablation.seeds", "at most 1000"]),
    ("[ablation]\nmatch = \"watts\"", &["ablation.match", "watts", "rollouts"]),
    ("[ablation]\nmatch = \"updates\"", &["ablation.budget", "missing"]),
    ("[ablation]\nbudget = 3", &["ablation.budget", "train.steps"]),
    ("[ablation]\nmatch = \"updates\"\nbudget = 1.5", &["ablation.budget", "whole"]),
    ("[ablation]\nmatch = \"seconds\"\nbudget = 1.5\nparallel = 2", &["ablation.parallel", "must be 1"]),
    ("[ablation]\nparallel = 0", &["ablation.parallel"]),
    ("[ablation]\nsmallest_difference = 0.0", &["ablation.smallest_difference"]),
    ("[ablation]\nbaseline = \"x\"\n[ablation.axes]\nalgorithm = [\"rft\"]", &["ablation.baseline", "\"x\"", "rft"]),
    ("[ablation.axes]\nalgorithm = [\"rft\", \"rft\"]", &["rft is named twice"]),
    ("[ablation.axes]\nalgorithm = [3]", &["ablation.axes.algorithm", "3"]),
    ("[ablation.axes]\nalgorithm = []", &["algorithm has no values"]),
    ("[ablation.axes]\nalgorithm = [\"grop\"]", &["grop: ", "algorithm.name", "unknown"]),
    ("[ablation.axes]\n\"train.prompts\" = [2, 0]", &["prompts=0: ", "train.prompts", "at least 1"]),
    ("[ablation.axes]\n\"train.promts\" = [2]", &["promts=2: ", "unknown field"]),
    ("[[ablation.variants]]\nlabel = \"../x\"", &["../x", "names a folder"]),
    ("[[ablation.variants]]\nlabel = \"results.json\"", &["results.json", "names a folder"]),
    ("[[ablation.variants]]\nlabel = \"a\"\nsets = []", &["ablation.variants", "sets"]),
    ("[[ablation.variants]]\nlabel = \"a\"\nset = [\"train.steps\"]", &["a: train.steps", "section.key=value"]),
    (
        "[ablation]\nmatch = \"rollouts\"\nbudget = 1000\n[ablation.axes]\nalgorithm = [\"rft\"]",
        &["ablation.budget", "at most 96", "train.steps = 6"],
    ),
    ("[ablation.axes]\n\"env.name\" = [\"bandit\"]\n\"env.probabilities\" = [[0.5], [2.0]]", &["env.probabilities"]),
    (
        "[ablation.axes]\n\"train.prompts\" = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n\"train.rollouts\" = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\nseed = [0,1,2,3,4,5,6,7,8,9,10]",
        &["more than 1000 variants"],
    ),
];

#[test]
fn every_mistake_has_a_message_and_leaves_nothing_behind() {
    let parent = tempfile::tempdir().unwrap();
    for (section, named) in MISTAKES {
        let error = ablate(parent.path(), &format!("{FILE}{section}"), &[]).unwrap_err().to_string();
        for word in *named {
            assert!(error.contains(word), "{section:?} does not name {word:?}: {error}");
        }
        assert_eq!(fs::read_dir(parent.path().join("out")).map_or(0, Iterator::count), 0, "{section:?}");
    }
}

#[test]
fn records_that_no_run_wrote_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    ablate(parent.path(), &format!("{FILE}{GRID}"), &[]).unwrap();
    let folder = first(parent.path());
    let text = fs::read_to_string(folder.join("ablation.toml")).unwrap().parse().unwrap();
    let ablation = Ablation::from_table(&text, "ablation.toml", &[], &Catalogue::built_in()).unwrap();
    let run = folder.join(LABELS[0]).join("seed-3");
    for (file, content) in [
        ("report.json", "{}"),
        ("report.json", "[[[[[[[["),
        ("report.json", "{\"after\":{\"rate\":null}}"),
        ("metrics.jsonl", "{\"step\":-1}\n"),
        ("metrics.jsonl", "\u{0}"),
    ] {
        let kept = fs::read(run.join(file)).unwrap();
        fs::write(run.join(file), content).unwrap();
        let error = Results::read(&ablation, &folder).unwrap_err().to_string();
        assert!(error.contains(file), "{content:?}: {error}");
        fs::write(run.join(file), kept).unwrap();
    }
    Results::read(&ablation, &folder).unwrap();
}

#[test]
fn a_pilot_has_other_seeds_and_other_problems() {
    let parent = tempfile::tempdir().unwrap();
    let grid = "[ablation]\nseeds = 2\n[ablation.axes]\nalgorithm = [\"rft\"]";
    ablate(parent.path(), &format!("{FILE}{grid}"), &["--pilot"]).unwrap();
    ablate(parent.path(), &format!("{FILE}{grid}"), &[]).unwrap();
    let out = parent.path().join("out");
    for (folder, part, seeds) in
        [("ablate-grid-1", "pilot", [1_000_003, 1_000_004]), ("ablate-grid-2", "final", [3, 4])]
    {
        for seed in seeds {
            let config = fs::read_to_string(out.join(folder).join(format!("rft/seed-{seed}/config.toml"))).unwrap();
            assert!(config.contains(&format!("part = \"{part}\"")), "{config}");
        }
        assert_eq!(json(&out.join(folder).join("results.json"))["problems"], part);
    }
}

#[test]
fn tasks_are_strata_with_runs_of_their_own() {
    let parent = tempfile::tempdir().unwrap();
    let grid = r#"
[ablation]
seeds = 2
[ablation.axes]
algorithm = ["rloo", "rft"]
[[ablation.tasks]]
label = "easy"
set = ["env.probabilities=[0.9]"]
[[ablation.tasks]]
label = "hard"
set = ["env.probabilities=[0.1]"]
"#;
    ablate(parent.path(), &format!("{FILE}{grid}"), &[]).unwrap();
    let folder = first(parent.path());
    let results = json(&folder.join("results.json"));
    for (number, label) in ["rloo", "rft"].into_iter().enumerate() {
        let row = &results["variants"][number];
        assert_eq!(row["runs"], 4);
        for (task, name) in ["easy", "hard"].into_iter().enumerate() {
            let report = json(&folder.join(format!("{label}-on-{name}/seed-4/report.json")));
            assert_eq!(report["after"]["rate"], row["scores"][task][1]);
        }
    }
    assert_eq!(results["variants"][1]["versus"]["pairs"], 4);
}

#[test]
fn a_comparison_over_seeds_has_the_same_statistics() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("compare.toml");
    let variants = "[[variants]]\nlabel = \"fast\"\nalgorithm = \"rloo\"\nset = [\"rates.policy=0.3\"]\n";
    fs::write(&file, format!("{FILE}{variants}")).unwrap();
    let (file, out) = (file.display().to_string(), parent.path().join("out").display().to_string());
    let compare = |more: &[&str]| {
        let arguments = ["oreal", "compare", &file, "--algorithms", "rloo,rft", "--quiet", "--out", &out];
        Catalogue::built_in().run(&[&arguments, more].concat())
    };
    let printed = compare(&["--seeds", "2"]).unwrap();
    let folder = parent.path().join("out/compare-bandit-1");
    let results = json(&folder.join("results.json"));
    for (number, label) in ["rloo", "rft", "fast"].into_iter().enumerate() {
        assert!(printed.contains(label) && results["variants"][number]["label"] == label, "{printed}");
        assert!(folder.join(label).join("seed-4/report.json").exists());
    }
    let resumed = folder.display().to_string();
    Catalogue::built_in().run(&["oreal", "ablate", "--quiet", "--resume", &resumed]).unwrap();
    assert_eq!(json(&folder.join("results.json")), results);
    // With one seed a comparison is as it was: folders without seeds, one table.
    let printed = compare(&[]).unwrap();
    let folder = parent.path().join("out/compare-bandit-2");
    let reports = json(&folder.join("report.json"));
    for (number, label) in ["rloo", "rft", "fast"].into_iter().enumerate() {
        let report = json(&folder.join(label).join("report.json"));
        assert!(reports[number]["algorithm"] == label && printed.contains(label), "{printed}");
        // The same run as the first seed of the comparison over seeds.
        let same = json(&parent.path().join("out/compare-bandit-1").join(label).join("seed-3/report.json"));
        assert!(report["after"] == same["after"] && report["before"] == same["before"], "{label}");
    }
    assert!(compare(&["--seeds", "0"]).unwrap_err().to_string().contains("--seeds"));
}

#[test]
fn the_shipped_ladder_adds_one_term_after_the_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/oreal_ladder.toml");
    let table = fs::read_to_string(path).unwrap().parse().unwrap();
    let ablation = Ablation::from_table(&table, "oreal_ladder.toml", &[], &Catalogue::built_in()).unwrap();
    let rung = |label: &str| {
        let variant = ablation.labels.iter().position(|other| other == label).unwrap();
        let cell = ablation.cells.iter().find(|cell| cell.variant == variant).unwrap();
        let algorithm = cell.config.algorithm.value.clone();
        (algorithm.objective().formula(), format!("{:?}", algorithm.select()))
    };
    for (label, has) in [
        ("rft", [false, false, false, false]),
        ("+wrong", [true, false, false, false]),
        ("+shaped", [true, true, false, false]),
        ("+token-weights", [true, true, true, false]),
        ("+kl", [true, true, true, true]),
    ] {
        let (formula, selection) = rung(label);
        let found = ["negative", "(-A·", "confidence", "β·kl"].map(|term| formula.contains(term));
        assert_eq!(found, has, "{label}:\n{formula}");
        assert!(selection.contains("All"), "{label}: {selection}");
    }
    assert!(rung("+pairs").0 == rung("+kl").0 && rung("+pairs").1.contains("Pair"));
}
