//! From a start to a report: the steps of a run, its records and its checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use oreal_algos::Role;
use oreal_models::InProcess;
use serde::{Deserialize, Serialize};

use super::{Experiment, Progress, WarmedUp};
use crate::budget::Spent;
use crate::checkpoint::{self, Kept};
use crate::error::{Error, Result};
use crate::evaluate::{PassRate, evaluate};
use crate::folder::{self, Held, Reserved};
use crate::record::{CONFIG, MANIFEST, METRICS, Recorder, Report, StepRecord, manifest, pretty, write};
use crate::run::Run;
use crate::sentinels::{Finding, Sentinels};
use crate::train::step;

/// A run on its way.
pub(super) struct Course {
    run: Run,
    recorder: Recorder,
    before: PassRate,
    sentinels: Sentinels,
    findings: Vec<Finding>,
    /// Pass rate in training of each step so far.
    pass_rates: Vec<f64>,
    /// Wall time of training before this process took it up.
    earlier: f64,
    clock: Instant,
    /// The step of the last checkpoint.
    saved: Option<usize>,
}

/// What a checkpoint keeps of a run besides its models and records.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    /// How often the policy had moved.
    version: u64,
    /// What was spent so far.
    spent: Spent,
    /// The pass rate before the first step.
    before: PassRate,
}

impl Experiment {
    /// Warms a policy up and trains it.
    pub fn run(&self) -> Result<Report> {
        self.run_watched(&mut |_| {})
    }

    /// As [`Experiment::run`]; `watch` is told of every step. The folder is made before any work.
    pub fn run_watched(&self, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        self.check()?;
        let _reserved = self.reserve()?;
        self.run_reserved(watch)
    }

    /// As [`Experiment::run_watched`], where the folder is reserved already.
    pub fn run_reserved(&self, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        self.check()?;
        let held = self.begin()?;
        let (run, before) = self.unless_it_fails(self.warm_up(watch).and_then(|start| {
            let run = self.prepare(&start)?;
            Ok((run, start.pass_rate))
        }))?;
        self.course(held, run, before)?.finish(self, watch)
    }

    /// Makes the folder of the record, where there is one, so that no other run can take it. It is removed again if it is
    /// dropped while empty.
    pub fn reserve(&self) -> Result<Option<Reserved>> {
        self.folder.as_deref().map(folder::reserve).transpose()
    }

    /// Trains from a warmed-up policy, which stays as it is.
    pub fn train(&self, start: &WarmedUp, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        self.check()?;
        let held = self.begin()?;
        let run = self.unless_it_fails(self.prepare(start))?;
        self.course(held, run, start.pass_rate)?.finish(self, watch)
    }

    /// Takes a new or empty folder, where there is one, and writes what a run that ends at any moment goes on with.
    pub(super) fn begin(&self) -> Result<Option<Held>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let held = Held::take_new(folder, &[CONFIG, MANIFEST, METRICS])?;
        if let Some(config) = self.config() {
            write(&folder.join(CONFIG), config.to_toml().as_bytes())?;
        }
        Ok(Some(held))
    }

    /// A run that fails before its first step leaves nothing behind; one that was stopped can go on.
    pub(super) fn unless_it_fails<T>(&self, result: Result<T>) -> Result<T> {
        if let (Err(problem), Some(folder)) = (&result, &self.folder)
            && !matches!(problem, Error::Stopped { .. })
        {
            // The error is the one of the run.
            let _ = fs::remove_file(folder.join(CONFIG));
        }
        result
    }

    /// A run before its first step.
    pub(super) fn course(&self, held: Option<Held>, run: Run, before: PassRate) -> Result<Course> {
        let mut recorder = Recorder::open(held, &BTreeMap::new(), &run)?;
        recorder.evaluated(0, &before)?;
        if let Some(folder) = recorder.path() {
            let manifest = manifest(self.config().as_ref(), &self.notices(), &run);
            write(&folder.join(MANIFEST), &pretty(&manifest)?)?;
        }
        let mut course = Course::new(run, recorder, before);
        if course.run.settings.record.checkpoint_every > 0 {
            course.save()?;
        }
        Ok(course)
    }
}

impl Course {
    fn new(run: Run, recorder: Recorder, before: PassRate) -> Course {
        let sentinels = Sentinels::new(&run.settings.sentinels, run.settings.train.steps, before);
        let (findings, pass_rates, clock) = (Vec::new(), Vec::new(), Instant::now());
        Course { run, recorder, before, sentinels, findings, pass_rates, earlier: 0.0, clock, saved: None }
    }

    /// A run that goes on from a checkpoint, with the records of the steps before it.
    pub(super) fn taken_up(held: Held, mut run: Run, kept: Kept<Position>, steps: &[StepRecord]) -> Result<Course> {
        let Kept { step, seconds: earlier, lengths, state: Position { version, spent, before }, drawn, .. } = kept;
        run.at(step, (version, spent), drawn)?;
        let recorder = Recorder::open(Some(held), &lengths, &run)?;
        let mut course = Course { earlier, saved: Some(step), ..Course::new(run, recorder, before) };
        for record in steps {
            course.findings.extend(course.sentinels.see(record));
            course.pass_rates.push(record.pass_rate);
        }
        Ok(course)
    }

