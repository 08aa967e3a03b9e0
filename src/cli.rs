//! The command line: its words, and what each calls.

mod ablate;
mod compare;
mod eval;
mod grade;
mod plan;
mod probe;
mod replay;
mod report;
mod sft;
mod tokenizer;
mod train;
mod watch;
mod word_problems;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use indicatif::ProgressBar;
use oreal_models::Device;
use toml::Table;

use crate::catalogue::{Catalogue, section};
use crate::claims;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::record::{Report, pretty};
use crate::show;
use crate::stop::INTERRUPTED;
use crate::table::table;
use crate::terminal::{print, style, width};

impl Catalogue {
    /// The whole command line for these algorithms and environments, on the arguments of the process; see `--help`. An error
    /// is printed, and the exit code says so.
    pub fn main(self) -> ExitCode {
        oreal_models::keep_memory();
        oreal_models::allow_tf32();
        match Cli::parse().run(&self).and_then(|text| print(&text)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(stopped @ Error::Stopped { .. }) => {
                eprintln!("{stopped}");
                ExitCode::from(INTERRUPTED)
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// The same on these arguments, the program's name first: what it would print.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        Cli::try_parse_from(arguments).map_err(|problem| Error::part("arguments", problem))?.run(self)
    }
}

/// Outcome-reward reinforcement learning of language models, where an algorithm is an equation.
///
/// Without a command it compares OREAL, GRPO, PPO and RFT on toy addition.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train several algorithms from one warmed-up policy and print a table (the default)
    Compare(compare::Compare),
    /// Train variants of an experiment from several seeds, and print what the differences are worth
    Ablate(ablate::Ablate),
    /// Run one experiment from a file
    Train(train::Train),
    /// Follow a run in its folder until it ends, or all runs of a comparison or an ablation
    Watch(watch::Watch),
    /// Print what a run needs of memory, and whether it fits
    Plan(plan::PlanCommand),
    /// Ask a server of the Tinker API what it does with a gradient
    Probe(probe::Probe),
    /// Fine-tune a model on worked solutions, on its own right answers, or on plain texts
    Sft(sft::Sft),
    /// Evaluate a model on a file of problems, or compare two evaluations
    Eval(Box<eval::Eval>),
    /// Draw and grade completions of a file of problems, to fine-tune on those that are right
    Sample(Box<eval::Sample>),
    /// Grade answers to mathematical questions: is each equal to its gold answer?
    Grade(grade::Grade),
    /// Put recorded rollouts through several algorithms, and show where their coefficients differ
    Replay(replay::Replay),
    /// Train a tokenizer on texts
    Tokenizer(tokenizer::Tokenizer),
    /// Generate word problems with worked steps, as files to learn from
    WordProblems(word_problems::WordProblems),
    /// Write a page about recorded runs: curves, formula, transcripts, timings
    Report(report::Report),
    /// List algorithms and environments
    List,
    /// Print an algorithm's formula, settings, columns, roles and coupling
    Show(Show),
    /// Check what the theory says, exactly: a table of all claims, or everything about one
    Claims(Claims),
    /// Print completions for a shell
    Completions { shell: Shell },
}

#[derive(Debug, Args)]
struct Show {
    /// NAME or NAME/PRESET
    algorithm: String,
    /// Change a setting, as in --set eta=1, or add a term, as in --set added.entropy=0.01
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Args)]
struct Claims {
    /// One claim, with its derivation and every number
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// As the Markdown page docs/claims.md, or with --empirical docs/by_training.md
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Instead: bias, variance and signal to noise of every algorithm, by p, K, eta and beta
    #[arg(long, conflicts_with_all = ["name", "markdown", "empirical"])]
    moments: bool,
    /// Also those that are checked by training, with intervals over seeds: many minutes on two cores
    #[arg(long)]
    empirical: bool,
}

#[derive(Debug, Args)]
struct Options {
    /// Override a setting of the file, as in --set train.steps=20
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Where the models are: cpu, or cuda:0 for the first GPU [default: the file's, or cpu]
    #[arg(long, value_name = "DEVICE")]
    device: Option<Device>,
    /// Where a new folder is made for the record
    #[arg(long, value_name = "FOLDER", default_value = "runs")]
    out: PathBuf,
    /// No progress bars
    #[arg(long)]
    quiet: bool,
    /// JSON lines instead of a table: the record of each step, or over several seeds the report of each run; the results last
    #[arg(long)]
    json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { set: Vec::new(), device: None, out: "runs".into(), quiet: false, json: false }
    }
}

impl Options {
    /// What is put over the file.
    fn settings(&self) -> Vec<String> {
        let device = self.device.map(|device| format!("device=\"{device}\""));
        self.set.iter().cloned().chain(device).collect()
    }
}

