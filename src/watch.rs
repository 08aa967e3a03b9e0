//! Follows runs by the files in their folders, whoever writes them.

mod several;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::folder::held;
use crate::record::{MANIFEST, METRICS, Report, holds_run, read};
use crate::sft::running::{self as sft, is_tuning};

/// Between two looks at the folder.
const PAUSE: Duration = Duration::from_millis(200);

/// Longest line that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// What is printed where; breaks where nobody reads any more.
type Print<'a> = &'a mut dyn FnMut(&str) -> Result<ControlFlow<()>>;

/// Prints a line every so many steps until the run in a folder has ended, or all runs below it; returns how they ended. A run that
/// is taken up again is followed on.
///
/// # Errors
/// A folder without a run.
pub(crate) fn follow(folder: &Path, every: u64, print: Print<'_>) -> Result<String> {
    if holds_run(folder) { one(folder, every, print) } else { several::follow(folder, every, print) }
}

fn one(folder: &Path, every: u64, print: Print<'_>) -> Result<String> {
    let (mut rows, mut steps) = (Rows::default(), None);
    if print(HEAD)?.is_break() {
        return Ok(String::new());
    }
    loop {
        // Asked before the lines are read, so that the last of them are.
        let (outcome, running) = (outcome(folder)?, held(folder));
        steps = steps.or_else(|| total(folder));
        let gone = rows.each_new(&folder.join(METRICS), &mut |row| {
            let last = steps.is_some_and(|total| row.step + 1 == total);
            if row.step % every == 0 || last { print(&line(&row)) } else { Ok(ControlFlow::Continue(())) }
        })?;
        if gone.is_break() {
            return Ok(String::new());
        }
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
        if !running {
            let of = steps.map_or_else(String::new, |total| format!(" of {total}"));
            let (done, command) = (rows.steps, if is_tuning(folder) { "sft" } else { "train" });
            return Ok(format!(
                "no process works on this run, which has made {done}{of} steps; to go on: oreal {command} --resume {}\n",
                folder.display()
            ));
        }
        thread::sleep(PAUSE);
    }
}

/// How a run ended.
fn ended(Report { steps, before, after, .. }: &Report) -> String {
    format!("finished after {steps} steps: {before} before, {after} after\n")
}

/// A line of `metrics.jsonl`, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Row {
    step: u64,
    reward: Option<f64>,
    pass_rate: Option<f64>,
    length: Option<f64>,
    trajectories: Option<f64>,
    loss: Option<f64>,
    entropy: Option<f64>,
    kl_to_reference: Option<f64>,
    /// Of a step of fine-tuning.
    tokens: Option<f64>,
    /// Of each stage, or of the whole step.
    #[serde(default)]
    seconds: Value,
}

const HEAD: &str = "  step   reward  right, %  length        loss  entropy        kl  tokens/s\n";

fn line(row: &Row) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |value| format!("{value:.digits$}"));
    let sum = |stages: &serde_json::Map<String, Value>| stages.values().filter_map(Value::as_f64).sum();
    let seconds: f64 = row.seconds.as_object().map_or_else(|| row.seconds.as_f64().unwrap_or_default(), sum);
    let tokens = row.tokens.or_else(|| row.trajectories.zip(row.length).map(|(count, length)| count * length));
    let tokens = tokens.map(|tokens| tokens / seconds);
    format!(
        "{:>6}  {:>7}  {:>8}  {:>6}  {:>10}  {:>7}  {:>8}  {:>8}\n",
        row.step,
        number(row.reward, 3),
        number(row.pass_rate.map(|rate| 100.0 * rate), 1),
        number(row.length, 1),
        number(row.loss, 4),
        number(row.entropy, 3),
        number(row.kl_to_reference, 4),
        number(tokens.filter(|tokens| tokens.is_finite()), 0),
    )
}

/// What the run came to, in a line; `None` where it has not finished.
fn outcome(folder: &Path) -> Result<Option<String>> {
    if is_tuning(folder) {
        return sft::outcome(folder);
    }
    Ok(Report::read(folder)?.map(|report| ended(&report)))
}

