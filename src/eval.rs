//! Evaluation of a model on a file of problems: honest numbers, and a record of everything that they rest on.
//!
//! [`EvalSettings`] say what is evaluated on what. A [`Benchmark`] is the problems with the rules that grade them; a
//! [`Generator`] draws completions, from a model on this machine ([`Local`]) or behind an endpoint ([`Served`]).
//! [`Benchmark::run`] brings them together and writes each completion down as it arrives; [`statistics`] makes rates of the
//! verdicts, with intervals by problem ([`bootstrap`]), and [`Results`] are what is left. [`compare()`] tells whether one of two
//! evaluations is better.

pub mod bootstrap;
mod compare;
mod generator;
mod grading;
mod record;
mod results;
mod served;
mod settings;
pub mod statistics;
#[cfg(test)]
mod tests;
mod vote;

use std::path::Path;

use oreal_toy_envs::Verdict;
use serde_json::{Value, json};

use crate::digest;
use crate::error::{Error, Result};
use crate::problems::{TestProblem, TestSet};
pub use compare::{Comparison, Difference, GroupDifference, compare, mcnemar};
pub use generator::{Arrived, Draw, Drawn, Generated, Generator, Local, Receiver, Wanted};
use grading::Grader;
use record::Record;
use results::grouped;
pub use results::{GroupResults, ProblemResults, Results};
pub use served::Served;
pub use settings::{EvalSettings, Keep};
use statistics::{Attempt, Outcome, Summary};
use vote::ballot;

/// Problems, and what grades completions of them.
#[derive(Debug)]
pub struct Benchmark {
    settings: EvalSettings,
    set: TestSet,
    grader: Grader,
    /// SHA-256 of the file of problems.
    digest: String,
}

/// How far an evaluation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvalProgress {
    /// Completions that were drawn, in earlier runs too, and those that failed in this run.
    pub done: usize,
    /// Completions that are asked for.
    pub total: usize,
    /// Completions that were judged right.
    pub right: usize,
    /// Completions that were judged right or not right.
    pub graded: usize,
}

/// The completions of a run, by problem.
struct Progressing {
    attempts: Vec<Vec<Attempt>>,
    progress: EvalProgress,
    first_failure: Option<String>,
}

impl Benchmark {
    /// Checks the settings and reads the problems. Nothing is written or sent.
    pub fn new(settings: &EvalSettings) -> Result<Benchmark> {
        settings.validate()?;
        let set = TestSet::read(&settings.problems(), &settings.by, settings.limit)?;
        let grader = Grader::new(settings.rule, settings.judge.as_ref())?;
        let digest = digest::of_file(Path::new(&settings.data))?;
        Ok(Benchmark { settings: settings.clone(), set, grader, digest })
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[TestProblem] {
        &self.set.problems
    }

    /// What a user should know before a run: problems that are left out.
    pub fn notices(&self) -> Vec<String> {
        self.set.notices()
    }

    /// What a user should know after a run: how the judge did.
    pub fn notice_after(&self) -> Option<String> {
        self.grader.notice()
    }

    /// Draws and grades the completions that `folder` lacks, and writes its `results.json`.
    ///
    /// # Errors
    /// A folder of another evaluation; whatever keeps completions from being drawn or written. What was drawn before is kept.
    pub fn run(
        &self,
        generator: &mut dyn Generator,
        folder: &Path,
        progress: &mut dyn FnMut(&EvalProgress),
    ) -> Result<Results> {
        let identity = self.identity(generator);
        let (mut record, attempts) = Record::open(folder, &identity, self.problems(), &self.settings)?;
        let mut so_far = Progressing::new(attempts, self.settings.n);
        let wanted = self.wanted(&so_far.attempts);
        progress(&so_far.progress);
        let places: Vec<usize> = wanted.iter().map(|(place, _)| *place).collect();
        let wanted: Vec<Wanted<'_>> = wanted.into_iter().map(|(_, wanted)| wanted).collect();
        let mut arrived = |arrived: Vec<Arrived>| {
            self.take(arrived, &wanted, &places, &mut record, &mut so_far)?;
            progress(&so_far.progress);
            Ok(())
        };
        if !wanted.is_empty()
            && let Err(problem) = generator.draw(&wanted, &self.settings.draw(), &mut arrived)
        {
            let kept: usize = so_far.attempts.iter().map(Vec::len).sum();
            let (total, folder) = (so_far.progress.total, folder.display());
            let advice =
                format!("{kept} of {total} completions are kept in {folder}; with --out {folder} the rest is drawn");
            return Err(Error::part("evaluation", format!("{problem}\n{advice}")));
        }
        if let (Some(problem), true) = (&so_far.first_failure, so_far.attempts.iter().all(Vec::is_empty)) {
            return Err(Error::part(
                "evaluation",
                format!("no completion was drawn; the first failed because: {problem}"),
            ));
        }
        let results = self.results(generator.name(), identity, so_far);
        results.write(folder)?;
        Ok(results)
    }

    /// All that completions and verdicts depend on.
    fn identity(&self, generator: &dyn Generator) -> Value {
        json!({ "model": generator.identity(), "data_sha256": self.digest, "settings": self.settings.identity() })
    }

    /// The completions that are not there yet, each with the place of its problem.
    fn wanted<'a>(&'a self, attempts: &[Vec<Attempt>]) -> Vec<(usize, Wanted<'a>)> {
        let missing = |(place, problem): (usize, &'a TestProblem)| {
            let there: Vec<usize> = attempts[place].iter().map(|attempt| attempt.sample).collect();
            let samples = (0..self.settings.n).filter(move |sample| there.binary_search(sample).is_err());
            samples.map(move |sample| (place, Wanted { problem, sample }))
        };
        self.problems().iter().enumerate().flat_map(missing).collect()
    }

