//! From a start to a report: the steps, their record and their checkpoints.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::examples::Example;
use super::{Checkpoints, FineTuning, SftProgress, SftReport, SftStep, roles};
use crate::checkpoint::{self, Kept};
use crate::digest;
use crate::error::{Error, Result};
use crate::experiment::{check_config, differs};
use crate::folder::{Held, write};
use crate::record::{self, CONFIG, Log, METRICS, REPORT, pretty, read, records};

/// What the examples are that a run learns from.
const EXAMPLES: &str = "examples.json";

/// Longest description of examples that is read, in bytes.
const LONGEST: u64 = 1 << 16;

/// What a checkpoint keeps of fine-tuning besides its model and records.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    /// Loss on the held-out examples before the first step.
    before: Option<f64>,
}

/// Fine-tuning on its way, in its folder.
struct Course {
    held: Held,
    metrics: Log,
    /// The step that comes next.
    step: usize,
    position: Position,
    /// Wall time before this process took it up.
    earlier: f64,
    clock: Instant,
}

/// Whether a folder is one of fine-tuning.
pub(crate) fn is_tuning(folder: &Path) -> bool {
    folder.join(EXAMPLES).is_file()
}

/// Steps that the fine-tuning in a folder is to make.
pub(crate) fn steps(folder: &Path) -> Option<u64> {
    let examples: Value = serde_json::from_slice(&read(&folder.join(EXAMPLES), LONGEST).ok()?).ok()?;
    examples["steps"].as_u64()
}

/// What the fine-tuning in a folder came to, in a line; `None` where it has not finished.
pub(crate) fn outcome(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(REPORT);
    if !path.exists() {
        return Ok(None);
    }
    let wrong = |problem: serde_json::Error| Error::file(&path, problem);
    let report: SftReport = serde_json::from_slice(&read(&path, LONGEST)?).map_err(wrong)?;
    let loss = match (report.before, report.after) {
        (Some(before), Some(after)) => format!(": loss {before:.4} before, {after:.4} after on held-out examples"),
        _ => String::new(),
    };
    Ok(Some(format!("finished after {} steps{loss}\n", report.steps)))
}