/// Steps that the run is to make.
fn total(folder: &Path) -> Option<u64> {
    if is_tuning(folder) {
        return sft::steps(folder);
    }
    let manifest: Value = serde_json::from_slice(&read(&folder.join(MANIFEST), 1 << 24).ok()?).ok()?;
    manifest.pointer("/settings/train/steps")?.as_u64()
}

/// The lines of a file that grows, and is cut back where a run goes on from a checkpoint.
#[derive(Default)]
struct Rows {
    /// Bytes of whole lines that were read.
    offset: u64,
    /// Steps made so far.
    steps: u64,
}

impl Rows {
    /// Shows those that are new, until one breaks.
    fn each_new(
        &mut self,
        path: &Path,
        show: &mut dyn FnMut(Row) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let failed = |problem: std::io::Error| Error::file(path, problem);
        let Ok(mut file) = File::open(path) else { return Ok(ControlFlow::Continue(())) };
        self.offset = self.offset.min(file.metadata().map_err(failed)?.len());
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut file = BufReader::new(file);
        loop {
            let mut line = Vec::new();
            let length = file.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(failed)? as u64;
            if length < LONGEST && !line.ends_with(b"\n") {
                return Ok(ControlFlow::Continue(()));
            }
            let row: Row = serde_json::from_slice(&line)
                .map_err(|problem| Error::file(path, format!("the line at byte {}: {problem}", self.offset)))?;
            (self.offset, self.steps) = (self.offset + length, row.step.saturating_add(1));
            if show(row)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use super::*;
    use crate::folder::Held;

    fn row(step: usize) -> String {
        format!(
            "{{\"step\":{step},\"reward\":0.5,\"pass_rate\":0.25,\"length\":4.0,\"trajectories\":8,\"loss\":null,\"seconds\":{{\"sample\":2.0}}}}\n"
        )
    }

    /// What is printed, and how it ended.
    fn followed(folder: &Path, every: u64) -> Result<(String, String)> {
        let mut text = String::new();
        let end = follow(folder, every, &mut |part| {
            text += part;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((text, end))
    }

    #[test]
    fn every_so_many_steps_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        assert!(followed(folder.path(), 1).unwrap_err().to_string().contains("there is no run"));
        fs::write(folder.path().join("manifest.json"), r#"{"settings":{"train":{"steps":12}}}"#).unwrap();
        fs::write(folder.path().join(METRICS), (0..12).map(row).collect::<String>() + "{\"step\":12,").unwrap();
        let (text, end) = followed(folder.path(), 5).unwrap();
        let steps: Vec<&str> = text.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(steps, ["0", "5", "10", "11"]);
        assert!(text.lines().all(|line| line.chars().count() == HEAD.chars().count() - 1), "{text}");
        let values: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(values, ["0", "0.500", "25.0", "4.0", "-", "-", "-", "16"]);
        assert!(end.contains("made 12 of 12 steps") && end.contains("--resume"), "{end}");
    }

    #[test]
    fn a_run_is_followed_while_it_goes_on_and_is_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        fs::write(folder.path().join("config.toml"), "").unwrap();
        let held = Held::take(folder.path()).unwrap();
        assert!(Held::take(folder.path()).unwrap_err().to_string().contains("another process"));
        let place = folder.path().to_owned();
        let follower = std::thread::spawn(move || followed(&place, 1).unwrap());
        fs::write(&path, row(0) + &row(1) + &row(2)).unwrap();
        std::thread::sleep(2 * PAUSE);
        let mut file = OpenOptions::new().write(true).open(&path).unwrap();
        // Back to a checkpoint after step 1.
        file.set_len((row(0) + &row(1)).len() as u64).unwrap();
        std::thread::sleep(2 * PAUSE);
        std::io::Seek::seek(&mut file, SeekFrom::End(0)).unwrap();
        write!(file, "{}{}", row(2), row(3)).unwrap();
        drop(held);
        let (text, end) = follower.join().unwrap();
        let steps: Vec<&str> = text.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(steps, ["0", "1", "2", "2", "3"]);
        assert!(end.contains("made 4 steps"), "{end}");
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.toml"), "").unwrap();
        fs::write(folder.path().join(METRICS), row(0) + "{}\n").unwrap();
        let problem = followed(folder.path(), 1).unwrap_err().to_string();
        assert!(problem.contains("metrics.jsonl") && problem.contains("missing field `step`"), "{problem}");
    }
}
