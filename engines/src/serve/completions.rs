//! `/v1/completions`, with token ids, as vLLM has it.
//!
//! Log-probabilities are those of the distribution that a token was drawn from, which vLLM calls `processed_logprobs`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use oreal_models::{Completion, Token};
use serde::Deserialize;
use serde_json::{Value, json};

use super::drawing::{Wish, check_plain, completions};
use super::job::{Job, Weights};
use super::refusal::{Answered, Refusal};
use super::results::reason;
use super::routes::read;
use super::state::Shared;

/// Most prompts of one request.
const PROMPTS: usize = 1024;

/// What can be asked for; anything else is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    model: Option<String>,
    prompt: Prompt,
    #[serde(default = "one")]
    n: usize,
    #[serde(default = "sixteen")]
    max_tokens: Option<usize>,
    #[serde(default = "unit")]
    temperature: f64,
    #[serde(default = "unit")]
    top_p: f64,
    #[serde(default)]
    top_k: i64,
    #[serde(default)]
    seed: Option<u64>,
    #[serde(default)]
    stop: Value,
    #[serde(default)]
    stop_token_ids: Vec<Token>,
    /// The number of alternatives beside the token itself.
    #[serde(default)]
    logprobs: Option<u32>,
    #[serde(default)]
    return_token_ids: bool,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    ignore_eos: bool,
    #[serde(default)]
    min_p: Option<f64>,
    #[serde(default)]
    repetition_penalty: Option<f64>,
    #[serde(default)]
    frequency_penalty: Option<f64>,
    #[serde(default)]
    presence_penalty: Option<f64>,
    // These change nothing here.
    #[serde(default, rename = "skip_special_tokens")]
    _skip_special_tokens: Option<bool>,
    #[serde(default, rename = "add_special_tokens")]
    _add_special_tokens: Option<bool>,
    #[serde(default, rename = "include_stop_str_in_output")]
    _include_stop_str_in_output: Option<bool>,
    #[serde(default, rename = "cache_salt")]
    _cache_salt: Option<String>,
    #[serde(default, rename = "user")]
    _user: Option<String>,
    #[serde(default, rename = "request_id")]
    _request_id: Option<String>,
}

/// Token ids or text, one or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "prompt must be token ids or text, one or several")]
enum Prompt {
    Tokens(Vec<Token>),
    Text(String),
    ManyTokens(Vec<Vec<Token>>),
    ManyTexts(Vec<String>),
}

fn one() -> usize {
    1
}

fn sixteen() -> Option<usize> {
    Some(16)
}

fn unit() -> f64 {
    1.0
}

/// What can be drawn from.
pub(super) async fn models(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let names = [vec![shared.base.name.clone()], shared.to_draw_with()].concat();
    let model = |name: &String| json!({ "id": name, "object": "model", "owned_by": "oreal", "max_model_len": shared.settings.longest });
    Json(json!({ "object": "list", "data": names.iter().map(model).collect::<Vec<_>>() }))
}

pub(super) async fn complete(State(shared): State<Arc<Shared>>, body: Bytes) -> Answered<Json<Value>> {
    let asked: Asked = read(&body)?;
    if asked.stream {
        return Err(Refusal::bad("stream: answers are sent whole here"));
    }
    if asked.logprobs.is_some_and(|alternatives| alternatives > 0) {
        return Err(Refusal::bad("logprobs: only that of each token itself is reported: ask for 0"));
    }
    check_plain(asked.min_p, asked.repetition_penalty, [asked.frequency_penalty, asked.presence_penalty])?;
    let weights = match asked.model.as_deref() {
        None => Weights::Served,
        Some(name) if name == shared.base.name => Weights::Served,
        Some(path) => Weights::Saved(path.to_owned()),
    };
    let prompts = asked.prompts(&shared)?;
    let mut awaited = Vec::new();
    for prompt in &prompts {
        let draw = asked.wish(&shared, prompt.clone())?.draw(&shared, weights.clone())?;
        let result = shared.direct(Job::Draw(draw))?;
        awaited.push(shared.awaited(&result)?);
    }
    let (mut choices, mut drawn) = (Vec::new(), 0);
    for (prompt, awaited) in prompts.iter().zip(awaited) {
        for completion in completions(awaited).await? {
            drawn += completion.tokens.len();
            choices.push(asked.choice(&shared, choices.len(), prompt, &completion));
        }
    }
    let read: usize = prompts.iter().map(Vec::len).sum();
    Ok(Json(json!({
        "object": "text_completion",
        "model": asked.model.as_ref().unwrap_or(&shared.base.name),
        "choices": choices,
        "usage": { "prompt_tokens": read, "completion_tokens": drawn, "total_tokens": read + drawn },
    })))
}

impl Asked {
    fn prompts(&self, shared: &Shared) -> Answered<Vec<Vec<Token>>> {
        let prompts = match &self.prompt {
            Prompt::Tokens(tokens) => vec![tokens.clone()],
            Prompt::Text(text) => vec![shared.encode(text)?],
            Prompt::ManyTokens(prompts) => prompts.clone(),
            Prompt::ManyTexts(texts) => texts.iter().map(|text| shared.encode(text)).collect::<Answered<_>>()?,
        };
        match (1..=PROMPTS).contains(&prompts.len()) {
            true => Ok(prompts),
            false => Err(Refusal::bad(format!("{} prompts: send 1 to {PROMPTS}", prompts.len()))),
        }
    }

    fn wish(&self, shared: &Shared, prompt: Vec<Token>) -> Answered<Wish> {
        let eos = if self.ignore_eos { Vec::new() } else { shared.own_stops() };
        Ok(Wish {
            prompt,
            count: self.n,
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            max_tokens: self.max_tokens,
            stop: [shared.stops(&self.stop)?, self.stop_token_ids.clone(), eos].concat(),
            seed: self.seed,
            prompt_logps: false,
        })
    }

    fn choice(&self, shared: &Shared, index: usize, prompt: &[Token], completion: &Completion) -> Value {
        let Completion { tokens, sampled_logp, ending, .. } = completion;
        let mut choice = json!({
            "index": index,
            "text": shared.decode(tokens),
            "finish_reason": reason(*ending),
            "stop_reason": null,
            "logprobs": null,
        });
        if self.logprobs.is_some() {
            let texts: Vec<String> = tokens.iter().map(|token| shared.decode(&[*token])).collect();
            choice["logprobs"] = json!({ "tokens": texts, "token_logprobs": sampled_logp });
        }
        if self.return_token_ids {
            choice["token_ids"] = json!(tokens);
            choice["prompt_token_ids"] = json!(prompt);
        }
        choice
    }
}
