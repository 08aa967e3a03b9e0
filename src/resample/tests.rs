use oreal_algos::{Algorithm, Gpg, Grpo, Selection, credit_of};
use oreal_toy_envs::{Answer, Bandit, Verdict};

use super::*;
use crate::config::ModelSettings;
use crate::experiment::Experiment;
use crate::run::Run;
use crate::train::{Done, step};

/// DAPO on a bandit, with so many further rounds.
fn run(rounds: usize, error_rate: f64) -> Run {
    run_of(Grpo { resample: rounds, ..Grpo::dapo() }, error_rate)
}

fn run_of(algorithm: impl Algorithm + 'static, error_rate: f64) -> Run {
    let experiment = Experiment::new(Bandit::new(vec![0.1, 0.5], 40).unwrap(), algorithm).with(|s| {
        s.model = ModelSettings::Table {};
        (s.warm_up.steps, s.warm_up.batch, s.warm_up.error_rate, s.warm_up.rate) = (60, 32, error_rate, 0.3);
        (s.train.steps, s.train.prompts, s.train.rollouts) = (4, 6, 3);
    });
    experiment.prepare(&experiment.warm_up(&mut |_| {}).unwrap()).unwrap()
}

fn mixed(groups: &[Group]) -> usize {
    let right = |group: &&Group| group.trajectories.iter().filter(|t| t.verdict == Verdict::Right).count();
    groups.iter().filter(|group| (1..group.trajectories.len()).contains(&right(group))).count()
}

#[test]
fn problems_are_drawn_until_enough_groups_are_mixed_or_no_more_rounds_are_left() {
    let (mut full, mut short) = (0, 0);
    for rounds in [1, 2, 50] {
        let mut run = run(rounds, 0.5);
        for _ in 0..4 {
            let Done { groups, resampled, kept, .. } = step(&mut run).unwrap();
            assert_eq!(groups.len(), 6 + resampled, "everything that was drawn is there");
            assert!(resampled <= 6 * rounds && mixed(&groups) <= 6);
            assert_eq!(
                kept.iter().filter(|kept| **kept).count(),
                3 * mixed(&groups),
                "only mixed groups are learnt from"
            );
            full += usize::from(mixed(&groups) == 6);
            short += usize::from(mixed(&groups) < 6);
            assert!(rounds < 50 || mixed(&groups) == 6, "50 rounds are enough");
        }
    }
    assert!(full >= 4 && short >= 1, "{full} steps with enough, {short} without");
}

#[test]
fn further_rounds_leave_the_first_as_it_is_and_draw_other_problems() {
    let [none, some] = [0, 2].map(|rounds| step(&mut run(rounds, 0.5)).unwrap());
    assert_eq!((none.groups.len(), none.resampled), (6, 0));
    assert!(some.resampled > 0, "there is something to replace");
    assert_eq!(some.groups[..6], none.groups[..]);
    let mut run = run(2, 0.5);
    let steps: Vec<Done> = (0..3).map(|_| step(&mut run).unwrap()).collect();
    let mut ids: Vec<u64> = steps.iter().flat_map(|done| &done.groups).map(|group| group.problem.id).collect();
    let drawn = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), drawn, "no problem comes twice in an epoch");
    let state = run.state().unwrap();
    let expected = step(&mut run).unwrap();
    run.restore(&state).unwrap();
    let again = step(&mut run).unwrap();
    assert_eq!((again.groups, again.resampled, again.kept), (expected.groups, expected.resampled, expected.kept));
}

#[test]
fn gpg_draws_until_its_share_of_groups_is_mixed_and_learns_from_all() {
    let (mut at_once, mut later) = (0, 0);
    for threshold in [0.0, 0.5, 1.0] {
        let gpg = Gpg { resample: 50, threshold, ..Gpg::default() };
        let mut run = run_of(gpg.clone(), 0.5);
        for _ in 0..4 {
            let Done { groups, resampled, kept, .. } = step(&mut run).unwrap();
            let enough = (6.0 * threshold) as usize;
            assert!(mixed(&groups) >= enough && groups.len() == 6 + resampled, "{threshold}: {}", mixed(&groups));
            assert_eq!(resampled > 0, mixed(&groups[..6]) < enough, "{threshold}: no more than it takes");
            assert!(kept.iter().all(|kept| *kept), "groups that teach nothing count too");
            let x = experience(&groups, 0).unwrap();
            let most = credit_of(&gpg).evaluate(&x).into_iter().fold(0.0, f64::max);
            let alpha = groups.len() as f64 / mixed(&groups).max(1) as f64;
            assert!(most == 0.0 || [1.0, 2.0].iter().any(|wrong| (most - alpha * wrong / 3.0).abs() < 1e-12), "{most}");
            at_once += usize::from(resampled == 0);
            later += usize::from(resampled > 0);
        }
    }
    assert!(at_once >= 4 && later >= 1, "{at_once} steps without more problems, {later} with");
    assert!(Gpg::default().inert().is_empty(), "nobody chose the threshold");
    let inert = Gpg { threshold: 0.7, ..Gpg::default() }.inert();
    assert_eq!(inert.iter().map(|inert| inert.key.as_str()).collect::<Vec<_>>(), ["threshold"]);
    let senseless = oreal_algos::check(&Gpg { threshold: 1.5, ..Gpg::default() }).unwrap_err();
    assert_eq!(senseless.key, "threshold");
}

/// Grades nothing.
#[derive(Debug, Default)]
struct Silent(Bandit);

impl oreal_toy_envs::Env for Silent {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn max_tokens(&self) -> usize {
        self.0.max_tokens()
    }
    fn count(&self, split: oreal_toy_envs::Split) -> u64 {
        self.0.count(split)
    }
    fn problem(&self, split: oreal_toy_envs::Split, index: u64, rng: &mut dyn rand::Rng) -> oreal_toy_envs::Problem {
        self.0.problem(split, index, rng)
    }
    fn judge(&self, answers: &[Answer<'_>]) -> Vec<Verdict> {
        vec![Verdict::Ungraded; answers.len()]
    }
    fn world(&self) -> Option<&dyn oreal_toy_envs::World> {
        self.0.world()
    }
}

#[test]
fn a_judge_that_fails_is_not_asked_again_and_again() {
    let experiment = Experiment::new(Silent::default(), Grpo::dapo()).with(|s| {
        s.model = ModelSettings::Table {};
        (s.warm_up.steps, s.train.steps, s.train.prompts, s.train.rollouts) = (0, 1, 2, 2);
    });
    let mut run = experiment.prepare(&experiment.warm_up(&mut |_| {}).unwrap()).unwrap();
    let done = step(&mut run).unwrap();
    assert_eq!((done.resampled, done.lost.ungraded, done.groups.len()), (0, 4, 0));
}

#[test]
fn what_selects_everything_replaces_nothing() {
    let all = Grpo { selection: Selection::All, ..Grpo::dapo() };
    assert_eq!(all.inert().iter().map(|inert| inert.key.as_str()).collect::<Vec<_>>(), ["resample"]);
    let many = Grpo { resample: 1001, ..Grpo::dapo() };
    assert_eq!(oreal_algos::check(&many).unwrap_err().to_string(), "`resample` must be at most 1000, not 1001");
}
