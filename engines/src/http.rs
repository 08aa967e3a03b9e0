//! A client of a server that speaks JSON over HTTP: one request, many at once, retries, and what a fault means.
//!
//! Requests that fail for a passing reason (too many requests, a broken connection, a server in trouble) are sent again after a
//! pause. A server that keeps failing is found to be down, and the rest of the [`Round`] fails at once. The server is not
//! trusted: what it sends is limited in size and time, redirects are not followed, and the key goes to this server only and into
//! no message.

mod fault;
mod key;
mod outage;
mod pause;
mod request;
mod server;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

pub use fault::{Delivery, Failure, Fault, Reach, Scope};
pub use key::{Key, KeyHeader};
use outage::Outage;
pub use request::Http;
pub use server::{IllegalSetting, Server};

/// A client of one server. It can be shared between threads.
#[derive(Debug)]
pub struct Client {
    http: Http,
    pool: ThreadPool,
    retries: u32,
    backoff: Duration,
    retried: AtomicU64,
}

/// Requests that belong together: once the server is found to be down, the rest of them fails at once.
#[derive(Debug)]
pub struct Round<'a> {
    client: &'a Client,
    outage: Outage,
}

impl Client {
    /// A client with the key in the server's variable, which goes into this header.
    ///
    /// # Errors
    /// Settings without sense, by key.
    pub fn new(server: &Server, header: KeyHeader) -> Result<Client, IllegalSetting> {
        server.check()?;
        Client::with_key(server, Key::from_environment(&server.key_variable, header)?)
    }

    /// A client with this key.
    ///
    /// # Errors
    /// Settings without sense, by key.
    pub fn with_key(server: &Server, key: Option<Key>) -> Result<Client, IllegalSetting> {
        server.check()?;
        let pool = ThreadPoolBuilder::new().num_threads(server.concurrency).build();
        let failed = |problem: rayon::ThreadPoolBuildError| {
            IllegalSetting::new("concurrency", format!("no threads for it: {problem}"))
        };
        Ok(Client {
            http: Http::new(server, key),
            pool: pool.map_err(failed)?,
            retries: server.retries,
            backoff: Duration::from_secs_f64(server.backoff_seconds),
            retried: AtomicU64::new(0),
        })
    }

    /// A round of requests.
    pub fn round(&self) -> Round<'_> {
        Round { client: self, outage: Outage::default() }
    }

    /// Does `work`, which may send requests, for each item; at most `concurrency` items at once. Results in the items' order.
    pub fn each<T, R>(&self, items: &[T], work: impl Fn(&Round<'_>, &T) -> R + Sync) -> Vec<R>
    where
        T: Sync,
        R: Send,
    {
        let round = self.round();
        // Items are waited for, not computed: each is a task of its own, so that a slow one holds up no other.
        self.pool.install(|| items.par_iter().with_max_len(1).map(|item| work(&round, item)).collect())
    }

    /// Requests that were sent again, since the client was made.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Without retries.
    pub fn http(&self) -> &Http {
        &self.http
    }
}

impl Round<'_> {
    /// Does `request` until it succeeds, fails for good, or has failed `retries` times more for a passing reason.
    pub fn send<T>(&self, request: impl FnMut(&Http) -> Result<T, Fault>) -> Result<T, Failure> {
        self.send_while(request, |fault| fault.scope == Scope::Passing)
    }

    /// As [`Round::send`], of a request that the server must not take twice: it is sent again only where it was not taken.
    pub fn send_once<T>(&self, request: impl FnMut(&Http) -> Result<T, Fault>) -> Result<T, Failure> {
        self.send_while(request, |fault| fault.scope == Scope::Passing && fault.delivery == Delivery::NotTaken)
    }

    fn send_while<T>(
        &self,
        mut request: impl FnMut(&Http) -> Result<T, Fault>,
        again: impl Fn(&Fault) -> bool,
    ) -> Result<T, Failure> {
        let mut retries = 0;
        loop {
            self.outage.check()?;
            match request(&self.client.http) {
                Ok(answer) => {
                    self.outage.answered();
                    return Ok(answer);
                }
                Err(fault) if retries < self.client.retries && again(&fault) => {
                    self.outage.wait(pause::before_retry(self.client.backoff, retries, fault.wait));
                    retries += 1;
                    self.client.retried.fetch_add(1, Ordering::Relaxed);
                }
                Err(fault) => return Err(self.outage.failed(fault)),
            }
        }
    }
}
