use std::sync::Mutex;
use std::time::Duration;

use oreal_algos::{Algorithm, Grpo, Remax, Rloo};
use oreal_models::{Completion, Failure, InProcess, Request, Sampling};
use oreal_toy_envs::Bandit;

use super::*;
use crate::config::ModelSettings;
use crate::experiment::Experiment;
use crate::run::Run;
use crate::train::{Done, step};

const STEPS: usize = 5;

/// Version and thread of each call of a sampler.
type Calls = Vec<(u64, Option<String>)>;

/// How samplers behave, and what they saw.
#[derive(Clone, Default)]
struct Behaviour {
    /// How long a call takes.
    pause: Duration,
    /// Calls before it fails.
    fails_after: Option<usize>,
    /// Calls before it panics.
    panics_after: Option<usize>,
    calls: Arc<Mutex<Calls>>,
}

#[derive(Default)]
struct Watched {
    inner: InProcess,
    version: u64,
    behaviour: Behaviour,
}

impl Sampler for Watched {
    fn moved(&mut self, policy: &dyn Model, version: u64) -> oreal_models::Result<()> {
        self.version = version;
        self.inner.moved(policy, version)
    }
    fn sample(
        &mut self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> oreal_models::Result<Vec<std::result::Result<Completion, Failure>>> {
        thread::sleep(self.behaviour.pause);
        let mut calls = self.behaviour.calls.lock().unwrap();
        calls.push((self.version, thread::current().name().map(str::to_owned)));
        let so_far = calls.len();
        drop(calls);
        if self.behaviour.fails_after.is_some_and(|most| so_far > most) {
            return Err(oreal_models::Error::Server { server: "a test".into(), problem: "it is down".into() });
        }
        assert!(self.behaviour.panics_after.is_none_or(|most| so_far <= most), "this panic is part of a test");
        self.inner.sample(policy, requests, how)
    }
}

fn run_of(algorithm: impl Algorithm + 'static, steps_ahead: usize, behaviour: &Behaviour) -> Run {
    let behaviour = behaviour.clone();
    let experiment = Experiment::new(Bandit::new(vec![0.1, 0.5], 40).unwrap(), algorithm)
        .with(|s| {
            s.model = ModelSettings::Table {};
            (s.warm_up.steps, s.warm_up.batch, s.warm_up.error_rate, s.warm_up.rate) = (60, 32, 0.5, 0.3);
            (s.train.steps, s.train.prompts, s.train.rollouts) = (STEPS, 4, 3);
            s.train.steps_ahead = steps_ahead;
            (s.rates.warmup, *s.rates.roles.get_mut("policy").unwrap()) = (0, 0.3);
        })
        .sampler(move || Box::new(Watched { behaviour: behaviour.clone(), ..Watched::default() }));
    experiment.prepare(&experiment.warm_up(&mut |_| {}).unwrap()).unwrap()
}

fn run(steps_ahead: usize) -> Run {
    run_of(Rloo::default(), steps_ahead, &Behaviour::default())
}

/// Steps that are left, without their times.
fn rest(run: &mut Run) -> Vec<Done> {
    let mut all = Vec::new();
    while !run.is_over() {
        all.push(Done { seconds: Default::default(), ..step(run).unwrap() });
    }
    all
}

fn versions(done: &Done) -> Vec<u64> {
    let mut versions: Vec<u64> =
        done.groups.iter().flat_map(|group| &group.trajectories).map(|t| t.completion.version).collect();
    versions.dedup();
    versions
}

#[test]
fn completions_are_of_the_weights_so_many_steps_before() {
    for (ahead, epochs) in [(0, 1), (1, 1), (2, 1), (1, 3), (9, 2)] {
        let behaviour = Behaviour::default();
        let mut run = run_of(Grpo { epochs, minibatches: 1, resample: 9, ..Grpo::dapo() }, ahead, &behaviour);
        for (number, done) in rest(&mut run).iter().enumerate() {
            let drawn_at = number.saturating_sub(ahead) as u64 * epochs as u64;
            assert_eq!((versions(done), done.version), (vec![drawn_at], (number * epochs) as u64), "{ahead} {epochs}");
        }
        let calls = behaviour.calls.lock().unwrap();
        assert!(calls.iter().all(|(_, name)| (name.as_deref() == Some("rollouts")) == (ahead > 0)), "{calls:?}");
    }
}

#[test]
fn how_long_anything_takes_changes_nothing() {
    let records = |pause| {
        let slow = Behaviour { pause: Duration::from_millis(pause), ..Behaviour::default() };
        let mut run = run_of(Rloo::default(), 2, &slow);
        let done = rest(&mut run);
        (
            done.into_iter().map(|done| (done.groups, done.learnt.losses)).collect::<Vec<_>>(),
            run.state().unwrap().models,
        )
    };
    assert_eq!(records(0), records(20));
}

#[test]
fn a_state_has_what_is_drawn_already() {
    let expected = rest(&mut run(2));
    let mut first = run(2);
    let _ = [(); 2].map(|()| step(&mut first).unwrap());
    let state = first.state().unwrap();
    assert_eq!(state.drawn.iter().map(|drawn| drawn.step).collect::<Vec<_>>(), [2, 3]);
    let text = serde_json::to_string(&state.drawn).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Drawn>>(&text).unwrap(), state.drawn, "bit for bit");
    let groups = |all: &[Done]| all.iter().map(|done| done.groups.clone()).collect::<Vec<_>>();
    assert_eq!(groups(&rest(&mut first)), groups(&expected[2..]), "asking for the state changes nothing");
    let mut second = run(2);
    step(&mut second).unwrap();
    second.restore(&state).unwrap();
    assert_eq!(groups(&rest(&mut second)), groups(&expected[2..]));
    assert_eq!(second.state().unwrap().models, first.state().unwrap().models);
    let refused = run(0).restore(&state).unwrap_err().to_string();
    assert!(refused.contains("rollouts of the steps [2, 3]") && refused.contains("at most 0 ahead"), "{refused}");
    let later = crate::run::TrainingState { step: 3, ..state };
    let refused = run(2).restore(&later).unwrap_err().to_string();
    assert!(refused.contains("goes on with step 3"), "{refused}");
}

