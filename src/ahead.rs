//! Where the rollouts of a run's steps come from: drawn when a step needs them, or ahead of it, while earlier steps train.
//!
//! With `train.steps_ahead = d` the rollouts of step s are drawn from the weights before step s - d. So the settings alone decide
//! which weights draw what, however long anything takes.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use oreal_models::{Model, Sampler};

use crate::error::{Error, Result};
use crate::resample::{Drawing, Drawn};

/// Draws the rollouts of a run, step by step.
pub(crate) enum Drawer {
    /// When a step needs them.
    InStep(Box<dyn Sampler>),
    /// While earlier steps train.
    Ahead(Ahead),
}

/// A thread that draws, and what it has drawn of steps that are yet to be made.
pub(crate) struct Ahead {
    steps: usize,
    thread: Worker,
    /// Steps that the thread was asked to draw and has not handed over.
    under_way: usize,
    /// Of consecutive steps.
    ready: VecDeque<Drawn>,
}

/// The thread. It ends when this is dropped, once the step that it is drawing is drawn.
struct Worker {
    jobs: Option<Sender<Job>>,
    results: Receiver<Result<Drawn>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Steps to draw from one copy of the policy.
struct Job {
    drawing: Drawing,
    steps: Range<usize>,
    policy: Box<dyn Model>,
    version: u64,
}

impl Drawer {
    /// Draws so many steps ahead.
    pub(crate) fn new(sampler: Box<dyn Sampler>, steps: usize) -> Result<Drawer> {
        if steps == 0 {
            return Ok(Drawer::InStep(sampler));
        }
        Ok(Drawer::Ahead(Ahead { steps, thread: Worker::new(sampler)?, under_way: 0, ready: VecDeque::new() }))
    }

    /// The rollouts of a step, and how long the step had to wait for them, in seconds. The policy is that before the step.
    pub(crate) fn next(
        &mut self,
        drawing: Drawing,
        step: usize,
        (policy, version): (&dyn Model, u64),
    ) -> Result<(Drawn, f64)> {
        let start = Instant::now();
        let drawn = match self {
            Drawer::InStep(sampler) => drawing.draw(step, (policy, version), &mut **sampler),
            Drawer::Ahead(ahead) => ahead.next(drawing, step, (policy, version)),
        };
        drawn.map(|drawn| (drawn, start.elapsed().as_secs_f64()))
    }

    /// What is drawn of the steps to come, once all that is under way is drawn.
    pub(crate) fn drawn(&mut self) -> Result<Vec<Drawn>> {
        let Drawer::Ahead(ahead) = self else { return Ok(Vec::new()) };
        while ahead.under_way > 0 {
            let drawn = ahead.receive()?;
            ahead.ready.push_back(drawn);
        }
        Ok(ahead.ready.iter().cloned().collect())
    }

    /// Goes on before a step, for which and for some after it these were drawn.
    ///
    /// # Errors
    /// Rollouts of other steps.
    pub(crate) fn restore(&mut self, step: usize, drawn: Vec<Drawn>) -> Result<()> {
        let most = match self {
            Drawer::InStep(_) => 0,
            Drawer::Ahead(ahead) => ahead.steps,
        };
        if drawn.len() > most || drawn.iter().zip(step..).any(|(drawn, step)| drawn.step != step) {
            let there: Vec<usize> = drawn.iter().map(|drawn| drawn.step).collect();
            let problem =
                format!("has rollouts of the steps {there:?}, but goes on with step {step}, at most {most} ahead");
            return Err(Error::part("training state", problem));
        }
        if let Drawer::Ahead(ahead) = self {
            while ahead.under_way > 0 {
                ahead.receive()?;
            }
            ahead.ready = drawn.into();
        }
        Ok(())
    }
}

impl Ahead {
    fn next(&mut self, drawing: Drawing, step: usize, (policy, version): (&dyn Model, u64)) -> Result<Drawn> {
        // Nothing is drawn for steps that are not made.
        let end = step.saturating_add(self.steps).saturating_add(1).min(drawing.settings.train.steps).max(step + 1);
        let from = (policy, version);
        if self.under_way == 0 && self.ready.is_empty() {
            self.ask(drawing.clone(), step..end, from)?;
        }
        // One step ahead, the thread has nothing to do when it gets new weights: some servers draw from the newest only.
        let drawn = self.ready.pop_front().map_or_else(|| self.receive(), Ok)?;
        self.ask(drawing, step + 1 + self.ready.len() + self.under_way..end, from)?;
        Ok(drawn)
    }

    fn ask(&mut self, drawing: Drawing, steps: Range<usize>, (policy, version): (&dyn Model, u64)) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let policy = policy.snapshot().map_err(Error::model("policy"))?;
        self.under_way += steps.len();
        self.thread.ask(Job { drawing, steps, policy, version })
    }

    fn receive(&mut self) -> Result<Drawn> {
        let drawn = self.thread.results.recv().map_err(|_| Worker::ended())?;
        self.under_way -= 1;
        drawn
    }
}

impl Worker {
    fn new(mut sampler: Box<dyn Sampler>) -> Result<Worker> {
        let (jobs, asked) = mpsc::channel::<Job>();
        let (drawn, results) = mpsc::channel();
        let ends = Arc::new(AtomicBool::new(false));
        let ended = ends.clone();
        let work = move || {
            for Job { drawing, steps, policy, version } in asked {
                for step in steps {
                    if ended.load(Ordering::Relaxed) {
                        return;
                    }
                    // Where nobody waits for it any more, the run is over.
                    let _ = drawn.send(drawing.draw(step, (&*policy, version), &mut *sampler));
                }
            }
        };
        let thread = thread::Builder::new().name("rollouts".to_owned()).spawn(work);
        let thread =
            thread.map_err(|problem| Error::part("sampler", format!("no thread could be started: {problem}")))?;
        Ok(Worker { jobs: Some(jobs), results, ends, thread: Some(thread) })
    }

    fn ask(&self, job: Job) -> Result<()> {
        let sent = self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok());
        sent.ok_or_else(Worker::ended)
    }

    fn ended() -> Error {
        Error::part("sampler", "the thread that draws rollouts has panicked")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(self.jobs.take());
        // A panic of the thread was told when its rollouts were waited for.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests;
