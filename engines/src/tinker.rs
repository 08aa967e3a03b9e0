//! The Tinker API: training and sampling by a server, over plain JSON.
//!
//! The messages are in [`wire`].

pub mod wire;
