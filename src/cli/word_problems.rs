//! `oreal word-problems`: generated problems with worked steps, as files to learn from.

use std::path::{Path, PathBuf};

use clap::Args;
use oreal_toy_envs::{IllegalSetting, WordProblem, WordProblems as Stories};

use crate::error::{Error, Result};
use crate::folder::reserve;
use crate::record;
use crate::streams::{Purpose, stream};

#[derive(Debug, Args)]
pub(super) struct WordProblems {
    /// A new folder for train.jsonl and test.jsonl
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Problems to train on
    #[arg(long, default_value_t = 20_000)]
    count: usize,
    /// Problems that are held out; none of them is among those to train on
    #[arg(long, default_value_t = 500)]
    held_out: usize,
    /// Most steps of a solution, from 1 to 8
    #[arg(long, default_value_t = 3)]
    steps: u32,
    /// Largest number in a problem or a solution, from 10 to 1000
    #[arg(long, default_value_t = 99)]
    largest: u32,
    /// Share of the solutions to learn from whose last step is a little wrong, as an imperfect teacher writes them
    #[arg(long, default_value_t = 0.0)]
    mistakes: f64,
    /// Which problems
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

impl WordProblems {
    /// Writes the files; the same arguments give the same bytes.
    pub(super) fn run(self) -> Result<String> {
        let illegal = |p: IllegalSetting| Error::setting(format!("--{}", p.key), p.problem);
        let stories = Stories::new(self.steps, self.largest).and_then(|stories| stories.with_mistakes(self.mistakes));
        let stories = stories.map_err(illegal)?;
        for (option, count) in [("--count", self.count), ("--held-out", self.held_out)] {
            if !(1..=MOST).contains(&count) {
                return Err(Error::setting(option, format!("must be from 1 to {MOST}, got {count}")));
            }
        }
        let asked = self.count + self.held_out;
        let all = stories.distinct(asked, &mut stream(self.seed, Purpose::WordProblems, 0));
        if all.len() < asked {
            let problem = format!("only {} different problems of these sizes were found: ask for fewer", all.len());
            return Err(Error::setting("--count", problem));
        }
        let folder = reserve(&self.out)?;
        let (held_out, train) = all.split_at(self.held_out);
        write(&folder.path().join("test.jsonl"), held_out)?;
        write(&folder.path().join("train.jsonl"), train)?;
        let shown = folder.path().display();
        Ok(format!("{} problems in {shown}/train.jsonl, {} in {shown}/test.jsonl\n", train.len(), held_out.len()))
    }
}

/// Most problems of a file.
const MOST: usize = 10_000_000;

fn write(path: &Path, problems: &[WordProblem]) -> Result<()> {
    let line = |problem| serde_json::to_string(problem).map(|line| line + "\n");
    let lines: std::result::Result<String, _> = problems.iter().map(line).collect();
    record::write(path, lines.map_err(|problem| Error::file(path, problem))?.as_bytes())
}
