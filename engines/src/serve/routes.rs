//! All paths, and what holds for each of them: key, size, number.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::de::DeserializeOwned;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::refusal::{Answered, Refusal};
use super::state::Shared;
use super::{completions, reload, sglang, tinker};
use crate::tinker::wire::PREFIX;

/// Bodies that are read at the same time have at most so many times the bytes of the longest.
const READ_AT_ONCE: usize = 4;

/// Bytes that are counted as one.
const UNIT: usize = 1024;

/// How long a body may take.
const READING: Duration = Duration::from_secs(60);

/// Most requests that are answered at the same time.
const AT_ONCE: usize = 4096;

/// What is counted of requests.
#[derive(Clone)]
struct Doors {
    shared: Arc<Shared>,
    /// A permit for each unit of a body that is being read.
    reading: Arc<Semaphore>,
    inside: Arc<Semaphore>,
}

/// Everything that the server answers.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let units = READ_AT_ONCE * units(shared.settings.body_bytes) as usize;
    let doors = Doors {
        shared: shared.clone(),
        reading: Arc::new(Semaphore::new(units)),
        inside: Arc::new(Semaphore::new(AT_ONCE)),
    };
    Router::new()
        .nest(PREFIX.trim_end_matches('/'), tinker::routes())
        .route("/health", get(async || ()))
        .route("/v1/models", get(completions::models))
        .route("/v1/completions", post(completions::complete))
        .route("/generate", post(sglang::generate))
        .route("/update_weights_from_disk", post(reload::update_weights))
        .route("/collective_rpc", post(reload::collective_rpc))
        .route("/reset_prefix_cache", post(reload::reset_prefix_cache))
        .fallback(async || Refusal::unknown("there is no such path here"))
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(doors, enter))
        .with_state(shared)
}

/// Checks the key, and reads the body whole.
async fn enter(State(doors): State<Doors>, request: Request, next: Next) -> Response {
    match admitted(&doors, request).await {
        Ok(request) => match doors.inside.try_acquire() {
            Ok(_held) => next.run(request).await,
            Err(_) => Refusal::full(format!("{AT_ONCE} requests are being answered: ask later")).into_response(),
        },
        Err(refusal) => refusal.into_response(),
    }
}

async fn admitted(doors: &Doors, request: Request) -> Answered<Request> {
    let path = request.uri().path();
    let is_open = path == "/health" || path.ends_with("/healthz");
    if !is_open && !is_allowed(doors.shared.settings.key.as_deref(), request.headers()) {
        return Err(Refusal::key());
    }
    let most = doors.shared.settings.body_bytes;
    let (parts, body) = request.into_parts();
    let stated = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let stated = stated.map_or(Some(most), |length| length.parse().ok());
    let bytes = stated.filter(|bytes| *bytes <= most).ok_or_else(|| Refusal::large(most))?;
    let read = async {
        let _held = doors.reading.acquire_many(units(bytes)).await;
        to_bytes(body, most).await.map_err(|_| Refusal::large(most))
    };
    let body = tokio::time::timeout(READING, read).await.map_err(|_| Refusal::slow())??;
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// At least one.
fn units(bytes: usize) -> u32 {
    u32::try_from(bytes / UNIT + 1).unwrap_or(u32::MAX)
}

/// Whether the right key came with a request; compared in constant time.
fn is_allowed(key: Option<&str>, headers: &HeaderMap) -> bool {
    let Some(key) = key else { return true };
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let own = headers.get("x-api-key").map(|value| value.as_bytes());
    [bearer, own].into_iter().flatten().any(|given| bool::from(given.ct_eq(key.as_bytes())))
}

/// The body as JSON of this form.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Answered<T> {
    serde_json::from_slice(body).map_err(|problem| Refusal::bad(format!("the body is not as it should be: {problem}")))
}
