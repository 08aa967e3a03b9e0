//! A model by its name on a server: numbered calls, in order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use oreal_models::{Error, Result};
use serde_json::Value;

use super::carrier::Carrier;
use super::drawing::Drawable;
use super::rows::{Row, Rows};
use super::{RemoteSettings, Service};
use crate::tinker::service::Repeat;
use crate::tinker::wire::{
    Adam, Batch, CreateModel, Created, Datum, Forward, ForwardBackward, Future, LoadWeights, Lora, LossInputs,
    LossOutput, ModelInput, OptimStep, SaveWeights, SaveWeightsForSampler, Saved, Tensor, UnloadModel,
};

/// A model on the server, which is unloaded when this is dropped.
#[derive(Debug)]
pub(super) struct Adapter {
    service: Arc<Service>,
    id: String,
    /// Number of the next call. Held while a call is sent, so that calls arrive in the order of their numbers.
    next: Mutex<u64>,
    /// No weights were loaded.
    fresh: AtomicBool,
    /// Where weights that do not change are saved.
    saved: Mutex<Option<String>>,
}

impl Adapter {
    /// A new model, with the weights that are saved at `from`.
    pub(super) fn new(service: Arc<Service>, settings: &RemoteSettings, from: Option<&str>) -> Result<Adapter> {
        let lora = Lora {
            rank: settings.rank,
            seed: Some(settings.seed),
            train_unembed: true,
            train_mlp: true,
            train_attn: true,
        };
        let call = CreateModel {
            session_id: service.session().to_owned(),
            model_seq_id: service.next_model(),
            base_model: settings.base_model.clone(),
            lora_config: Some(lora),
        };
        let created: Created = service.call("create_model", &call)?;
        let adapter = Adapter {
            service,
            id: created.model_id,
            next: Mutex::new(0),
            fresh: AtomicBool::new(true),
            saved: Mutex::new(None),
        };
        if let Some(from) = from {
            adapter.load_with(from, false)?;
        }
        Ok(adapter)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.load(Ordering::Relaxed)
    }

    /// Log-probability of every target of every row.
    pub(super) fn forward(&self, rows: &Rows, batch: usize) -> Result<Vec<Vec<f64>>> {
        let rows: Vec<&Row> = rows.iter().collect();
        let mut futures = Vec::new();
        for part in rows.chunks(batch.max(1)) {
            let data = part.iter().map(|row| to_read(row)).collect();
            let forward_input = Batch { data, loss_fn: Carrier::CrossEntropy.loss().to_owned(), loss_fn_config: None };
            let call = |seq_id| Forward { model_id: self.id.clone(), seq_id, forward_input };
            futures.push(self.numbered("forward", Repeat::Harmless, call)?);
        }
        let mut logps = Vec::new();
        for (future, part) in futures.iter().zip(rows.chunks(batch.max(1))) {
            let output: LossOutput = self.service.wait(future)?;
            logps.extend(self.checked(output, part)?);
        }
        Ok(logps)
    }

    /// The gradient of the data, and one optimiser step with it. All calls are sent before the first result is waited for.
    pub(super) fn step(&self, data: Vec<Datum>, carrier: Carrier, batch: usize, adam_params: Adam) -> Result<()> {
        let mut data = data.into_iter().peekable();
        let mut futures = Vec::new();
        while data.peek().is_some() {
            let part: Vec<Datum> = data.by_ref().take(batch.max(1)).collect();
            let input = Batch { data: part, loss_fn: carrier.loss().to_owned(), loss_fn_config: None };
            let model_id = self.id.clone();
            let call = |seq_id| ForwardBackward { model_id, seq_id, forward_backward_input: input };
            futures.push(self.numbered("forward_backward", Repeat::Numbered, call)?);
        }
        let call = |seq_id| OptimStep { model_id: self.id.clone(), seq_id, adam_params };
        futures.push(self.numbered("optim_step", Repeat::Numbered, call)?);
        futures.iter().try_for_each(|future| self.service.wait::<Value>(future).map(drop))
    }

    /// Sends one harmless call twice, with one number: whether both have one result.
    pub(super) fn is_numbered(&self) -> Result<bool> {
        let row = Row::of(vec![0], vec![0]);
        let forward_input =
            Batch { data: vec![to_read(&row)], loss_fn: "cross_entropy".to_owned(), loss_fn_config: None };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let call = Forward { model_id: self.id.clone(), seq_id: Some(*next), forward_input };
        *next += 1;
        let futures = [(); 2].map(|()| self.service.submit("forward", &call, Repeat::Harmless));
        let [first, second] = futures;
        let (first, second) = (first?, second?);
        self.service.wait::<Value>(&first)?;
        Ok(first.request_id == second.request_id)
    }

    /// Saves weights and moments; where they are.
    pub(super) fn save(&self) -> Result<String> {
        let model_id = self.id.clone();
        let call = |seq_id: Option<u64>| SaveWeights { model_id, seq_id, path: Some(name("state", seq_id)) };
        self.saved("save_weights", call)
    }

