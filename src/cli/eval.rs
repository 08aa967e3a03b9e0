//! `oreal eval`: a model on a file of problems, and two such evaluations beside each other.

mod options;
mod table;

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;

use super::json;
use crate::error::{Error, Result};
use crate::eval::{Benchmark, EvalProgress, EvalSettings, Generator, Keep, Local, Results, Served, compare};
use crate::folder::reserve_numbered;
use crate::terminal::{style, width};
use options::Overrides;

#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct Eval {
    #[command(flatten)]
    asked: Asked,
    /// Instead: compare the evaluations in two folders, problem by problem
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["config", "out", "Overrides"])]
    compare: Option<Vec<PathBuf>>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Sample {
    #[command(flatten)]
    asked: Asked,
}

/// What is drawn, and where it is written.
#[derive(Debug, Args)]
struct Asked {
    /// Settings (TOML): see examples/eval/*.toml. Options are put over them
    config: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// Folder of the record; one with the same settings is continued [default: a new one in runs]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

const AFTER: &str = "\
Rates are in percent, each with a 95% interval by problem: problems are the independent draws.
  pass@1     share of right completions, mean over problems
  pass@k     probability that at least one of k completions is right, estimated without bias
  maj@n      the answer that most of the n completions give; ties are broken at random
Intervals are exact (Clopper and Pearson) where each problem is right or not, else BCa bootstraps.
A completion that cannot be graded, or fails to be drawn, is neither right nor wrong.
The folder has completions.jsonl, a line for each completion as it arrives, and results.json.
A run that was stopped goes on with the same settings and --out FOLDER.
The key of an endpoint is taken from the environment variable that key_variable names
[default: OPENAI_API_KEY], never from a file or an option.";

impl Eval {
    /// Evaluates or compares; the text to print.
    pub(super) fn run(self) -> Result<String> {
        if let Some([a, b]) = self.compare.as_deref() {
            let comparison = compare(a, b)?;
            return if self.json { json(&comparison) } else { Ok(table::comparison(&comparison, [a, b], width())) };
        }
        let Asked { config, overrides, out, quiet } = self.asked;
        let settings = overrides.over(config.as_deref(), EvalSettings::default())?;
        evaluate(settings, out, "eval", self.json, quiet)
    }
}

impl Sample {
    /// Draws and grades; the text to print. Without a file, four completions of each problem at temperature 1.
    pub(super) fn run(self) -> Result<String> {
        let Asked { config, overrides, out, quiet } = self.asked;
        let start = EvalSettings { n: 4, temperature: 1.0, ..EvalSettings::default() };
        let settings = EvalSettings { keep: Keep::Rollouts, ..overrides.over(config.as_deref(), start)? };
        evaluate(settings, out, "sample", false, quiet)
    }
}

fn evaluate(settings: EvalSettings, out: Option<PathBuf>, name: &str, as_json: bool, quiet: bool) -> Result<String> {
    let benchmark = Benchmark::new(&settings)?;
    benchmark.notices().iter().for_each(|notice| eprintln!("note: {notice}"));
    let mut generator = generator(&settings)?;
    let reserved = match &out {
        Some(_) => None,
        None => Some(reserve_numbered(Path::new("runs"), &format!("{name}-{}", stem(&settings.data)))?),
    };
    let out = reserved.as_ref().map(|folder| folder.path().to_owned()).or(out).unwrap_or_default();
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    bar.set_style(style("eval {wide_bar} {pos}/{len} {elapsed} ETA {eta} {msg:>6}"));
    let results = benchmark.run(&mut *generator, &out, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    benchmark.notice_after().iter().for_each(|notice| eprintln!("{notice}"));
    let results = results?;
    failures(&results, &out);
    match as_json {
        true => json(&results),
        false => Ok(table::results(&results, &settings, width()) + &format!("\nrecorded in {}\n", out.display())),
    }
}

/// Where completions come from.
fn generator(settings: &EvalSettings) -> Result<Box<dyn Generator>> {
    match (&settings.endpoint, &settings.model) {
        (Some(endpoint), _) => Ok(Box::new(Served::new(endpoint)?)),
        (None, Some(model)) => Ok(Box::new(Local::open(model, settings)?)),
        (None, None) => {
            Err(Error::setting("model", "missing: name a checkpoint (--model), or a server (--url and --model-name)"))
        }
    }
}

fn show(bar: &ProgressBar, progress: &EvalProgress) {
    bar.set_length(progress.total as u64);
    bar.set_position(progress.done as u64);
    if progress.graded > 0 {
        bar.set_message(format!("{:.1}%", 100.0 * progress.right as f64 / progress.graded as f64));
    }
}

fn failures(results: &Results, out: &Path) {
    if results.total.failed > 0 {
        let first = results.first_failure.as_deref().unwrap_or_default();
        let (failed, out) = (results.total.failed, out.display());
        eprintln!(
            "note: {failed} completions failed, the first because: {first}\nwith --out {out} they are asked for again"
        );
    }
}

/// The name of a file without folder and ending.
fn stem(data: &str) -> String {
    Path::new(data).file_stem().map_or_else(|| "data".to_owned(), |stem| stem.to_string_lossy().into_owned())
}
