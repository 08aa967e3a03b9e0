//! `oreal replay`: recorded rollouts through several algorithms.

use std::path::PathBuf;

use clap::Args;

use super::json;
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::replay::{Named, Recording, page, replay};

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Replay {
    /// A run's transcripts.jsonl, or rollouts recorded elsewhere (JSONL or parquet; - is JSONL on standard input)
    file: PathBuf,
    /// Which algorithms, NAME or NAME/PRESET; the others are compared with the first, or all with what the file recorded
    #[arg(long, value_delimiter = ',', value_name = "NAMES", required = true)]
    with: Vec<String>,
    /// Change a setting of every algorithm, as in --set beta=0
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Of the choices of algorithms that select at random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// As JSON, with the coefficient of every token
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
One completion a line, with the fields (docs/replay.md):
  tokens        its tokens, the end token included; or any list below, which has a number for each token
  group         what its problem is called [default: the field prompt]
  reward        a number
  step          its batch [default: one batch]
  sampled_logp, old_logp, logp, ref_logp, value, old_value, ..
                lists: what the models reported, for algorithms that read it
  coefficient   a list: what a trainer multiplied the gradient of each log-probability by, to compare with";

impl Replay {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<String> {
        let named = self.with.iter().map(|name| self.algorithm(name, catalogue)).collect::<Result<Vec<Named>>>()?;
        let replay = replay(&Recording::open(&self.file)?, &named, self.seed)?;
        if self.json { json(&replay) } else { Ok(page(&replay)) }
    }

    /// An algorithm with the settings put over its own, checked.
    fn algorithm(&self, name: &str, catalogue: &Catalogue) -> Result<Named> {
        let set: Vec<String> = self.set.iter().map(|set| format!("algorithm.{set}")).collect();
        let algorithm = super::named(name, &set, catalogue)?.algorithm.value;
        oreal_algos::check(&*algorithm).map_err(|problem| Error::setting(name, problem))?;
        Ok((name.to_owned(), algorithm))
    }
}
