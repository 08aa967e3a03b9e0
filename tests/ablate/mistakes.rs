//! Mistakes end with a message.

use super::*;

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