    /// The step that comes next.
    pub(super) fn step(&self) -> usize {
        self.run.step
    }

    /// The steps that are left, and the report.
    pub(super) fn finish(mut self, what: &Experiment, watch: &mut dyn FnMut(Progress<'_>)) -> Result<Report> {
        let total = self.run.settings.train.steps;
        while !self.run.is_over() {
            let done = step(&mut self.run)?;
            let record = StepRecord { held_out: self.held_out()?, ..StepRecord::new(&done) };
            self.recorder.step(&record, &done)?;
            self.pass_rates.push(record.pass_rate);
            watch(Progress::Step { record: &record, total, share: self.share() });
            let found = self.sentinels.see(&record);
            self.tell(found, watch)?;
            self.after_step(what)?;
        }
        let policy = self.run.roles.policy()?;
        let after = evaluate(&self.run.rollout(), policy, &mut InProcess::default(), &self.run.settings.evaluation)?;
        self.recorder.evaluated(self.run.step, &after)?;
        let found = self.sentinels.see_end(after);
        self.tell(found, watch)?;
        let report = self.report(what, after);
        self.recorder.finish(&report, &self.run)?;
        Ok(report)
    }

    /// How much of the training is done.
    fn share(&self) -> f64 {
        let train = &self.run.settings.train;
        let spent = train.budget.share(&self.run.spent).unwrap_or_default();
        (self.run.step as f64 / train.steps as f64).max(spent)
    }

    /// An evaluation, where it is time for one.
    fn held_out(&self) -> Result<Option<PassRate>> {
        let (run, how) = (&self.run, &self.run.settings.evaluation);
        if how.every == 0 || !run.step.is_multiple_of(how.every) {
            return Ok(None);
        }
        evaluate(&run.rollout(), run.roles.policy()?, &mut InProcess::default(), how).map(Some)
    }

    /// What the sentinels find is recorded and told; an error where it ends the run.
    fn tell(&mut self, found: Vec<Finding>, watch: &mut dyn FnMut(Progress<'_>)) -> Result<()> {
        for finding in &found {
            self.recorder.found(finding)?;
            watch(Progress::Found(finding));
        }
        let verdict = self.sentinels.verdict(&found);
        self.findings.extend(found);
        verdict
    }

    /// Saves where it is time for it; an error where the run is asked to stop.
    fn after_step(&mut self, what: &Experiment) -> Result<()> {
        let (step, total, every) =
            (self.run.step, self.run.settings.train.steps, self.run.settings.record.checkpoint_every);
        let (due, asked) = (every > 0 && (step.is_multiple_of(every) || self.run.is_over()), what.stop.asked());
        if due || asked {
            self.save()?;
        }
        if asked {
            let saved = if self.recorder.path().is_some() { "all of them saved" } else { "recorded nowhere" };
            let after = format!("after {step} of {total} steps, {saved}");
            return Err(Error::Stopped { after, folder: what.folder.clone() });
        }
        Ok(())
    }

    /// A checkpoint, where the run has a folder.
    fn save(&mut self) -> Result<()> {
        let Some(folder) = self.recorder.path() else { return Ok(()) };
        let drawn = self.run.drawer.drawn()?;
        let record = &self.run.settings.record;
        let since = &self.pass_rates[self.saved.unwrap_or(0)..];
        let kept = Kept {
            step: self.run.step,
            seconds: self.seconds(),
            score: (!since.is_empty()).then(|| since.iter().sum::<f64>() / since.len() as f64),
            lengths: self.recorder.lengths()?,
            state: Position { version: self.run.version, spent: self.run.spent, before: self.before },
            drawn,
        };
        let best = record.keep_best.then_some(&*self.run.renderer);
        checkpoint::save(folder, &self.run.roles, &kept, record.keep_last, best)?;
        self.saved = Some(kept.step);
        Ok(())
    }

    /// Wall time of training.
    fn seconds(&self) -> f64 {
        self.earlier + self.clock.elapsed().as_secs_f64()
    }

    fn report(&self, what: &Experiment, after: PassRate) -> Report {
        Report {
            algorithm: what.algorithm.name().to_owned(),
            preset: what.chosen.as_ref().and_then(|(_, algorithm)| algorithm.preset.clone()),
            env: what.env.name().to_owned(),
            seed: what.settings.seed,
            steps: self.run.step,
            spent: self.run.spent,
            before: self.before,
            after,
            training: training_pass_rate(&self.pass_rates),
            rate: what.settings.rates.of(Role::POLICY),
            seconds: self.seconds(),
            findings: self.findings.clone(),
            notices: what.env.notices_after(),
            folder: what.folder.clone(),
            config: what.config(),
        }
    }
}

/// Mean pass rate of the last tenth of the steps, at least one; 0 without steps.
fn training_pass_rate(pass_rates: &[f64]) -> f64 {
    let last = &pass_rates[pass_rates.len() - pass_rates.len().div_ceil(10)..];
    last.iter().sum::<f64>() / last.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_training_pass_rate_is_that_of_the_last_steps() {
        assert_eq!(training_pass_rate(&[]), 0.0);
        assert_eq!(training_pass_rate(&[0.25]), 0.25);
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(training_pass_rate(&rising), 18.5);
    }
}
