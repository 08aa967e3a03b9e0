//! An evaluation on disk: `settings.json` from the start, `completions.jsonl` line by line, `results.json` at the end.
//!
//! Every completion is written as it arrives. Another run with the same settings and the same folder goes on where the last one
//! stopped: whole lines count, and a last line that is not whole is dropped. Other settings are refused.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use oreal_models::{Ending, Token};
use oreal_toy_envs::{Prompt, Verdict};
use serde::Serialize;
use serde_json::Value;

use super::generator::{Generated, Wanted};
use super::grading::Graded;
use super::settings::{EvalSettings, Keep};
use super::statistics::Attempt;
use super::vote::ballot;
use crate::digest;
use crate::error::{Error, Result};
use crate::problems::TestProblem;
use crate::record::{pretty, write};
use crate::rows::{Row, Rows};

/// The folder of an evaluation, which no other program writes to meanwhile.
pub(super) struct Record {
    path: PathBuf,
    completions: File,
    keep: Keep,
}

/// A line of `completions.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    problem: &'a str,
    row: u64,
    sample: usize,
    /// The first 16 hexadecimal digits of the SHA-256 of the prompt.
    prompt: String,
    verdict: &'static str,
    step: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    answer: Option<&'a str>,
    ending: &'static str,
    tokens: Option<usize>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    #[serde(flatten)]
    rollout: Option<Rollout<'a>>,
}

/// What is learnt from.
#[derive(Serialize)]
struct Rollout<'a> {
    messages: &'a Prompt,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [Token]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logps: Option<&'a [f64]>,
}

const SETTINGS: &str = "settings.json";
const COMPLETIONS: &str = "completions.jsonl";

/// Longest settings that are read, in bytes.
const LONGEST: u64 = 1 << 20;

impl Record {
    /// Opens a folder, or makes it, with the completions that are there: those of each problem by the number of their sample.
    ///
    /// # Errors
    /// Other settings, other files, a line that is no completion of these problems, another program that writes there.
    pub(super) fn open(
        folder: &Path,
        identity: &Value,
        problems: &[TestProblem],
        settings: &EvalSettings,
    ) -> Result<(Record, Vec<Vec<Attempt>>)> {
        fs::create_dir_all(folder).map_err(|problem| Error::file(folder, problem))?;
        check_settings(folder, identity)?;
        let path = folder.join(COMPLETIONS);
        let failed = |problem: io::Error| Error::file(&path, problem);
        let mut completions =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match completions.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::file(&path, "another program is writing to it")),
            Err(TryLockError::Error(problem)) => return Err(failed(problem)),
        }
        drop_torn_line(&mut completions).map_err(failed)?;
        let attempts = attempts(&path, problems, settings.n)?;
        Ok((Record { path, completions, keep: settings.keep }, attempts))
    }

    /// Writes a completion.
    pub(super) fn add(&mut self, wanted: &Wanted<'_>, completion: &Generated, graded: &Graded) -> Result<()> {
        let line = Line {
            problem: &wanted.problem.id,
            row: wanted.problem.place.number,
            sample: wanted.sample,
            prompt: digest::short(&wanted.problem.prompt.to_string()),
            verdict: name(graded.verdict),
            step: graded.step,
            reason: &graded.reason,
            answer: graded.answer.as_deref(),
            ending: match completion.ending {
                Ending::Stopped => "stopped",
                Ending::Truncated => "truncated",
            },
            tokens: completion.tokens,
            text: &completion.text,
            reasoning: completion.reasoning.as_deref(),
            rollout: (self.keep == Keep::Rollouts).then(|| Rollout {
                messages: &wanted.problem.prompt,
                ids: completion.drawn.as_ref().map(|drawn| &*drawn.ids),
                logps: completion.drawn.as_ref().and_then(|drawn| drawn.logps.as_deref()),
            }),
        };
        let mut bytes = serde_json::to_vec(&line).map_err(|problem| Error::file(&self.path, problem))?;
        bytes.push(b'\n');
        self.completions.write_all(&bytes).map_err(|problem| Error::file(&self.path, problem))
    }
}

/// As in the record.
fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Right => "right",
        Verdict::Wrong => "wrong",
        Verdict::Unparsable => "unparsable",
        Verdict::Truncated => "truncated",
        Verdict::Ungraded => "ungraded",
    }
}

