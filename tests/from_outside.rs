//! What a user's own crate brings: an environment, an algorithm, an objective written by hand, a selection of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use oreal::algos::{
    Algorithm, Column, Columns, Data, Experience, Expr, Frozen, Level, Loss, Objective, Select, Token, estimators,
};
use oreal::config::Architecture;
use oreal::envs::{Ending, Env, Problem, Split, Verdict};
use oreal::{Experiment, Progress, StepRecord};
use rand::{Rng, RngExt};

/// Repeat the letter. The judge is out for every answer with a `c`.
#[derive(Debug)]
struct Echo;

impl Env for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }
    fn alphabet(&self) -> String {
        "abc?".into()
    }
    fn max_tokens(&self) -> usize {
        3
    }
    fn problem(&self, _: Split, rng: &mut dyn Rng) -> Problem {
        let id = rng.random_range(0..2);
        let letter = ["a", "b"][id as usize];
        Problem { id, prompt: format!("{letter}?"), answer: letter.into() }
    }
    fn problems(&self, _: Split) -> Option<Vec<Problem>> {
        None
    }
    fn judge(&self, problem: &Problem, completion: &str, ending: Ending) -> Verdict {
        match ending {
            _ if completion.contains('c') => Verdict::Ungraded,
            Ending::Truncated => Verdict::Truncated,
            Ending::Stopped if completion == problem.answer => Verdict::Right,
            Ending::Stopped => Verdict::Wrong,
        }
    }
    fn demonstration(&self, problem: &Problem, _: f64, _: &mut dyn Rng) -> String {
        problem.answer.clone()
    }
}

/// `-mean A·logπ` over tokens, its derivative written down.
#[derive(Debug)]
struct ByHand;

impl Objective for ByHand {
    fn reads(&self) -> Vec<Column> {
        vec![Column::Logp, Column::Advantage]
    }
    fn coupling(&self) -> Level {
        Level::Token
    }
    fn evaluate(&self, x: &Experience) -> Loss {
        let (logp, advantage) = (x.column(Column::Logp).unwrap(), x.column(Column::Advantage).unwrap());
        let n = logp.len() as f64;
        let value = -logp.iter().zip(advantage).map(|(l, a)| l * a).sum::<f64>() / n;
        let cotangents = Columns::from([(Column::Logp, advantage.iter().map(|a| -a / n).collect())]);
        Loss { value, cotangents, metrics: BTreeMap::from([("half".into(), 0.5)]), broken: None }
    }
}

/// Leave-one-out advantages; learns from the first half of a batch only.
#[derive(Debug)]
struct Mine;

impl Algorithm for Mine {
    fn name(&self) -> &str {
        "mine"
    }
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, Token, Frozen> {
        estimators::leave_one_out(x, x.reward()).spread()
    }
    fn select(&self) -> Select {
        let first_half = |x: &Experience, _: &mut dyn Rng| vec![true; x.layout().count(Level::Trajectory) / 2];
        Select::Free(Arc::new(first_half))
    }
    fn objective(&self) -> Box<dyn Objective> {
        Box::new(ByHand)
    }
}

fn records(experiment: &Experiment) -> Vec<StepRecord> {
    let mut records = Vec::new();
    let mut watch = |progress: Progress<'_>| {
        if let Progress::Step { record, .. } = progress {
            records.push(record.clone());
        }
    };
    let start = experiment.start(&mut |_| {}).unwrap();
    experiment.train(&start, &mut watch).unwrap();
    records
}

#[test]
fn what_comes_from_outside_trains() {
    let experiment = Experiment::new(Echo, Mine).with(|s| {
        s.model = Architecture::Table {};
        s.warm_up.steps = 0;
        (s.train.steps, s.train.prompts, s.train.rollouts, s.train.micro_batch) = (60, 8, 8, 5);
        s.rates.policy = 0.1;
    });
    let records = records(&experiment);
    let (first, last) = (&records[0], &records[59]);
    assert!(first.pass_rate < 0.5 && last.pass_rate > 0.9, "{} to {}", first.pass_rate, last.pass_rate);
    assert!(first.trajectories < 64, "ungraded completions are no evidence, but {} were kept", first.trajectories);
    assert_eq!(first.kept, first.trajectories / 2);
    assert_eq!(first.terms["half"], 0.5);
    assert!((first.first_update_ratio.unwrap() - 1.0).abs() < 1e-9, "the sampler and the table disagree");
    assert_eq!(first.kl_to_reference, None, "nobody reads a reference");
}

/// Every answer leaves the judge out.
#[derive(Debug)]
struct NoJudge;

impl Env for NoJudge {
    fn name(&self) -> &'static str {
        "no_judge"
    }
    fn alphabet(&self) -> String {
        Echo.alphabet()
    }
    fn max_tokens(&self) -> usize {
        2
    }
    fn problem(&self, split: Split, rng: &mut dyn Rng) -> Problem {
        Echo.problem(split, rng)
    }
    fn problems(&self, _: Split) -> Option<Vec<Problem>> {
        None
    }
    fn judge(&self, _: &Problem, _: &str, _: Ending) -> Verdict {
        Verdict::Ungraded
    }
    fn demonstration(&self, problem: &Problem, _: f64, _: &mut dyn Rng) -> String {
        problem.answer.clone()
    }
}

#[test]
fn a_step_without_evidence_changes_nothing_and_says_so() {
    for (name, preset, algorithm) in oreal::algos::BuiltIn::all() {
        let experiment = Experiment::boxed(Box::new(NoJudge), algorithm.into()).with(|s| {
            s.model = Architecture::Table {};
            (s.warm_up.steps, s.train.steps, s.train.prompts, s.train.rollouts) = (1, 2, 2, 2);
        });
        let records = records(&experiment);
        assert!(records.iter().all(|r| r.trajectories == 0 && r.kept == 0 && r.updates == 0), "{name}/{preset}");
        assert!(records.iter().all(|r| r.loss.is_none() && r.entropy.is_none()), "{name}/{preset}");
    }
}
