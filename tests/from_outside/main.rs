//! What a user's own crate brings: an environment, an algorithm, an objective written by hand, a selection of its own.

mod settings;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use oreal::algos::{
    Algorithm, Batch, BuiltIn, Column, Columns, Data, Experience, Expr, Frozen, Head, Level, Live, Loss, Objective,
    Output, Rloo, Role, Select, Term, Token as OneToken, Trajectory, estimators, minimise,
};
use oreal::config::ModelSettings;
use oreal::envs::{Answer, Ending, Env, Problem, Split, Verdict, World};
use oreal::models::{Completion, Failure, Model, Request, Sampler, Sampling};
use oreal::{Experiment, Progress, Settings, StepRecord};
use rand::Rng;

/// Repeat the letter. The judge is out for every answer with a `c`.
#[derive(Debug)]
struct Echo;

impl Env for Echo {
    fn name(&self) -> &str {
        "echo"
    }
    fn max_tokens(&self) -> usize {
        3
    }
    fn count(&self, _: Split) -> u64 {
        2
    }
    fn problem(&self, _: Split, index: u64, _: &mut dyn Rng) -> Problem {
        let letter = ["a", "b"][(index % 2) as usize];
        Problem { id: index, prompt: format!("{letter}?").into(), answer: letter.into() }
    }
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        let verdict = |answer: &Answer<'_>| match answer.ending {
            _ if answer.completion.contains('c') => Verdict::Ungraded,
            Ending::Truncated => Verdict::Truncated,
            Ending::Stopped if answer.completion == answer.problem.answer => Verdict::Right,
            Ending::Stopped => Verdict::Wrong,
        };
        answers.iter().map(verdict).collect()
    }
    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl World for Echo {
    fn alphabet(&self) -> String {
        "abc?".into()
    }
}

/// `-mean A·logπ` over tokens, its derivative written down.
#[derive(Debug)]
struct ByHand;

impl Objective for ByHand {
    fn reads(&self) -> Vec<Column> {
        vec![Column::LOGP, Column::ADVANTAGE]
    }
    fn coupling(&self) -> Level {
        Level::Token
    }
    fn evaluate(&self, x: &Experience) -> Loss {
        let (logp, advantage) = (x.column(Column::LOGP).unwrap(), x.column(Column::ADVANTAGE).unwrap());
        let n = logp.len() as f64;
        let value = -logp.iter().zip(advantage).map(|(l, a)| l * a).sum::<f64>() / n;
        let cotangents = Columns::from([(Column::LOGP, advantage.iter().map(|a| -a / n).collect())]);
        Loss { value, cotangents, metrics: BTreeMap::from([("half".into(), 0.5)]), not_finite: None }
    }
}

/// Leave-one-out advantages; learns from the first half of a batch only.
#[derive(Debug)]
struct Mine;

impl Algorithm for Mine {
    fn name(&self) -> &str {
        "mine"
    }
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, OneToken, Frozen> {
        estimators::leave_one_out(x, x.reward()).spread()
    }
    fn select(&self) -> Select {
        let first_half = |x: &Experience, _: &mut dyn Rng| {
            let count = x.layout().count(Level::Trajectory);
            (0..count).map(|i| i < count / 2).collect()
        };
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
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    experiment.train(&start, &mut watch).unwrap();
    records
}

#[test]
fn what_comes_from_outside_trains() {
    let experiment = Experiment::new(Echo, Mine).with(|s| {
        s.model = ModelSettings::Table {};
        s.warm_up.steps = 0;
        (s.train.steps, s.train.prompts, s.train.rollouts, s.train.micro_batch) = (60, 8, 8, 5);
        s.rates.roles.insert("policy".into(), 0.1);
    });
    let records = records(&experiment);
    let (first, last) = (&records[0], &records[59]);
    assert!(first.pass_rate < 0.5 && last.pass_rate > 0.9, "{} to {}", first.pass_rate, last.pass_rate);
    assert!(first.trajectories < 64, "ungraded completions are no evidence, but {} were kept", first.trajectories);
    assert_eq!(first.trajectories + first.ungraded, 64, "and they are counted");
    assert_eq!(first.kept, first.trajectories / 2);
    assert_eq!(first.terms["half"], 0.5);
    assert!((first.first_update_ratio.unwrap() - 1.0).abs() < 1e-9, "the sampler and the table disagree");
    assert_eq!(first.kl_to_reference, None, "nobody reads a reference");
}

/// Every answer leaves the judge undecided.
#[derive(Debug)]
struct NoJudge;

impl Env for NoJudge {
    fn name(&self) -> &str {
        "no_judge"
    }
    fn max_tokens(&self) -> usize {
        2
    }
    fn count(&self, split: Split) -> u64 {
        Echo.count(split)
    }
    fn problem(&self, split: Split, index: u64, rng: &mut dyn Rng) -> Problem {
        Echo.problem(split, index, rng)
    }
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        vec![Verdict::Ungraded; answers.len()]
    }
    fn world(&self) -> Option<&dyn World> {
        Some(&Echo)
    }
}

