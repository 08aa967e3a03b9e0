//! What requests and the worker share, and the calls that change it.

mod inside;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::Reads;
use super::job::{From, Job, Task, Weights};
use super::order::Arrival;
use super::queue::Queue;
use super::refusal::{Answered, Refusal};
use super::results::{Answer, Awaited, Fault};
use super::{Base, ServeSettings};
pub(super) use inside::{Again, State};

/// Shared by requests and the worker.
pub(super) struct Shared {
    pub(super) settings: ServeSettings,
    pub(super) base: Base,
    pub(super) queue: Queue,
    state: Mutex<State>,
    /// Names of the weights that are or were served, by version.
    versions: Mutex<Vec<String>>,
}

/// A numbered call of a model.
pub(super) struct Call<'a> {
    pub(super) model: &'a str,
    pub(super) number: Option<u64>,
    pub(super) kind: &'static str,
}

impl Shared {
    pub(super) fn new(settings: ServeSettings, base: Base, mark: &str) -> Shared {
        let state = State::new(&settings, mark);
        let versions = Mutex::new(vec!["default".to_owned()]);
        Shared { settings, base, queue: Queue::default(), state: Mutex::new(state), versions }
    }

    /// What the models here read.
    pub(super) fn reads(&self) -> Reads {
        Reads { vocabulary: self.base.vocabulary, longest: self.settings.longest }
    }

    /// A number for a request without a seed.
    pub(super) fn next_unseeded(&self) -> u64 {
        let mut state = self.state();
        state.unseeded += 1;
        state.unseeded
    }

    /// Other weights are served; their version.
    pub(super) fn replaced(&self, name: String) -> u64 {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.push(name);
        versions.len() as u64 - 1
    }

    /// The name of a version of the weights that are served.
    pub(super) fn weight_version(&self, version: u64) -> String {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(version as usize).cloned().unwrap_or_default()
    }

