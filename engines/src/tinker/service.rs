//! A session with a server: calls that take long, their results, and a sign of life.

mod heartbeat;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oreal_models::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::wire::{self, Capabilities, CreateSession, Future, PREFIX, RetrieveFuture};
use crate::http::{Client, Delivery, Failure, Fault, Http, IllegalSetting, KeyHeader, Reach, Round, Scope, Server};
use heartbeat::Heartbeats;

/// Longest answer that is read, in bytes: log-probabilities of a large batch.
const LONGEST: u64 = 256 << 20;

/// A server that answers "not yet" sooner than this is asked again after a pause.
const LONG_POLL: Duration = Duration::from_millis(500);

/// Where a server is, and how patiently it is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceSettings {
    /// Base address, such as `http://127.0.0.1:8000`; `/api/v1/..` is appended.
    pub url: String,
    /// The environment variable with the key. No key is sent where it is not set.
    pub key_variable: String,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Longest time for one request.
    pub timeout_seconds: f64,
    /// Longest time for the result of one call.
    pub result_seconds: f64,
    /// How often a request is sent again after a passing failure.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each further one.
    pub backoff_seconds: f64,
}

/// A session with a server.
#[derive(Debug)]
pub struct Service {
    client: Arc<Client>,
    url: String,
    session: String,
    patience: Duration,
    models: AtomicU64,
    samplers: AtomicU64,
    /// The server takes a call with the number of an earlier one for that one.
    numbered: AtomicBool,
    _heartbeats: Heartbeats,
}

/// Whether a call may reach the server twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing, or nothing more the second time.
    Harmless,
    /// It may, where the server knows calls by their number.
    Numbered,
}

/// What an attempt to retrieve a result found.
enum Retrieved {
    Result(Value),
    NotYet,
    /// The server has forgotten it.
    Gone(String),
}

impl Default for ServiceSettings {
    fn default() -> Self {
        ServiceSettings {
            url: String::new(),
            key_variable: "TINKER_API_KEY".to_owned(),
            concurrency: 32,
            timeout_seconds: 600.0,
            result_seconds: 3600.0,
            retries: 6,
            backoff_seconds: 0.5,
        }
    }
}

impl ServiceSettings {
    /// Refuses settings without sense, by key.
    pub fn check(&self) -> std::result::Result<(), IllegalSetting> {
        self.server().check()?;
        match self.result_seconds > 0.0 && self.result_seconds.is_finite() {
            true => Ok(()),
            false => Err(IllegalSetting::new("result_seconds", "must be more than 0")),
        }
    }

    fn server(&self) -> Server {
        Server {
            url: self.url.clone(),
            key_variable: self.key_variable.clone(),
            concurrency: self.concurrency,
            timeout_seconds: self.timeout_seconds,
            retries: self.retries,
            backoff_seconds: self.backoff_seconds,
            what: "answer of the Tinker API".to_owned(),
            longest: LONGEST,
        }
    }
}

impl Service {
    /// Begins a session.
    ///
    /// # Errors
    /// Settings without sense; [`Error::Server`] where there is no session.
    pub fn connect(settings: &ServiceSettings) -> Result<Arc<Service>> {
        let illegal = |problem: IllegalSetting| Error::Server {
            server: settings.url.clone(),
            problem: format!("{}: {}", problem.key, problem.problem),
        };
        settings.check().map_err(illegal)?;
        let client = Arc::new(Client::new(&settings.server(), KeyHeader::ApiKey).map_err(illegal)?);
        let begin = CreateSession {
            tags: vec!["oreal".to_owned()],
            user_metadata: Some(json!({})),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let path = format!("{PREFIX}create_session");
        let session: wire::Session = client
            .round()
            .send(|http| http.post(&path, &begin))
            .map_err(|failure| Error::Server { server: settings.url.clone(), problem: failure.problem })?;
        Ok(Arc::new(Service {
            _heartbeats: Heartbeats::start(client.clone(), session.session_id.clone()),
            client,
            url: settings.url.clone(),
            session: session.session_id,
            patience: Duration::from_secs_f64(settings.result_seconds),
            models: AtomicU64::new(0),
            samplers: AtomicU64::new(0),
            numbered: AtomicBool::new(false),
        }))
    }

    /// Name of the session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A number for the next model of the session.
    pub fn next_model(&self) -> u64 {
        self.models.fetch_add(1, Ordering::Relaxed)
    }

    /// A number for the next sampling session of the session.
    pub fn next_sampler(&self) -> u64 {
        self.samplers.fetch_add(1, Ordering::Relaxed)
    }

    /// Says whether the server takes a call with the number of an earlier one for that one, so that calls whose fate is unknown
    /// may be sent again.
    pub fn knows_numbers(&self, knows: bool) {
        self.numbered.store(knows, Ordering::Relaxed);
    }

    /// Requests that were sent again.
    pub fn retried(&self) -> u64 {
        self.client.retried()
    }

    /// What the server can start from.
    pub fn capabilities(&self) -> Result<Capabilities> {
        let path = format!("{PREFIX}get_server_capabilities");
        self.client.round().send(|http| http.get(&path)).map_err(|failure| self.error(failure))
    }

    /// Sends a call whose result comes later.
    pub fn submit(&self, name: &str, call: &impl Serialize, repeat: Repeat) -> Result<Future> {
        self.submitted(&self.client.round(), name, call, repeat).map_err(|failure| self.error(failure))
    }

    /// Waits for the result of a call.
    pub fn wait<A: DeserializeOwned>(&self, future: &Future) -> Result<A> {
        match self.retrieved(&self.client.round(), future).map_err(|failure| self.error(failure))? {
            Ok(result) => self.read(result).map_err(|failure| self.error(failure)),
            Err(gone) => Err(self.error(lost(gone))),
        }
    }

    /// A harmless call and its result; where the server has forgotten it, the call is made again.
    pub fn call<A: DeserializeOwned>(&self, name: &str, call: &impl Serialize) -> Result<A> {
        self.call_in(&self.client.round(), name, call).map_err(|failure| self.error(failure))
    }

    /// Does `work` for each item, at most `concurrency` at once.
    pub fn each<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&Round<'_>, &T) -> R + Sync) -> Vec<R> {
        self.client.each(items, work)
    }

