//! The transformer from outside: gradients, samples, files, training.

mod agreement;
mod common;
mod files;
mod frozen;
mod golden;
mod gradients;
mod products;
mod sampling;
mod saving;
mod training;
