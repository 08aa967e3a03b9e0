//! The transformer from outside: gradients, samples, files, training.

mod agreement;
mod common;
mod files;
mod golden;
mod gradients;
mod sampling;
mod saving;
mod training;
