//! The calls of the Tinker API that this server answers.

mod calls;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::drawing;
use super::protobuf;
use super::refusal::{Answered, Refusal};
use super::results::{Answer, Awaited, loss_output, sampled};
use super::routes::read;
use super::state::Shared;
use crate::tinker::wire::RetrieveFuture;

/// What a handler works with.
type Server = State<Arc<Shared>>;

/// Of all calls, below the prefix of the API.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/get_server_capabilities", get(session::capabilities))
        .route("/client/config", post(session::config))
        .route("/client/dynamic_config", post(async || Json(json!({}))))
        .route("/telemetry", post(async || Json(json!({ "status": "accepted" }))))
        .route("/create_session", post(session::begin))
        .route("/session_heartbeat", post(session::heartbeat))
        .route("/sessions/{session}/finish", post(async || Json(json!({}))))
        .route("/create_sampling_session", post(session::begin_sampling))
        .route("/samplers/{sampler}", get(session::sampler))
        .route("/weights_info", post(session::weights_info))
        .route("/create_model", post(calls::create_model))
        .route("/unload_model", post(calls::unload_model))
        .route("/get_info", post(calls::get_info))
        .route("/forward", post(calls::forward))
        .route("/forward_backward", post(calls::forward_backward))
        .route("/optim_step", post(calls::optim_step))
        .route("/save_weights", post(calls::save_weights))
        .route("/save_weights_for_sampler", post(calls::save_weights_for_sampler))
        .route("/load_weights", post(calls::load_weights))
        .route("/asample", post(calls::asample))
        .route("/retrieve_future", post(retrieve_future))
}

/// A result that will come.
fn future(result: String) -> Json<Value> {
    Json(json!({ "request_id": result }))
}

/// The result, if it comes within some seconds; 408 otherwise.
async fn retrieve_future(State(shared): Server, headers: HeaderMap, body: Bytes) -> Answered<Response> {
    let RetrieveFuture { request_id } = read(&body)?;
    let awaited: Awaited = shared.awaited(&request_id)?;
    let patience = Duration::from_secs_f64(shared.settings.poll_seconds);
    let Ok(answer) = tokio::time::timeout(patience, drawing::answer(awaited)).await else {
        let not_yet = json!({ "type": "try_again", "request_id": request_id, "queue_state": "active" });
        return Ok((StatusCode::REQUEST_TIMEOUT, Json(not_yet)).into_response());
    };
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bytes = match &*answer {
        Answer::Loss { logps, loss } => Some(protobuf::loss_output(&loss_output(logps, *loss))),
        Answer::Sampled { completions, prompt } => Some(protobuf::sampled(&sampled(completions, prompt.as_deref()))),
        Answer::Plain(_) | Answer::Failed { .. } => None,
    };
    Ok(match bytes.filter(|_| accepts.contains(protobuf::CONTENT_TYPE)) {
        Some(bytes) => ([(header::CONTENT_TYPE, protobuf::CONTENT_TYPE)], bytes).into_response(),
        None => Json(answer.to_json()).into_response(),
    })
}

/// Refuses models that are not served here.
fn check_base(shared: &Shared, name: &str) -> Answered<()> {
    match name == shared.base.name {
        true => Ok(()),
        false => Err(Refusal::unknown(format!("base_model: {name:?} is not served here, only {:?}", shared.base.name))),
    }
}
