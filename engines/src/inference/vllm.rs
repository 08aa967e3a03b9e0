//! vLLM's `/v1/completions` with tokens in and out, and its development mode for new weights.
//!
//! Of which distribution its log-probabilities are is decided when it is started ([`Logprobs`](super::Logprobs)); it does not say
//! which, and no completion says which weights drew it.

use std::path::Path;

use oreal_models::Token;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, Finish, Question};
use crate::http::{Failure, Fault, Http, Round, Scope};

/// Every number that a checkpoint's `generation_config.json` could set is said.
#[derive(Serialize)]
struct Complete<'a> {
    prompt: &'a [Token],
    max_tokens: usize,
    temperature: f64,
    top_p: f64,
    top_k: usize,
    min_p: f64,
    repetition_penalty: f64,
    frequency_penalty: f64,
    presence_penalty: f64,
    stop_token_ids: &'a [Token],
    /// Stop tokens are those above, and no others.
    ignore_eos: bool,
    skip_special_tokens: bool,
    /// Of the token drawn, and of no others.
    logprobs: u32,
    return_token_ids: bool,
    seed: u32,
    n: u32,
    /// Keys and values that were cached under other weights are never used again.
    cache_salt: &'a str,
}

#[derive(Deserialize)]
struct Completed {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    token_ids: Option<Vec<Token>>,
    logprobs: Option<TokenLogprobs>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct TokenLogprobs {
    token_logprobs: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct CacheReset {
    success: bool,
}

pub(super) fn draw(http: &Http, question: &Question<'_>) -> Result<Answer, Fault> {
    let how = question.how;
    let asked = Complete {
        prompt: question.prompt,
        max_tokens: how.max_tokens,
        temperature: how.temperature,
        top_p: how.top_p,
        top_k: how.top_k,
        min_p: 0.0,
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        stop_token_ids: &how.stop,
        ignore_eos: true,
        skip_special_tokens: false,
        logprobs: 0,
        return_token_ids: true,
        seed: question.seed,
        n: 1,
        cache_salt: &question.weights,
    };
    let answer: Completed = http.post("/v1/completions", &asked)?;
    let missing =
        |what| Fault::new(Scope::Request, format!("the answer has no {what}: vLLM 0.10.2 or newer is needed"));
    let choice = answer.choices.into_iter().next().ok_or_else(|| missing("choices"))?;
    let finish = match choice.finish_reason.as_deref() {
        Some("stop") => Finish::Stop,
        Some("length") => Finish::Length,
        _ => return Err(Fault::new(Scope::Passing, "the completion was aborted by the server")),
    };
    let tokens = choice.token_ids.ok_or_else(|| missing("token_ids"))?;
    let logps = choice.logprobs.ok_or_else(|| missing("logprobs"))?.token_logprobs;
    Ok(Answer { tokens, logps, finish, weights: None })
}

pub(super) fn load(round: &Round<'_>, folder: &Path) -> Result<(), Failure> {
    let reload = json!({ "method": "reload_weights", "kwargs": { "weights_path": folder } });
    round.send(|http| http.post::<Value>("/collective_rpc", &reload).map_err(development).map(drop))?;
    round.send(|http| match http.post("/reset_prefix_cache", &json!({})).map_err(development)? {
        CacheReset { success: true } => Ok(()),
        CacheReset { success: false } => {
            Err(Fault::new(Scope::Passing, "/reset_prefix_cache: success is false: requests are still being answered"))
        }
    })
}

/// Says what a missing path means.
fn development(fault: Fault) -> Fault {
    match fault.status {
        Some(404) => Fault { problem: format!("{}; start vLLM with VLLM_SERVER_DEV_MODE=1", fault.problem), ..fault },
        _ => fault,
    }
}
