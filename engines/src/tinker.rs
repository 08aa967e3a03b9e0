//! The Tinker API: training and sampling by a server, over plain JSON.
//!
//! The messages are in [`wire`]. A [`Service`] is a session with a server: it numbers calls, sends them, and waits for their
//! results. A [`Remote`] is a model there. [`probe`] finds out what a server does with a gradient.

mod model;
mod probe;
mod service;
pub mod wire;

pub use model::{Carrier, Remote, RemoteSettings};
pub use probe::{Finding, Meaning, Older, Probed, compare, probe};
pub use service::{Repeat, Service, ServiceSettings};
