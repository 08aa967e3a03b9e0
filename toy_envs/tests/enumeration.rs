//! Sums over every completion, beside their closed forms.

mod list;

use list::{environments, judge, problems};
use oreal_toy_envs::enumerate::{self, judged};
use oreal_toy_envs::modular::Operation;
use oreal_toy_envs::{Bandit, BuiltIn, Chain, Ending, Env, Modular, Problem, Split, Verdict, World};

fn all(env: impl Into<BuiltIn>) -> Vec<Problem> {
    let env = env.into();
    Split::ALL.into_iter().flat_map(|split| problems(&env, split)).collect()
}

fn count_of(env: &dyn World, problem: &Problem, verdict: Verdict) -> usize {
    judged(env, problem).filter(|(.., found)| *found == verdict).count()
}

#[test]
fn as_many_completions_as_counted_and_those_cut_are_truncated() {
    const MOST: u128 = 50_000;
    let mut enumerated = 0;
    for env in environments() {
        let world = env.world().unwrap();
        let Some(count) =
            enumerate::count(world.alphabet().chars().count(), env.max_tokens()).filter(|count| *count < MOST)
        else {
            continue;
        };
        let problem = &enumerate::problems(&*env, Split::HeldOut).next().unwrap();
        assert_eq!(judged(world, problem).count() as u128, count, "{env:?}");
        let agrees = |ending, verdict| (ending == Ending::Truncated) == (verdict == Verdict::Truncated);
        assert!(judged(world, problem).all(|(_, ending, verdict)| agrees(ending, verdict)), "{env:?}");
        enumerated += 1;
    }
    assert!(enumerated >= 5, "only {enumerated} environments were small enough");
}

/// As the documentation of the environments says.
#[test]
fn numbers_of_completions_are_as_documented() {
    let count = |env: &dyn World| enumerate::count(env.alphabet().chars().count(), env.max_tokens());
    assert_eq!(count(&Bandit::default()), Some(381));
    assert_eq!(count(&Modular::default()), Some(2380));
}

#[test]
fn bandit_rewards_add_up_to_the_right_arms() {
    let env = Bandit::default();
    for problem in all(env.clone()) {
        let rewards: f64 = judged(&env, &problem).map(|(.., verdict)| verdict.reward()).sum();
        assert_eq!(rewards, 3.0, "{problem:?}");
        assert_eq!(count_of(&env, &problem, Verdict::Wrong), 3, "{problem:?}");
    }
}

#[test]
fn bandit_reward_expected_under_the_initial_policy_is_the_probability() {
    let env = Bandit::default();
    for problem in all(env.clone()) {
        let policy = env.initial_policy(&problem);
        let probability = |text: &str, ending| match (ending, policy.iter().find(|(arm, _)| text == arm.to_string())) {
            (Ending::Stopped, Some((_, mass))) => *mass,
            _ => 0.0,
        };
        let expected: f64 =
            judged(&env, &problem).map(|(text, ending, v)| probability(&text, ending) * v.reward()).sum();
        assert!((expected - env.probability(&problem)).abs() < 1e-15, "{problem:?}");
    }
}

#[test]
fn modular_rewards_add_up_to_one_and_wrong_ones_to_the_other_numerals() {
    for operation in [Operation::Add, Operation::Subtract, Operation::Multiply] {
        let env = Modular::new(11, operation).unwrap();
        for problem in all(env.clone()) {
            let rewards: f64 = judged(&env, &problem).map(|(.., verdict)| verdict.reward()).sum();
            assert_eq!(rewards, 1.0, "{problem:?}");
            // Numerals of up to two digits: 10 + 90.
            assert_eq!(count_of(&env, &problem, Verdict::Wrong), 99, "{problem:?}");
        }
    }
}

#[test]
fn chain_rewards_add_up_to_the_partial_sums_that_fit() {
    let env = Chain::new(3, 1).unwrap();
    let ends_in_two_digits =
        |problem: &Problem| problem.answer.split_once(',').is_some_and(|(_, outcome)| outcome.len() == 2);
    let problem = &all(env.clone()).into_iter().find(ends_in_two_digits).unwrap();
    // Any numeral of up to two digits, 10 + 90, and then the outcome. The other characters of the alphabet are never right.
    let characters = "0123456789,";
    let texts = enumerate::completions(characters, env.max_tokens());
    let rewards: f64 = texts
        .map(|(text, ending)| match ending {
            Ending::Stopped => judge(&env, problem, &text).reward(),
            Ending::Truncated => 0.0,
        })
        .sum();
    assert_eq!(rewards, 100.0);
}