    /// Results of the worker.
    pub(super) fn answer<'a>(&self, answers: impl Iterator<Item = (&'a String, Answer)>) {
        let mut state = self.state();
        answers.for_each(|(result, answer)| state.results.answer(result, answer));
    }

    /// These are not kept any more.
    pub(super) fn forget_saved(&self, paths: &[String]) {
        let mut state = self.state();
        paths.iter().for_each(|path| state.forget_saved(path));
    }

    /// Where a result arrives.
    pub(super) fn awaited(&self, result: &str) -> Answered<Awaited> {
        self.state().results.awaited(result)
    }

    /// A new session; where there are too many, one that has been silent for long ends.
    pub(super) fn begin_session(&self) -> Answered<String> {
        let mut state = self.state();
        let silence = Duration::from_secs_f64(self.settings.silence_seconds);
        if state.sessions.len() >= self.settings.sessions {
            let ended = state.end_silent(Instant::now(), silence)?;
            ended.into_iter().for_each(|model| self.put_unload(&mut state, model));
        }
        Ok(state.begin_session())
    }

    /// A sign of life.
    pub(super) fn seen(&self, session: &str) -> Answered<()> {
        self.state().session(session).map(drop)
    }

    /// A model of a session. The same number is the same model. Returns its name, and that of the result.
    pub(super) fn create(&self, session: &str, number: u64, from: Option<From>) -> Answered<(String, String)> {
        let mut state = self.state();
        state.check_unused(session, number)?;
        let name = format!("{session}:train:{number}");
        if let Some(created) = state.created(&name)? {
            return Ok((name, created));
        }
        if let Some(from) = &from {
            state.check_saved(&from.path)?;
        }
        if state.models.len() >= self.settings.models {
            return Err(Refusal::full(format!("{} models are there: unload one first", state.models.len())));
        }
        let created = state.results.open()?;
        state.add_model(&name, created.clone());
        self.queue.put([Task { result: created.clone(), job: Job::Create { model: name.clone(), from } }]);
        Ok((name, created))
    }

    /// Whether there is a model of this name.
    pub(super) fn check_model(&self, model: &str) -> Answered<()> {
        self.state().model(model).map(drop)
    }

    /// A model that is not needed any more; also one that is not there.
    pub(super) fn unload(&self, model: &str) -> Answered<String> {
        let mut state = self.state();
        state.check_session_of(model)?;
        let result = state.results.open()?;
        state.remove_model(model);
        self.queue.put([Task { result: result.clone(), job: Job::Unload { model: model.to_owned() } }]);
        Ok(result)
    }

    /// A call of a model. The same number is the same call, and returns the name of the same result.
    ///
    /// `job` is made where the call is new. A call that is refused takes its number all the same.
    pub(super) fn submit(
        self: &Arc<Self>,
        call: &Call<'_>,
        job: impl FnOnce(&mut State) -> Answered<Job>,
    ) -> Answered<String> {
        let mut state = self.state();
        if let Some(result) = state.known(call)? {
            return Ok(result);
        }
        // What is refused for want of room takes no number and no name: the same call may succeed later.
        let result = state.results.open()?;
        let made = job(&mut state);
        if let Err(refusal) = &made {
            state.results.answer(&result, Answer::failed(&refusal.sentence, Fault::User));
        }
        let refusal = made.as_ref().err().cloned();
        let task = made.ok().map(|job| Task { result: result.clone(), job });
        match call.number {
            None => self.queue.put(task),
            Some(number) => {
                let named = task.is_some().then(|| (result.clone(), call.kind));
                match state.model(call.model)?.order.arrive(number, task, named) {
                    Arrival::Due(tasks) => self.queue.put(tasks),
                    Arrival::Waits => self.give_up_later(call.model.to_owned(), number),
                }
            }
        }
        refusal.map_or(Ok(result), Err)
    }

    /// A call that belongs to no model.
    pub(super) fn direct(&self, job: Job) -> Answered<String> {
        let mut state = self.state();
        if let Job::Draw(draw) = &job {
            state.check_weights(&draw.weights)?;
        }
        let result = state.results.open()?;
        self.queue.put([Task { result: result.clone(), job }]);
        Ok(result)
    }

    /// A call of a sampling session. The same number is the same call.
    pub(super) fn sample(
        &self,
        session: &str,
        number: Option<u64>,
        job: impl FnOnce(Weights) -> Job,
    ) -> Answered<String> {
        let mut state = self.state();
        if let Some(result) = state.sampled(session, number)? {
            return Ok(result);
        }
        let weights = state.sampler_weights(session)?;
        state.check_weights(&weights)?;
        let result = state.results.open()?;
        state.remember_sampled(session, number, &result);
        self.queue.put([Task { result: result.clone(), job: job(weights) }]);
        Ok(result)
    }

    /// A session that draws from the base model or from what was saved. The same number is the same session.
    pub(super) fn begin_sampling(&self, session: &str, number: u64, weights: Weights) -> Answered<String> {
        let mut state = self.state();
        state.session(session)?;
        state.check_weights(&weights)?;
        let name = sampling_name(session, number);
        state.add_sampler(&name, weights);
        Ok(name)
    }

    /// The weights of a sampling session.
    pub(super) fn sampler_weights(&self, name: &str) -> Answered<Weights> {
        self.state().sampler_weights(name)
    }

    /// Whether there is something at this place.
    pub(super) fn check_saved(&self, path: &str) -> Answered<()> {
        self.state().check_saved(path)
    }

    /// Places of what was saved to draw with.
    pub(super) fn to_draw_with(&self) -> Vec<String> {
        self.state().to_draw_with()
    }

    /// A call whose predecessor does not come fails.
    fn give_up_later(self: &Arc<Self>, model: String, number: u64) {
        let shared = self.clone();
        let patience = Duration::from_secs_f64(self.settings.gap_seconds);
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            let mut state = shared.state();
            let tasks = state.model(&model).map(|model| model.order.give_up(number)).unwrap_or_default();
            for task in tasks {
                let sentence = "a call with a smaller seq_id did not come: numbers of a model's calls have no gaps";
                state.results.answer(&task.result, Answer::failed(sentence, Fault::User));
            }
        });
    }

    fn put_unload(&self, state: &mut State, model: String) {
        if let Ok(result) = state.results.open() {
            self.queue.put([Task { result, job: Job::Unload { model } }]);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Name of a sampling session.
pub(super) fn sampling_name(session: &str, number: u64) -> String {
    format!("{session}:sample:{number}")
}
