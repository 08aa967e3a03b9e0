//! A cell that fails is kept with its message, and the others go on.

use oreal::envs::{Answer, Env, Problem, Split, Verdict, World};
use oreal::rand::Rng;
use serde::{Deserialize, Serialize};

use super::*;

fn failed(folder: &Path, variant: usize) -> Value {
    json(&folder.join("results.json"))["variants"][variant]["failed"].clone()
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
    let error = resume(&folder).unwrap_err().to_string();
    let again = format!("`oreal ablate --resume {}` tries again", folder.display());
    for part in ["1 run failed", "rloo,policy=0.02/seed-4", &again] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(foreign.join("thesis.tex").exists() && folder.join(LABELS[2]).join("seed-4/report.json").exists());
    let row = &json(&folder.join("results.json"))["variants"][1];
    assert!(row["runs"] == 2 && row["unfinished"].as_array().unwrap().is_empty(), "{row}");
    assert_eq!(row["failed"][0]["run"], "rloo,policy=0.02/seed-4");
    assert!(row["failed"][0]["problem"].as_str().unwrap().contains("holds something that is no run"), "{row}");
    assert_eq!(row["versus"]["pairs"], 2, "pairs are of the seeds that both have");
    let markdown = fs::read_to_string(folder.join("results.md")).unwrap();
    for part in ["| 2 of 3 |", "1 run failed without a score", "| rloo,policy=0.02/seed-4 | failed |", "no run"] {
        assert!(markdown.contains(part), "{part}:\n{markdown}");
    }
    fs::remove_dir_all(&foreign).unwrap();
    resume(&folder).unwrap();
    assert_eq!(failed(&folder, 1), serde_json::json!([]));
}

#[test]
fn a_cell_that_diverges_leaves_the_scores_of_the_others() {
    let parent = tempfile::tempdir().unwrap();
    let grid = "[ablation]\nseeds = 2\n[ablation.axes]\nalgorithm = [\"rloo\"]\n[[ablation.variants]]\nlabel = \
                \"diverges\"\nset = [\"algorithm.name=\\\"rloo\\\"\", \"rates.policy=1e30\"]\n";
    ablate(parent.path(), &format!("{FILE}{grid}"), &[]).unwrap_err();
    let folder = first(parent.path());
    let results = json(&folder.join("results.json"));
    let [sound, sick] = [0, 1].map(|variant| &results["variants"][variant]);
    assert!(sound["runs"] == 2 && sick["runs"] == 0 && sick.get("summary").is_none(), "{results:#}");
    for (place, seed) in [3, 4].into_iter().enumerate() {
        assert_eq!(sick["failed"][place]["run"], format!("diverges/seed-{seed}"));
        let problem = sick["failed"][place]["problem"].as_str().unwrap();
        assert!(problem.contains("finite"), "{problem}");
    }
}

/// Say `a`. While a file is there, it does what the file says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Flaky {
    file: String,
}

impl Env for Flaky {
    fn name(&self) -> &str {
        "flaky"
    }
    fn max_tokens(&self) -> usize {
        2
    }
    fn count(&self, _: Split) -> u64 {
        8
    }
    fn problem(&self, split: Split, index: u64, _: &mut dyn Rng) -> Problem {
        let id = index % 8 + if split == Split::HeldOut { 8 } else { 0 };
        Problem { id, prompt: "?".to_owned().into(), answer: "a".to_owned() }
    }
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        match fs::read_to_string(&self.file).as_deref() {
            Ok("panic") => panic!("the file {} says so", self.file),
            Ok("silent") => vec![Verdict::Ungraded; answers.len()],
            _ => {
                let right = |answer: &Answer<'_>| answer.completion == answer.problem.answer;
                answers.iter().map(|answer| if right(answer) { Verdict::Right } else { Verdict::Wrong }).collect()
            }
        }
    }
    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl World for Flaky {
    fn alphabet(&self) -> String {
        "?ab".into()
    }
}

const FLAKY: &str = r#"
[env]
name = "flaky"
[model]
kind = "table"
[warm_up]
steps = 0
[train]
steps = 6
prompts = 4
rollouts = 4
[evaluation]
completions = 8
[sentinels]
patience = 2
[ablation]
seeds = 2
[[ablation.variants]]
label = "sound"
algorithm = "rloo"
"#;

#[test]
fn a_panic_and_a_sentinel_end_their_cells_only_and_are_tried_again() {
    let parent = tempfile::tempdir().unwrap();
    let mut text = FLAKY.to_owned();
    let place = |word: &str| parent.path().join(word);
    for word in ["panic", "silent"] {
        fs::write(place(word), word).unwrap();
        let set = format!("env.file={:?}", place(word));
        text += &format!("[[ablation.variants]]\nlabel = \"{word}\"\nalgorithm = \"rloo\"\nset = ['{set}']\n");
    }
    let file = parent.path().join("grid.toml");
    fs::write(&file, text).unwrap();
    let catalogue = Catalogue::built_in().env("flaky", "does what a file says", Flaky::default());
    let [file, out] = [file, parent.path().join("out")].map(|path| path.display().to_string());
    let arguments = ["oreal", "ablate", &file, "--quiet", "--parallel", "2", "--out", &out];
    let error = catalogue.run(&arguments).unwrap_err().to_string();
    assert!(error.contains("4 runs failed") && error.contains("panic/seed-1"), "{error}");
    let folder = first(parent.path());
    let results = json(&folder.join("results.json"));
    let problem = |variant: usize| results["variants"][variant]["failed"][1]["problem"].as_str().unwrap();
    assert_eq!(results["variants"][0]["runs"], 2);
    assert!(problem(1).starts_with("panic: the file ") && problem(1).ends_with(" says so"), "{}", problem(1));
    assert!(problem(2).contains("ungraded") && problem(2).contains("sentinels.on_stop"), "{}", problem(2));

    ["panic", "silent"].into_iter().for_each(|word| fs::remove_file(place(word)).unwrap());
    let resumed = folder.display().to_string();
    catalogue.run(&["oreal", "ablate", "--quiet", "--resume", &resumed]).unwrap();
    let results = json(&folder.join("results.json"));
    // Their files were all that was wrong with them, and the panics came before the first step.
    assert_eq!(results["variants"][1]["scores"], results["variants"][0]["scores"]);
    assert!(
        results["variants"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["runs"] == 2 && row["failed"] == serde_json::json!([]))
    );
}
