//! Two evaluations on the same problems: is one better than the other?
//!
//! Problems are paired, because most of the difference between two rates is that between problems, which pairs take out. A
//! problem without a graded completion on one of the two sides is left out of the comparison, and counted.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::bootstrap::{Interval, ROUNDING, mean};
use super::results::{ProblemResults, Results, grouped};
use crate::error::{Error, Result};

/// The comparison of two evaluations, `a` and `b`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The model of each.
    pub models: [String; 2],
    /// Completions of each problem.
    pub n: [usize; 2],
    /// Over all problems.
    pub total: Difference,
    /// Over the problems with one value of a field, of the fields that both evaluations are grouped by.
    pub groups: Vec<GroupDifference>,
}

/// A comparison over the problems with one value of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupDifference {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: String,
    /// How they differ.
    pub difference: Difference,
}

/// How the pass@1 of two evaluations differs over some problems.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Problems that are compared.
    pub problems: usize,
    /// Problems that are not, because one side has no graded completion.
    pub left_out: usize,
    /// pass@1 of each side on the compared problems.
    pub pass_1: [f64; 2],
    /// That of `b` minus that of `a`.
    pub difference: f64,
    /// For the difference over all problems like these: a bootstrap over the pairs.
    pub interval: Interval,
    /// Share of the resamples in which `b` is better; a tie counts half.
    pub b_better: f64,
    /// Problems on which `b` is better, `a` is better, and neither is.
    pub won_lost_tied: [usize; 3],
    /// With one completion a problem on both sides: the two-sided p-value of McNemar's exact test, the probability that as many
    /// wins more on either side come about where both are equally good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcnemar: Option<f64>,
}

/// Of the resamples. The results have their own seeds, which may differ.
const SEED: u64 = 0;

/// A problem, with the share of right completions on each side.
type Pair<'a> = (&'a ProblemResults, [Option<f64>; 2]);

/// Compares the results in two folders.
///
/// # Errors
/// Folders without results; sets of problems that differ.
pub fn compare(a: &Path, b: &Path) -> Result<Comparison> {
    let results = [Results::read(a)?, Results::read(b)?];
    let [first, second] = &results;
    same_problems([a, b], [first, second])?;
    let others: HashMap<&str, &ProblemResults> =
        second.problems.iter().map(|problem| (problem.id.as_str(), problem)).collect();
    let share = |problem: &ProblemResults| others.get(problem.id.as_str()).and_then(|other| other.outcome.share());
    let pairs: Vec<Pair<'_>> =
        first.problems.iter().map(|problem| (problem, [problem.outcome.share(), share(problem)])).collect();
    let shares: HashMap<&str, Pair<'_>> = pairs.iter().map(|pair| (pair.0.id.as_str(), *pair)).collect();
    let single = first.n == 1 && second.n == 1;
    let group = |(field, value, problems): (String, String, Vec<&ProblemResults>)| {
        let pairs: Vec<Pair<'_>> = problems.iter().filter_map(|p| shares.get(p.id.as_str()).copied()).collect();
        GroupDifference { field, value, difference: Difference::new(&pairs, single) }
    };
    Ok(Comparison {
        total: Difference::new(&pairs, single),
        groups: grouped(&common_fields(first, second), &first.problems).into_iter().map(group).collect(),
        n: [first.n, second.n],
        models: results.map(|results| results.model),
    })
}

impl Difference {
    fn new(pairs: &[Pair<'_>], single: bool) -> Difference {
        let compared: Vec<[f64; 2]> = pairs.iter().filter_map(|(_, [a, b])| Some([(*a)?, (*b)?])).collect();
        let differences: Vec<f64> = compared.iter().map(|[a, b]| b - a).collect();
        let (interval, means) = Interval::of_difference(&differences, SEED);
        let count = |holds: fn(&f64) -> bool| differences.iter().filter(|difference| holds(difference)).count();
        let [won, lost, tied] = [count(|d| *d > 0.0), count(|d| *d < 0.0), count(|d| *d == 0.0)];
        let side = |side: usize| mean(&compared.iter().map(|pair| pair[side]).collect::<Vec<f64>>());
        let score = |mean: &f64| if mean.abs() < ROUNDING { 0.5 } else { f64::from(*mean > 0.0) };
        Difference {
            problems: compared.len(),
            left_out: pairs.len() - compared.len(),
            pass_1: [side(0), side(1)],
            difference: mean(&differences),
            interval,
            b_better: if means.is_empty() { 0.5 } else { mean(&means.iter().map(score).collect::<Vec<f64>>()) },
            won_lost_tied: [won, lost, tied],
            mcnemar: single.then(|| mcnemar(won, lost)),
        }
    }
}

/// The two-sided p-value of McNemar's exact test: a fair coin, thrown for each problem on which one side is better.
pub fn mcnemar(won: usize, lost: usize) -> f64 {
    let thrown = (won + lost) as u64;
    let coin = Binomial::new(0.5, thrown).map(|coin| coin.cdf(won.min(lost) as u64));
    (2.0 * coin.unwrap_or(0.5)).min(1.0)
}

fn common_fields(a: &Results, b: &Results) -> Vec<String> {
    let fields = |results: &Results| -> BTreeSet<String> {
        results.problems.iter().flat_map(|problem| problem.groups.keys().cloned()).collect()
    };
    let (a, b) = (fields(a), fields(b));
    a.intersection(&b).cloned().collect()
}

/// Problems that a message names.
const NAMED: usize = 5;

fn same_problems(folders: [&Path; 2], results: [&Results; 2]) -> Result<()> {
    let ids = results.map(|results| results.problems.iter().map(|p| p.id.as_str()).collect::<BTreeSet<&str>>());
    let only = |side: usize| {
        let (own, other) = (results[side], &ids[1 - side]);
        let missing = own.problems.iter().filter(|problem| !other.contains(problem.id.as_str()));
        let rows: Vec<String> = missing.map(|problem| format!("{} (row {})", problem.id, problem.row)).collect();
        let more = if rows.len() > NAMED { format!(" and {} more", rows.len() - NAMED) } else { String::new() };
        let named = rows.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        (!rows.is_empty()).then(|| format!("only in {}: {named}{more}", folders[side].display()))
    };
    let differences: Vec<String> = [only(0), only(1)].into_iter().flatten().collect();
    match differences.is_empty() {
        true => Ok(()),
        false => {
            let problem = format!("the problems differ, so nothing can be paired; {}", differences.join("; "));
            Err(Error::part("comparison", problem))
        }
    }
}
