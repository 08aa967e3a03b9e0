//! Calls about models: each answers with the name of a result that is retrieved later.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Server, check_base, future};
use crate::serve::batch::Input;
use crate::serve::drawing::Wish;
use crate::serve::job::{From, Gradient, Job, Saves, Weights};
use crate::serve::protobuf;
use crate::serve::refusal::{Answered, Refusal};
use crate::serve::routes::read;
use crate::serve::state::{Again, Call, Shared, sampling_name};
use crate::serve::worker;
use crate::tinker::wire::{CreateModel, OptimStep, Sample, SamplingParams, UnloadModel};

/// Longest name of what is saved.
const LONGEST_NAME: usize = 128;

/// What a model can be made with besides.
#[derive(Deserialize)]
struct Optimizer {
    #[serde(default)]
    optimizer_config: Option<Value>,
}

/// `forward`.
#[derive(Deserialize)]
struct Forward {
    model_id: String,
    #[serde(default)]
    seq_id: Option<u64>,
    forward_input: Input,
}

/// `forward_backward`.
#[derive(Deserialize)]
struct ForwardBackward {
    model_id: String,
    #[serde(default)]
    seq_id: Option<u64>,
    forward_backward_input: Input,
}

/// `save_weights` and `save_weights_for_sampler`.
#[derive(Deserialize)]
struct Save {
    model_id: String,
    #[serde(default)]
    seq_id: Option<u64>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    sampling_session_seq_id: Option<u64>,
    /// `snapshot`, or weights that later saves change, which this server does not have.
    #[serde(default)]
    kind: Option<String>,
}

/// `load_weights`: into a model, or into one that is made for it.
#[derive(Deserialize)]
struct Load {
    #[serde(default)]
    model_id: Option<String>,
    #[serde(default)]
    seq_id: Option<u64>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    model_seq_id: Option<u64>,
    path: String,
    #[serde(default)]
    optimizer: bool,
}

/// What `asample` can ask for besides, and this server does not have.
#[derive(Deserialize)]
struct Extras {
    #[serde(default)]
    topk_prompt_logprobs: i64,
    #[serde(default)]
    topk_sample_logprobs: i64,
    #[serde(default)]
    prompt_alt_tokens_k: i64,
    #[serde(default)]
    target_prompt_logprobs: Option<Value>,
    #[serde(default)]
    prompt_logprobs_last_n: Option<i64>,
}

pub(super) async fn create_model(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let call: CreateModel = read(&body)?;
    let Optimizer { optimizer_config } = read(&body)?;
    check_base(&shared, &call.base_model)?;
    let family = optimizer_config.as_ref().and_then(|config| config.get("type"));
    if let Some(family) = family.filter(|family| *family != "adamw") {
        return Err(Refusal::bad(format!("optimizer_config: {family} is not known here: only \"adamw\"")));
    }
    let (model, created) = shared.create(&call.session_id, call.model_seq_id, None)?;
    Ok(Json(json!({ "request_id": created, "model_id": model })))
}

pub(super) async fn unload_model(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let UnloadModel { model_id } = read(&body)?;
    Ok(future(shared.unload(&model_id)?))
}

pub(super) async fn get_info(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let UnloadModel { model_id } = read(&body)?;
    shared.check_model(&model_id)?;
    let base = &shared.base;
    Ok(Json(json!({
        "type": "get_info",
        "model_id": model_id,
        "model_name": base.name,
        "model_data": { "model_name": base.name, "tokenizer_id": base.tokenizer },
        // Whatever rank was asked for, all weights learn.
        "is_lora": false,
    })))
}

pub(super) async fn forward(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let Forward { model_id, seq_id, forward_input } = read(&body)?;
    losses(&shared, &model_id, seq_id, forward_input, Gradient::NotWanted)
}

