//! A model on a server.

mod adapter;
mod carrier;
mod drawing;
mod reading;
mod rows;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use oreal_models::{
    Clip, Completion, Decayed, Error, Failure, Head, Model, ModelState, Optimiser, Pass, Request, Result, Sampling,
    Sequence, Signal, Signals, Token, Want, check,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::service::Service;
use super::wire::Adam;
use crate::http::Reach;
use adapter::Adapter;
pub use carrier::Carrier;
use carrier::Contribution;
use drawing::Drawable;
use reading::RemotePass;

/// What a [`ModelState`] of a model elsewhere is a state of.
const KIND: &str = "tinker";

/// The file that says where a saved model is.
const PLACE_FILE: &str = "tinker.json";

/// Where the server keeps a model.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Weights and moments.
    weights: String,
    /// What a scalar is relative to, where that is not the server's base model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    untouched: Option<String>,
}

/// What a model on a server is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteSettings {
    /// What it starts from, as the server calls it.
    pub base_model: String,
    /// Rank of its adapters; 0 trains all weights, where the server can.
    pub rank: u32,
    /// Of the adapters' random start.
    pub seed: u64,
    /// Number of tokens of the tokenizer.
    pub vocabulary: usize,
    /// How cotangents travel.
    pub carrier: Carrier,
    /// Two tokens that are rarely used: a scalar is the difference of their log-probabilities. See [`Remote`].
    pub score_tokens: [Token; 2],
    /// Most sequences in one call.
    pub batch: usize,
}

/// A model on a server, in any role, over a protocol that knows log-probabilities only.
///
/// A gradient is a list of cotangents that is kept here, and is sent when a step is made: so a gradient that is dropped has
/// never been there, and a step is one series of numbered calls.
///
/// **Scalars.** `scalar_t = [logp(yes | s_<t) - logp(no | s_<t)] - [the same before any training]` for two tokens that are rarely
/// used. It is 0 before the first step. The difference of two log-probabilities is that of two logits, so it is
/// `(w_yes - w_no) · h_t`: linear in the hidden state, as a scalar head is. A cotangent `c` has the gradient of
/// `c logp(yes) - c logp(no)`, hence travels as two cotangents of log-probabilities.
#[derive(Debug)]
pub struct Remote {
    service: Arc<Service>,
    settings: Arc<RemoteSettings>,
    adapter: Arc<Adapter>,
    /// The same weights before any training; only scalars need them.
    untouched: Option<Arc<Adapter>>,
    /// The optimiser, but for the rate.
    adam: Adam,
    gradient: Vec<Contribution>,
    steps: u64,
    /// The weights that completions are drawn with, since the weights moved.
    sampler: Mutex<Option<Arc<Drawable>>>,
    /// What the next fork has as its untouched weights, since the weights moved.
    twin: Mutex<Option<Arc<Adapter>>>,
    weights: Weights,
}

/// What is known of a model's weights.
#[derive(Debug)]
enum Weights {
    /// They are the adapter's.
    Known,
    /// They are those at [`Remote::sampler`], to be drawn from; the adapter may have moved since.
    Snapshot,
    /// They are not known any more, since this error.
    Lost(String),
}

impl Remote {
    /// A policy as the server has it before any training.
    ///
    /// # Errors
    /// An optimiser that the protocol does not have, and whatever the server refuses.
    pub fn new(service: Arc<Service>, settings: RemoteSettings, optimiser: &Optimiser) -> Result<Remote> {
        let adam = as_adam(optimiser, &settings)?;
        if settings.score_tokens[0] == settings.score_tokens[1] {
            return Err(Error::setting("model", "score_tokens", "must be two different tokens".to_owned()));
        }
        let adapter = Adapter::new(service.clone(), &settings, None)?;
        Ok(Remote::of(service, Arc::new(settings), Arc::new(adapter), None, adam))
    }

    fn of(
        service: Arc<Service>,
        settings: Arc<RemoteSettings>,
        adapter: Arc<Adapter>,
        untouched: Option<Arc<Adapter>>,
        adam: Adam,
    ) -> Remote {
        Remote {
            service,
            settings,
            adapter,
            untouched,
            adam,
            gradient: Vec::new(),
            steps: 0,
            sampler: Mutex::new(None),
            twin: Mutex::new(None),
            weights: Weights::Known,
        }
    }

