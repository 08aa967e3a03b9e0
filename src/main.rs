//! Parse, resolve, call.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    oreal::models::keep_memory();
    oreal::models::allow_tf32();
    match oreal::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
