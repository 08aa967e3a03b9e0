//! Sessions, and what the server says about itself.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Server, check_base};
use crate::serve::job::Weights;
use crate::serve::refusal::{Answered, Refusal};
use crate::serve::routes::read;
use crate::tinker::wire::{CreateSession, Heartbeat};

/// `create_sampling_session`.
#[derive(Deserialize)]
struct BeginSampling {
    session_id: String,
    sampling_session_seq_id: u64,
    #[serde(default)]
    base_model: Option<String>,
    #[serde(default)]
    model_path: Option<String>,
}

/// `weights_info`.
#[derive(Deserialize)]
struct WeightsInfo {
    tinker_path: String,
}

pub(super) async fn capabilities(State(shared): Server) -> Json<Value> {
    let model = json!({
        "model_name": shared.base.name,
        "max_context_length": shared.settings.longest,
        "trainable": true,
        "sampleable": true,
    });
    Json(json!({ "supported_models": [model] }))
}

/// What the SDK may do with this server.
pub(super) async fn config() -> Json<Value> {
    Json(json!({
        "pjwt_auth_enabled": false,
        "credential_default_source": "api_key",
        "proto_compress_fwdbwd": false,
        "sample_use_retrieve_futures": false,
        "custom_loss_server_side": false,
        "sample_join_sampling_session": false,
    }))
}

pub(super) async fn begin(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let _: CreateSession = read(&body)?;
    let session = shared.begin_session()?;
    Ok(Json(json!({ "type": "create_session", "session_id": session })))
}

pub(super) async fn heartbeat(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let Heartbeat { session_id } = read(&body)?;
    shared.seen(&session_id)?;
    Ok(Json(json!({ "type": "session_heartbeat" })))
}

pub(super) async fn begin_sampling(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let BeginSampling { session_id, sampling_session_seq_id, base_model, model_path } = read(&body)?;
    if let Some(base) = &base_model {
        check_base(&shared, base)?;
    }
    let weights = match (model_path, base_model) {
        (Some(path), _) => Weights::Saved(path),
        (None, Some(_)) => Weights::Base,
        (None, None) => return Err(Refusal::bad("base_model or model_path is needed")),
    };
    let name = shared.begin_sampling(&session_id, sampling_session_seq_id, weights)?;
    Ok(Json(json!({ "type": "create_sampling_session", "sampling_session_id": name })))
}

pub(super) async fn sampler(State(shared): Server, Path(name): Path<String>) -> Answered<Json<Value>> {
    let path = match shared.sampler_weights(&name)? {
        Weights::Saved(path) => Some(path),
        Weights::Base | Weights::Served => None,
    };
    Ok(Json(json!({ "sampler_id": name, "base_model": shared.base.name, "model_path": path })))
}

pub(super) async fn weights_info(State(shared): Server, body: Bytes) -> Answered<Json<Value>> {
    let WeightsInfo { tinker_path } = read(&body)?;
    shared.check_saved(&tinker_path)?;
    Ok(Json(json!({ "base_model": shared.base.name, "is_lora": false })))
}