impl Cli {
    /// Does what was asked.
    fn run(self, catalogue: &Catalogue) -> Result<String> {
        match self.command.unwrap_or(Command::Compare(compare::Compare::default())) {
            Command::Compare(compare) => compare.run(catalogue),
            Command::Ablate(ablate) => ablate.run(catalogue),
            Command::Train(train) => train.run(catalogue),
            Command::Watch(watch) => watch.run(),
            Command::Plan(plan) => plan.run(catalogue),
            Command::Probe(probe) => probe.run(),
            Command::Sft(sft) => sft.run(),
            Command::Eval(eval) => eval.run(),
            Command::Sample(sample) => sample.run(),
            Command::Grade(grade) => grade.run().map(|()| String::new()),
            Command::Replay(replay) => replay.run(catalogue),
            Command::Tokenizer(tokenizer) => tokenizer.run(),
            Command::WordProblems(problems) => problems.run(),
            Command::Report(report) => report.run(),
            Command::List => Ok(show::list(catalogue)),
            Command::Show(show) => show.run(catalogue),
            Command::Claims(claims) => claims.run(),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "oreal", &mut script);
                Ok(String::from_utf8_lossy(&script).into_owned())
            }
        }
    }
}

impl Show {
    fn run(self, catalogue: &Catalogue) -> Result<String> {
        let of_algorithm = |setting: &String| match setting.starts_with("added.") {
            true => setting.clone(),
            false => format!("algorithm.{setting}"),
        };
        let set: Vec<String> = self.set.iter().map(of_algorithm).collect();
        let config = named(&self.algorithm, &set, catalogue)?;
        let about = catalogue.algorithms().iter().find(|entry| entry.name == config.algorithm.name);
        Ok(show::page(&config, about.map_or("", |entry| &entry.about)))
    }
}

/// Where the page about a run is, if it has one.
fn page(folder: &Path) -> String {
    let page = folder.join(crate::report::NAME);
    if page.is_file() { format!("report in {}\n", page.display()) } else { String::new() }
}

/// What a user should know before a run starts.
fn notices(experiment: &Experiment, label: &str) {
    experiment.notices().iter().for_each(|notice| eprintln!("note: {label}{notice}"));
}

/// The table, and what its numbers are.
fn summary(reports: &[Report], env: &str) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let before = &first.before;
    let mut text = format!(
        "\npass rate in % on {} held-out problems of {env}, {} completions, with 95% intervals;\ntrain: rollouts of the \
         last tenth of the steps; rate: the policy's peak learning rate\n\n{}",
        before.problems,
        before.completions,
        table(reports, width())
    );
    for report in reports {
        if report.after.ungraded > 0 {
            text += &format!("{}: {} completions could not be graded\n", report.algorithm, report.after.ungraded);
        }
        for notice in &report.notices {
            text += &format!("{}: {notice}\n", report.algorithm);
        }
    }
    text
}

impl Claims {
    fn run(self) -> Result<String> {
        if self.moments {
            let table = claims::table()?;
            return Ok(if self.json { json(&table)? } else { claims::page::moments(&table) });
        }
        let mut claims = claims::chosen(self.name.as_deref(), self.empirical)?;
        if self.markdown && self.empirical {
            claims.retain(claims::Claim::is_empirical);
        }
        let bar = ProgressBar::new(1000).with_style(style("{bar:40} {elapsed:>4} {msg}"));
        let findings = claims::find(&claims, &mut |name, share| {
            bar.set_message(name.to_owned());
            bar.set_position((1000.0 * share) as u64);
        })?;
        bar.finish_and_clear();
        let text = match &findings[..] {
            _ if self.json => json(&findings)?,
            _ if self.markdown && self.empirical => claims::page::trained(&findings),
            _ if self.markdown => claims::page::markdown(&findings, &claims::table()?),
            [one] if self.name.is_some() => claims::page::page(one),
            all => claims::page::table(all),
        };
        // Printed also where a verdict is not the recorded one, which is an error.
        print(&text)?;
        claims::judge(&findings).map(|()| String::new())
    }
}

fn json(what: &impl serde::Serialize) -> Result<String> {
    Ok(String::from_utf8_lossy(&pretty(what)?).into_owned() + "\n")
}

/// A configuration with the algorithm `NAME` or `NAME/PRESET`, with settings put over it.
fn named(name: &str, overrides: &[String], catalogue: &Catalogue) -> Result<Config> {
    let text = toml::to_string(&Table::from_iter([("algorithm".to_owned(), section(name).into())])).unwrap_or_default();
    catalogue.config_from_toml(&text, name, overrides)
}

#[cfg(test)]
mod tests {
    use super::summary;
    use crate::record::Report;
    use crate::table::tests::report;

    #[test]
    fn what_an_environment_says_after_a_run_is_printed() {
        let said = Report { notices: vec!["judge: 7 asked".to_owned()], ..report("grpo") };
        assert!(summary(&[report("rloo"), said], "math").ends_with("\ngrpo: judge: 7 asked\n"));
        assert!(!summary(&[report("rloo")], "math").contains("rloo:"));
    }
}
