//! Models elsewhere: training and inference servers behind the contracts of `oreal_models`.
//!
//! [`http`] is a client of any server that speaks JSON. [`tinker`] is the Tinker API, which the hosted service, SkyRL, verl and
//! others serve: its messages, and a [`Model`](oreal_models::Model) behind it. [`inference`] has samplers on inference servers, and
//! [`serve`] is a server of our own.

pub mod http;
pub mod inference;
mod seed;
pub mod serve;
#[doc(hidden)]
pub mod testing;
pub mod tinker;