/// Writes the settings where there are none; refuses others.
fn check_settings(folder: &Path, identity: &Value) -> Result<()> {
    let path = folder.join(SETTINGS);
    let failed = |problem: io::Error| Error::file(&path, problem);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            let mut others = fs::read_dir(folder).map_err(|problem| Error::file(folder, problem))?;
            if others.next().is_some() {
                return Err(Error::file(folder, "holds other files, and no evaluation: name a new folder"));
            }
            return write(&path, &pretty(identity)?);
        }
        Err(problem) => return Err(failed(problem)),
    };
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(failed)?;
    let value = |text: &[u8]| serde_json::from_slice(text).map_err(|problem| Error::file(&path, problem));
    // Both are read, so that numbers that were written alike are alike.
    match difference(&value(&text)?, &value(&pretty(identity)?)?, String::new()) {
        None => Ok(()),
        Some(difference) => {
            let problem = format!("an evaluation with other settings is there ({difference}): name a new folder");
            Err(Error::file(folder, problem))
        }
    }
}

/// The first setting that differs, with both values.
fn difference(found: &Value, wanted: &Value, key: String) -> Option<String> {
    if found == wanted {
        return None;
    }
    let (Value::Object(old), Value::Object(new)) = (found, wanted) else {
        let shown = |value: &Value| value.to_string().chars().take(80).collect::<String>();
        return Some(format!("{key} was {} and is {}", shown(found), shown(wanted)));
    };
    let keys: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let inside = |name: &String| if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
    let value = |of: &serde_json::Map<String, Value>, name: &String| of.get(name).cloned().unwrap_or_default();
    keys.into_iter().find_map(|name| difference(&value(old, name), &value(new, name), inside(name)))
}

/// Cuts the file after its last whole line, and goes there.
fn drop_torn_line(file: &mut File) -> io::Result<()> {
    const PART: u64 = 1 << 16;
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut part = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(PART);
        file.seek(SeekFrom::Start(start))?;
        part.clear();
        (&*file).take(end - start).read_to_end(&mut part)?;
        if let Some(place) = part.iter().rposition(|&byte| byte == b'\n') {
            end = start + place as u64 + 1;
            break;
        }
        end = start;
    }
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end)).map(drop)
}

/// The completions of each problem, by the number of their sample. Of several with one number the first counts.
fn attempts(path: &Path, problems: &[TestProblem], n: usize) -> Result<Vec<Vec<Attempt>>> {
    let places: HashMap<&str, usize> =
        problems.iter().enumerate().map(|(place, problem)| (problem.id.as_str(), place)).collect();
    let (mut attempts, mut seen) = (vec![Vec::new(); problems.len()], HashSet::new());
    for row in Rows::open(path)? {
        let row = row?.parse()?;
        let (id, attempt) = attempt(&row)?;
        let place = places.get(id.as_str()).filter(|_| attempt.sample < n);
        let place = *place.ok_or_else(|| Error::row(&row.place, "not a completion of this evaluation"))?;
        if seen.insert((place, attempt.sample)) {
            attempts[place].push(attempt);
        }
    }
    attempts.iter_mut().for_each(|attempts: &mut Vec<Attempt>| attempts.sort_by_key(|attempt| attempt.sample));
    Ok(attempts)
}

fn attempt(row: &Row) -> Result<(String, Attempt)> {
    let count = |field: &str| {
        let number = row.number(field)?;
        let whole = number >= 0.0 && number <= f64::from(u32::MAX) && number.fract() == 0.0;
        if whole { Ok(number as usize) } else { Err(Error::row(&row.place, format!("field `{field}`: no count"))) }
    };
    let said = row.text("verdict")?;
    let verdict = Verdict::ALL.into_iter().find(|verdict| name(*verdict) == said);
    let attempt = Attempt {
        sample: count("sample")?,
        verdict: verdict.ok_or_else(|| Error::row(&row.place, format!("field `verdict`: `{said}` is none")))?,
        answer: ballot(row.has("answer").then(|| row.text("answer")).transpose()?),
        tokens: row.has("tokens").then(|| count("tokens")).transpose()?,
    };
    Ok((row.text("problem")?, attempt))
}
