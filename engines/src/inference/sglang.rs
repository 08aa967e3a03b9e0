//! SGLang's own interface: `/generate`, and `/update_weights_from_disk`.
//!
//! Its log-probability is `log_softmax(logits / T)`, before top-p and top-k, unless it was started with
//! `SGLANG_RETURN_ORIGINAL_LOGPROB=1`. A seed counts only where it was started with `--enable-deterministic-inference`.

use std::path::Path;

use oreal_models::Token;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::answer::{Answer, Finish, Question};
use crate::http::{Failure, Fault, Http, Round, Scope};

#[derive(Serialize)]
struct Generate<'a> {
    input_ids: &'a [Token],
    sampling_params: SamplingParams<'a>,
    return_logprob: bool,
    /// None of the prompt's.
    logprob_start_len: i32,
    stream: bool,
}

#[derive(Serialize)]
struct SamplingParams<'a> {
    max_new_tokens: usize,
    temperature: f64,
    top_p: f64,
    top_k: i64,
    min_p: f64,
    repetition_penalty: f64,
    frequency_penalty: f64,
    presence_penalty: f64,
    stop_token_ids: &'a [Token],
    no_stop_trim: bool,
    skip_special_tokens: bool,
    sampling_seed: u32,
    n: u32,
}

#[derive(Deserialize)]
struct Generated {
    output_ids: Option<Vec<Token>>,
    meta_info: MetaInfo,
}

#[derive(Deserialize)]
struct MetaInfo {
    finish_reason: FinishReason,
    /// Log-probability, token and text, which is not read.
    output_token_logprobs: Vec<(Option<f64>, Token, IgnoredAny)>,
    weight_version: Option<String>,
}

#[derive(Deserialize)]
struct FinishReason {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize)]
struct UpdateWeights<'a> {
    model_path: &'a Path,
    flush_cache: bool,
    abort_all_requests: bool,
    weight_version: &'a str,
}

#[derive(Deserialize)]
struct Updated {
    success: bool,
    #[serde(default)]
    message: String,
}

pub(super) fn draw(http: &Http, question: &Question<'_>) -> Result<Answer, Fault> {
    let how = question.how;
    let sampling_params = SamplingParams {
        max_new_tokens: how.max_tokens,
        temperature: how.temperature,
        top_p: how.top_p,
        top_k: if how.top_k == 0 { -1 } else { i64::try_from(how.top_k).unwrap_or(-1) },
        min_p: 0.0,
        repetition_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        stop_token_ids: &how.stop,
        no_stop_trim: true,
        skip_special_tokens: false,
        sampling_seed: question.seed,
        n: 1,
    };
    let input_ids = question.prompt;
    let asked = Generate { input_ids, sampling_params, return_logprob: true, logprob_start_len: -1, stream: false };
    let Generated { output_ids, meta_info } = http.post("/generate", &asked)?;
    let MetaInfo { finish_reason, output_token_logprobs, weight_version } = meta_info;
    let finish = match finish_reason.kind.as_str() {
        "stop" => Finish::Stop,
        "length" => Finish::Length,
        _ => return Err(Fault::new(Scope::Passing, "the completion was aborted by the server")),
    };
    let (logps, tokens): (Vec<_>, Vec<Token>) =
        output_token_logprobs.into_iter().map(|(logp, id, _)| (logp, id)).unzip();
    if output_ids.is_some_and(|ids| ids != tokens) {
        return Err(Fault::new(Scope::Request, "output_ids are not the tokens of output_token_logprobs"));
    }
    Ok(Answer { tokens, logps, finish, weights: weight_version })
}

pub(super) fn load(round: &Round<'_>, folder: &Path, name: &str) -> Result<(), Failure> {
    let update =
        UpdateWeights { model_path: folder, flush_cache: true, abort_all_requests: true, weight_version: name };
    round.send(|http| match http.post::<Updated>("/update_weights_from_disk", &update)? {
        Updated { success: true, .. } => Ok(()),
        Updated { message, .. } => {
            let shown: String = http.hide(message).chars().filter(|c| !c.is_control()).take(200).collect();
            Err(Fault::new(Scope::Request, format!("/update_weights_from_disk: success is false: {shown}")))
        }
    })
}
