//! Why a request was not answered, and what that says about others.

use std::time::Duration;

/// One request that was not answered as it should be.
#[derive(Debug)]
pub struct Fault {
    /// What it says about other requests.
    pub scope: Scope,
    /// Whether the server may have acted on it.
    pub delivery: Delivery,
    /// What happened and what to do, without the key.
    pub problem: String,
    /// How long the server wants not to be asked.
    pub wait: Option<Duration>,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
}

/// Which requests would fail in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Perhaps none: the same request may succeed later.
    Passing,
    /// The same request, whenever it is sent.
    Request,
    /// Every request to this server.
    Server,
}

/// Whether the server may have acted on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It did not: there was no connection, or it said that it would not.
    NotTaken,
    /// It may have: the connection broke, or it ran into trouble.
    Unknown,
}

/// Why there is no answer to one request, after all retries. The other requests are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Failure {
    /// What happened and what to do, without the key.
    pub problem: String,
    /// What it says about other requests.
    pub reach: Reach,
    /// Whether the server may have acted on the last attempt.
    pub delivery: Delivery,
    /// The status of the last answer, where there was one.
    pub status: Option<u16>,
}

/// Which requests a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This one.
    Request,
    /// Every one of the round: the server is down.
    Server,
}

impl Fault {
    /// Of a request that the server may have acted on.
    pub fn new(scope: Scope, problem: impl Into<String>) -> Fault {
        Fault { scope, delivery: Delivery::Unknown, problem: problem.into(), wait: None, status: None }
    }

    /// Of a request that it has not acted on.
    pub fn not_taken(self) -> Fault {
        Fault { delivery: Delivery::NotTaken, ..self }
    }
}

impl Failure {
    pub(super) fn of(fault: Fault, reach: Reach) -> Failure {
        let Fault { delivery, problem, status, .. } = fault;
        Failure { problem, reach, delivery, status }
    }
}
