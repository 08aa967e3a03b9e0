//! Every run of an ablation, checked before any of them starts.

use std::path::{Path, PathBuf};

use oreal_toy_envs::Env;
use toml::{Table, Value};

use super::run::ABLATION;
use super::settings::{AblationSettings, Matched, PILOT_SEEDS, TaskSettings, VariantSettings};
use super::variants::{config, labels, part, rows};
use crate::budget::Budget;
use crate::catalogue::{Catalogue, Chosen};
use crate::config::{Config, Part};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::record::{CONFIG, Difference, REPORT, difference_of_settings, read_text};

/// Most runs of one ablation.
const MOST: usize = 10_000;

/// Variants times tasks times seeds.
#[derive(Debug)]
pub struct Ablation {
    /// What is varied and how it is compared.
    pub settings: AblationSettings,
    /// The variants' labels, in the order of the table.
    pub labels: Vec<String>,
    /// The tasks' labels; one without a name where there is only the experiment's own.
    pub tasks: Vec<String>,
    /// The seeds of every variant and task.
    pub seeds: Vec<u64>,
    /// The runs, by variant, task and seed.
    pub cells: Vec<Cell>,
    /// The whole file, overrides included.
    pub(super) file: Table,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Which variant, counted from 0.
    pub variant: usize,
    /// Which task, counted from 0.
    pub task: usize,
    /// Its seed.
    pub seed: u64,
    /// Its folder, within that of the ablation.
    pub folder: PathBuf,
    /// All its settings.
    pub config: Config,
}

impl Ablation {
    /// From the table of a file, with its section `[ablation]`, and `section.key=value` settings put over it. `place` is named
    /// in errors.
    ///
    /// # Errors
    /// Settings that cannot run, of any variant: nothing has been done then.
    pub fn from_table(table: &Table, place: &str, overrides: &[String], catalogue: &Catalogue) -> Result<Ablation> {
        let mut file = table.clone();
        let (own, set): (Vec<String>, Vec<String>) =
            overrides.iter().cloned().partition(|setting| setting.starts_with("ablation."));
        own.iter().try_for_each(|setting| crate::config::put(&mut file, setting))?;
        let section = match file.get("ablation") {
            Some(Value::Table(section)) => section.clone(),
            Some(_) => return Err(Error::setting(place, "ablation: must be a section")),
            None => return Err(Error::setting(place, "the section [ablation] is missing: see docs/ablations.md")),
        };
        let mut settings = AblationSettings::from_section(&section)?;
        settings.set.extend(set);
        file.remove("ablation");
        Ablation::new(settings, &file, place, catalogue)
    }

    /// From an experiment's table and what is varied in it; the settings are valid.
    pub(crate) fn new(
        settings: AblationSettings,
        base: &Table,
        place: &str,
        catalogue: &Catalogue,
    ) -> Result<Ablation> {
        let set = &settings.set;
        let text = toml::to_string(base).map_err(|problem| Error::setting(place, problem))?;
        // Errors of the experiment itself are told before those of variants.
        let experiment = catalogue.config_from_toml(&text, place, set)?;
        let rows = rows(&settings)?;
        let own = [TaskSettings { label: String::new(), set: Vec::new() }];
        let tasks = if settings.tasks.is_empty() { &own } else { &settings.tasks[..] };
        labels(settings.tasks.iter().map(|task| task.label.as_str()), "ablation.tasks")?;
        let seeds = match (settings.seeds.list(experiment.settings.seed), settings.problems) {
            (seeds, Part::Pilot) => seeds.into_iter().map(|seed| seed.saturating_add(PILOT_SEEDS)).collect(),
            (seeds, _) => seeds,
        };
        if rows.len().saturating_mul(tasks.len()).saturating_mul(seeds.len()) > MOST {
            return Err(Error::setting("ablation", format!("more than {MOST} runs")));
        }
        let cells = cells(&settings, (&rows, tasks, &seeds), base, place, catalogue)?;
        let folders = cells.iter().step_by(seeds.len()).filter_map(|cell| cell.folder.parent()?.to_str());
        labels(folders, "ablation.variants")?;
        let labels: Vec<String> = rows.into_iter().map(|row| row.label).collect();
        if let Some(baseline) = settings.baseline.as_ref().filter(|baseline| !labels.contains(baseline)) {
            let problem = format!("there is no variant {baseline:?}; there are {}", labels.join(", "));
            return Err(Error::setting("ablation.baseline", problem));
        }
        let tasks = tasks.iter().map(|task| task.label.clone()).collect();
        let mut file = base.clone();
        let section = Table::try_from(&settings).map_err(|problem| Error::setting("ablation", problem))?;
        file.insert("ablation".to_owned(), section.into());
        Ok(Ablation { settings, labels, tasks, seeds, cells, file })
    }

    /// The number of the variant that the others are compared with.
    pub fn baseline(&self) -> usize {
        let named = self.settings.baseline.as_ref();
        named.and_then(|name| self.labels.iter().position(|label| label == name)).unwrap_or(0)
    }