#[test]
fn a_step_without_evidence_changes_nothing_and_says_so() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let experiment = Experiment::of(Arc::new(NoJudge), Box::<dyn Algorithm>::from(algorithm).into()).with(|s| {
            s.model = ModelSettings::Table {};
            (s.warm_up.steps, s.train.steps, s.train.prompts, s.train.rollouts) = (0, 2, 2, 2);
        });
        let records = records(&experiment);
        assert!(records.iter().all(|r| r.trajectories == 0 && r.kept == 0 && r.updates == 0), "{name}/{preset}");
        assert!(records.iter().all(|r| r.ungraded == 4 && r.loss.is_none() && r.entropy.is_none()), "{name}/{preset}");
    }
}

#[test]
fn what_could_not_be_graded_is_apart_in_an_evaluation() {
    let experiment = Experiment::new(NoJudge, Rloo::default()).with(tiny);
    let report = experiment.run().unwrap();
    assert_eq!((report.after.completions, report.after.ungraded), (0, 10));
}

fn tiny(s: &mut Settings) {
    s.model = ModelSettings::Table {};
    (s.warm_up.steps, s.train.steps, s.train.prompts, s.train.rollouts) = (0, 3, 4, 4);
    s.evaluation.completions = 10;
}

const LENGTH: Term<Trajectory, Frozen> = Term::data("length", "n");
const VOWELS: Term<OneToken, Frozen> = Term::data("vowels", "v");
const STYLE_MODEL: Role = Role::new("style_model", Head::Scalar);
const STYLE: Term<OneToken, Live> = Term::signal("style", "s", STYLE_MODEL, Output::Scalar);

/// REINFORCE on a reward that falls with length, with a second reward model that regresses a number of each token.
#[derive(Debug)]
struct Styled;

impl Algorithm for Styled {
    fn name(&self) -> &str {
        "styled"
    }
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, OneToken, Frozen> {
        estimators::leave_one_out(x, x.reward() - 2.0 * x.term(LENGTH)).spread()
    }
    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| {
            let policy = -(x.advantage() * x.logp()).mean::<Batch>();
            policy + (x.term(STYLE) - x.term(VOWELS)).square().mean::<Batch>().named("regression")
        })
    }
}

fn styled() -> Experiment {
    Experiment::new(Echo, Styled)
        .column(LENGTH.column(), |_, trajectory| vec![trajectory.completion.tokens.len() as f64])
        .column(VOWELS.column(), |_, trajectory| {
            trajectory.completion.tokens.iter().map(|&t| f64::from(t == 1)).collect()
        })
        .with(tiny)
        .with(|s| {
            (s.train.steps, s.rates.floor) = (40, 1.0);
            s.rates.roles.extend([("style_model".into(), 0.05), ("policy".into(), 0.3)]);
        })
}

#[test]
fn columns_and_roles_of_ones_own_train() {
    let records = records(&styled());
    let mean = |records: &[StepRecord], read: fn(&StepRecord) -> f64| {
        records.iter().map(read).sum::<f64>() / records.len() as f64
    };
    let ends = |read| (mean(&records[..10], read), mean(&records[30..], read));
    let (first, last) = ends(|record| record.terms["regression"]);
    assert!(last < 0.8 * first, "the second reward model learns: {first} to {last}");
    let (first, last) = ends(|record| record.length);
    assert!(last < 0.8 * first, "the reward falls with the length: {first} to {last}");
    assert!(records[39].gradient_norm.contains_key("style_model") && records[39].rate["style_model"] == 0.05);
}

