//! The command line with what is built in.

use std::process::ExitCode;

fn main() -> ExitCode {
    oreal::Catalogue::built_in().main()
}
