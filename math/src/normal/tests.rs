//! What is equal, what is not, and what is too large.

mod build;
mod complex;
mod different;
mod equal;
mod hostile;
mod laws;
mod parts;
mod speed;
