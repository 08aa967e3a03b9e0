//! How completions are asked for, checked and waited for.

use std::sync::Arc;

use oreal_models::{Completion, Key, Sampling, Token};
use serde_json::Value;

use super::job::{Draw, Weights};
use super::refusal::{Answered, Refusal};
use super::results::{Answer, Awaited, Fault};
use super::state::Shared;

/// Most completions of one request.
const MOST: usize = 1024;

/// Completions of a prompt, as a request says it, whatever its dialect.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) prompt: Vec<Token>,
    pub(super) count: usize,
    pub(super) temperature: f64,
    pub(super) top_p: f64,
    /// 0 and -1 are all.
    pub(super) top_k: i64,
    pub(super) max_tokens: Option<usize>,
    pub(super) stop: Vec<Token>,
    pub(super) seed: Option<u64>,
    pub(super) prompt_logps: bool,
}

impl Wish {
    /// Refuses what nothing can be drawn with.
    pub(super) fn draw(self, shared: &Shared, weights: Weights) -> Answered<Draw> {
        let reads = shared.reads();
        let prompt = reads.checked(self.prompt)?;
        if !(1..=MOST).contains(&self.count) {
            return Err(Refusal::bad(format!("{} completions: from 1 to {MOST} can be asked for at once", self.count)));
        }
        let room = reads.longest - prompt.len();
        let max_tokens = self.max_tokens.unwrap_or(room.min(shared.settings.completion));
        if max_tokens == 0 || max_tokens > room {
            let sentence = format!(
                "max_tokens is {max_tokens} where the prompt has {} tokens and a sequence at most {}",
                prompt.len(),
                reads.longest
            );
            return Err(Refusal::bad(sentence));
        }
        let top_k = match self.top_k {
            -1 => 0,
            top_k => usize::try_from(top_k).map_err(|_| Refusal::bad(format!("top_k is {top_k}; -1 keeps all")))?,
        };
        let (temperature, top_p, stop) = (self.temperature, self.top_p, self.stop);
        let how = Sampling { temperature, top_p, top_k, vocabulary: None, stop, max_tokens };
        how.validate(reads.vocabulary).map_err(|problem| Refusal::bad(problem.to_string()))?;
        let stream = match self.seed {
            Some(seed) => Key { seed, step: 0, prompt: 0, sample: 0 },
            None => Key { seed: shared.settings.seed, step: shared.next_unseeded(), prompt: 0, sample: 0 },
        };
        let keys = (0..self.count as u64).map(|sample| Key { sample, ..stream }).collect();
        Ok(Draw { weights, prompt, keys, how, prompt_logps: self.prompt_logps })
    }
}

/// Refuses settings of other servers that this one does not have, unless they change nothing.
pub(super) fn check_plain(min_p: Option<f64>, repetition: Option<f64>, penalties: [Option<f64>; 2]) -> Answered<()> {
    let [frequency, presence] = penalties;
    let settings = [
        ("min_p", min_p, 0.0),
        ("repetition_penalty", repetition, 1.0),
        ("frequency_penalty", frequency, 0.0),
        ("presence_penalty", presence, 0.0),
    ];
    match settings.into_iter().find(|(_, said, plain)| said.is_some_and(|said| said != *plain)) {
        Some((name, _, plain)) => Err(Refusal::bad(format!("{name}: must be {plain} or absent: it does not act here"))),
        None => Ok(()),
    }
}

impl Shared {
    /// A text as tokens.
    pub(super) fn encode(&self, text: &str) -> Answered<Vec<Token>> {
        let codec = self.base.text.as_ref();
        let codec = codec.ok_or_else(|| Refusal::bad("this server has no tokenizer: send token ids"))?;
        codec.encode(text).map_err(Refusal::bad)
    }

    /// Tokens as a text; empty without a tokenizer.
    pub(super) fn decode(&self, tokens: &[Token]) -> String {
        self.base.text.as_ref().map(|codec| codec.decode(tokens)).unwrap_or_default()
    }

    /// Tokens that end a completion where nothing is said.
    pub(super) fn own_stops(&self) -> Vec<Token> {
        self.base.text.as_ref().map(|text| text.stops()).unwrap_or_default()
    }

    /// Tokens that end a completion: numbers, or texts of one token.
    pub(super) fn stops(&self, stop: &Value) -> Answered<Vec<Token>> {
        let one = |stop: &Value| match stop {
            Value::String(text) => match self.encode(text)?[..] {
                [token] => Ok(token),
                _ => Err(Refusal::bad(format!("stop: {text:?} is not one token: send the ids of single tokens"))),
            },
            other => {
                let token = other.as_u64().and_then(|token| Token::try_from(token).ok());
                token.ok_or_else(|| Refusal::bad(format!("stop: {other} is no token")))
            }
        };
        match stop {
            Value::Null => Ok(Vec::new()),
            Value::Array(stops) => stops.iter().map(one).collect(),
            stop => Ok(vec![one(stop)?]),
        }
    }
}

/// Waits for a result.
pub(super) async fn answer(mut awaited: Awaited) -> Arc<Answer> {
    let failed = || Arc::new(Answer::failed("the result is not kept any more", Fault::Server));
    match awaited.wait_for(Option::is_some).await {
        Ok(found) => found.clone().unwrap_or_else(failed),
        Err(_) => failed(),
    }
}

/// Waits for completions.
pub(super) async fn completions(awaited: Awaited) -> Answered<Vec<Completion>> {
    match &*answer(awaited).await {
        Answer::Sampled { completions, .. } => Ok(completions.clone()),
        Answer::Failed { sentence, fault: Fault::User } => Err(Refusal::bad(sentence)),
        Answer::Failed { sentence, .. } => Err(Refusal::broken(sentence)),
        _ => Err(Refusal::broken("no completions were drawn")),
    }
}