    /// How many cells are finished.
    pub fn finished(&self, folder: &Path) -> usize {
        self.cells.iter().filter(|cell| cell.is_finished(folder)).count()
    }

    /// The file that gives this ablation again.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.file).unwrap_or_default()
    }

    /// Refuses a folder with runs of other settings, by the first setting that differs.
    ///
    /// # Errors
    /// [`Error::File`] with the recorded configuration; files that cannot be read.
    pub fn check_folder(&self, folder: &Path) -> Result<()> {
        for cell in &self.cells {
            let path = folder.join(&cell.folder).join(CONFIG);
            if path.try_exists().map_err(|problem| Error::file(&path, problem))? {
                same(&path, &cell.config)?;
            }
        }
        Ok(())
    }
}

impl Cell {
    /// Its folder within that of the ablation, as a text.
    pub fn name(&self) -> String {
        self.folder.display().to_string()
    }

    /// Whether it has a report.
    pub fn is_finished(&self, folder: &Path) -> bool {
        folder.join(&self.folder).join(REPORT).is_file()
    }
}

/// How many runs the ablation in a folder consists of; `None` where there is none.
pub(crate) fn planned(folder: &Path) -> Option<usize> {
    let file: Table = read_text(&folder.join(ABLATION), LONGEST).ok()?.parse().ok()?;
    let settings = AblationSettings::from_section(file.get("ablation")?.as_table()?).ok()?;
    let (variants, seeds) = (rows(&settings).ok()?.len(), settings.seeds.list(0).len());
    Some(variants.saturating_mul(seeds).saturating_mul(settings.tasks.len().max(1)))
}

/// Every variant on every task from every seed, checked.
fn cells(
    settings: &AblationSettings,
    (rows, tasks, seeds): (&[VariantSettings], &[TaskSettings], &[u64]),
    base: &Table,
    place: &str,
    catalogue: &Catalogue,
) -> Result<Vec<Cell>> {
    let mut envs: Vec<Chosen<dyn Env>> = Vec::new();
    let mut cells = Vec::new();
    for (variant, row) in rows.iter().enumerate() {
        for (number, task) in tasks.iter().enumerate() {
            let part = part(settings.problems);
            let set: Vec<String> = settings.set.iter().cloned().chain(part).chain(task.set.iter().cloned()).collect();
            let mut config = config(base, place, row, &set, catalogue)?;
            // Environments with equal settings are one value, which reads its files once.
            match envs.iter().find(|env| **env == config.env) {
                Some(env) => config.env = env.clone(),
                None => envs.push(config.env.clone()),
            }
            if settings.matched != Matched::Steps {
                config.settings.train.budget = settings.run_budget();
            }
            let name = match task.label.as_str() {
                "" => row.label.clone(),
                task => format!("{}-on-{task}", row.label),
            };
            check(&config, &name)?;
            cells.extend(seeds.iter().map(|&seed| {
                let mut config = config.clone();
                config.settings.seed = seed;
                let folder = Path::new(&name).join(format!("seed-{seed}"));
                Cell { variant, task: number, seed, folder, config }
            }));
        }
    }
    Ok(cells)
}

/// Refuses what cannot run, and a budget that `train.steps` steps cannot spend.
fn check(config: &Config, name: &str) -> Result<()> {
    let told = |error: Error| match error {
        Error::Setting { place, problem } => Error::setting(format!("{name}: {place}"), problem),
        other => other,
    };
    let experiment = Experiment::from_config(config.clone());
    experiment.check().map_err(told)?;
    let (train, passes) = (&config.settings.train, experiment.effective().passes());
    let rollouts = (train.steps as f64) * (train.prompts as f64) * (train.rollouts as f64);
    let most = match train.budget {
        Budget::Off | Budget::Seconds(_) => return Ok(()),
        Budget::Updates(_) => train.steps as f64 * passes.epochs as f64 * passes.minibatches as f64,
        Budget::Rollouts(_) => rollouts,
        Budget::Tokens(_) => rollouts * config.env.value.max_tokens() as f64 * passes.epochs as f64,
    };
    let (Budget::Updates(budget) | Budget::Rollouts(budget) | Budget::Tokens(budget)) = train.budget else {
        return Ok(());
    };
    if most < budget as f64 {
        let problem = format!("{name} spends at most {most} in train.steps = {}: give it more steps", train.steps);
        return Err(Error::setting("ablation.budget", problem));
    }
    Ok(())
}

/// Longest recorded configuration that is read, in bytes.
const LONGEST: u64 = 1 << 22;

fn same(path: &Path, config: &Config) -> Result<()> {
    match difference_of_settings(path, &read_text(path, LONGEST)?, &config.to_toml(), &[])? {
        None => Ok(()),
        Some(Difference { key, there, here }) => {
            let problem = format!("was recorded with {key} = {there}, and is {here} now: use a new folder");
            Err(Error::file(path, problem))
        }
    }
}
