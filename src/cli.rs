//! The command line: its words, and what each calls.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use indicatif::{ProgressBar, ProgressStyle};
use oreal_algos::BuiltIn;
use oreal_models::Device;

use crate::claims;
use crate::compare::{ALGORITHMS, compare, new_folder, table};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::experiment::{Experiment, Progress};
use crate::show;

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
    Compare(Compare),
    /// Run one experiment from a file
    Train(Train),
    /// List algorithms and environments
    List,
    /// Print an algorithm's formula, settings, columns, roles and coupling
    Show(Show),
    /// Check what the theory says, exactly: a table of all claims, or everything about one
    Claims(Claims),
    /// Print completions for a shell
    Completions { shell: Shell },
}

#[derive(Debug, Args, Default)]
struct Compare {
    /// Settings common to all runs (TOML); its [algorithm] is not used
    file: Option<PathBuf>,
    /// Which algorithms, NAME or NAME/PRESET
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    algorithms: Vec<String>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Train {
    /// The experiment (TOML): see examples/*.toml
    file: PathBuf,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Show {
    /// NAME or NAME/PRESET
    algorithm: String,
    /// Change a setting, as in --set eta=1
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
    /// Also those that are checked by training, with intervals over seeds: about six minutes on two cores
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
}

impl Default for Options {
    fn default() -> Self {
        Options { set: Vec::new(), device: None, out: "runs".into(), quiet: false }
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
    pub fn run(self) -> Result<()> {
        match self.command.unwrap_or(Command::Compare(Compare::default())) {
            Command::Compare(compare) => compare.run(),
            Command::Train(train) => train.run(),
            Command::List => print(&show::list()),
            Command::Show(show) => print(&show::page(&named(&show.algorithm, &show.set)?)),
            Command::Claims(claims) => claims.run(),
            Command::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "oreal", &mut script);
                print(&String::from_utf8_lossy(&script))
            }
        }
    }
}

impl Compare {
    fn run(self) -> Result<()> {
        let set = self.options.settings();
        let Options { out, quiet, .. } = self.options;
        let config = match &self.file {
            Some(file) => Config::from_file(file, &set)?,
            None => Config::from_toml(TOY, "settings", &set)?,
        };
        let names = if self.algorithms.is_empty() { ALGORITHMS.map(str::to_owned).to_vec() } else { self.algorithms };
        let labelled = |name: &String| Ok((name.replace('/', "-"), named(name, &[])?));
        let algorithms = names.iter().map(labelled).collect::<Result<Vec<_>>>()?;
        let folder = new_folder(&out, &format!("compare-{}", config.env.name()))?;
        let mut bars = Bars::new(quiet);
        let (start, reports) = compare(&config, &algorithms, &folder, &mut |algorithm, progress| {
            bars.show(algorithm.unwrap_or("warm-up"), &progress);
        })?;
        bars.finish();
        print(&format!(
            "\npass rate of {} completions of held-out problems of {}, with 95% intervals\n\n{}\nwarm-up took {:.1} s; everything is recorded \
             in {}\n",
            start.pass_rate.completions,
            config.env.name(),
            table(&reports),
            start.seconds,
            folder.display()
        ))
    }
}

impl Train {
    fn run(self) -> Result<()> {
        let config = Config::from_file(&self.file, &self.options.settings())?;
        let Options { out, quiet, .. } = self.options;
        let folder = new_folder(&out, &format!("{}-{}", config.env.name(), config.algorithm.name()))?;
        let experiment = Experiment::from_config(config).record_in(&folder);
        let mut bars = Bars::new(quiet);
        let start = experiment.start(&mut |progress| bars.show("warm-up", &progress))?;
        let report = experiment.train(&start, &mut |progress| bars.show("training", &progress))?;
        bars.finish();
        print(&format!("\n{}\nrecorded in {}\n", table(&[report]), folder.display()))
    }
}

impl Claims {
    fn run(self) -> Result<()> {
        if self.moments {
            let table = claims::table()?;
            return print(&if self.json { json(&table) } else { claims::page::moments(&table) });
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
        print(&match &findings[..] {
            _ if self.json => json(&findings),
            _ if self.markdown && self.empirical => claims::page::trained(&findings),
            _ if self.markdown => claims::page::markdown(&findings, &claims::table()?),
            [one] if self.name.is_some() => claims::page::page(one),
            all => claims::page::table(all),
        })?;
        claims::judge(&findings)
    }
}

fn json(what: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(what).unwrap_or_default() + "\n"
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What is compared on when no file says otherwise.
const TOY: &str = "[env]\nname = \"addition\"";

/// A bar for whatever is running; the one before it is left standing, full.
struct Bars {
    quiet: bool,
    current: Option<(String, ProgressBar)>,
}

impl Bars {
    fn new(quiet: bool) -> Bars {
        Bars { quiet, current: None }
    }

    fn show(&mut self, name: &str, progress: &Progress<'_>) {
        let (done, total, message) = match progress {
            Progress::WarmUp { done, total } => (*done, *total, String::new()),
            Progress::Step { record, total } => {
                (record.step + 1, *total, format!("pass rate {:5.1}%", 100.0 * record.pass_rate))
            }
        };
        if self.quiet {
            return;
        }
        if self.current.as_ref().is_none_or(|(current, _)| current != name) {
            self.finish();
            let bar = ProgressBar::new(total as u64).with_prefix(name.to_owned());
            bar.set_style(style("{prefix:10} {bar:40} {pos:>4}/{len} {elapsed:>4} {msg}"));
            self.current = Some((name.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.current {
            bar.set_message(message);
            bar.set_position(done as u64);
        }
    }

    fn finish(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.abandon();
        }
    }
}

/// An algorithm by `NAME` or `NAME/PRESET`, with settings put over it.
fn named(name: &str, set: &[String]) -> Result<BuiltIn> {
    let (algorithm, preset) = name.split_once('/').unwrap_or((name, ""));
    let mut settings = vec![format!("algorithm.name={algorithm:?}")];
    if !preset.is_empty() {
        settings.push(format!("algorithm.preset={preset:?}"));
    }
    settings.extend(set.iter().map(|setting| format!("algorithm.{setting}")));
    Ok(Config::from_toml("", name, &settings)?.algorithm)
}

/// To standard output; a reader that has gone away is no error.
fn print(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(problem) if problem.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::file(Path::new("standard output"), problem))
        }
        _ => Ok(()),
    }
}
