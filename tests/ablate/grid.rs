//! Every cell is a run that is trained once, and the results follow from the folders alone.

use super::*;

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