#[test]
fn further_rollouts_are_drawn_ahead_too() {
    let behaviour = Behaviour::default();
    let mut run = run_of(Remax::default(), 1, &behaviour);
    rest(&mut run);
    let calls = behaviour.calls.lock().unwrap();
    assert_eq!(calls.len(), 2 * STEPS, "the completions of each step, and the greedy ones");
    assert!(calls.iter().all(|(_, name)| name.as_deref() == Some("rollouts")), "{calls:?}");
    let versions: Vec<u64> = calls.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn a_step_waits_only_for_what_is_not_drawn_yet() {
    let slow = Behaviour { pause: Duration::from_millis(60), ..Behaviour::default() };
    let mut run = run_of(Rloo::default(), 1, &slow);
    let first = step(&mut run).unwrap().seconds;
    assert!(first.sample >= 0.06 && first.ahead < 0.05, "{first:?}");
    // What a slow update would do.
    thread::sleep(Duration::from_millis(300));
    let second = step(&mut run).unwrap().seconds;
    assert!(second.sample < 0.03 && second.ahead > 0.03, "{second:?}");
}

#[test]
fn a_sampler_that_fails_ends_the_run_at_the_step_that_needs_it() {
    let failing = Behaviour { fails_after: Some(2), ..Behaviour::default() };
    let mut run = run_of(Rloo::default(), 1, &failing);
    let _ = [(); 2].map(|()| step(&mut run).unwrap());
    let problem = step(&mut run).err().expect("the third drawing fails").to_string();
    assert!(problem.contains("it is down"), "{problem}");
    let panicking = Behaviour { panics_after: Some(1), ..Behaviour::default() };
    let mut run = run_of(Rloo::default(), 1, &panicking);
    step(&mut run).unwrap();
    let problem = step(&mut run).err().expect("the thread is gone").to_string();
    assert_eq!(problem, "sampler: the thread that draws rollouts has panicked");
}

#[test]
fn a_run_that_ends_early_stops_drawing() {
    let slow = Behaviour { pause: Duration::from_millis(20), ..Behaviour::default() };
    let mut run = run_of(Rloo::default(), 4, &slow);
    step(&mut run).unwrap();
    drop(run);
    let calls = slow.calls.lock().unwrap().len();
    assert!(calls < STEPS, "what was not begun is not drawn: {calls}");
    thread::sleep(Duration::from_millis(80));
    assert_eq!(slow.calls.lock().unwrap().len(), calls, "the thread has ended");
}
