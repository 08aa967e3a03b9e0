//! New weights for the model that is served, as SGLang and as vLLM in its development mode take them.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::drawing::answer;
use super::job::Job;
use super::refusal::{Answered, Refusal};
use super::results::Answer;
use super::routes::read;
use super::state::Shared;

/// Longest name of a version.
const LONGEST_NAME: usize = 128;

/// SGLang's `update_weights_from_disk`.
#[derive(Deserialize)]
struct Update {
    model_path: PathBuf,
    #[serde(default)]
    weight_version: Option<String>,
}

/// vLLM's `collective_rpc`.
#[derive(Deserialize)]
struct Collective {
    method: String,
    #[serde(default)]
    kwargs: Reload,
}

/// Arguments of its method `reload_weights`.
#[derive(Default, Deserialize)]
struct Reload {
    #[serde(default)]
    weights_path: Option<PathBuf>,
}

/// Other weights are served from now on; models that were made before, and those made later, are not affected.
pub(super) async fn update_weights(State(shared): State<Arc<Shared>>, body: Bytes) -> Answered<Json<Value>> {
    let Update { model_path, weight_version } = read(&body)?;
    let said = json!({ "success": true, "message": "the weights are those of the folder" });
    replace(&shared, model_path, weight_version, said).await
}

/// The same by vLLM's only method that this server has.
pub(super) async fn collective_rpc(State(shared): State<Arc<Shared>>, body: Bytes) -> Answered<Json<Value>> {
    match read(&body)? {
        Collective { method, kwargs: Reload { weights_path: Some(path) } } if method == "reload_weights" => {
            replace(&shared, path, None, json!({ "results": [null] })).await
        }
        Collective { method, .. } if method == "reload_weights" => Err(Refusal::bad("kwargs.weights_path is needed")),
        Collective { .. } => Err(Refusal::bad("method: only \"reload_weights\" can be called here")),
    }
}

/// Nothing is kept from one request to the next.
pub(super) async fn reset_prefix_cache() -> Json<Value> {
    Json(json!({ "success": true }))
}

async fn replace(shared: &Shared, folder: PathBuf, version: Option<String>, said: Value) -> Answered<Json<Value>> {
    let version = version.unwrap_or_else(|| "default".to_owned());
    if version.len() > LONGEST_NAME {
        return Err(Refusal::bad(format!("weight_version: a name of at most {LONGEST_NAME} bytes is needed")));
    }
    let result = shared.direct(Job::Replace { folder, version, answer: said })?;
    match &*answer(shared.awaited(&result)?).await {
        Answer::Plain(said) => Ok(Json(said.clone())),
        Answer::Failed { sentence, .. } => Err(Refusal::bad(sentence)),
        _ => Err(Refusal::broken("the weights were not read")),
    }
}
