//! `oreal watch`: runs in the terminal, while they go on or afterwards.

use std::path::PathBuf;

use clap::Args;

use crate::error::Result;
use crate::terminal::print_part;
use crate::watch::follow;

#[derive(Debug, Args)]
pub(super) struct Watch {
    /// A run's folder, or one with runs below it, as that of a comparison or an ablation
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
