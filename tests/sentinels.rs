//! A run that is sick in one way is told so; healthy runs hear nothing.

use std::collections::BTreeSet;

use oreal::algos::{Algorithm, BuiltIn, Coefficient, Grpo, Oreal, Ppo, Reinforce, Rloo};
use oreal::config::ModelSettings;
use oreal::envs::{Answer, Bandit, BuiltIn as EnvList, Ending, Env, Problem, Split, Teacher, Verdict, World};
use oreal::rand::{Rng, RngExt};
use oreal::sentinels::{Finding, OnStop, SENTINELS, Severity};
use oreal::{Config, Error, Experiment, Progress, Settings};

/// One letter after a question.
#[derive(Clone, Debug)]
struct Letters {
    max_tokens: usize,
    letters: usize,
    judge: fn(&[Answer<'_>]) -> Vec<Verdict>,
}

impl Default for Letters {
    fn default() -> Self {
        Letters { max_tokens: 2, letters: 2, judge: |answers| each(answers, |answer| answer.completion == "a") }
    }
}

fn each(answers: &[Answer<'_>], right: impl Fn(&Answer<'_>) -> bool) -> Vec<Verdict> {
    answers.iter().map(|answer| if right(answer) { Verdict::Right } else { Verdict::Wrong }).collect()
}

impl Env for Letters {
    fn name(&self) -> &str {
        "letters"
    }
    fn max_tokens(&self) -> usize {
        self.max_tokens
    }
    fn count(&self, _: Split) -> u64 {
        64
    }
    /// Ids from 64 on are held out. The text is always the same.
    fn problem(&self, split: Split, index: u64, _: &mut dyn Rng) -> Problem {
        let id = index % 64 + if split == Split::HeldOut { 64 } else { 0 };
        Problem { id, prompt: "?".to_owned().into(), answer: "a".to_owned() }
    }
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        (self.judge)(answers)
    }
    fn teacher(&self) -> Option<&dyn Teacher> {
        Some(self)
    }
    fn world(&self) -> Option<&dyn World> {
        Some(self)
    }
}

impl Teacher for Letters {
    fn demonstration(&self, _: &Problem, error_rate: f64, rng: &mut dyn Rng) -> String {
        if rng.random::<f64>() < error_rate { "b".to_owned() } else { "a".to_owned() }
    }
}

impl World for Letters {
    fn alphabet(&self) -> String {
        ('?'..='?').chain(('a'..).take(self.letters)).collect()
    }
}

fn small(settings: &mut Settings) {
    settings.model = ModelSettings::Table {};
    (settings.warm_up.steps, settings.warm_up.batch, settings.warm_up.rate) = (20, 16, 0.2);
    (settings.train.steps, settings.train.prompts, settings.train.rollouts) = (30, 4, 8);
    settings.rates.roles.values_mut().for_each(|rate| *rate = 0.02);
    settings.evaluation.completions = 64;
    (settings.sentinels.patience, settings.sentinels.probe_every) = (5, 5);
}

/// What the sentinels of a run find, and the error that it ends with.
fn found(
    env: impl Env + 'static,
    algorithm: impl Algorithm + 'static,
    change: impl FnOnce(&mut Settings),
) -> (Vec<Finding>, Option<Error>) {
    let mut findings = Vec::new();
    let mut watch = |progress: Progress<'_>| {
        if let Progress::Found(finding) = progress {
            findings.push(finding.clone());
        }
    };
    let experiment = Experiment::new(env, algorithm).with(small).with(change);
    let error = experiment.run_watched(&mut watch).err();
    (findings, error)
}

/// The finding of one sentinel, which says it once.
fn the_finding(name: &str, (findings, _): (Vec<Finding>, Option<Error>)) -> Finding {
    let names: Vec<&str> = findings.iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names.iter().filter(|other| **other == name).count(), 1, "{name} is not told once: {findings:#?}");
    findings.into_iter().find(|finding| finding.name == name).unwrap()
}

fn always(verdict: Verdict) -> Letters {
    let judge: fn(&[Answer<'_>]) -> Vec<Verdict> = match verdict {
        Verdict::Wrong => |answers| vec![Verdict::Wrong; answers.len()],
        Verdict::Unparsable => |answers| vec![Verdict::Unparsable; answers.len()],
        _ => |answers| vec![Verdict::Ungraded; answers.len()],
    };
    Letters { judge, ..Letters::default() }
}

#[test]
fn completions_that_cannot_be_graded_end_the_run() {
    let (findings, error) = found(always(Verdict::Ungraded), Rloo::default(), |_| {});
    assert_eq!((findings[0].name.as_str(), findings[0].severity), ("ungraded", Severity::Stop));
    let message = error.unwrap().to_string();
    assert!(message.contains("step 4: ungraded") && message.contains("oreal grade"), "{message}");
    let (findings, error) = found(always(Verdict::Ungraded), Rloo::default(), |s| s.sentinels.on_stop = OnStop::Warn);
    assert!(findings.iter().any(|finding| finding.name == "ungraded") && error.is_none(), "{findings:?} {error:?}");
}

#[test]
fn completions_that_are_cut_are_told() {
    let env = Letters { max_tokens: 1, ..Letters::default() };
    let finding = the_finding("truncated", found(env, Rloo::default(), |_| {}));
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.evidence.contains("100.0 %"), "{finding}");
}

