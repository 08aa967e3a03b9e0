//! A chat endpoint on this machine that answers as a test wants.

pub(crate) use oreal_engines::testing::{Server, asked, completion, response, send};

use super::Endpoint;

/// A server that chat requests are sent to.
pub(crate) trait ServesChat {
    /// An endpoint there, with two quick retries and four requests at once.
    fn endpoint(&self) -> Endpoint;
}

impl ServesChat for Server {
    fn endpoint(&self) -> Endpoint {
        Endpoint {
            url: format!("{}/v1", self.url()),
            model: "judge-7b".into(),
            key_variable: String::new(),
            concurrency: 4,
            timeout_seconds: 10.0,
            retries: 2,
            backoff_seconds: 0.01,
        }
    }
}
