//! One chat completion: the question as it is sent, and what its answer means.

use oreal_engines::http::{Fault, Http};
use oreal_models::Ending;
use oreal_toy_envs::Message;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{Reply, Request};

/// Appended to the base address.
const PATH: &str = "/chat/completions";

#[derive(Serialize)]
struct Question<'a> {
    model: &'a str,
    messages: &'a [Message],
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<usize>,
    max_tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "choices", deserialize_with = "first")]
    choice: Choice,
    /// Read apart: a server that miscounts still answers.
    usage: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Usage {
    completion_tokens: usize,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

/// Sends one request and reads its answer.
pub(super) fn ask(http: &Http, model: &str, request: &Request) -> Result<Reply, Fault> {
    let Request { ref messages, temperature, top_p, top_k, max_tokens, seed } = *request;
    let question = Question { model, messages, temperature, top_p, top_k, max_tokens, seed };
    let answer: Answer = http.post(PATH, &question).map_err(|fault| match fault.status {
        Some(404) => Fault { problem: format!("{} (asked for the model `{model}`)", fault.problem), ..fault },
        _ => fault,
    })?;
    let Choice { message: Said { content, reasoning_content, reasoning }, finish_reason } = answer.choice;
    let ending = match finish_reason.as_deref() {
        Some("length") => Ending::Truncated,
        _ => Ending::Stopped,
    };
    let tokens = answer.usage.and_then(|usage| serde_json::from_str::<Usage>(usage.get()).ok());
    Ok(Reply {
        text: http.hide(content.unwrap_or_default()),
        reasoning: reasoning_content.or(reasoning).filter(|text| !text.is_empty()).map(|text| http.hide(text)),
        tokens: tokens.map(|usage| usage.completion_tokens),
        ending,
    })
}

/// The first of the choices, of which there must be one.
fn first<'de, D: Deserializer<'de>>(choices: D) -> Result<Choice, D::Error> {
    Vec::deserialize(choices)?.into_iter().next().ok_or_else(|| D::Error::custom("no choices"))
}
