//! One request, without retries.

use std::io::{self, Read};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::http::{Response, header};
use ureq::{Agent, Body, RequestBuilder};

use super::fault::{Delivery, Fault, Scope};
use super::{Key, Server};

/// Characters of a server's own words in a message.
const QUOTED: usize = 200;

/// Sends requests to one server.
#[derive(Debug)]
pub struct Http {
    agent: Agent,
    base: String,
    key: Option<Key>,
    key_variable: String,
    what: String,
    longest: u64,
}

impl Http {
    pub(super) fn new(server: &Server, key: Option<Key>) -> Http {
        let mut config = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs_f64(server.timeout_seconds)))
            .http_status_as_error(false)
            // A redirect is reported, not followed: it would take question and key elsewhere.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(server.concurrency)
            .max_idle_connections_per_host(server.concurrency);
        if server.is_local() {
            config = config.proxy(None);
        }
        Http {
            agent: config.build().into(),
            base: server.url.trim_end_matches('/').to_owned(),
            key,
            key_variable: server.key_variable.clone(),
            what: server.what.clone(),
            longest: server.longest,
        }
    }

    /// Sends `question` to a path below the base address and reads the answer, which must be JSON of this form.
    pub fn post<A: DeserializeOwned>(&self, path: &str, question: &impl Serialize) -> Result<A, Fault> {
        let of_request = |problem: serde_json::Error| Fault::new(Scope::Request, problem.to_string()).not_taken();
        let body = serde_json::to_vec(question).map_err(of_request)?;
        let address = format!("{}{path}", self.base);
        let post = self.agent.post(&address).header(header::CONTENT_TYPE, "application/json");
        let response = self.with_key(post).send(&body[..]).map_err(|problem| self.unanswered(&address, &problem))?;
        self.answer(&address, response)
    }

    /// Asks for a path below the base address.
    pub fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A, Fault> {
        let address = format!("{}{path}", self.base);
        let response =
            self.with_key(self.agent.get(&address)).call().map_err(|problem| self.unanswered(&address, &problem))?;
        self.answer(&address, response)
    }

    fn with_key<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match self.key.as_ref().map(Key::header) {
            Some((name, value)) => request.header(name, value),
            None => request,
        }
    }

    fn answer<A: DeserializeOwned>(&self, address: &str, response: Response<Body>) -> Result<A, Fault> {
        if !response.status().is_success() {
            return Err(self.refused(address, response));
        }
        let bytes = self.read(response).map_err(|problem| self.unanswered(address, &problem.into()))?;
        if bytes.len() as u64 > self.longest {
            let problem = format!("{address}: the answer is longer than {} bytes", self.longest);
            return Err(Fault::new(Scope::Request, problem));
        }
        serde_json::from_slice(&bytes).map_err(|problem| {
            let (what, begins) = (&self.what, self.quoted(&bytes));
            let problem = self.hide(problem.to_string());
            Fault::new(Scope::Passing, format!("the answer is no {what} ({problem}); it begins: {begins}"))
        })
    }

    /// The fault behind an error of the library: mostly the network's, which may pass.
    fn unanswered(&self, address: &str, problem: &ureq::Error) -> Fault {
        let scope = match problem {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Scope::Server,
            ureq::Error::LargeResponseHeader(..) => Scope::Request,
            _ => Scope::Passing,
        };
        let delivery = match problem {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::HostNotFound => Delivery::NotTaken,
            ureq::Error::ConnectionFailed => Delivery::NotTaken,
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => Delivery::NotTaken,
            ureq::Error::Io(problem) if problem.kind() == io::ErrorKind::ConnectionRefused => Delivery::NotTaken,
            _ => Delivery::Unknown,
        };
        let problem = match problem {
            ureq::Error::Timeout(_) => {
                "no whole answer in time: raise timeout_seconds, or see if the server is overloaded"
            }
            other => &other.to_string(),
        };
        Fault { delivery, ..Fault::new(scope, self.hide(format!("{address}: {problem}"))) }
    }

    /// The fault behind a status that is no success.
    fn refused(&self, address: &str, response: Response<Body>) -> Fault {
        let status = response.status().as_u16();
        let stated = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wait = stated(header::RETRY_AFTER).trim().parse().ok().map(Duration::from_secs);
        let location = self.quoted(stated(header::LOCATION).as_bytes());
        let (scope, advice) = match status {
            300..=399 => (Scope::Server, format!("redirects are not followed; url may have to be that of {location}")),
            401 | 403 => {
                let sent = if self.key.is_some() { "was not accepted" } else { "is not set, so no key was sent" };
                (Scope::Server, format!("the key in {} {sent}", self.key_variable))
            }
            404 => (Scope::Server, "url may be wrong, or the server has nothing of this name".to_owned()),
            408 | 409 | 425 | 429 | 500.. => (Scope::Passing, "the server could not answer now".to_owned()),
            _ => (Scope::Request, "the server refuses such a request".to_owned()),
        };
        let delivery = if status >= 500 { Delivery::Unknown } else { Delivery::NotTaken };
        let said = self.quoted(&self.read(response).unwrap_or_default());
        let problem = self.hide(format!("{address}: status {status}: {advice}; it says: {said}"));
        Fault { wait, delivery, status: Some(status), ..Fault::new(scope, problem) }
    }

    /// The beginning of what a server says, on one line, without control characters and without the key.
    fn quoted(&self, bytes: &[u8]) -> String {
        let text = self.hide(String::from_utf8_lossy(bytes).into_owned());
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let line: String = words.collect::<Vec<_>>().join(" ").chars().take(QUOTED).collect();
        if line.is_empty() { "nothing".to_owned() } else { line }
    }

    /// The text with the key blacked out.
    pub fn hide(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.hide(text),
            None => text,
        }
    }

    /// The body, or its first bytes: one more than are allowed.
    fn read(&self, response: Response<Body>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        response.into_body().into_reader().take(self.longest + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