#[test]
fn completions_without_the_form_are_told() {
    the_finding("unparsable", found(always(Verdict::Unparsable), Rloo::default(), |_| {}));
}

#[test]
fn a_role_without_a_gradient_ends_the_run() {
    // The weights of OREAL's tokens are 0 where the reward model's confidence is its threshold, as at the start.
    let alone = Oreal { beta: Coefficient::ZERO, frozen_steps: 0, ..Oreal::default() };
    let run = found(Letters::default(), alone, |s| s.rates.roles.extend([("reward_model".to_owned(), 0.0)]));
    assert!(run.1.as_ref().unwrap().to_string().contains("no_gradient"));
    let finding = the_finding("no_gradient", run);
    assert_eq!(finding.severity, Severity::Stop);
    assert!(finding.evidence.contains("policy"), "{finding}");
}

#[test]
fn uniform_groups_are_told() {
    let finding = the_finding("uniform_groups", found(always(Verdict::Wrong), Rloo::default(), |_| {}));
    assert!(finding.evidence.contains("0.0 % were right"), "{finding}");
    let (findings, _) = found(always(Verdict::Wrong), Rloo::default(), |s| s.train.rollouts = 1);
    assert!(
        findings.iter().all(|finding| finding.name != "uniform_groups"),
        "nothing is compared within a group of one"
    );
}

#[test]
fn a_sampler_with_another_support_is_told() {
    let run = || found(Letters::default(), Reinforce::default(), |s| s.sampling.top_k = 1);
    the_finding("first_update_ratio", run());
    the_finding("sampler_apart", run());
}

