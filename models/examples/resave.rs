//! Reads a checkpoint and writes it again, with the time each takes.
//!
//! `cargo run --release -p oreal-models --example resave -- FOLDER [NEW_FOLDER [full | bf16 [BYTES_OF_A_FILE]]]`

use std::path::Path;
use std::time::Instant;

use oreal_models::architecture::Checkpoint;
use oreal_models::{Error, Model, Optimiser, Precision, Result, Saving, Transformer};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wrong = |problem: &str| Error::State { problem: problem.into() };
    let from = arguments.first().ok_or_else(|| wrong("say which folder to read"))?;
    let start = Instant::now();
    let head = Checkpoint::open(Path::new(from))?.head();
    let model = Transformer::<f32>::load(Path::new(from), head, &Optimiser::default())?;
    println!("read {} numbers in {:.2} s", model.parameters(), start.elapsed().as_secs_f64());
    let Some(to) = arguments.get(1) else { return Ok(()) };
    let precision = match arguments.get(2).map(String::as_str) {
        None | Some("full") => Precision::Full,
        Some("bf16") => Precision::Bf16,
        Some(_) => return Err(wrong("the precision is full or bf16")),
    };
    let shard_size = arguments.get(3).map(|size| size.parse()).transpose();
    let shard_size = shard_size.map_err(|_| wrong("the size of a file is a number of bytes"))?;
    let shard_size = shard_size.unwrap_or(Saving::default().shard_size);
    let start = Instant::now();
    model.save_as(Path::new(to), &Saving { precision, shard_size })?;
    println!("wrote them in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}