    /// Whether a model of this kind can report a signal, given the right head.
    pub fn can_report(signal: Signal) -> bool {
        signal != Signal::Entropy
    }

    /// Name of the model on the server.
    pub fn id(&self) -> &str {
        self.adapter.id()
    }

    /// These weights, to draw from only. The adapter is not copied.
    pub(super) fn frozen(&self) -> Result<Remote> {
        let sampler = Mutex::new(Some(self.to_draw_with()?));
        let (service, settings, adapter) = (self.service.clone(), self.settings.clone(), self.adapter.clone());
        let copy = Remote::of(service, settings, adapter, None, self.adam);
        Ok(Remote { sampler, weights: Weights::Snapshot, ..copy })
    }

    fn check_usable(&self) -> Result<()> {
        match &self.weights {
            Weights::Known => Ok(()),
            Weights::Snapshot => Err(self.server_error("a snapshot of a model on a server can only be drawn from")),
            Weights::Lost(why) => {
                Err(self.server_error(format!("the weights of this model are not known since an earlier error: {why}")))
            }
        }
    }

    /// Whether these are the weights that the server has before any training.
    fn is_fresh(&self) -> bool {
        self.steps == 0 && self.adapter.is_fresh()
    }

    /// A new adapter with a copy of these weights.
    fn copy(&self) -> Result<Arc<Adapter>> {
        let from = if self.is_fresh() { None } else { Some(self.adapter.save()?) };
        Ok(Arc::new(Adapter::new(self.service.clone(), &self.settings, from.as_deref())?))
    }

    fn server_error(&self, problem: impl ToString) -> Error {
        Error::Server { server: self.service.url().to_owned(), problem: problem.to_string() }
    }

    /// Whether the server takes a call with the number of an earlier one for that one.
    pub(super) fn is_numbered(&self) -> Result<bool> {
        self.adapter.is_numbered()
    }

    /// Number of tokens.
    pub(super) fn vocabulary(&self) -> usize {
        self.settings.vocabulary
    }
}