/// As JSON, or as protobuf, which the SDK sends.
pub(super) async fn forward_backward(State(shared): Server, headers: HeaderMap, body: Bytes) -> Answered<Json<Value>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with(protobuf::CONTENT_TYPE) {
        let asked = protobuf::read(&body)?;
        let gradient = if asked.forward_only { Gradient::NotWanted } else { Gradient::Accumulated };
        return losses(&shared, &asked.model_id, asked.seq_id, asked.input, gradient);
    }
    let ForwardBackward { model_id, seq_id, forward_backward_input } = read(&body)?;
    losses(&shared, &model_id, seq_id, forward_backward_input, Gradient::Accumulated)
}

fn losses(
    shared: &Arc<Shared>,
    model: &str,
    number: Option<u64>,
    input: Input,
    gradient: Gradient,
) -> Answered<Json<Value>> {
    let kind = if gradient == Gradient::Accumulated { "forward_backward" } else { "forward" };
    // Checked before the state is locked: batches are large.
    let batch = input.checked(shared.reads());
    let job = |batch| Job::Losses { model: model.to_owned(), batch, gradient };
    Ok(future(shared.submit(&Call { model, number, kind }, |_| batch.map(job))?))
}

pub(super) async fn optim_step(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let OptimStep { model_id, seq_id, adam_params: adam } = read(&body)?;
    let checked = || {
        let (rate, clip) = (adam.learning_rate, adam.grad_clip_norm);
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Refusal::bad(format!("learning_rate: {rate} is not a finite number of at least 0")));
        }
        if !(clip.is_finite() && clip >= 0.0) {
            return Err(Refusal::bad(format!("grad_clip_norm: {clip} is not a finite number of at least 0; 0 is off")));
        }
        worker::optimiser(&adam).validate().map_err(|problem| Refusal::bad(problem.to_string()))?;
        Ok(Job::Step { model: model_id.clone(), adam })
    };
    let call = Call { model: &model_id, number: seq_id, kind: "optim_step" };
    Ok(future(shared.submit(&call, |_| checked())?))
}

pub(super) async fn save_weights(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let save: Save = read(&body)?;
    let call = Call { model: &save.model_id, number: save.seq_id, kind: "save_weights" };
    let again = if save.overwrite { Again::Allowed } else { Again::Refused };
    let result = shared.submit(&call, |state| {
        let name = save.path.clone().or_else(|| save.seq_id.map(|number| format!("state-{number}")));
        let path = format!("tinker://{}/weights/{}", save.model_id, named(name)?);
        state.reserve(&path, Saves::Everything, again)?;
        let answer = json!({ "path": path, "type": "save_weights" });
        Ok(Job::Save { model: save.model_id.clone(), path, what: Saves::Everything, answer })
    })?;
    Ok(future(result))
}

pub(super) async fn save_weights_for_sampler(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let save: Save = read(&body)?;
    let call = Call { model: &save.model_id, number: save.seq_id, kind: "save_weights_for_sampler" };
    let result = shared.submit(&call, |state| {
        if let Some(kind) = save.kind.as_ref().filter(|kind| *kind != "snapshot") {
            return Err(Refusal::bad(format!("kind: {kind:?} is not known here: only \"snapshot\"")));
        }
        let unnamed = || Some(format!("sampler-{}-{}", save.sampling_session_seq_id?, save.seq_id?));
        let name = named(save.path.clone().or_else(unnamed))?;
        let path = format!("tinker://{}/sampler_weights/{name}", save.model_id);
        state.reserve(&path, Saves::WeightsToDraw, Again::Refused)?;
        let session = save.model_id.rsplit_once(":train:").map_or("", |(session, _)| session);
        let sampler = save.sampling_session_seq_id.map(|number| sampling_name(session, number));
        if let Some(sampler) = &sampler {
            state.reserve_sampler(sampler, &path);
        }
        let answer = json!({ "path": path, "sampling_session_id": sampler, "type": "save_weights_for_sampler" });
        Ok(Job::Save { model: save.model_id.clone(), path, what: Saves::WeightsToDraw, answer })
    })?;
    Ok(future(result))
}

