//! The `/completion` of llama.cpp's server. Its log-probability is of the softmax of the raw logits.

use oreal_models::Token;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Finish, Question};
use crate::http::{Fault, Http, Scope};

/// Samplers that are not listed do not act, whatever the server was started with.
const SAMPLERS: &[&str] = &["top_k", "top_p", "temperature"];

#[derive(Serialize)]
struct Complete<'a> {
    prompt: &'a [Token],
    n_predict: usize,
    temperature: f64,
    top_p: f64,
    top_k: usize,
    min_p: f64,
    repeat_penalty: f64,
    mirostat: u32,
    samplers: &'a [&'a str],
    n_probs: u32,
    return_tokens: bool,
    cache_prompt: bool,
    stream: bool,
    seed: u32,
}

#[derive(Deserialize)]
struct Completed {
    tokens: Vec<Token>,
    #[serde(default)]
    completion_probabilities: Vec<Probability>,
    stop_type: String,
}

#[derive(Deserialize)]
struct Probability {
    id: Token,
    logprob: Option<f64>,
}

pub(super) fn draw(http: &Http, question: &Question<'_>) -> Result<Answer, Fault> {
    let how = question.how;
    let asked = Complete {
        prompt: question.prompt,
        n_predict: how.max_tokens,
        temperature: how.temperature,
        top_p: how.top_p,
        top_k: how.top_k,
        min_p: 0.0,
        repeat_penalty: 1.0,
        mirostat: 0,
        samplers: SAMPLERS,
        n_probs: 1,
        return_tokens: true,
        cache_prompt: false,
        stream: false,
        seed: question.seed,
    };
    let Completed { mut tokens, completion_probabilities, stop_type } = http.post("/completion", &asked)?;
    if tokens.len() != completion_probabilities.len()
        || tokens.iter().zip(&completion_probabilities).any(|(token, of)| *token != of.id)
    {
        return Err(Fault::new(Scope::Request, "completion_probabilities are not those of the tokens"));
    }
    let mut logps: Vec<Option<f64>> = completion_probabilities.into_iter().map(|of| of.logprob).collect();
    let finish = match stop_type.as_str() {
        "eos" | "word" => Finish::Stop,
        "limit" => Finish::Length,
        _ => return Err(Fault::new(Scope::Passing, "the completion was aborted by the server")),
    };
    // It takes no list of stop tokens. What is drawn up to one does not depend on what is drawn after it.
    if let Some(at) = tokens.iter().position(|token| how.stop.contains(token)) {
        tokens.truncate(at + 1);
        logps.truncate(at + 1);
    }
    Ok(Answer { tokens, logps, finish, weights: None })
}
