//! The transformer from outside: gradients, samples, files, training.

mod agreement;
mod common;
mod files;
mod gradients;
mod sampling;
mod training;