    /// As [`Adapter::save`], of weights that do not change: the second time nothing is saved.
    pub(super) fn save_once(&self) -> Result<String> {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &*saved {
            return Ok(path.clone());
        }
        Ok(saved.insert(self.save()?).clone())
    }

    /// Saves weights to draw with, under a name of their own; where they are.
    pub(super) fn save_for_sampler(&self) -> Result<String> {
        let model_id = self.id.clone();
        let call = |seq_id: Option<u64>| SaveWeightsForSampler {
            model_id,
            seq_id,
            path: Some(name("sampler", seq_id)),
            sampling_session_seq_id: None,
        };
        self.saved("save_weights_for_sampler", call)
    }

    /// The weights as they are, to draw with in this session only: a server need not write them down.
    pub(super) fn to_draw_with(&self) -> Result<Drawable> {
        let (model_id, number) = (self.id.clone(), self.service.next_sampler());
        let call =
            |seq_id| SaveWeightsForSampler { model_id, seq_id, path: None, sampling_session_seq_id: Some(number) };
        let name = "save_weights_for_sampler";
        match self.save_as(name, call)? {
            Saved { sampling_session_id: Some(session), .. } => Ok(Drawable::session(session)),
            Saved { path: Some(path), .. } => Ok(Drawable::path(path)),
            Saved { .. } => Err(self.unsaid(name)),
        }
    }

    /// Takes over weights and moments.
    pub(super) fn load(&self, path: &str) -> Result<()> {
        self.load_with(path, true)
    }

    fn load_with(&self, path: &str, optimizer: bool) -> Result<()> {
        let call = |seq_id| LoadWeights { model_id: self.id.clone(), seq_id, path: path.to_owned(), optimizer };
        self.fresh.store(false, Ordering::Relaxed);
        *self.saved.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // The second time nothing changes.
        let future = self.numbered("load_weights", Repeat::Harmless, call)?;
        self.service.wait::<Value>(&future).map(drop)
    }

    fn saved<C: serde::Serialize>(&self, name: &str, call: impl FnOnce(Option<u64>) -> C) -> Result<String> {
        self.save_as(name, call)?.path.ok_or_else(|| self.unsaid(name))
    }

    fn save_as<C: serde::Serialize>(&self, name: &str, call: impl FnOnce(Option<u64>) -> C) -> Result<Saved> {
        let future = self.numbered(name, Repeat::Numbered, call)?;
        self.service.wait(&future)
    }

    fn unsaid(&self, name: &str) -> Error {
        self.wrong(format!("{name}: the server does not say where it saved the weights"))
    }

    /// Sends a call with the next number.
    fn numbered<C: serde::Serialize>(
        &self,
        name: &str,
        repeat: Repeat,
        call: impl FnOnce(Option<u64>) -> C,
    ) -> Result<Future> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let future = self.service.submit(name, &call(Some(*next)), repeat);
        *next += 1;
        future
    }

    /// Refuses log-probabilities that are not those of the rows.
    fn checked(&self, output: LossOutput, rows: &[&Row]) -> Result<Vec<Vec<f64>>> {
        let (found, needed) = (output.loss_fn_outputs.len(), rows.len());
        if found != needed {
            return Err(self.wrong(format!("forward: log-probabilities of {found} sequences where {needed} were sent")));
        }
        let read = |(output, row): (crate::tinker::wire::LossOutputs, &&Row)| {
            let logps = output.logprobs.data.reals();
            if logps.len() != row.input.len() {
                let problem = format!("forward: {} log-probabilities for {} tokens", logps.len(), row.input.len());
                return Err(self.wrong(problem));
            }
            match logps[row.chosen.clone()].iter().find(|logp| !logp.is_finite()) {
                Some(logp) => Err(self.wrong(format!("forward: a log-probability is {logp}"))),
                None => Ok(logps),
            }
        };
        output.loss_fn_outputs.into_iter().zip(rows).map(read).collect()
    }

    fn wrong(&self, problem: String) -> Error {
        Error::Server { server: self.service.url().to_owned(), problem }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // The session's end does it too, where this is not answered.
        let call = UnloadModel { model_id: self.id.clone() };
        let _ = self.service.submit("unload_model", &call, Repeat::Numbered);
    }
}

fn to_read(row: &Row) -> Datum {
    let mut weights = vec![0.0; row.input.len()];
    weights[row.chosen.clone()].fill(1.0);
    let loss_fn_inputs = LossInputs {
        target_tokens: Some(Tensor::tokens(row.targets.iter().copied())),
        weights: Some(Tensor::floats(weights)),
        ..LossInputs::default()
    };
    Datum { model_input: ModelInput::of(row.input.clone()), loss_fn_inputs }
}

/// A name for what is saved; no other call of the model has the same.
fn name(what: &str, seq_id: Option<u64>) -> String {
    format!("{what}-{}", seq_id.unwrap_or_default())
}
