//! `oreal compare`: the main job.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use toml::{Table, Value};

use super::ablate::Shown;
use super::train::{advised, line};
use super::{Options, notices, page, summary};
use crate::ablate::{ABLATION, Ablation, AblationSettings, Seeds, VariantSettings, label_of, labels, of_algorithms};
use crate::catalogue::Catalogue;
use crate::compare::{ALGORITHMS, Variant, complete, experiments, laid_out, lay_out};
use crate::config::{Part, table_from_file};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::folder::reserve_numbered;
use crate::stop::Stop;
use crate::terminal::Live;

#[derive(Debug, Args, Default)]
pub(super) struct Compare {
    /// Settings common to all runs (TOML); those of its [algorithm] apply to the algorithm of that name. It may hold
    /// [[variants]] with label, algorithm and set = ["section.key=value"]
    file: Option<PathBuf>,
    /// Which algorithms, NAME or NAME/PRESET
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    algorithms: Vec<String>,
    /// Train from so many seeds, and print intervals over them
    #[arg(long, value_name = "N")]
    seeds: Option<usize>,
    /// Go on with the comparison in this folder: finished runs are kept, the others go on or start
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["file", "algorithms", "seeds", "set", "out"])]
    resume: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// What is compared where neither a file nor names of algorithms are given.
const MAIN_JOB: &str = include_str!("../../examples/compare.toml");

impl Compare {
    pub(super) fn run(self, catalogue: &Catalogue) -> Result<String> {
        if let Some(folder) = &self.resume {
            if folder.join(ABLATION).exists() {
                return self.shown().resume(folder, &self.options.settings(), catalogue);
            }
            let experiments = laid_out(catalogue, folder, &self.options.settings())?;
            return self.complete(experiments, folder);
        }
        let ablation = self.ablation(catalogue)?;
        let env = ablation.cells.first().map_or("", |cell| cell.config.env.name.as_str());
        let name = format!("compare-{env}");
        if ablation.seeds.len() > 1 {
            return self.shown().begin(&ablation, &self.options.out, &name);
        }
        let variant = |cell: &crate::ablate::Cell| {
            let label = ablation.labels[cell.variant].clone();
            Variant { label, config: cell.config.clone() }
        };
        let variants: Vec<Variant> = ablation.cells.iter().map(variant).collect();
        // Checks everything before a folder is made.
        for (label, experiment) in experiments(&variants, &self.options.out)? {
            notices(&experiment, &format!("{label}: "));
        }
        let folder = reserve_numbered(&self.options.out, &name)?;
        let experiments = experiments(&variants, folder.path())?;
        lay_out(&experiments, folder.path())?;
        self.complete(experiments, folder.path())
    }

    /// Of a comparison over several seeds.
    fn shown(&self) -> Shown {
        Shown { command: "compare", quiet: self.options.quiet, json: self.options.json }
    }

    /// Runs what has not finished, until it is asked to stop.
    fn complete(&self, experiments: Vec<(String, Experiment)>, folder: &Path) -> Result<String> {
        let stop = Stop::at_signals();
        let stopped = |(label, experiment): (String, Experiment)| (label, experiment.stopped_by(stop.clone()));
        let experiments: Vec<_> = experiments.into_iter().map(stopped).collect();
        let env = experiments.first().map_or("", |(_, experiment)| experiment.env.name()).to_owned();
        let mut live = Live::new(self.options.quiet, self.options.json);
        let done = complete(&experiments, folder, &mut |label, progress| live.show(label, "warm-up", &progress));
        let (seconds, reports) = done.map_err(|problem| advised(problem, "compare", folder))?;
        live.finish();
        if self.options.json {
            return line(&reports);
        }
        let took = if seconds > 0.0 { format!("warm-up took {seconds:.1} s; ") } else { String::new() };
        Ok(format!("{}\n{took}recorded in {}\n{}", summary(&reports, &env), folder.display(), page(folder)))
    }

    /// Variants times seeds, checked.
    fn ablation(&self, catalogue: &Catalogue) -> Result<Ablation> {
        let (of_algorithm, set): (Vec<String>, Vec<String>) =
            self.options.settings().into_iter().partition(|s| s.starts_with("algorithm."));
        let (mut base, place) = match &self.file {
            Some(file) => (table_from_file(file)?, file.display().to_string()),
            None => (MAIN_JOB.parse().map_err(|problem| Error::setting("settings", problem))?, "settings".to_owned()),
        };
        let mut named = variants(&mut base)?;
        if self.file.is_none() && !self.algorithms.is_empty() {
            named.clear();
        }
        let names = match self.algorithms.is_empty() {
            true if named.is_empty() => ALGORITHMS.map(str::to_owned).to_vec(),
            _ => self.algorithms.clone(),
        };
        let said = base.get("algorithm").and_then(Value::as_table).map(label_of);
        if let Some(label) = said.filter(|label| named.is_empty() && !names.contains(label)) {
            let problem = format!("the file's [algorithm] is {label}, which is not compared: name it in --algorithms");
            return Err(Error::setting("algorithm.name", problem));
        }
        // What the command line says goes over what a variant says.
        let own = |row: VariantSettings| {
            let set = row.set.into_iter().chain(of_algorithm.iter().chain(&set).cloned()).collect();
            VariantSettings { set, ..row }
        };
        let rows: Vec<VariantSettings> = of_algorithms(&names, &[]).into_iter().chain(named).map(own).collect();
        labels(rows.iter().map(|row| row.label.as_str()), "--algorithms")?;
        let seeds = match self.seeds {
            Some(0) => return Err(Error::setting("--seeds", "must be at least 1")),
            seeds => Seeds::Count(seeds.unwrap_or(1)),
        };
        let settings = AblationSettings { seeds, problems: Part::All, variants: rows, ..Default::default() };
        settings.validate()?;
        Ablation::new(settings, &base, &place, catalogue)
    }
}

/// The variants that a file names, taken out of it.
fn variants(base: &mut Table) -> Result<Vec<VariantSettings>> {
    match base.remove("variants") {
        None => Ok(Vec::new()),
        Some(rows) => {
            Vec::deserialize(rows).map_err(|problem| Error::setting("variants", problem.message().trim_end()))
        }
    }
}