impl Model for Remote {
    fn read(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Signals> {
        Ok(Signals(self.rows(batch, want)?.into_iter().map(|read| (read.signal, read.values)).collect()))
    }

    fn forward(&mut self, batch: &[Sequence<'_>], want: &Want) -> Result<(Signals, Box<dyn Pass + '_>)> {
        let read = self.rows(batch, want)?;
        let signals = read.iter().map(|read| (read.signal, read.values.clone())).collect();
        Ok((Signals(signals), Box::new(RemotePass { gradient: &mut self.gradient, read })))
    }

    fn gradient_norm(&self) -> Result<Option<f64>> {
        Ok(if self.gradient.is_empty() { Some(0.0) } else { None })
    }

    fn discard(&mut self) {
        self.gradient.clear();
    }

    /// The cotangents, and the step, as calls in one series.
    fn step(&mut self, rate: f64, _gradient_norm: Option<f64>) -> Result<()> {
        self.check_usable()?;
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::setting("step", "rate", format!("{rate} is not a finite number of at least 0")));
        }
        let adam = Adam { learning_rate: rate, ..self.adam };
        let gradient = std::mem::take(&mut self.gradient);
        let data = self.settings.carrier.data(&gradient);
        let stepped = self.adapter.step(data, self.settings.carrier, self.settings.batch, adam);
        if let Err(error) = stepped {
            self.weights = Weights::Lost(error.to_string());
            return Err(error);
        }
        self.steps += 1;
        *self.sampler.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        *self.twin.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    fn draw(&self, requests: &[Request<'_>], how: &Sampling) -> Result<Vec<Completion>> {
        let drawn = self.draw_each(requests, how)?.into_iter();
        let failed =
            |failure: Failure| Error::Server { server: self.service.url().to_owned(), problem: failure.to_string() };
        drawn.map(|drawn| drawn.map_err(failed)).collect()
    }

    fn draw_each(
        &self,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<std::result::Result<Completion, Failure>>> {
        check::requests(requests, how, self.settings.vocabulary)?;
        let from = self.to_draw_with()?;
        let drawn = self.service.each(requests, |round, request| self.draw_one(round, &from, request, how));
        let mut usable = Vec::with_capacity(drawn.len());
        for drawn in drawn {
            usable.push(match drawn {
                Ok(completion) => self.usable(completion, how),
                Err((Reach::Request, problem)) => Err(Failure::NotDrawn { problem }),
                Err((Reach::Server, problem)) => return Err(self.server_error(problem)),
            });
        }
        Ok(usable)
    }

    fn fork(&self, head: Head, optimiser: &Optimiser) -> Result<Box<dyn Model>> {
        let adam = as_adam(optimiser, &self.settings)?;
        self.check_usable()?;
        let untouched = match (head, &self.untouched) {
            (Head::Vocabulary, _) => None,
            (Head::Scalar, Some(untouched)) => Some(untouched.clone()),
            (Head::Scalar, None) => {
                let mut twin = self.twin.lock().unwrap_or_else(PoisonError::into_inner);
                if twin.is_none() {
                    *twin = Some(self.copy()?);
                }
                twin.clone()
            }
        };
        let (service, settings) = (self.service.clone(), self.settings.clone());
        Ok(Box::new(Remote::of(service, settings, self.copy()?, untouched, adam)))
    }

    fn snapshot(&self) -> Result<Box<dyn Model>> {
        Ok(Box::new(self.frozen()?))
    }

    fn reports(&self, signal: Signal) -> bool {
        Remote::can_report(signal)
    }

    fn place(&self) -> Option<String> {
        let RemoteSettings { base_model, rank, carrier, .. } = &*self.settings;
        let url = self.service.url();
        Some(format!("{base_model} on {url}, rank {rank}; cotangents travel as {}", carrier.loss()))
    }

    fn parameters(&self) -> usize {
        0
    }

    /// Saves the weights on the server, and writes a file that says where they are.
    fn save(&self, path: &Path) -> Result<()> {
        self.check_usable()?;
        let place = self.adapter.save_for_sampler()?;
        let said = json!({ "url": self.service.url(), "base_model": self.settings.base_model, "model_path": place });
        let file = if path.is_dir() { path.join(PLACE_FILE) } else { path.to_owned() };
        let text = format!("{said:#}\n");
        std::fs::write(&file, text).map_err(|problem| Error::file(&file, problem))
    }

    fn state(&self) -> Result<ModelState> {
        self.check_usable()?;
        let untouched = match &self.untouched {
            Some(untouched) if !untouched.is_fresh() => Some(untouched.save_once()?),
            _ => None,
        };
        let kept = Kept { weights: self.adapter.save()?, untouched };
        Ok(ModelState::elsewhere(KIND, self.steps, &json!(kept).to_string()))
    }

    fn restore(&mut self, state: &ModelState) -> Result<()> {
        let damaged =
            |problem: serde_json::Error| Error::State { problem: format!("not one of a model elsewhere: {problem}") };
        let kept: Kept = serde_json::from_str(state.place(KIND)?).map_err(damaged)?;
        self.adapter.load(&kept.weights)?;
        if let (Some(untouched), Some(path)) = (&self.untouched, &kept.untouched) {
            untouched.load(path)?;
        }
        self.gradient.clear();
        self.steps = state.steps();
        self.weights = Weights::Known;
        *self.sampler.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        *self.twin.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// The optimiser as the protocol has it, but for the rate.
fn as_adam(optimiser: &Optimiser, settings: &RemoteSettings) -> Result<Adam> {
    optimiser.validate()?;
    let Optimiser::AdamW { beta1, beta2, epsilon, weight_decay, decay, clip, clip_epsilon } = *optimiser else {
        return Err(Error::setting(
            "optimiser",
            "rule",
            "must be \"adamw\": a server of the Tinker API has no other".to_owned(),
        ));
    };
    // Adapters are matrices only.
    if settings.rank == 0 && weight_decay > 0.0 && decay == Decayed::Matrices {
        let problem = "must be \"all\", or weight_decay 0: a server of the Tinker API does not tell matrices apart";
        return Err(Error::setting("optimiser", "decay", problem.to_owned()));
    }
    if clip_epsilon != 0.0 {
        let problem = "must be 0: a server of the Tinker API has no such number";
        return Err(Error::setting("optimiser", "clip_epsilon", problem.to_owned()));
    }
    let grad_clip_norm = match clip {
        Clip::Norm(norm) => norm,
        Clip::Off => 0.0,
    };
    Ok(Adam { learning_rate: 0.0, beta1, beta2, eps: epsilon, weight_decay, grad_clip_norm })
}
