//! One request over HTTP, without retries, and what its answer means.

use std::io::Read;
use std::time::Duration;

use oreal_models::Ending;
use oreal_toy_envs::Message;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use ureq::http::{Response, header};
use ureq::{Agent, Body};

use super::{Endpoint, Key, Reply, Request};

/// Longest answer that is read, in bytes.
const LONGEST: u64 = 4 << 20;

/// Characters of a server's own words in a message.
const QUOTED: usize = 200;

/// Sends requests to one address.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    address: String,
    model: String,
    key: Option<Key>,
    key_variable: String,
}

/// Why a request was not answered with a reply.
#[derive(Debug)]
pub(super) struct Fault {
    /// What it says about other requests.
    pub(super) scope: Scope,
    /// What happened and what to do, without the key.
    pub(super) problem: String,
    /// How long the server wants not to be asked.
    pub(super) wait: Option<Duration>,
}

/// Which requests would fail in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Perhaps none: the same request may succeed later.
    Passing,
    /// The same request, whenever it is sent.
    Request,
    /// Every request to this endpoint.
    Endpoint,
}

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
    choices: Vec<Choice>,
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

impl Http {
    pub(super) fn new(endpoint: &Endpoint, key: Option<Key>) -> Http {
        let mut config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(endpoint.timeout_seconds)))
            .http_status_as_error(false)
            // A redirect is reported, not followed: it would take question and key elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(endpoint.concurrency)
            .max_idle_connections_per_host(endpoint.concurrency);
        if endpoint.is_local() {
            config = config.proxy(None);
        }
        Http {
            agent: config.build().into(),
            address: endpoint.address(),
            model: endpoint.model.clone(),
            key,
            key_variable: endpoint.key_variable.clone(),
        }
    }

    /// Sends one request and reads its answer.
    pub(super) fn post(&self, request: &Request) -> Result<Reply, Fault> {
        let Request { ref messages, temperature, top_p, top_k, max_tokens, seed } = *request;
        let question = Question { model: &self.model, messages, temperature, top_p, top_k, max_tokens, seed };
        let body = serde_json::to_vec(&question).map_err(|problem| Fault::of(Scope::Request, problem.to_string()))?;
        let mut post = self.agent.post(&self.address).header(header::CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            post = post.header(header::AUTHORIZATION, key.header());
        }
        let response = post.send(&body[..]).map_err(|problem| self.unanswered(&problem))?;
        match response.status().is_success() {
            true => self.reply(response),
            false => Err(self.refused(response)),
        }
    }

    fn reply(&self, response: Response<Body>) -> Result<Reply, Fault> {
        let bytes = read(response).map_err(|problem| self.unanswered(&problem.into()))?;
        if bytes.len() as u64 > LONGEST {
            return Err(Fault::of(Scope::Request, format!("the answer is longer than {LONGEST} bytes")));
        }
        let unreadable = |problem: &str| {
            let begins = self.quoted(&bytes);
            Fault::of(Scope::Passing, format!("the answer is no chat completion ({problem}); it begins: {begins}"))
        };
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|problem| unreadable(&problem.to_string()))?;
        let choice = answer.choices.into_iter().next().ok_or_else(|| unreadable("no choices"))?;
        let ending = match choice.finish_reason.as_deref() {
            Some("length") => Ending::Truncated,
            _ => Ending::Stopped,
        };
        let Said { content, reasoning_content, reasoning } = choice.message;
        let tokens = answer.usage.and_then(|usage| serde_json::from_str::<Usage>(usage.get()).ok());
        Ok(Reply {
            text: self.hide(content.unwrap_or_default()),
            reasoning: reasoning_content.or(reasoning).filter(|text| !text.is_empty()).map(|text| self.hide(text)),
            tokens: tokens.map(|usage| usage.completion_tokens),
            ending,
        })
    }

    /// The fault behind an error of the library: mostly the network's, which may pass.
    fn unanswered(&self, problem: &ureq::Error) -> Fault {
        let scope = match problem {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Scope::Endpoint,
            ureq::Error::LargeResponseHeader(..) => Scope::Request,
            _ => Scope::Passing,
        };
        let problem = match problem {
            ureq::Error::Timeout(_) => {
                "no whole answer in time: raise timeout_seconds, or see if the server is overloaded"
            }
            other => &other.to_string(),
        };
        Fault::of(scope, self.hide(format!("{}: {problem}", self.address)))
    }

    /// The fault behind a status that is no success.
    fn refused(&self, response: Response<Body>) -> Fault {
        let (status, address) = (response.status().as_u16(), &self.address);
        let stated = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wait = stated(header::RETRY_AFTER).trim().parse().ok().map(Duration::from_secs);
        let location = self.quoted(stated(header::LOCATION).as_bytes());
        let (scope, advice) = match status {
            300..=399 => {
                (Scope::Endpoint, format!("redirects are not followed; url may have to be that of {location}"))
            }
            401 | 403 => {
                let sent = if self.key.is_some() { "was not accepted" } else { "is not set, so no key was sent" };
                (Scope::Endpoint, format!("the key in {} {sent}", self.key_variable))
            }
            404 => (Scope::Endpoint, format!("url may be wrong, or the server has no model `{}`", self.model)),
            408 | 409 | 429 | 500.. => (Scope::Passing, "the server could not answer now".to_owned()),
            _ => (Scope::Request, "the server refuses such a request".to_owned()),
        };
        let said = self.quoted(&read(response).unwrap_or_default());
        Fault { wait, ..Fault::of(scope, self.hide(format!("{address}: status {status}: {advice}; it says: {said}"))) }
    }

    /// The beginning of what a server says, on one line, without control characters and without the key.
    fn quoted(&self, bytes: &[u8]) -> String {
        let text = self.hide(String::from_utf8_lossy(bytes).into_owned());
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let line: String = words.collect::<Vec<_>>().join(" ").chars().take(QUOTED).collect();
        if line.is_empty() { "nothing".to_owned() } else { line }
    }

    fn hide(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.hide(text),
            None => text,
        }
    }
}

impl Fault {
    fn of(scope: Scope, problem: String) -> Fault {
        Fault { scope, problem, wait: None }
    }
}

/// The body, or its first bytes: one more than are allowed.
fn read(response: Response<Body>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    response.into_body().into_reader().take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
