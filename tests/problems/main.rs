//! Problem sets: what is read of a file, what is left out of it, and a run on one.

mod reading;
mod running;

use oreal::problems::{HeldOut, ProblemSettings, Source};
use tempfile::TempDir;

/// A folder with files of these names and contents.
fn files(contents: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    contents.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// Settings for a file with the fields `question` and `gold`.
fn named(file: String, held_out: HeldOut) -> ProblemSettings {
    let [question, gold] = ["question", "gold"].map(|name| Some(name.to_owned()));
    ProblemSettings { file, held_out, question, gold, ..ProblemSettings::default() }
}

/// `n` rows with the sum of two numbers.
fn sums(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{{\"question\": \"What is {i} + 1?\", \"gold\": {}}}\n", i + 1)).collect()
}

/// A row of each source as it is published, and the gold answer in it.
const PUBLISHED: [(Source, &str, &str); 8] = [
    (Source::Math, r#"{"problem": "Half of 3?", "solution": "\\boxed{1}", "answer": "\\frac32"}"#, r"\frac32"),
    (Source::Gsm8k, r#"{"question": "3 bags of 400?", "answer": "3 * 400 = 1200 ####\n#### 1,200"}"#, "1,200"),
    (Source::Aime, r#"{"id": 1, "problem": "p", "answer": "204", "url": "-"}"#, "204"),
    (Source::Amc, r#"{"problem": "p", "answer": 27.0}"#, "27"),
    (Source::Minerva, r#"{"problem": "p", "solution": "First \\boxed{1}, so \\boxed{2.5}", "type": "t"}"#, "2.5"),
    (
        Source::OlympiadBench,
        r#"{"question": "p", "final_answer": ["1,2"], "unit": "km", "error": null, "is_multiple_answer": true}"#,
        "1,2",
    ),
    (Source::Gaokao, r#"{"question": "p", "answer": "$(-1, 2]$"}"#, "$(-1, 2]$"),
    (Source::Oreal, r#"{"question": "p", "gold_answer": "7", "pass_rate": 0.25}"#, "7"),
];
