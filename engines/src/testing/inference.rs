//! An inference server with a transformer of this process, as honest as a test wants it.

use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use oreal_models::{Completion, Device, Ending, Head, Key, Model, Optimiser, Request, Runtime, Sampling};
use oreal_models::{Sequence, Signal, Token, Want};
use serde_json::{Value, json};

use super::{Server, body, json as answer, path, response, send};
use crate::inference::{Kind, Logprobs};

/// What the server does wrong: its honest answer to the request of this number and path, changed.
pub type Flaw = dyn Fn(usize, &str, Value) -> Value + Send + Sync;

/// What happens when it is told to load weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loading {
    /// It does.
    Always,
    /// The first time only; afterwards it says that it did.
    Once,
}

struct Engine {
    kind: Kind,
    loading: Loading,
    stop: Vec<Token>,
    loaded: Mutex<Loaded>,
}

#[derive(Default)]
struct Loaded {
    model: Option<Box<dyn Model>>,
    name: Option<String>,
}

/// Starts one without weights.
pub fn engine(kind: Kind, loading: Loading, flaw: Box<Flaw>) -> Server {
    start(Engine { kind, loading, stop: Vec::new(), loaded: Mutex::default() }, flaw)
}

/// Starts one with the weights of a folder, which ends completions at these tokens.
pub fn engine_with(kind: Kind, folder: &Path, stop: &[Token], flaw: Box<Flaw>) -> Server {
    let engine = Engine { kind, loading: Loading::Always, stop: stop.to_vec(), loaded: Mutex::default() };
    engine.load(folder, None);
    start(engine, flaw)
}

fn start(engine: Engine, flaw: Box<Flaw>) -> Server {
    let engine = Arc::new(engine);
    Server::start(move |number, request, connection: &mut TcpStream| {
        let (path, body) = (path(request), body(request));
        match engine.answer(path, &body) {
            Some(honest) => send(connection, &answer(&flaw(number, path, honest))),
            None => send(connection, &response("404 Not Found", "", "")),
        }
    })
}

impl Engine {
    fn answer(&self, path: &str, body: &Value) -> Option<Value> {
        match (self.kind, path) {
            (Kind::Sglang, "/update_weights_from_disk") => {
                let loaded = self.load(Path::new(body["model_path"].as_str()?), body["weight_version"].as_str());
                Some(json!({ "success": loaded, "message": if loaded { "" } else { "no such folder" } }))
            }
            (Kind::Vllm(_), "/collective_rpc") => {
                let folder = body["kwargs"]["weights_path"].as_str().filter(|_| body["method"] == "reload_weights")?;
                self.load(Path::new(folder), None).then(|| json!({ "results": [null] }))
            }
            (Kind::Vllm(_), "/reset_prefix_cache") => Some(json!({ "success": true })),
            (Kind::Sglang, "/generate") => {
                let asked = &body["sampling_params"];
                let how = sampling(asked, "max_new_tokens", tokens(&asked["stop_token_ids"]));
                let (drawn, logps) = self.draw(&tokens(&body["input_ids"]), &how, &asked["sampling_seed"])?;
                let kind = if drawn.ending == Ending::Stopped { "stop" } else { "length" };
                let each = drawn.tokens.iter().zip(logps).map(|(token, logp)| json!([logp, token, null]));
                let (each, version): (Vec<Value>, _) = (each.collect(), self.loaded().name.clone());
                let meta = json!({ "finish_reason": { "type": kind }, "output_token_logprobs": each, "weight_version": version });
                Some(json!({ "text": "", "output_ids": drawn.tokens, "meta_info": meta }))
            }
            (Kind::Vllm(_), "/v1/completions") => {
                let how = sampling(body, "max_tokens", tokens(&body["stop_token_ids"]));
                let (drawn, logps) = self.draw(&tokens(&body["prompt"]), &how, &body["seed"])?;
                let finish = if drawn.ending == Ending::Stopped { "stop" } else { "length" };
                let logprobs = json!({ "token_logprobs": logps });
                Some(
                    json!({ "choices": [{ "token_ids": drawn.tokens, "logprobs": logprobs, "finish_reason": finish }] }),
                )
            }
            (Kind::LlamaCpp, "/completion") => {
                let how = sampling(body, "n_predict", self.stop.clone());
                let (drawn, logps) = self.draw(&tokens(&body["prompt"]), &how, &body["seed"])?;
                let stop_type = if drawn.ending == Ending::Stopped { "eos" } else { "limit" };
                let each = drawn.tokens.iter().zip(logps).map(|(id, logprob)| json!({ "id": id, "logprob": logprob }));
                let each: Vec<Value> = each.collect();
                Some(json!({ "tokens": drawn.tokens, "completion_probabilities": each, "stop_type": stop_type }))
            }
            _ => None,
        }
    }

    fn load(&self, folder: &Path, name: Option<&str>) -> bool {
        let mut loaded = self.loaded();
        loaded.name = name.map(str::to_owned);
        if loaded.model.is_some() && self.loading == Loading::Once {
            return true;
        }
        let runtime = Runtime::new(None, Device::Cpu).unwrap();
        let model = runtime.load(folder, Head::Vocabulary, &Optimiser::EXACT);
        model.map(|model| loaded.model = Some(model)).is_ok()
    }

    fn loaded(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap()
    }

    /// A completion, and the log-probabilities that this kind of server reports.
    fn draw(&self, prompt: &[Token], how: &Sampling, seed: &Value) -> Option<(Completion, Vec<f64>)> {
        let loaded = self.loaded();
        let (model, key) = (loaded.model.as_deref()?, Key { seed: seed.as_u64()?, step: 0, prompt: 0, sample: 0 });
        let drawn = model.draw(&[Request { prompt, key }], how).ok()?.remove(0);
        let temperature = match self.kind {
            Kind::Vllm(Logprobs::Processed) => return Some((drawn.clone(), drawn.sampled_logp?)),
            Kind::Sglang if how.temperature > 0.0 => how.temperature,
            _ => 1.0,
        };
        let want = Want { signals: vec![Signal::Logp], temperature };
        let read = model.read(&[Sequence { prompt, completion: &drawn.tokens }], &want).ok()?;
        Some((drawn, read.0[&Signal::Logp].clone()))
    }
}

fn sampling(asked: &Value, longest: &str, stop: Vec<Token>) -> Sampling {
    Sampling {
        temperature: asked["temperature"].as_f64().unwrap(),
        top_p: asked["top_p"].as_f64().unwrap(),
        top_k: asked["top_k"].as_i64().unwrap().max(0) as usize,
        vocabulary: None,
        stop,
        max_tokens: asked[longest].as_u64().unwrap() as usize,
    }
}

fn tokens(value: &Value) -> Vec<Token> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}
