//! A client of chat endpoints in OpenAI's format: one conversation in, one reply out, many at once.
//!
//! A [`Chat`] belongs to one [`Endpoint`]. Requests that fail for a passing reason (too many requests, a broken connection, a
//! server in trouble) are sent again after a pause. An endpoint that keeps failing is found to be down, and the rest of the
//! [`Round`] fails at once. The server is not trusted: what it sends is limited in size and time, redirects are not followed,
//! and the key goes to this endpoint only and into no message.

mod endpoint;
mod http;
mod key;
mod outage;
mod pause;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oreal_models::Ending;
use oreal_toy_envs::Message;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{self, Error};
pub use endpoint::Endpoint;
use http::{Fault, Http, Scope};
use key::Key;
use outage::Outage;

/// A client of one endpoint. It can be shared between threads.
#[derive(Debug)]
pub struct Chat {
    http: Http,
    pool: ThreadPool,
    retries: u32,
    backoff: Duration,
    retried: AtomicU64,
}

/// A conversation that the model is to continue.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// What was said so far.
    pub messages: Vec<Message>,
    /// 0 takes the most likely token.
    pub temperature: f64,
    /// Smallest set of most likely tokens with at least this probability. Sent where it is given.
    pub top_p: Option<f64>,
    /// So many most likely tokens. Sent where it is given; it is no part of OpenAI's format, but servers such as vLLM and
    /// SGLang heed it.
    pub top_k: Option<usize>,
    /// Most tokens of the reply.
    pub max_tokens: usize,
    /// Sent where it is given; not every server heeds it.
    pub seed: Option<u64>,
}

/// What the model replied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its text; may be empty.
    pub text: String,
    /// What it thought before, where the server tells it apart (`reasoning_content` or `reasoning`).
    pub reasoning: Option<String>,
    /// Tokens of the reply, thoughts included, where the server says.
    pub tokens: Option<usize>,
    /// How it ended.
    pub ending: Ending,
}

/// Why there is no reply to one request. The other requests are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Failure {
    /// What happened and what to do, without the key.
    pub problem: String,
    /// What it says about other requests.
    pub reach: Reach,
}

/// Which requests a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This one.
    Request,
    /// Every one of the round: the endpoint is down.
    Endpoint,
}

/// Requests that belong together: once the endpoint is found to be down, the rest of them fails at once.
#[derive(Debug)]
pub struct Round<'a> {
    chat: &'a Chat,
    outage: Outage,
}

impl Chat {
    /// A client with the key in the endpoint's variable. Settings without sense are refused by key, with `section` before it.
    pub fn new(endpoint: &Endpoint, section: &str) -> error::Result<Chat> {
        let illegal = |problem: oreal_algos::IllegalSetting| {
            let problem = problem.within(section);
            Error::setting(problem.key, problem.problem)
        };
        endpoint.check().map_err(illegal)?;
        Chat::with_key(endpoint, Key::from_environment(&endpoint.key_variable).map_err(illegal)?)
    }

    fn with_key(endpoint: &Endpoint, key: Option<Key>) -> error::Result<Chat> {
        let pool = ThreadPoolBuilder::new().num_threads(endpoint.concurrency).build();
        Ok(Chat {
            http: Http::new(endpoint, key),
            pool: pool.map_err(|problem| Error::part("threads of a chat client", problem))?,
            retries: endpoint.retries,
            backoff: Duration::from_secs_f64(endpoint.backoff_seconds),
            retried: AtomicU64::new(0),
        })
    }

    /// One result for each request, in their order.
    pub fn replies(&self, requests: &[Request]) -> Vec<Result<Reply, Failure>> {
        self.each(requests, |round, request| round.reply(request))
    }

    /// Does `work`, which may send requests, for each item; at most `concurrency` items at once. Results in the items' order.
    pub fn each<T, R>(&self, items: &[T], work: impl Fn(&Round<'_>, &T) -> R + Sync) -> Vec<R>
    where
        T: Sync,
        R: Send,
    {
        let round = Round { chat: self, outage: Outage::default() };
        // Items are waited for, not computed: each is a task of its own, so that a slow one holds up no other.
        self.pool.install(|| items.par_iter().with_max_len(1).map(|item| work(&round, item)).collect())
    }

    /// Requests that were sent again, since the client was made.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }
}

impl Round<'_> {
    /// The reply to one request, with retries.
    pub fn reply(&self, request: &Request) -> Result<Reply, Failure> {
        let mut retries = 0;
        loop {
            self.outage.check()?;
            match self.chat.http.post(request) {
                Ok(reply) => {
                    self.outage.answered();
                    return Ok(reply);
                }
                Err(Fault { scope: Scope::Passing, wait, .. }) if retries < self.chat.retries => {
                    self.outage.wait(pause::before_retry(self.chat.backoff, retries, wait));
                    retries += 1;
                    self.chat.retried.fetch_add(1, Ordering::Relaxed);
                }
                Err(fault) => return Err(self.outage.failed(fault)),
            }
        }
    }
}