impl FineTuning {
    /// Learns from all examples; a folder, which must be new, empty or reserved, gets the record and the model. `watch` is told of
    /// each step.
    ///
    /// # Errors
    /// A loss that is not finite, files that cannot be written; [`Error::Stopped`] where it was asked to stop.
    pub fn run(self, folder: &Path, watch: &mut dyn FnMut(SftProgress<'_>)) -> Result<SftReport> {
        let held = Held::take_new(folder, &[CONFIG, METRICS])?;
        write(&folder.join(CONFIG), self.config()?.as_bytes())?;
        self.start(held, watch)
    }

    /// Goes on in a folder, from the newest checkpoint that is whole; where there is none, from the beginning. What is then recorded
    /// is, apart from wall times, what would have been recorded had it never stopped.
    ///
    /// # Errors
    /// A folder without fine-tuning or with one that has finished; other settings, but for the device, or other examples; one that
    /// another process is working on.
    pub fn resume(mut self, folder: &Path, watch: &mut dyn FnMut(SftProgress<'_>)) -> Result<SftReport> {
        if !folder.join(CONFIG).exists() {
            return Err(Error::file(folder, "there is no fine-tuning: it has no config.toml"));
        }
        let held = Held::take(folder)?;
        if folder.join(REPORT).exists() {
            return Err(Error::file(folder, "this run has finished: report.json is what it came to"));
        }
        check_config(&folder.join(CONFIG), &self.config()?)?;
        let (mut notes, begun) = (Vec::new(), folder.join(EXAMPLES).exists());
        if begun || !checkpoint::steps(folder)?.is_empty() {
            self.check_examples(folder)?;
            if let Some(kept) = self.newest(folder, &mut notes)? {
                watch(SftProgress::Resumed { step: kept.step, notes: &notes });
                let metrics = log(folder, &kept.lengths)?;
                let Kept { step, seconds: earlier, state: position, .. } = kept;
                return self.finish(Course { held, metrics, step, position, earlier, clock: Instant::now() }, watch);
            }
            notes.push("there is no checkpoint to go on from: the run begins anew".to_owned());
            self.roles = roles(&self.settings, &*self.renderer)?;
        }
        watch(SftProgress::Resumed { step: 0, notes: &notes });
        self.start(held, watch)
    }

    /// From the beginning, in a folder that has the settings.
    fn start(self, held: Held, watch: &mut dyn FnMut(SftProgress<'_>)) -> Result<SftReport> {
        let clock = Instant::now();
        write(&held.path().join(EXAMPLES), &pretty(&self.examples())?)?;
        let metrics = log(held.path(), &BTreeMap::new())?;
        let position = Position { before: self.held_out_loss()? };
        let mut course = Course { held, metrics, step: 0, position, earlier: 0.0, clock };
        if self.settings.record.checkpoint_every > 0 {
            self.save(&mut course, position.before)?;
        }
        if self.stop.asked() {
            return Err(self.stopped(&mut course));
        }
        self.finish(course, watch)
    }

    /// The steps that are left, the model and the report.
    fn finish(mut self, mut course: Course, watch: &mut dyn FnMut(SftProgress<'_>)) -> Result<SftReport> {
        while course.step < self.steps.len() {
            let mut done = self.step(course.step)?;
            course.step += 1;
            let due = self.is_due(course.step);
            if due && self.settings.record.keep_best {
                done.held_out = self.held_out_loss()?;
            }
            course.metrics.line(&done)?;
            watch(SftProgress::Step(&done));
            if due {
                self.save(&mut course, done.held_out)?;
            }
            if self.stop.asked() {
                return Err(self.stopped(&mut course));
            }
        }
        let after = self.held_out_loss()?;
        record::save_policy(&course.held.path().join("policy"), self.roles.policy()?, &*self.renderer)?;
        let report = self.report(&course, after);
        write(&course.held.path().join(REPORT), &pretty(&report)?)?;
        Ok(report)
    }

    /// Whether a checkpoint is taken after so many steps.
    fn is_due(&self, step: usize) -> bool {
        let every = self.settings.record.checkpoint_every;
        every > 0 && (step.is_multiple_of(every) || step == self.steps.len())
    }

    /// A checkpoint, with the loss on held-out examples where it was measured.
    fn save(&self, course: &mut Course, held_out: Option<f64>) -> Result<()> {
        course.metrics.sync()?;
        let kept = Kept {
            step: course.step,
            seconds: course.seconds(),
            score: held_out.map(|loss| -loss),
            lengths: [(course.metrics.name(), course.metrics.length())].into(),
            state: course.position,
            drawn: Vec::new(),
        };
        let Checkpoints { keep_last, keep_best, .. } = self.settings.record;
        checkpoint::save(course.held.path(), &self.roles, &kept, keep_last, keep_best.then_some(&*self.renderer))
    }

    /// The error of a run that was asked to stop, once its step is saved; or the one that kept it from being saved.
    fn stopped(&self, course: &mut Course) -> Error {
        let saved = if self.settings.record.checkpoint_every > 0 && (course.step == 0 || self.is_due(course.step)) {
            Ok(())
        } else {
            self.save(course, None)
        };
        let after = format!("after {} of {} steps, all of them saved", course.step, self.steps.len());
        match saved {
            Ok(()) => Error::Stopped { after, folder: Some(course.held.path().to_owned()) },
            Err(problem) => problem,
        }
    }

    fn report(&self, course: &Course, after: Option<f64>) -> SftReport {
        SftReport {
            examples: self.read.train.len(),
            tokens: self.tokens(),
            held_out: self.read.held_out.len(),
            too_long: self.read.too_long,
            unused: self.read.unused,
            steps: self.steps.len(),
            before: course.position.before,
            after,
            seconds: course.seconds(),
        }
    }

    /// The newest checkpoint that is whole, in place.
    fn newest(&mut self, folder: &Path, notes: &mut Vec<String>) -> Result<Option<Kept<Position>>> {
        let total = self.steps.len();
        let mut check = |kept: &Kept<Position>| {
            if kept.step > total {
                return Err(Error::file(folder, format!("a checkpoint of step {} of {total}", kept.step)));
            }
            let length = kept.lengths.get(METRICS).copied().unwrap_or_default();
            records(&folder.join(METRICS), length, kept.step, &mut |_: SftStep| {})
        };
        checkpoint::newest(folder, &mut self.roles, notes, &mut check)
    }

    /// The settings, as a file.
    fn config(&self) -> Result<String> {
        toml::to_string(&self.settings).map_err(|problem| Error::setting("settings", problem))
    }

    /// What the examples are: files may change after a run has begun.
    fn examples(&self) -> Value {
        let tokens = |example: &Example| {
            let lengths = [example.prompt.len() as u64, example.answer.len() as u64];
            let tokens = example.prompt.iter().chain(&example.answer).flat_map(|token| token.to_le_bytes());
            lengths.iter().flat_map(|length| length.to_le_bytes()).chain(tokens).collect::<Vec<u8>>()
        };
        let all = self.read.train.iter().chain(&self.read.held_out);
        json!({
            "examples": self.read.train.len(),
            "held_out": self.read.held_out.len(),
            "tokens": self.tokens(),
            "steps": self.steps.len(),
            "sha256": digest::of_parts(all.map(tokens)),
        })
    }

    /// Refuses a folder whose examples are others.
    fn check_examples(&self, folder: &Path) -> Result<()> {
        let path = folder.join(EXAMPLES);
        let there = serde_json::from_slice(&read(&path, LONGEST)?).map_err(|problem| Error::file(&path, problem))?;
        differs(&path, &there, &self.examples())
    }

    fn tokens(&self) -> usize {
        self.read.train.iter().map(Example::len).sum()
    }
}

impl Course {
    /// Wall time so far.
    fn seconds(&self) -> f64 {
        self.earlier + self.clock.elapsed().as_secs_f64()
    }
}

/// The metrics, at the length that a checkpoint knows of.
fn log(folder: &Path, lengths: &BTreeMap<String, u64>) -> Result<Log> {
    Log::open(folder.join(METRICS), lengths.get(METRICS).copied().unwrap_or_default())
}
