//! `oreal watch`: a run in the terminal, while it goes on or afterwards.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::terminal::print_part;
use crate::watch::follow;

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// The run's folder
    folder: PathBuf,
    /// A line every so many steps
    #[arg(long, value_name = "STEPS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

impl Watch {
    pub(super) fn run(self) -> Result<String> {
        follow(&self.folder, self.every, &mut print_part)
    }
}
