//! Whether the server is down, as the requests of one round have found.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::{Delivery, Failure, Fault, Reach, Scope};

/// So many requests in a row that fail, each with all its retries, and the server is down.
const FAILURES_IN_A_ROW: usize = 8;

/// Shared by the requests of a round.
#[derive(Debug, Default)]
pub(super) struct Outage {
    found: Mutex<Found>,
    down: Condvar,
}

#[derive(Debug, Default)]
struct Found {
    /// Failed requests since the last that was answered.
    in_a_row: usize,
    /// Why the server is down; stays for the rest of the round.
    down: Option<String>,
}

impl Outage {
    /// Fails where the server is down.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match &self.found().down {
            Some(why) => {
                let problem = format!("not asked, because the server is down: {why}");
                Err(Failure { problem, reach: Reach::Server, delivery: Delivery::NotTaken, status: None })
            }
            None => Ok(()),
        }
    }

    /// A request was answered.
    pub(super) fn answered(&self) {
        self.found().in_a_row = 0;
    }

    /// A request failed for good.
    pub(super) fn failed(&self, fault: Fault) -> Failure {
        let mut found = self.found();
        found.in_a_row += 1;
        if fault.scope == Scope::Server || found.in_a_row >= FAILURES_IN_A_ROW {
            found.down.get_or_insert_with(|| fault.problem.clone());
            self.down.notify_all();
        }
        let reach = if found.down.is_some() { Reach::Server } else { Reach::Request };
        Failure::of(fault, reach)
    }

    /// Waits; not longer than until the server is found to be down.
    pub(super) fn wait(&self, pause: Duration) {
        let waited = self.down.wait_timeout_while(self.found(), pause, |found| found.down.is_none());
        drop(waited);
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