    /// Grades completions and writes them down.
    fn take(
        &self,
        arrived: Vec<Arrived>,
        wanted: &[Wanted<'_>],
        places: &[usize],
        record: &mut Record,
        so_far: &mut Progressing,
    ) -> Result<()> {
        let mut drawn: Vec<(usize, Generated)> = Vec::with_capacity(arrived.len());
        for Arrived { index, outcome } in arrived {
            match outcome {
                Ok(_) if index >= wanted.len() => {
                    return Err(Error::part("generator", format!("completion {index} of {}", wanted.len())));
                }
                Ok(generated) => drawn.push((index, generated)),
                Err(problem) => so_far.fail(problem),
            }
        }
        let completions: Vec<_> = drawn.iter().map(|(index, of)| (wanted[*index].problem, of)).collect();
        for ((index, completion), graded) in drawn.iter().zip(self.grader.grade(&completions)) {
            record.add(&wanted[*index], completion, &graded)?;
            let (sample, tokens) = (wanted[*index].sample, completion.tokens);
            let attempt = Attempt { sample, verdict: graded.verdict, answer: ballot(graded.answer), tokens };
            so_far.add(places[*index], attempt);
        }
        Ok(())
    }

    fn results(&self, model: String, settings: Value, mut so_far: Progressing) -> Results {
        let EvalSettings { n, seed, .. } = self.settings;
        so_far.attempts.iter_mut().for_each(|attempts| attempts.sort_by_key(|attempt| attempt.sample));
        let outcomes = outcomes(n, &so_far.attempts);
        let results = |(problem, outcome): (&TestProblem, Outcome)| ProblemResults {
            id: problem.id.clone(),
            row: problem.place.number,
            groups: self.settings.by.iter().cloned().zip(problem.groups.iter().cloned()).collect(),
            outcome,
        };
        let problems: Vec<ProblemResults> = self.problems().iter().zip(outcomes).map(results).collect();
        let summary = |problems: &[&ProblemResults]| {
            let outcomes: Vec<&Outcome> = problems.iter().map(|problem| &problem.outcome).collect();
            Summary::new(&outcomes, n, &self.settings.ks(), seed)
        };
        let group = |(field, value, problems): (String, String, Vec<&ProblemResults>)| GroupResults {
            field,
            value,
            summary: summary(&problems),
        };
        Results {
            model,
            data: self.settings.data.clone(),
            n,
            settings,
            total: summary(&problems.iter().collect::<Vec<_>>()),
            groups: grouped(&self.settings.by, &problems).into_iter().map(group).collect(),
            left_out: self.notices(),
            first_failure: so_far.first_failure,
            problems,
        }
    }
}

/// Of each problem; votes take most of the time.
fn outcomes(n: usize, attempts: &[Vec<Attempt>]) -> Vec<Outcome> {
    use rayon::prelude::*;
    attempts.par_iter().map(|attempts| Outcome::new(n, attempts)).collect()
}

impl EvalSettings {
    fn draw(&self) -> Draw {
        let EvalSettings { temperature, top_p, top_k, max_tokens, seed, .. } = *self;
        Draw { temperature, top_p, top_k, max_tokens, seed }
    }
}

impl Progressing {
    fn new(attempts: Vec<Vec<Attempt>>, n: usize) -> Progressing {
        let total = attempts.len() * n;
        let mut so_far =
            Progressing { attempts, progress: EvalProgress { total, ..Default::default() }, first_failure: None };
        let verdicts: Vec<Verdict> = so_far.attempts.iter().flatten().map(|attempt| attempt.verdict).collect();
        verdicts.into_iter().for_each(|verdict| so_far.progress.count(verdict));
        so_far
    }

    fn add(&mut self, place: usize, attempt: Attempt) {
        self.progress.count(attempt.verdict);
        self.attempts[place].push(attempt);
    }

    fn fail(&mut self, problem: String) {
        self.progress.done += 1;
        self.first_failure.get_or_insert(problem);
    }
}

impl EvalProgress {
    fn count(&mut self, verdict: Verdict) {
        self.done += 1;
        self.right += usize::from(verdict == Verdict::Right);
        self.graded += usize::from(verdict != Verdict::Ungraded);
    }
}