#[test]
fn a_role_without_a_rate_has_that_of_the_reward_model() {
    let experiment = styled().with(|s| {
        s.rates.roles.remove("style_model");
        s.rates.roles.insert("reward_model".into(), 0.07);
    });
    assert_eq!(records(&experiment)[39].rate["style_model"], 0.07);
}

#[test]
fn a_column_that_nobody_provides_is_named_before_any_work() {
    let message = Experiment::new(Echo, Styled).with(tiny).check().unwrap_err().to_string();
    assert!(message.contains("`length`") && message.contains("Experiment::column"), "{message}");
}

#[test]
fn a_column_that_is_not_finite_or_of_another_length_stops_the_run_by_its_name() {
    type Values = fn() -> Vec<f64>;
    let columns: [(Values, &str); 3] =
        [(|| vec![f64::NAN], "NaN"), (|| vec![f64::INFINITY], "inf"), (|| vec![1.0; 7], "7 values")];
    for (values, problem) in columns {
        let experiment = styled().column(LENGTH.column(), move |_, _| values());
        let message = experiment.run().unwrap_err().to_string();
        assert!(message.contains("`length`") && message.contains(problem), "{message}");
    }
}

/// Fails every third completion and says no log-probabilities of the others.
struct Unreliable {
    version: Arc<Mutex<Vec<u64>>>,
}

impl Sampler for Unreliable {
    fn moved(&mut self, _: &dyn Model, version: u64) -> oreal::models::Result<()> {
        self.version.lock().unwrap().push(version);
        Ok(())
    }
    fn sample(
        &mut self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> oreal::models::Result<Vec<Result<Completion, Failure>>> {
        let version = self.version.lock().unwrap().last().copied().unwrap();
        let outcome = |(i, completion): (usize, Completion)| match i % 3 {
            0 => Err(Failure::NotDrawn { problem: "the line was cut".into() }),
            _ => Ok(Completion { sampled_logp: None, version, ..completion }),
        };
        Ok(policy.draw(requests, how)?.into_iter().enumerate().map(outcome).collect())
    }
}

#[test]
fn a_sampler_of_ones_own_is_told_of_new_weights_and_may_fail() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let version = told.clone();
    let experiment = Experiment::new(Echo, Rloo::default())
        .with(tiny)
        .sampler(move || Box::new(Unreliable { version: version.clone() }));
    let records = records(&experiment);
    assert_eq!(*told.lock().unwrap(), [0, 1, 2], "before the completions of each step");
    assert_eq!(records.iter().map(|r| r.version.unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(records.iter().all(|r| r.failed == 6 && r.trajectories + r.ungraded == 10), "{records:?}");
    assert!((records[0].first_update_ratio.unwrap() - 1.0).abs() < 1e-9, "read from the policy instead");
}

#[test]
fn an_error_in_main_is_a_sentence() {
    let error = Experiment::new(Echo, Rloo::default()).with(|s| s.train.prompts = 0).run().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert!(error.to_string().contains("train.prompts"), "{error}");
}

#[test]
fn a_warm_up_needs_a_teacher() {
    let message = Experiment::new(Echo, Rloo::default()).run().unwrap_err().to_string();
    assert!(message.contains("warm_up.steps") && message.contains("teacher"), "{message}");
}

/// Its loss divides by zero.
#[derive(Debug)]
struct Infinite;

impl Algorithm for Infinite {
    fn name(&self) -> &str {
        "infinite"
    }
    fn credit<'g>(&self, x: Data<'g>) -> Expr<'g, OneToken, Frozen> {
        x.number(1.0)
    }
    fn objective(&self) -> Box<dyn Objective> {
        minimise(|x| (x.logp() / (1.0 - x.advantage())).named("quotient").mean::<Batch>())
    }
}

#[test]
fn a_loss_that_is_not_finite_names_its_node_and_changes_nothing() {
    let experiment = Experiment::new(Echo, Infinite).with(tiny);
    let start = experiment.warm_up(&mut |_| {}).unwrap();
    let mut run = experiment.prepare(&start).unwrap();
    let before = run.state().unwrap();
    let message = oreal::step(&mut run).err().expect("an infinite loss").to_string();
    assert!(message.contains("step 0") && message.contains("quotient") && message.contains("no weights"), "{message}");
    assert_eq!(run.state().unwrap(), before);
}
