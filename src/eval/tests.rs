//! Statistics against independent computations, records against kills and strangers, servers against everything.

mod comparing;
mod running;
mod serving;
mod statistics;
mod voting;

use std::path::{Path, PathBuf};

use oreal_models::Ending;
use tempfile::TempDir;

use super::*;

/// Four questions with the gold answers 1, 2, 3 and 4; the levels are 1, 2, 10 and none.
pub(super) const QUESTIONS: &str = r#"{"problem": "One?", "answer": "1", "level": 1}
{"problem": "Two?", "answer": "2", "level": 2}
{"problem": "Three?", "answer": "3", "level": 10}
{"problem": "Four?", "answer": "4"}
"#;

/// A folder with the questions in `data.jsonl`.
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) settings: EvalSettings,
}

impl Place {
    pub(super) fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data.jsonl");
        std::fs::write(&data, QUESTIONS).unwrap();
        let settings = EvalSettings {
            data: data.display().to_string(),
            source: Some(crate::problems::Source::Math),
            n: 3,
            temperature: 1.0,
            max_tokens: 100,
            by: vec!["level".to_owned()],
            ..EvalSettings::default()
        };
        Place { folder, settings }
    }

    pub(super) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub(super) fn run(&self, generator: &mut dyn Generator) -> Result<Results> {
        self.run_in(&self.out(), generator)
    }

    pub(super) fn run_in(&self, out: &Path, generator: &mut dyn Generator) -> Result<Results> {
        Benchmark::new(&self.settings)?.run(generator, out, &mut |_| {})
    }

    pub(super) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.out().join("completions.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A generator that says what a function says; it counts what it is asked for.
pub(super) struct Scripted<F> {
    pub(super) says: F,
    pub(super) asked: usize,
}

impl<F: Fn(&str, usize) -> std::result::Result<String, String>> Scripted<F> {
    pub(super) fn new(says: F) -> Scripted<F> {
        Scripted { says, asked: 0 }
    }
}

impl<F: Fn(&str, usize) -> std::result::Result<String, String>> Generator for Scripted<F> {
    fn identity(&self) -> Value {
        "scripted".into()
    }

    fn name(&self) -> String {
        "scripted".into()
    }

    fn draw(&mut self, wanted: &[Wanted<'_>], _: &Draw, arrived: &mut Receiver<'_>) -> Result<()> {
        for (index, wanted) in wanted.iter().enumerate() {
            self.asked += 1;
            let said = (self.says)(&wanted.problem.question, wanted.sample);
            let outcome = said.map(|text| Generated {
                text,
                reasoning: None,
                tokens: Some(7),
                drawn: None,
                ending: Ending::Stopped,
            });
            arrived(vec![Arrived { index, outcome }])?;
        }
        Ok(())
    }
}

/// The answer that is right.
pub(super) fn right(question: &str) -> String {
    let answer = ["One?", "Two?", "Three?", "Four?"].iter().position(|other| *other == question).unwrap() + 1;
    format!("It is \\boxed{{{answer}}}.")
}