pub(super) async fn load_weights(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let load: Load = read(&body)?;
    let from = From { path: load.path, moments: load.optimizer };
    match (load.model_id, load.session_id, load.model_seq_id) {
        (Some(model), None, None) => {
            let call = Call { model: &model, number: load.seq_id, kind: "load_weights" };
            let job = |from: From| Job::Load { model: model.clone(), from };
            let checked = shared.submit(&call, |state| state.check_saved(&from.path).map(|()| job(from)));
            Ok(future(checked?))
        }
        (None, Some(session), Some(number)) => {
            let (model, created) = shared.create(&session, number, Some(from))?;
            Ok(Json(json!({ "request_id": created, "model_id": model })))
        }
        _ => Err(Refusal::bad("either model_id is needed, or session_id and model_seq_id")),
    }
}

pub(super) async fn asample(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let sample: Sample = read(&body)?;
    check_extras(&read(&body)?)?;
    let count = sample.num_samples;
    let result = match (&sample.sampling_session_id, &sample.model_path, &sample.base_model) {
        (Some(session), ..) => {
            let mut draw = wish(&shared, &sample)?.draw(&shared, Weights::Base)?;
            shared.sample(session, sample.seq_id, |weights| {
                draw.weights = weights;
                Job::Draw(draw)
            })?
        }
        (None, Some(path), _) => {
            let weights = Weights::Saved(path.clone());
            shared.direct(Job::Draw(wish(&shared, &sample)?.draw(&shared, weights)?))?
        }
        (None, None, Some(base)) => {
            check_base(&shared, base)?;
            shared.direct(Job::Draw(wish(&shared, &sample)?.draw(&shared, Weights::Base)?))?
        }
        (None, None, None) => {
            return Err(Refusal::bad("one of sampling_session_id, model_path and base_model is needed"));
        }
    };
    // The SDK names each completion by what stands here.
    let names: Vec<String> = (0..count).map(|sample| format!("{result}:{sample}")).collect();
    Ok(Json(json!({ "request_id": result, "sample_sequence_ids": names })))
}

fn wish(shared: &Shared, sample: &Sample) -> Answered<Wish> {
    let SamplingParams { max_tokens, seed, stop, temperature, top_k, top_p } = &sample.sampling_params;
    Ok(Wish {
        prompt: shared.reads().tokens(&sample.prompt)?,
        count: sample.num_samples,
        temperature: *temperature,
        top_p: *top_p,
        top_k: *top_k,
        max_tokens: *max_tokens,
        // Nothing said is what ends an answer; an empty list is no stop at all.
        stop: if stop.is_null() { shared.own_stops() } else { shared.stops(stop)? },
        seed: *seed,
        prompt_logps: sample.prompt_logprobs == Some(true),
    })
}

fn check_extras(extras: &Extras) -> Answered<()> {
    let asked = [
        ("topk_prompt_logprobs", extras.topk_prompt_logprobs != 0),
        ("topk_sample_logprobs", extras.topk_sample_logprobs != 0),
        ("prompt_alt_tokens_k", extras.prompt_alt_tokens_k != 0),
        ("target_prompt_logprobs", extras.target_prompt_logprobs.is_some()),
        ("prompt_logprobs_last_n", extras.prompt_logprobs_last_n.is_some()),
    ];
    match asked.iter().find(|(_, is_asked)| *is_asked) {
        Some((name, _)) => Err(Refusal::bad(format!("{name}: this server does not report that"))),
        None => Ok(()),
    }
}

/// A name that can stand in a path.
fn named(name: Option<String>) -> Answered<String> {
    let name = name.ok_or_else(|| Refusal::bad("path is needed: a name for what is saved"))?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(fits) {
        true => Ok(name),
        false => Err(Refusal::bad(format!(
            "path: a name of at most {LONGEST_NAME} letters, digits and `-`, `_`, `.` is needed"
        ))),
    }
}
