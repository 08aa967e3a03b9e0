//! A server with a small table, and a client that knows nothing but HTTP and JSON.

use std::sync::Arc;
use std::time::Duration;

use oreal_engines::serve::{Base, ServeSettings, Serving, Text};
use oreal_models::{Optimiser, Table, Token};
use serde_json::{Value, json};
use ureq::Agent;

/// Tokens of the table.
pub const VOCABULARY: usize = 5;

/// A server, and what is needed to talk to it.
pub struct Client {
    pub serving: Serving,
    pub agent: Agent,
    pub session: String,
    pub model: String,
}

/// One digit is one token.
struct Digits;

impl Text for Digits {
    fn encode(&self, text: &str) -> Result<Vec<Token>, String> {
        let digit = |c: char| c.to_digit(10).ok_or_else(|| format!("{c:?} is no digit"));
        text.chars().map(digit).collect()
    }

    fn decode(&self, tokens: &[Token]) -> String {
        tokens.iter().map(Token::to_string).collect()
    }

    fn stops(&self) -> Vec<Token> {
        vec![0]
    }
}

/// A table that has been set: contexts of up to three tokens, each with other logits.
pub fn table() -> Table {
    let mut table = Table::new(VOCABULARY, &Optimiser::default()).unwrap();
    let mut contexts: Vec<Vec<Token>> = (0..VOCABULARY as Token).map(|token| vec![token]).collect();
    for length in 1..3 {
        let longer = contexts
            .iter()
            .filter(|context| context.len() == length)
            .flat_map(|context| (0..VOCABULARY as Token).map(|token| [&context[..], &[token]].concat()));
        let longer: Vec<Vec<Token>> = longer.collect();
        contexts.extend(longer);
    }
    for context in contexts {
        let number = context.iter().fold(1.0, |number, token| 7.0 * number + f64::from(*token));
        let logits: Vec<f64> = (0..VOCABULARY).map(|i| (number * (1.0 + i as f64)).sin()).collect();
        table.set_logits(&context[..1], &context[1..], &logits);
    }
    table
}

pub fn base() -> Base {
    let make = || Ok(Box::new(table()) as _);
    Base {
        name: "table".to_owned(),
        tokenizer: Some("nowhere".to_owned()),
        vocabulary: VOCABULARY,
        text: Some(Arc::new(Digits)),
        ..Base::new(Arc::new(make))
    }
}

pub fn settings() -> ServeSettings {
    ServeSettings { port: 0, longest: 16, gap_seconds: 0.05, ..ServeSettings::default() }
}

pub fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_global(Some(Duration::from_secs(60))).build().into()
}

/// A server with one session and one model.
pub fn client() -> Client {
    with(settings(), base())
}

pub fn with(settings: ServeSettings, base: Base) -> Client {
    let serving = Serving::start(settings, base).unwrap();
    let mut client = Client { serving, agent: agent(), session: String::new(), model: String::new() };
    client.session = text(&client.ok("create_session", json!({})), "session_id");
    client.model = client.create(0);
    client
}

pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("{value} has no {key}")).to_owned()
}

pub fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap_or_else(|| panic!("{value}")).iter().map(|number| number.as_f64().unwrap()).collect()
}

impl Client {
    /// Status and answer of a path.
    pub fn post_bytes(&self, path: &str, body: &[u8]) -> (u16, Value) {
        let address = format!("{}{path}", self.serving.url());
        let mut response = self.agent.post(&address).header("content-type", "application/json").send(body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Of a call of the Tinker API.
    pub fn post(&self, call: &str, body: Value) -> (u16, Value) {
        self.post_bytes(&format!("/api/v1/{call}"), body.to_string().as_bytes())
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        let mut response = self.agent.get(format!("{}{path}", self.serving.url())).call().unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A call that must be answered.
    pub fn ok(&self, call: &str, body: Value) -> Value {
        let (status, answer) = self.post(call, body);
        assert_eq!(status, 200, "{call}: {answer}");
        answer
    }

    /// A call that must be refused with this status, and the sentence.
    pub fn refused(&self, call: &str, body: Value, status: u16) -> String {
        let (found, answer) = self.post(call, body);
        assert_eq!(found, status, "{call}: {answer}");
        text(&answer, "detail")
    }

    /// A call, and its result.
    pub fn call(&self, call: &str, body: Value) -> Value {
        let result = text(&self.ok(call, body), "request_id");
        self.result(&result)
    }

    pub fn result(&self, name: &str) -> Value {
        self.ok("retrieve_future", json!({ "request_id": name }))
    }

    pub fn create(&self, number: u64) -> String {
        let call = json!({ "session_id": self.session, "model_seq_id": number, "base_model": "table" });
        text(&self.call("create_model", call), "model_id")
    }

    /// A gradient.
    pub fn backward(&self, number: u64, data: Value, loss: &str) -> Value {
        let input = json!({ "data": data, "loss_fn": loss });
        self.call(
            "forward_backward",
            json!({ "model_id": self.model, "seq_id": number, "forward_backward_input": input }),
        )
    }

    /// Log-probabilities of the targets of one sequence.
    pub fn logps(&self, model: &str, input: &[Token], targets: &[Token]) -> Vec<f64> {
        let data = json!([datum(input, targets, &vec![1.0; input.len()])]);
        let input = json!({ "data": data, "loss_fn": "cross_entropy" });
        let output = self.call("forward", json!({ "model_id": model, "forward_input": input }));
        floats(&output["loss_fn_outputs"][0]["logprobs"]["data"])
    }

    pub fn step(&self, number: u64, adam: Value) -> Value {
        self.call("optim_step", json!({ "model_id": self.model, "seq_id": number, "adam_params": adam }))
    }
}

/// A sequence with weights.
pub fn datum(input: &[Token], targets: &[Token], weights: &[f64]) -> Value {
    json!({
        "model_input": { "chunks": [{ "type": "encoded_text", "tokens": input }] },
        "loss_fn_inputs": {
            "target_tokens": { "data": targets, "dtype": "int64", "shape": [targets.len()] },
            "weights": { "data": weights, "dtype": "float32", "shape": [weights.len()] },
        },
    })
}

/// Adam that is gradient descent: with a huge `eps` the change is `-rate/eps` times the gradient.
pub fn descent(rate: f64) -> Value {
    json!({ "learning_rate": rate * 1e7, "beta1": 0.0, "beta2": 0.0, "eps": 1e7 })
}
