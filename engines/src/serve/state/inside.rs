//! Sessions, models, results, and names of what was saved.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Call;
use crate::serve::ServeSettings;
use crate::serve::job::{Saves, Task, Weights};
use crate::serve::order::Order;
use crate::serve::refusal::{Answered, Refusal};
use crate::serve::results::{Answer, Fault, Results};

/// Most numbers that one session remembers.
const REMEMBERED: usize = 10_000;

/// Most sampling sessions.
const SAMPLERS: usize = 10_000;

/// What the server knows.
pub(in crate::serve) struct State {
    mark: String,
    pub(super) sessions: HashMap<String, Session>,
    begun: u64,
    pub(super) models: HashMap<String, ModelEntry>,
    samplers: HashMap<String, Sampler>,
    /// The oldest first.
    sampler_names: VecDeque<String>,
    saved: HashMap<String, Saves>,
    /// Places of what had to go, the oldest first.
    gone: VecDeque<String>,
    pub(super) results: Results,
    /// Requests that brought no seed.
    pub(super) unseeded: u64,
}

pub(super) struct Session {
    seen: Instant,
    /// Numbers of models that were unloaded.
    unloaded: BTreeSet<u64>,
}

pub(super) struct ModelEntry {
    /// Name of the result of its creation.
    created: String,
    pub(super) order: Order<Task>,
}

struct Sampler {
    weights: Weights,
    calls: BTreeMap<u64, String>,
}

/// Whether a name may be taken that is taken already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Again {
    Allowed,
    Refused,
}

impl State {
    pub(super) fn new(settings: &ServeSettings, mark: &str) -> State {
        State {
            results: Results::new(format!("result-{mark}"), settings.results, settings.result_bytes),
            mark: mark.to_owned(),
            sessions: HashMap::new(),
            begun: 0,
            models: HashMap::new(),
            samplers: HashMap::new(),
            sampler_names: VecDeque::new(),
            saved: HashMap::new(),
            gone: VecDeque::new(),
            unseeded: 0,
        }
    }

    pub(super) fn begin_session(&mut self) -> String {
        self.begun += 1;
        let name = format!("session-{}-{}", self.mark, self.begun);
        self.sessions.insert(name.clone(), Session { seen: Instant::now(), unloaded: BTreeSet::new() });
        name
    }

    /// A session, which has now been heard of.
    pub(super) fn session(&mut self, name: &str) -> Answered<&mut Session> {
        let unknown = || Refusal::unknown("session_id: there is no session of this name: create_session begins one");
        let session = self.sessions.get_mut(name).ok_or_else(unknown)?;
        session.seen = Instant::now();
        Ok(session)
    }

    /// Ends the session that has been silent longest, if it has been for so long; returns its models.
    pub(super) fn end_silent(&mut self, now: Instant, silence: Duration) -> Answered<Vec<String>> {
        let silent = self.sessions.iter().min_by_key(|(_, session)| session.seen);
        let silent = silent.filter(|(_, session)| now.duration_since(session.seen) >= silence);
        let (name, _) = silent.ok_or_else(|| Refusal::full(format!("{} sessions are there", self.sessions.len())))?;
        let begin = format!("{name}:train:");
        let name = name.clone();
        let models: Vec<String> = self.models.keys().filter(|model| model.starts_with(&begin)).cloned().collect();
        models.iter().for_each(|model| self.remove_model(model));
        self.sessions.remove(&name);
        Ok(models)
    }

    /// Refuses the number of a model that was unloaded.
    pub(super) fn check_unused(&mut self, session: &str, number: u64) -> Answered<()> {
        match self.session(session)?.unloaded.contains(&number) {
            true => Err(Refusal::gone(format!("model {number} of this session was unloaded: take another number"))),
            false => Ok(()),
        }
    }

    /// The result of the creation of a model that is there; a new one with the same content where it is not kept any more.
    pub(super) fn created(&mut self, name: &str) -> Answered<Option<String>> {
        let Some(model) = self.models.get(name) else { return Ok(None) };
        if self.results.awaited(&model.created).is_ok() {
            return Ok(Some(model.created.clone()));
        }
        let created = self.results.open()?;
        let answer = serde_json::json!({ "model_id": name, "type": "create_model" });
        self.results.answer(&created, Answer::Plain(answer));
        Ok(Some(created))
    }

    pub(super) fn add_model(&mut self, name: &str, created: String) {
        self.models.insert(name.to_owned(), ModelEntry { created, order: Order::default() });
    }

    pub(super) fn model(&mut self, name: &str) -> Answered<&mut ModelEntry> {
        let session = name.rsplit_once(":train:").map_or("", |(session, _)| session);
        if let Some(session) = self.sessions.get_mut(session) {
            session.seen = Instant::now();
        }
        self.models.get_mut(name).ok_or_else(|| unknown_model(name))
    }

    /// Whether the session of a model is there.
    pub(super) fn check_session_of(&mut self, model: &str) -> Answered<()> {
        let (session, _) = model.rsplit_once(":train:").ok_or_else(|| unknown_model(model))?;
        self.session(session).map(drop)
    }

