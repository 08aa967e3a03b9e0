//! The statistics of an ablation, from the folders of its runs.

use std::path::Path;

use serde::Serialize;

use super::cells::{Ablation, Cell};
use super::failures::Failures;
use super::outcome::Outcome;
use super::settings::Matched;
use super::{pages, table};
use crate::config::Part;
use crate::error::Result;
use crate::record::{pretty, write};
use crate::statistics::{Aggregate, Estimate, Paired, RESAMPLES, holm, improvement, mean, pairs_needed};

/// Of the resamples of every interval.
const SEED: u64 = 0;

/// What an ablation came to: `results.json`. Scores are pass rates on held-out problems after training; intervals are at 95 %.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The environments, by task.
    pub envs: Vec<String>,
    /// The tasks' labels.
    pub tasks: Vec<String>,
    /// The seeds that were asked for.
    pub seeds: Vec<u64>,
    /// What all variants spent equally.
    #[serde(rename = "match")]
    pub matched: Matched,
    /// How much of it; absent where steps are matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Which of the held-out problems the scores are on.
    pub problems: Part,
    /// Held-out problems of an evaluation, of the first run.
    pub held_out: usize,
    /// The variant that the others are compared with.
    pub baseline: String,
    /// The difference in pass rate that `pairs_for_smallest` is about.
    pub smallest_difference: f64,
    /// Resamples of each bootstrap.
    pub resamples: usize,
    /// A row each, in the order of the file.
    pub variants: Vec<VariantResults>,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct VariantResults {
    /// The variant's label.
    pub label: String,
    /// Runs that are finished, over all tasks.
    pub runs: usize,
    /// Those that failed. No score stands for them: numbers are over the runs that finished.
    pub failed: Vec<Failed>,
    /// Folders of those that have not run, or not to their end.
    pub unfinished: Vec<String>,
    /// The seeds of the finished runs, for each task.
    pub seeds: Vec<Vec<u64>>,
    /// Their scores, in the same order.
    pub scores: Vec<Vec<f64>>,
    /// Absent where a task has no finished run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Absent for the baseline, and where no seed is finished for both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versus: Option<Versus>,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failed {
    /// Its folder, within that of the ablation.
    pub run: String,
    /// Its error.
    pub problem: String,
}

/// The scores of a variant.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// Interquartile mean.
    pub iqm: Estimate,
    /// Mean over tasks of the mean over seeds.
    pub mean: Estimate,
    /// Median over tasks of the mean over seeds.
    pub median: Estimate,
    /// By how much runs fall short of a pass rate of 1.
    pub optimality_gap: Estimate,
    /// Mean area under the curve of the rollouts' pass rate, over what is matched.
    pub area: Estimate,
    /// Mean score before training.
    pub before: f64,
    /// What a run spent on average.
    pub spent: Spending,
    /// Runs that ended with `train.steps` before the budget was spent.
    pub short: usize,
}

/// What a run spent, on average over runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spending {
    /// Training steps.
    pub steps: f64,
    /// Optimiser steps.
    pub updates: f64,
    /// Completions that were drawn.
    pub rollouts: f64,
    /// Tokens that were learnt from.
    pub tokens: f64,
}

/// A variant beside the baseline.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Versus {
    /// Its score minus that of the baseline, seed by seed.
    #[serde(flatten)]
    pub paired: Paired,
    /// The p-value of the signed-rank test, corrected by Holm's method for the number of variants that are compared.
    pub wilcoxon_holm: f64,
    /// The probability that a run ends above one of the baseline, whatever their seeds.
    pub improvement: Estimate,
    /// Pairs of runs that show a difference as large as the measured one with power 0.8; absent where none do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs_for_measured: Option<usize>,
    /// The same for a difference of `smallest_difference`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs_for_smallest: Option<usize>,
}

/// A finished run.
struct Run<'a> {
    cell: &'a Cell,
    outcome: Outcome,
}

impl Results {
    /// From the runs in a folder; those that failed or are not finished are named.
    ///
    /// # Errors
    /// Records that cannot be read.
    pub fn read(ablation: &Ablation, folder: &Path) -> Result<Results> {
        let matched = ablation.settings.matched;
        let finished = |cell: &&Cell| cell.is_finished(folder);
        let read = |cell| Ok(Run { cell, outcome: Outcome::read(&folder.join(&cell.folder), matched)? });
        let runs: Vec<Run<'_>> = ablation.cells.iter().filter(finished).map(read).collect::<Result<_>>()?;
        let (baseline, failures) = (ablation.baseline(), Failures::read(folder)?);
        let row = |variant| VariantResults::new(ablation, &runs, &failures, variant);
        let mut variants: Vec<VariantResults> = (0..ablation.labels.len()).map(row).collect();
        for number in (0..variants.len()).filter(|number| *number != baseline) {
            let versus = Versus::new(&variants[number], &variants[baseline], ablation.settings.smallest_difference);
            variants[number].versus = versus;
        }
        let p: Vec<f64> = variants.iter().filter_map(|row| row.versus.map(|versus| versus.paired.wilcoxon)).collect();
        let compared = variants.iter_mut().filter_map(|row| row.versus.as_mut());
        compared.zip(holm(&p)).for_each(|(versus, p)| versus.wilcoxon_holm = p);
        let env = |task| ablation.cells.iter().find(|cell| cell.task == task).map(|cell| cell.config.env.name.clone());
        Ok(Results {
            envs: (0..ablation.tasks.len()).filter_map(env).collect(),
            tasks: ablation.tasks.clone(),
            seeds: ablation.seeds.clone(),
            matched,
            budget: ablation.settings.budget,
            problems: ablation.settings.problems,
            held_out: runs.first().map_or(0, |run| run.outcome.after.problems),
            baseline: ablation.labels[baseline].clone(),
            smallest_difference: ablation.settings.smallest_difference,
            resamples: RESAMPLES,
            variants,
        })
    }

