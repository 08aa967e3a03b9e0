//! The server, over the wire: what a client in any language would send.

mod completions;
mod losses;
mod refusals;
mod samplers;
mod sampling;
mod setup;
mod training;
mod transformer;
