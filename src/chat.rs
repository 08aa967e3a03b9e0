//! A client of chat endpoints in OpenAI's format: one conversation in, one reply out, many at once.
//!
//! A [`Chat`] belongs to one [`Endpoint`]. Connections, retries and what a failure means are those of [`oreal_engines::http`].

mod completions;
mod endpoint;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use oreal_engines::http::{self, Client, Key, KeyHeader};
use oreal_models::Ending;
use oreal_toy_envs::Message;

use crate::error::{self, Error};
pub use endpoint::Endpoint;
pub use oreal_engines::http::{Failure, Reach};

/// A client of one endpoint. It can be shared between threads.
#[derive(Debug)]
pub struct Chat {
    client: Client,
    model: String,
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

/// Requests that belong together: once the endpoint is found to be down, the rest of them fails at once.
#[derive(Debug)]
pub struct Round<'a> {
    round: &'a http::Round<'a>,
    model: &'a str,
}

impl Chat {
    /// A client with the key in the endpoint's variable. Settings without sense are refused by key, with `section` before it.
    pub fn new(endpoint: &Endpoint, section: &str) -> error::Result<Chat> {
        let illegal = |key: &str, problem: &str| Error::setting(format!("{section}.{key}"), problem);
        endpoint.check().map_err(|wrong| illegal(&wrong.key, &wrong.problem))?;
        let refused = |wrong: http::IllegalSetting| illegal(&wrong.key, &wrong.problem);
        let key = Key::from_environment(&endpoint.key_variable, KeyHeader::Bearer).map_err(refused)?;
        Chat::with_key(endpoint, key).map_err(refused)
    }

    fn with_key(endpoint: &Endpoint, key: Option<Key>) -> Result<Chat, http::IllegalSetting> {
        Ok(Chat { client: Client::with_key(&endpoint.server(), key)?, model: endpoint.model.clone() })
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
        self.client.each(items, |round, item| work(&Round { round, model: &self.model }, item))
    }

    /// Requests that were sent again, since the client was made.
    pub fn retried(&self) -> u64 {
        self.client.retried()
    }
}

impl Round<'_> {
    /// The reply to one request, with retries.
    pub fn reply(&self, request: &Request) -> Result<Reply, Failure> {
        self.round.send(|http| completions::ask(http, self.model, request))
    }
}
