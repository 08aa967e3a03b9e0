//! What an evaluation came to: `results.json`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::statistics::{Outcome, Summary};
use crate::error::{Error, Result};
use crate::record::{pretty, write};

/// The results of an evaluation, by problem, by group and in total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// What a person is told of the model.
    pub model: String,
    /// The file of problems, as it was named.
    pub data: String,
    /// Completions asked for of each problem.
    pub n: usize,
    /// All that completions and verdicts depend on, the SHA-256 of the data among it.
    pub settings: Value,
    /// Over all problems.
    pub total: Summary,
    /// Over the problems with one value of a field.
    pub groups: Vec<GroupResults>,
    /// A sentence for each cause that rows of the file were left out for.
    pub left_out: Vec<String>,
    /// Why the first completion that was not drawn failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// In the order of the file.
    pub problems: Vec<ProblemResults>,
}

/// The results of the problems with one value of a field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupResults {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// What they came to.
    pub summary: Summary,
}

/// The results of one problem.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProblemResults {
    /// Hash of question and gold answer; see [`crate::problems::TestProblem`].
    pub id: String,
    /// Line or row of the file, from 1.
    pub row: u64,
    /// The fields that problems are grouped by, with their values.
    pub groups: BTreeMap<String, String>,
    /// What its completions came to.
    #[serde(flatten)]
    pub outcome: Outcome,
}

const RESULTS: &str = "results.json";

/// Longest results that are read, in bytes.
const LONGEST: u64 = 1 << 30;

impl Results {
    /// Writes them into the folder of the evaluation.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join(RESULTS), &pretty(self)?)
    }

    /// Reads those of a folder.
    pub fn read(folder: &Path) -> Result<Results> {
        let path = folder.join(RESULTS);
        let mut file = File::open(&path).map_err(|problem| {
            let unfinished = folder.join("settings.json").exists();
            let advice = if unfinished { ": the evaluation there is not finished" } else { "" };
            Error::file(&path, format!("{problem}{advice}"))
        })?;
        let mut text = Vec::new();
        file.by_ref().take(LONGEST + 1).read_to_end(&mut text).map_err(|problem| Error::file(&path, problem))?;
        if text.len() as u64 > LONGEST {
            return Err(Error::file(&path, format!("longer than {LONGEST} bytes: these are no results")));
        }
        let results: Results = serde_json::from_slice(&text)
            .map_err(|problem| Error::file(&path, format!("no results of an evaluation: {problem}")))?;
        let sound = |problem: &ProblemResults| problem.outcome.right <= problem.outcome.graded;
        match results.problems.iter().find(|problem| !sound(problem)) {
            Some(problem) => Err(Error::file(&path, format!("problem {}: more right than graded", problem.id))),
            None => Ok(results),
        }
    }
}

/// Numbers by value and before words, words by letter.
pub(super) fn by_value(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

/// The problems by field and value, in the order of `fields` and of values. Problems without a field are in none of its groups.
pub(super) fn grouped<'a>(
    fields: &[String],
    problems: &'a [ProblemResults],
) -> Vec<(String, String, Vec<&'a ProblemResults>)> {
    let mut groups = Vec::new();
    for field in fields {
        let mut values: Vec<&String> = problems.iter().filter_map(|problem| problem.groups.get(field)).collect();
        values.sort_by(|a, b| by_value(a, b));
        values.dedup();
        for value in values {
            let of = problems.iter().filter(|problem| problem.groups.get(field) == Some(value));
            groups.push((field.clone(), value.clone(), of.collect()));
        }
    }
    groups
}