    /// Writes `results.json`, `results.csv` and `results.md`, each whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join("results.json"), &pretty(self)?)?;
        write(&folder.join("results.csv"), pages::csv(self).as_bytes())?;
        write(&folder.join("results.md"), pages::markdown(self).as_bytes())
    }

    /// As a table for a terminal with so many columns.
    pub fn table(&self, width: usize) -> String {
        table::table(self, width)
    }
}

impl VariantResults {
    fn new(ablation: &Ablation, runs: &[Run<'_>], failures: &Failures, variant: usize) -> VariantResults {
        let own: Vec<&Run<'_>> = runs.iter().filter(|run| run.cell.variant == variant).collect();
        let missing = |cell: &&Cell| cell.variant == variant && own.iter().all(|run| run.cell.folder != cell.folder);
        let (mut failed, mut unfinished) = (Vec::new(), Vec::new());
        for run in ablation.cells.iter().filter(missing).map(Cell::name) {
            match failures.of(&run).map(str::to_owned) {
                Some(problem) => failed.push(Failed { run, problem }),
                None => unfinished.push(run),
            }
        }
        let of_task = |task| own.iter().copied().filter(|run| run.cell.task == task).collect();
        let tasks: Vec<Vec<&Run<'_>>> = (0..ablation.tasks.len()).map(of_task).collect();
        let complete = tasks.iter().all(|task| !task.is_empty());
        VariantResults {
            label: ablation.labels[variant].clone(),
            runs: own.len(),
            failed,
            unfinished,
            seeds: tasks.iter().map(|runs| runs.iter().map(|run| run.cell.seed).collect()).collect(),
            scores: values(&tasks, |outcome| outcome.after.rate),
            summary: complete.then(|| Summary::new(&tasks)),
            versus: None,
        }
    }
}

/// A number of each run, for each task.
fn values(tasks: &[Vec<&Run<'_>>], of: impl Fn(&Outcome) -> f64) -> Vec<Vec<f64>> {
    tasks.iter().map(|runs| runs.iter().map(|run| of(&run.outcome)).collect()).collect()
}

impl Summary {
    /// Of tasks that all have runs.
    fn new(tasks: &[Vec<&Run<'_>>]) -> Summary {
        let scores = values(tasks, |outcome| outcome.after.rate);
        let estimate = |aggregate: Aggregate| aggregate.estimate(&scores, SEED);
        let average = |of: fn(&Outcome) -> f64| mean(&values(tasks, of).concat());
        let short = |run: &&&Run<'_>| {
            run.cell.config.settings.train.budget.share(&run.outcome.spent).is_some_and(|share| share < 1.0)
        };
        Summary {
            iqm: estimate(Aggregate::InterquartileMean),
            mean: estimate(Aggregate::Mean),
            median: estimate(Aggregate::Median),
            optimality_gap: estimate(Aggregate::OptimalityGap { threshold: 1.0 }),
            area: Aggregate::Mean.estimate(&values(tasks, |outcome| outcome.area), SEED),
            before: Aggregate::Mean.of(&values(tasks, |outcome| outcome.before.rate)),
            spent: Spending {
                steps: average(|outcome| outcome.steps as f64),
                updates: average(|outcome| outcome.spent.updates as f64),
                rollouts: average(|outcome| outcome.spent.rollouts as f64),
                tokens: average(|outcome| outcome.spent.tokens as f64),
            },
            short: tasks.iter().flatten().filter(short).count(),
        }
    }
}

impl Versus {
    /// Beside the baseline; the corrected p-value is put in later.
    fn new(row: &VariantResults, baseline: &VariantResults, smallest: f64) -> Option<Versus> {
        row.summary?;
        baseline.summary?;
        let task = |task: usize| -> Vec<f64> {
            let other = |seed: &u64| baseline.seeds[task].iter().position(|other| other == seed);
            let own = row.seeds[task].iter().zip(&row.scores[task]);
            own.filter_map(|(seed, score)| Some(score - baseline.scores[task][other(seed)?])).collect()
        };
        let paired = Paired::new(&(0..row.scores.len()).map(task).collect::<Vec<_>>())?;
        Some(Versus {
            paired,
            wilcoxon_holm: paired.wilcoxon,
            improvement: improvement(&row.scores, &baseline.scores, SEED),
            pairs_for_measured: pairs_needed(paired.difference.value, paired.deviation),
            pairs_for_smallest: pairs_needed(smallest, paired.deviation),
        })
    }
}