#[test]
fn parameters_without_a_gradient_are_named() {
    // One token is predicted from one position: its attention has nothing to choose from.
    let judge =
        |answers: &[Answer<'_>]| each(answers, |answer| answer.completion == "a" && answer.ending == Ending::Truncated);
    let env = Letters { max_tokens: 1, judge, ..Letters::default() };
    let transformer = ModelSettings::Transformer {
        family: Default::default(),
        num_hidden_layers: 1,
        hidden_size: 16,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        intermediate_size: 16,
        train_products: Default::default(),
        engine: None,
    };
    let run = found(env, Rloo::default(), |s| {
        s.model = transformer.clone();
        s.rates.roles.values_mut().for_each(|rate| *rate = 1e-4);
    });
    let finding = the_finding("idle_parameters", run);
    assert!(finding.evidence.contains("policy: ") && finding.evidence.contains("q_proj"), "{finding}");
}

#[test]
fn weights_that_do_not_move_end_the_run() {
    let run = found(Letters::default(), Rloo::default(), |s| s.rates.roles.values_mut().for_each(|rate| *rate = 1e-30));
    let message = run.1.as_ref().unwrap().to_string();
    assert!(message.contains("unmoved") && message.contains("[rates]"), "{message}");
    assert_eq!(the_finding("unmoved", run).severity, Severity::Stop);
}

#[test]
fn a_policy_that_no_longer_varies_is_told() {
    // The text of the question does not say which letter is right.
    let judge = |answers: &[Answer<'_>]| each(answers, |a| (a.completion == "a") == (a.problem.id.is_multiple_of(2)));
    let env = Letters { judge, ..Letters::default() };
    let steep = |s: &mut Settings| s.rates.roles.values_mut().for_each(|rate| *rate = 2.0);
    the_finding("entropy_collapse", found(env, Reinforce::default(), steep));
}

#[test]
fn a_policy_far_from_the_reference_is_told() {
    let judge = |answers: &[Answer<'_>]| each(answers, |answer| answer.completion.starts_with('a'));
    let env = Letters { max_tokens: 1, letters: 600, judge };
    let steep = |s: &mut Settings| {
        (s.warm_up.steps, s.train.prompts, s.train.rollouts) = (0, 16, 64);
        s.rates.roles.values_mut().for_each(|rate| *rate = 1.0);
    };
    let finding =
        the_finding("kl_blow_up", found(env, Grpo { beta: Coefficient::Constant(1e-6), ..Grpo::default() }, steep));
    assert!(finding.evidence.contains("nats a token"), "{finding}");
}

#[test]
fn lengths_that_run_away_are_told() {
    let judge = |answers: &[Answer<'_>]| {
        let mean = answers.iter().map(|a| a.completion.len()).sum::<usize>() as f64 / answers.len() as f64;
        each(answers, |answer| answer.completion.len() as f64 > mean)
    };
    let env = Letters { max_tokens: 6, letters: 1, judge };
    let steep = |s: &mut Settings| {
        (s.train.steps, s.warm_up.steps) = (60, 0);
        s.rates.roles.values_mut().for_each(|rate| *rate = 0.2);
    };
    let finding = the_finding("lengths", found(env, Rloo::default(), steep));
    assert!(finding.evidence.contains("mean length is"), "{finding}");
}

#[test]
fn a_reward_model_that_knows_nothing_is_told() {
    let idle = |s: &mut Settings| s.rates.roles.extend([("reward_model".to_owned(), 0.0)]);
    let finding = the_finding("reward_model_at_chance", found(Letters::default(), Oreal::default(), idle));
    assert!(finding.evidence.contains("0.500"), "{finding}");
}

#[test]
fn a_reward_model_without_slope_is_told() {
    let steep = |s: &mut Settings| s.rates.roles.extend([("reward_model".to_owned(), 100.0)]);
    the_finding("reward_model_saturated", found(Letters::default(), Oreal::default(), steep));
}

#[test]
fn a_pass_rate_that_falls_on_held_out_problems_is_told() {
    let judge = |answers: &[Answer<'_>]| each(answers, |a| (a.completion == "a") == (a.problem.id < 64));
    let env = Letters { judge, ..Letters::default() };
    let evaluated = |every: usize| {
        move |s: &mut Settings| {
            (s.evaluation.every, s.evaluation.completions) = (every, 256);
            s.rates.roles.values_mut().for_each(|rate| *rate = 0.1);
        }
    };
    let finding = the_finding("overfitting", found(env.clone(), Rloo::default(), evaluated(5)));
    assert!(finding.evidence.contains("held-out problems") && finding.step < 29, "{finding}");
    let finding = the_finding("overfitting", found(env, Rloo::default(), evaluated(0)));
    assert_eq!(finding.step, 29, "after the last step");
}

#[test]
fn a_clip_that_never_acts_is_told() {
    let wide = Ppo { clip: Coefficient::Constant(1e3), ..Ppo::default() };
    let finding = the_finding("clip_never_acts", found(Letters::default(), wide, |s| s.train.steps = 60));
    assert_eq!(finding.step, 59);
    let steep = |s: &mut Settings| {
        s.train.steps = 60;
        s.rates.roles.values_mut().for_each(|rate| *rate = 0.5);
    };
    let (findings, _) = found(Letters::default(), Ppo::default(), steep);
    assert!(findings.iter().all(|finding| finding.name != "clip_never_acts"), "{findings:?}");
}

#[test]
fn settings_act_and_senseless_ones_are_refused() {
    let off = found(always(Verdict::Wrong), Rloo::default(), |s| {
        s.sentinels.off = ["uniform_groups".to_owned()].into();
    });
    assert_eq!(off.0, []);
    let (findings, _) = found(always(Verdict::Wrong), Rloo::default(), |s| s.sentinels.patience = 9);
    assert!(findings.iter().all(|finding| finding.step == 8), "{findings:?}");
    let (findings, error) = found(Letters::default(), Rloo::default(), |s| {
        s.rates.roles.values_mut().for_each(|rate| *rate = 1e-30);
        s.sentinels.probe_every = 0;
    });
    assert!(findings.is_empty() && error.is_none(), "{findings:?}");
    for (refused, key) in [("patience = 1", "sentinels.patience"), ("off = [\"mood\"]", "sentinels.off")] {
        let message = Config::from_toml(&format!("[sentinels]\n{refused}"), "test", &[]).unwrap_err().to_string();
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn healthy_runs_of_every_algorithm_hear_nothing() {
    for (name, preset, algorithm) in BuiltIn::all() {
        let bandit = Bandit::new(vec![0.2, 0.5], 1).unwrap();
        let config = Config { env: EnvList::from(bandit).into(), algorithm: algorithm.into(), ..Config::default() };
        let experiment = Experiment::from_config(config).with(|s| {
            s.model = ModelSettings::Table {};
            (s.warm_up.steps, s.warm_up.batch, s.warm_up.error_rate, s.warm_up.rate) = (30, 32, 0.7, 0.15);
            (s.train.steps, s.train.prompts, s.train.rollouts) = (100, 8, 8);
            s.rates.roles.values_mut().for_each(|rate| *rate = 0.1);
            s.evaluation.every = 20;
        });
        let report = experiment.run().unwrap();
        assert_eq!(report.findings, [], "{name}/{preset}");
    }
}

#[test]
fn every_sentinel_has_a_name_of_its_own_and_a_test() {
    let names: BTreeSet<&str> = SENTINELS.iter().map(|sentinel| sentinel.name).collect();
    assert_eq!(names.len(), SENTINELS.len());
    let (tests, page) = (include_str!("sentinels.rs"), include_str!("../docs/sentinels.md"));
    for sentinel in SENTINELS {
        assert!(tests.contains(&format!("{:?}", sentinel.name)), "{} has no test", sentinel.name);
        assert!(page.contains(&format!("| `{}` |", sentinel.name)), "{} is not in the page", sentinel.name);
        assert!(!sentinel.what.is_empty() && !sentinel.remedy.ends_with('.'), "{}", sentinel.name);
    }
}