    /// Its calls that wait for others fail.
    pub(super) fn remove_model(&mut self, name: &str) {
        let Some(mut model) = self.models.remove(name) else { return };
        for task in model.order.give_up_all() {
            self.results.answer(&task.result, Answer::failed("the model was unloaded", Fault::User));
        }
        let number = name.rsplit_once(":train:").and_then(|(session, number)| Some((session, number.parse().ok()?)));
        if let Some((session, number)) = number
            && let Some(session) = self.sessions.get_mut(session)
        {
            session.unloaded.insert(number);
            if session.unloaded.len() > REMEMBERED {
                session.unloaded.pop_first();
            }
        }
    }

    /// The result of the call with this number, if it is known.
    ///
    /// # Errors
    /// Where the number belongs to another call, or comes too late.
    pub(super) fn known(&mut self, call: &Call<'_>) -> Answered<Option<String>> {
        let model = self.model(call.model)?;
        let Some(number) = call.number else { return Ok(None) };
        match model.order.known(number) {
            Some((result, kind)) if *kind == call.kind => Ok(Some(result.clone())),
            Some((_, kind)) => {
                Err(Refusal::bad(format!("seq_id {number} was a {kind} of this model, not a {}", call.kind)))
            }
            None if model.order.is_late(number) => {
                let sentence = format!("seq_id {number} comes too late: it was refused or given up, or is long past");
                Err(Refusal::bad(sentence))
            }
            None if model.order.is_full(number) => {
                let sentence =
                    format!("seq_id {number}: too many calls of this model wait for one with a smaller number");
                Err(Refusal::full(sentence))
            }
            None => Ok(None),
        }
    }

    pub(super) fn add_sampler(&mut self, name: &str, weights: Weights) {
        if self.samplers.contains_key(name) {
            return;
        }
        self.samplers.insert(name.to_owned(), Sampler { weights, calls: BTreeMap::new() });
        self.sampler_names.push_back(name.to_owned());
        if self.sampler_names.len() > SAMPLERS
            && let Some(oldest) = self.sampler_names.pop_front()
        {
            self.samplers.remove(&oldest);
        }
    }

    fn sampler(&mut self, name: &str) -> Answered<&mut Sampler> {
        let unknown = || Refusal::unknown("sampling_session_id: there is no sampling session of this name");
        self.samplers.get_mut(name).ok_or_else(unknown)
    }

    pub(super) fn sampler_weights(&mut self, name: &str) -> Answered<Weights> {
        Ok(self.sampler(name)?.weights.clone())
    }

    /// The result of the call with this number, if it is known.
    pub(super) fn sampled(&mut self, session: &str, number: Option<u64>) -> Answered<Option<String>> {
        let sampler = self.sampler(session)?;
        let result = number.and_then(|number| sampler.calls.get(&number)).cloned();
        // What is drawn changes nothing, so it may be drawn again.
        Ok(result.filter(|result| self.results.awaited(result).is_ok()))
    }

    pub(super) fn remember_sampled(&mut self, session: &str, number: Option<u64>, result: &str) {
        if let (Some(number), Ok(sampler)) = (number, self.sampler(session)) {
            sampler.calls.insert(number, result.to_owned());
            if sampler.calls.len() > REMEMBERED {
                sampler.calls.pop_first();
            }
        }
    }

    /// Takes a place for what a model will save.
    pub(in crate::serve) fn reserve(&mut self, path: &str, what: Saves, again: Again) -> Answered<()> {
        if again == Again::Refused && self.saved.contains_key(path) {
            return Err(Refusal::bad(format!("there is something at {path}: take another name")));
        }
        self.saved.insert(path.to_owned(), what);
        self.gone.retain(|gone| gone != path);
        Ok(())
    }

    /// A sampling session that draws with what a model will save.
    pub(in crate::serve) fn reserve_sampler(&mut self, name: &str, path: &str) {
        self.add_sampler(name, Weights::Saved(path.to_owned()));
    }

    /// Whether there is something to load.
    pub(in crate::serve) fn check_saved(&self, path: &str) -> Answered<()> {
        if self.gone.iter().any(|gone| gone == path) {
            return Err(Refusal::gone(format!("{path} is not kept any more: newer ones took its place")));
        }
        match self.saved.contains_key(path) {
            true => Ok(()),
            false => Err(Refusal::unknown(format!("nothing was saved at {path:?}"))),
        }
    }

    /// Whether there is something to draw with.
    pub(super) fn check_weights(&self, weights: &Weights) -> Answered<()> {
        let Weights::Saved(path) = weights else { return Ok(()) };
        self.check_saved(path)?;
        match self.saved.get(path) {
            Some(Saves::WeightsToDraw) => Ok(()),
            _ => Err(Refusal::bad(format!("{path} is to train with: draw with what save_weights_for_sampler saved"))),
        }
    }

    pub(super) fn forget_saved(&mut self, path: &str) {
        self.saved.remove(path);
        self.gone.push_back(path.to_owned());
        if self.gone.len() > REMEMBERED {
            self.gone.pop_front();
        }
    }

    pub(super) fn to_draw_with(&self) -> Vec<String> {
        let to_draw = self.saved.iter().filter(|(_, what)| **what == Saves::WeightsToDraw);
        let mut names: Vec<String> = to_draw.map(|(path, _)| path.clone()).collect();
        names.sort();
        names
    }
}

fn unknown_model(name: &str) -> Refusal {
    Refusal::unknown(format!("model_id: there is no model {name:?}: it was unloaded, or never made"))
}