    /// As [`Service::call`], one of many.
    pub fn call_in<A: DeserializeOwned>(
        &self,
        round: &Round<'_>,
        name: &str,
        call: &impl Serialize,
    ) -> std::result::Result<A, Failure> {
        let mut forgotten = 0;
        loop {
            let future = self.submitted(round, name, call, Repeat::Harmless)?;
            match self.retrieved(round, &future)? {
                Ok(result) => return self.read(result),
                Err(_) if forgotten < 3 => forgotten += 1,
                Err(gone) => return Err(lost(gone)),
            }
        }
    }

    /// The error behind a failure of one of the server's calls.
    pub fn error(&self, failure: Failure) -> Error {
        Error::Server { server: self.url.clone(), problem: failure.problem }
    }

    fn submitted(
        &self,
        round: &Round<'_>,
        name: &str,
        call: &impl Serialize,
        repeat: Repeat,
    ) -> std::result::Result<Future, Failure> {
        let path = format!("{PREFIX}{name}");
        let post = |http: &Http| http.post(&path, call);
        if repeat == Repeat::Harmless || self.numbered.load(Ordering::Relaxed) {
            return round.send(post);
        }
        round.send_once(post).map_err(|failure| match failure.delivery {
            Delivery::NotTaken => failure,
            Delivery::Unknown => {
                let problem = format!(
                    "{name}: it is not known whether the server has done it, and it does not know calls by their number, so it \
                     was not sent again: go on from the last checkpoint ({})",
                    failure.problem
                );
                Failure { problem, ..failure }
            }
        })
    }

    /// The result of a call, or what the server says where it has forgotten the call.
    fn retrieved(
        &self,
        round: &Round<'_>,
        future: &Future,
    ) -> std::result::Result<std::result::Result<Value, String>, Failure> {
        let path = format!("{PREFIX}retrieve_future");
        let question = RetrieveFuture { request_id: future.request_id.clone() };
        let (begin, mut pause) = (Instant::now(), Duration::from_millis(5));
        loop {
            let asked = Instant::now();
            match round.send(|http| retrieve(http, &path, &question))? {
                Retrieved::Result(result) => return Ok(Ok(result)),
                Retrieved::Gone(said) => return Ok(Err(said)),
                Retrieved::NotYet if begin.elapsed() > self.patience => {
                    let problem =
                        format!("no result after {:.0} s: raise result_seconds", begin.elapsed().as_secs_f64());
                    return Err(failed(problem));
                }
                Retrieved::NotYet => {
                    if asked.elapsed() < LONG_POLL {
                        std::thread::sleep(pause);
                        pause = (pause * 2).min(LONG_POLL);
                    }
                }
            }
        }
    }

    fn read<A: DeserializeOwned>(&self, result: Value) -> std::result::Result<A, Failure> {
        if let Some(said) = result.get("error").filter(|said| !said.is_null()) {
            let said = self.client.http().hide(said.to_string());
            return Err(failed(format!("the server could not do it; it says: {said}")));
        }
        serde_json::from_value(result)
            .map_err(|problem| failed(format!("the result is not as it should be: {problem}")))
    }
}

fn retrieve(http: &Http, path: &str, question: &RetrieveFuture) -> std::result::Result<Retrieved, Fault> {
    match http.post::<Value>(path, question) {
        Ok(result) if result.get("type").is_some_and(|kind| kind == "try_again") => Ok(Retrieved::NotYet),
        Ok(result) => Ok(Retrieved::Result(result)),
        Err(fault) if fault.status == Some(408) => Ok(Retrieved::NotYet),
        Err(fault) if fault.status == Some(410) => Ok(Retrieved::Gone(fault.problem)),
        // A result that is not there concerns this call only.
        Err(fault) if fault.status == Some(404) => Err(Fault { scope: Scope::Request, ..fault }),
        Err(fault) => Err(fault),
    }
}

fn failed(problem: String) -> Failure {
    Failure { problem, reach: Reach::Request, delivery: Delivery::Unknown, status: None }
}

fn lost(said: String) -> Failure {
    failed(format!("the server has forgotten the result of a call: go on from the last checkpoint ({said})"))
}
