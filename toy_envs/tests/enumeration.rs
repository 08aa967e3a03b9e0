//! Sums over every completion, beside their closed forms.

mod list;

use list::environments;
use oreal_toy_envs::enumerate::{self, judged};
use oreal_toy_envs::modular::Operation;
use oreal_toy_envs::{Bandit, Chain, Ending, Env, Modular, Problem, Split, Verdict};

fn problems(env: &dyn Env) -> Vec<Problem> {
    [Split::Train, Split::HeldOut].into_iter().filter_map(|split| env.problems(split)).flatten().collect()
}

fn count_of(env: &dyn Env, problem: &Problem, verdict: Verdict) -> usize {
    judged(env, problem).filter(|(.., found)| *found == verdict).count()
}

#[test]
fn as_many_completions_as_counted_and_those_cut_are_truncated() {
    const MOST: u128 = 50_000;
    let mut enumerated = 0;
    for env in environments() {
        let Some(count) =
            enumerate::count(env.alphabet().chars().count(), env.max_tokens()).filter(|count| *count < MOST)
        else {
            continue;
        };
        let problem = &env.held_out(1)[0];
        assert_eq!(judged(&*env, problem).count() as u128, count, "{env:?}");
        let agrees = |ending, verdict| (ending == Ending::Truncated) == (verdict == Verdict::Truncated);
        assert!(judged(&*env, problem).all(|(_, ending, verdict)| agrees(ending, verdict)), "{env:?}");
        enumerated += 1;
    }
    assert!(enumerated >= 5, "only {enumerated} environments were small enough");
}

#[test]
fn bandit_rewards_add_up_to_the_right_arms() {
    let env = Bandit::default();
    for problem in problems(&env) {
        let rewards: f64 = judged(&env, &problem).map(|(.., verdict)| verdict.reward()).sum();
        assert_eq!(rewards, 3.0, "{problem:?}");
        assert_eq!(count_of(&env, &problem, Verdict::Wrong), 3, "{problem:?}");
    }
}

#[test]
fn bandit_reward_expected_under_the_law_is_the_probability() {
    let env = Bandit::default();
    for problem in problems(&env) {
        let law = env.law(&problem);
        let probability = |text: &str, ending| match (ending, law.iter().find(|(arm, _)| text == arm.to_string())) {
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
        for problem in problems(&env) {
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
    let problem = &problems(&env).into_iter().find(ends_in_two_digits).unwrap();
    // Any numeral of up to two digits, 10 + 90, and then the outcome. The other characters of the alphabet are never right.
    let characters = "0123456789,";
    let texts = enumerate::completions(characters, env.max_tokens());
    let rewards: f64 = texts.map(|(text, ending)| env.judge(problem, &text, ending).reward()).sum();
    assert_eq!(rewards, 100.0);
}
