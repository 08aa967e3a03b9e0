//! A sign of life every few seconds, without which a server ends a session.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::http::Client;
use crate::tinker::wire::{Heartbeat, PREFIX};

/// From one to the next.
const EVERY: Duration = Duration::from_secs(10);

/// Sent until this is dropped.
#[derive(Debug)]
pub(super) struct Heartbeats {
    _stop: Sender<()>,
}

impl Heartbeats {
    /// One that is not answered is not sent again: the next one is due soon.
    pub(super) fn start(client: Arc<Client>, session: String) -> Heartbeats {
        let (stop, stopped) = mpsc::channel();
        let beat = move || {
            let (path, beat) = (format!("{PREFIX}session_heartbeat"), Heartbeat { session_id: session });
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(EVERY) {
                let _ = client.http().post::<Value>(&path, &beat);
            }
        };
        thread::spawn(beat);
        Heartbeats { _stop: stop }
    }
}
