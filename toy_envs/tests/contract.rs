//! What every environment promises, checked over the list of them.

mod list;

use std::collections::{BTreeSet, HashSet};

use list::environments;
use oreal_toy_envs::{BuiltIn, Ending, Env, Problem, Split, Verdict};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;

const SPLITS: [Split; 2] = [Split::Train, Split::HeldOut];

/// Some problems of each split.
fn samples(env: &dyn Env, count: usize, seed: u64) -> Vec<Problem> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    SPLITS.iter().flat_map(|&split| (0..count).map(|_| env.problem(split, &mut rng)).collect::<Vec<_>>()).collect()
}

#[test]
fn names_are_those_of_the_list() {
    let names: Vec<_> = BuiltIn::all().iter().map(|env| env.name()).collect();
    assert_eq!(names, BuiltIn::NAMES);
    for env in BuiltIn::all() {
        assert!(!env.about().is_empty() && !env.about().contains('\n'), "{env:?}");
    }
}

#[test]
fn problems_are_the_same_for_a_seed_and_differ_between_seeds() {
    for env in environments() {
        assert_eq!(samples(&*env, 20, 1), samples(&*env, 20, 1), "{env:?}");
    }
    for env in BuiltIn::all() {
        assert_ne!(samples(&*env, 20, 1), samples(&*env, 20, 2), "{env:?}");
    }
}

#[test]
fn characters_are_of_the_alphabet() {
    for env in environments() {
        let alphabet: HashSet<char> = env.alphabet().chars().collect();
        assert_eq!(alphabet.len(), env.alphabet().chars().count(), "{env:?}: a character twice");
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for problem in samples(&*env, 50, 4) {
            let demonstrations = [0.0, 1.0, 1.0, 1.0].map(|rate| env.demonstration(&problem, rate, &mut rng));
            for text in demonstrations.iter().chain([&problem.prompt, &problem.answer]) {
                assert!(text.chars().all(|character| alphabet.contains(&character)), "{env:?}: {text:?}");
            }
        }
    }
}

#[test]
fn demonstrations_are_right_or_not_as_asked_and_fit() {
    for env in environments() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for problem in samples(&*env, 100, 6) {
            let mut judged = |rate| {
                let text = env.demonstration(&problem, rate, &mut rng);
                assert!(text.chars().count() < env.max_tokens(), "{env:?}: {text:?} is too long");
                (env.judge(&problem, &text, Ending::Stopped), text)
            };
            let (verdict, text) = judged(0.0);
            assert_eq!(verdict, Verdict::Right, "{env:?}, {problem:?}: {text:?}");
            for _ in 0..5 {
                let (verdict, text) = judged(1.0);
                assert!([Verdict::Wrong, Verdict::Unparsable].contains(&verdict), "{env:?}, {problem:?}: {text:?}");
            }
        }
    }
}

#[test]
fn demonstrations_err_at_the_rate_asked_for() {
    const DRAWS: f64 = 2000.0;
    for env in BuiltIn::all() {
        let problem = &samples(&*env, 1, 7)[0];
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for rate in [0.1_f64, 0.5, 0.8] {
            let mut reward = || {
                let text = env.demonstration(problem, rate, &mut rng);
                env.judge(problem, &text, Ending::Stopped).reward()
            };
            let right: f64 = (0..DRAWS as usize).map(|_| reward()).sum();
            let deviations = (right - DRAWS * (1.0 - rate)) / (DRAWS * rate * (1.0 - rate)).sqrt();
            assert!(deviations.abs() < 4.0, "{env:?} at {rate}: {right} of {DRAWS} right");
        }
    }
}

#[test]
fn splits_are_disjoint_and_not_empty() {
    let prompts = |problems: &[Problem]| problems.iter().map(|problem| problem.prompt.clone()).collect::<BTreeSet<_>>();
    for env in environments() {
        let [train, held_out] = SPLITS.map(|split| env.problems(split));
        if let (Some(train), Some(held_out)) = (&train, &held_out) {
            let (train_prompts, held_out_prompts) = (prompts(train), prompts(held_out));
            assert!(!train.is_empty() && !held_out.is_empty(), "{env:?}");
            assert_eq!(
                (train.len(), held_out.len()),
                (train_prompts.len(), held_out_prompts.len()),
                "{env:?}: a prompt twice"
            );
            assert!(train_prompts.is_disjoint(&held_out_prompts), "{env:?}");
            let ids: HashSet<u64> = train.iter().chain(held_out).map(|problem| problem.id).collect();
            assert_eq!(ids.len(), train.len() + held_out.len(), "{env:?}: an id twice");
        }
        let drawn = samples(&*env, 300, 9);
        let (drawn_train, drawn_held_out) = drawn.split_at(300);
        assert!(prompts(drawn_train).is_disjoint(&prompts(drawn_held_out)), "{env:?}");
        for (list, drawn) in [(train, drawn_train), (held_out, drawn_held_out)] {
            let list: Option<HashSet<Problem>> = list.map(HashSet::from_iter);
            assert!(list.is_none_or(|list| drawn.iter().all(|problem| list.contains(problem))), "{env:?}");
        }
    }
}

