//! `/generate`, as SGLang has it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use oreal_models::{Completion, Ending, Token};
use serde::Deserialize;
use serde_json::{Value, json};

use super::drawing::{Wish, check_plain, completions};
use super::job::{Job, Weights};
use super::refusal::{Answered, Refusal};
use super::routes::read;
use super::state::Shared;

/// What can be asked for; anything else is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    input_ids: Option<Vec<Token>>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    sampling_params: Params,
    #[serde(default)]
    return_logprob: bool,
    // Only the completion's own are reported, which is what -1 asks for.
    #[serde(default, rename = "logprob_start_len")]
    _logprob_start_len: Option<i64>,
    #[serde(default)]
    stream: bool,
    #[serde(default, rename = "rid")]
    _rid: Option<String>,
}

/// How completions are drawn.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Params {
    max_new_tokens: usize,
    temperature: f64,
    top_p: f64,
    top_k: i64,
    n: usize,
    stop: Value,
    stop_token_ids: Vec<Token>,
    sampling_seed: Option<u64>,
    ignore_eos: bool,
    min_p: Option<f64>,
    repetition_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    #[serde(rename = "skip_special_tokens")]
    _skip_special_tokens: Option<bool>,
    #[serde(rename = "no_stop_trim")]
    _no_stop_trim: Option<bool>,
    #[serde(rename = "spaces_between_special_tokens")]
    _spaces_between_special_tokens: Option<bool>,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            max_new_tokens: 128,
            temperature: 1.0,
            top_p: 1.0,
            top_k: -1,
            n: 1,
            stop: Value::Null,
            stop_token_ids: Vec::new(),
            sampling_seed: None,
            ignore_eos: false,
            min_p: None,
            repetition_penalty: None,
            frequency_penalty: None,
            presence_penalty: None,
            _skip_special_tokens: None,
            _no_stop_trim: None,
            _spaces_between_special_tokens: None,
        }
    }
}

pub(super) async fn generate(State(shared): State<Arc<Shared>>, body: Bytes) -> Answered<Json<Value>> {
    let asked: Asked = read(&body)?;
    if asked.stream {
        return Err(Refusal::bad("stream: answers are sent whole here"));
    }
    let prompt = match (asked.input_ids, asked.text) {
        (Some(tokens), None) => tokens,
        (None, Some(text)) => shared.encode(&text)?,
        _ => return Err(Refusal::bad("either input_ids or text is needed")),
    };
    let (params, read) = (asked.sampling_params, prompt.len());
    check_plain(params.min_p, params.repetition_penalty, [params.frequency_penalty, params.presence_penalty])?;
    let eos = if params.ignore_eos { Vec::new() } else { shared.own_stops() };
    let count = params.n;
    let wish = Wish {
        prompt,
        count,
        temperature: params.temperature,
        top_p: params.top_p,
        top_k: params.top_k,
        max_tokens: Some(params.max_new_tokens),
        stop: [shared.stops(&params.stop)?, params.stop_token_ids, eos].concat(),
        seed: params.sampling_seed,
        prompt_logps: false,
    };
    let result = shared.direct(Job::Draw(wish.draw(&shared, Weights::Served)?))?;
    let drawn = completions(shared.awaited(&result)?).await?;
    let one = |completion: &Completion| {
        let Completion { tokens, sampled_logp, ending, version } = completion;
        let finish = match ending {
            Ending::Stopped => json!({ "type": "stop", "matched": tokens.last() }),
            Ending::Truncated => json!({ "type": "length", "length": tokens.len() }),
        };
        let mut meta = json!({
            "finish_reason": finish,
            "prompt_tokens": read,
            "completion_tokens": tokens.len(),
            "weight_version": shared.weight_version(*version),
        });
        if asked.return_logprob {
            let logps = sampled_logp.iter().flatten().zip(tokens);
            let logps: Vec<Value> = logps.map(|(logp, token)| json!([logp, token, null])).collect();
            meta["output_token_logprobs"] = json!(logps);
        }
        json!({ "text": shared.decode(tokens), "output_ids": tokens, "meta_info": meta })
    };
    let mut answers: Vec<Value> = drawn.iter().map(one).collect();
    Ok(Json(if count == 1 { answers.pop().unwrap_or_default() } else { Value::Array(answers) }))
}
