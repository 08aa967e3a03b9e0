//! A run that is asked to stop: it finishes its step and saves it first.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Asks the experiments that know it to stop after the step that they are at; see
/// [`Experiment::stopped_by`](crate::Experiment::stopped_by). Clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// One that Ctrl-C asks, and the signals that end a process. The second of them ends the process at once. Where signals
    /// cannot be caught, they end it as if nothing had been done.
    pub(crate) fn at_signals() -> Stop {
        static STOP: OnceLock<Stop> = OnceLock::new();
        let make = || {
            let stop = Stop::default();
            let asked = stop.clone();
            let caught = ctrlc::set_handler(move || {
                if asked.asked() {
                    process::exit(INTERRUPTED.into());
                }
                eprintln!("\nfinishing the step, then saving it; once more ends at once");
                asked.ask();
            });
            drop(caught);
            stop
        };
        STOP.get_or_init(make).clone()
    }
}

/// The exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;