#[test]
fn held_out_problems_are_distinct_and_always_the_same() {
    for env in environments() {
        let many = env.held_out(200);
        let distinct: HashSet<&str> = many.iter().map(|problem| problem.prompt.as_str()).collect();
        assert_eq!(distinct.len(), many.len(), "{env:?}");
        assert_eq!(env.held_out(5), many[..many.len().min(5)], "{env:?}");
        let all = env.problems(Split::HeldOut);
        assert_eq!(many.len(), all.as_ref().map_or(200, |all| all.len().min(200)), "{env:?}");
        assert!(all.is_none_or(|all| many.iter().all(|problem| all.contains(problem))), "{env:?}");
        assert!(env.held_out(0).is_empty(), "{env:?}");
    }
}

/// A change here changes what every recorded evaluation was on.
#[test]
fn held_out_problems_are_those_of_earlier_versions() {
    let prompts =
        |env: &BuiltIn| env.held_out(3).into_iter().map(|problem| problem.prompt).collect::<Vec<_>>().join("  ");
    let found: Vec<String> = BuiltIn::all().iter().map(prompts).collect();
    let expected = [
        "h2?  h0?  h6?",
        "72+71=  5+51=  97+40=",
        "3+2%7=  2+2%7=  6+5%7=",
        "2+7+4=  5+4+5=  7+4+3=",
        "4,5,5>4:  4,5,6>120:  1,4,7>28:",
    ];
    assert_eq!(found, expected);
}

#[test]
fn known_answers_are_right_and_truncated_ones_are_truncated() {
    for env in environments() {
        for problem in samples(&*env, 100, 10) {
            let judge = |text: &str, ending| env.judge(&problem, text, ending);
            assert_eq!(judge(&problem.answer, Ending::Stopped), Verdict::Right, "{env:?}, {problem:?}");
            for text in [problem.answer.as_str(), "", "7", "((", "é"] {
                assert_eq!(judge(text, Ending::Truncated), Verdict::Truncated, "{env:?}, {problem:?}: {text:?}");
            }
        }
    }
}

#[test]
fn decisive_tokens_are_of_completions_that_are_not_right() {
    for env in environments() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for problem in samples(&*env, 50, 12) {
            assert_eq!(env.decisive(&problem, &problem.answer), None, "{env:?}, {problem:?}");
            let wrong = env.demonstration(&problem, 1.0, &mut rng);
            let end = wrong.chars().count();
            assert!(env.decisive(&problem, &wrong).is_none_or(|index| index <= end), "{env:?}, {problem:?}: {wrong:?}");
        }
    }
}

/// Every method on the text, for problems of the environment and for one that is not.
fn use_all(env: &dyn Env, text: &str, rate: f64, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let foreign = Problem { id: seed, prompt: text.into(), answer: text.into() };
    for problem in [env.problem(Split::Train, &mut rng), env.problem(Split::HeldOut, &mut rng), foreign] {
        env.judge(&problem, text, Ending::Stopped);
        env.judge(&problem, text, Ending::Truncated);
        env.decisive(&problem, text);
        env.decisive(&problem, &problem.answer);
        env.demonstration(&problem, rate, &mut rng);
    }
}

#[test]
fn no_answer_is_too_odd() {
    let nested = format!("{}1{}", "(".repeat(1000), ")".repeat(1000));
    let long = ["9,", "9+", "9", "=", "é,"].map(|part| part.repeat(3000));
    let short =
        ["", ",", "5,3", "0", "-1", "1/0", "0-0", "2-2", "1+1+1+1+1+1+1+1", "18446744073709551615"].map(str::to_owned);
    for text in long.iter().chain(&short).chain([&nested]) {
        for env in environments() {
            (0..5).for_each(|seed| use_all(&*env, text, 1.0, seed));
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text: String, rate: f64, seed: u64) {
        environments().iter().for_each(|env| use_all(&**env, &text, rate, seed));
    }

    #[test]
    fn no_text_of_the_alphabet_is_too_odd(places in prop::collection::vec(any::<prop::sample::Index>(), 0..40), seed: u64) {
        for env in environments() {
            let alphabet: Vec<char> = env.alphabet().chars().collect();
            let text: String = places.iter().map(|place| *place.get(&alphabet)).collect();
            use_all(&*env, &text, 1.0, seed);
        }
    }
}
