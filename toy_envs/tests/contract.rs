//! What every environment promises, checked over the list of them.

mod list;

use std::collections::{BTreeSet, HashMap, HashSet};

use list::{demonstration, environments, judge, problems, samples};
use oreal_toy_envs::{Answer, BuiltIn, Problem, Prompt, Split, Verdict, World, enumerate};
use proptest::prelude::*;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

fn world(env: &BuiltIn) -> &dyn World {
    env.world().unwrap_or_else(|| panic!("{env:?} is not a world"))
}

#[test]
fn names_are_those_of_the_list() {
    let names: Vec<_> = BuiltIn::all().iter().map(|env| env.name().to_owned()).collect();
    assert_eq!(names, BuiltIn::NAMES);
    for env in BuiltIn::all() {
        assert!(env.about().len() > 20 && !env.about().contains('\n'), "{env:?}");
    }
}

/// As the table in the documentation of the crate says.
#[test]
fn default_sizes_are_as_documented() {
    let found: Vec<_> = BuiltIn::all()
        .iter()
        .map(|env| (env.count(Split::Train), env.count(Split::HeldOut), env.max_tokens()))
        .collect();
    assert_eq!(found, [(56, 56, 2), (9000, 1000, 4), (474, 55, 3), (900, 100, 6), (110, 55, 8)]);
}

#[test]
fn at_least_fifty_problems_are_held_out_by_default() {
    for env in BuiltIn::all() {
        let prompts: BTreeSet<Prompt> = problems(&env, Split::HeldOut).into_iter().map(|p| p.prompt).collect();
        assert!(prompts.len() >= 50, "{env:?}: {}", prompts.len());
    }
}

#[test]
fn problems_are_the_same_for_the_same_index_and_random_numbers() {
    for env in environments() {
        assert_eq!(samples(&*env, 20, 1), samples(&*env, 20, 1), "{env:?}");
    }
    for env in BuiltIn::all() {
        assert_ne!(samples(&*env, 20, 1), samples(&*env, 20, 2), "{env:?}");
    }
}

#[test]
fn only_countdown_draws_from_the_random_numbers() {
    for env in environments().iter().filter(|env| env.name() != "countdown") {
        let (mut used, mut unused) = (ChaCha8Rng::seed_from_u64(1), ChaCha8Rng::seed_from_u64(1));
        env.problem(Split::Train, 0, &mut used);
        assert_eq!(used.next_u64(), unused.next_u64(), "{env:?}");
    }
}

#[test]
fn indices_beyond_the_count_start_again() {
    for (env, split) in environments().iter().flat_map(|env| Split::ALL.map(|split| (env, split))) {
        let problem = |index| env.problem(split, index, &mut ChaCha8Rng::seed_from_u64(2));
        let count = env.count(split);
        assert!(count >= 1, "{env:?}");
        assert_eq!(problem(count), problem(0), "{env:?}, {split:?}");
        assert_eq!(problem(2 * count - 1), problem(count - 1), "{env:?}, {split:?}");
        problem(u64::MAX);
    }
}

#[test]
fn characters_are_of_the_alphabet() {
    for env in environments() {
        let listed = world(&env).alphabet();
        let alphabet: HashSet<char> = listed.chars().collect();
        assert_eq!(alphabet.len(), listed.chars().count(), "{env:?}: a character twice");
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for problem in samples(&*env, 50, 4) {
            let prompt = problem.prompt.text().unwrap();
            let demonstrations = [0.0, 1.0, 1.0, 1.0].map(|rate| demonstration(&*env, &problem, rate, &mut rng));
            for text in demonstrations.iter().map(String::as_str).chain([prompt, &problem.answer]) {
                assert!(!text.is_empty(), "{env:?}, {problem:?}");
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
                let text = demonstration(&*env, &problem, rate, &mut rng);
                assert!(text.chars().count() < env.max_tokens(), "{env:?}: {text:?} is too long");
                (judge(&*env, &problem, &text), text)
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

/// The longest right completion that is written without needless parentheses fits exactly.
#[test]
fn token_limits_fit_the_longest_answer() {
    for (settings, longest) in [
        ("name = 'bandit'", "a"),
        ("name = 'addition'\ndigits = 3", "1998"),
        ("name = 'modular'\nmodulus = 10", "9"),
        ("name = 'modular'\nmodulus = 101", "100"),
        ("name = 'chain'\nterms = 9\ndigits = 2", "198,297,396,495,594,693,792,891"),
        ("name = 'countdown'\nnumbers = 4\nlargest = 10", "((10+10)/10)*10"),
    ] {
        let env: BuiltIn = toml::from_str(settings).unwrap();
        let room = env.max_tokens() - longest.len() - 1;
        assert_eq!(room, 0, "{settings}");
    }
}

#[test]
fn demonstrations_err_at_the_rate_asked_for() {
    const DRAWS: f64 = 2000.0;
    for env in BuiltIn::all() {
        let problem = &samples(&*env, 1, 7)[0];
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for rate in [0.1_f64, 0.5, 0.8] {
            let mut reward = || judge(&*env, problem, &demonstration(&*env, problem, rate, &mut rng)).reward();
            let right: f64 = (0..DRAWS as usize).map(|_| reward()).sum();
            let deviations = (right - DRAWS * (1.0 - rate)) / (DRAWS * rate * (1.0 - rate)).sqrt();
            assert!(deviations.abs() < 4.0, "{env:?} at {rate}: {right} of {DRAWS} right");
        }
    }
}

#[test]
fn splits_are_disjoint_and_ids_belong_to_prompts() {
    for env in environments() {
        let [train, held_out] = Split::ALL.map(|split| problems(&env, split));
        let mut prompts = HashMap::new();
        for problem in train.iter().chain(&held_out) {
            let other = prompts.insert(problem.id, &problem.prompt);
            assert_eq!(other, None, "{env:?}: the id of {problem:?} twice");
        }
        assert_eq!(prompts.values().collect::<HashSet<_>>().len(), prompts.len(), "{env:?}: a prompt twice");
        let drawn = samples(&*env, 300, 9);
        let (drawn_train, drawn_held_out) = drawn.split_at(300);
        for (list, drawn, others) in [(train, drawn_train, drawn_held_out), (held_out, drawn_held_out, drawn_train)] {
            assert!(drawn.iter().all(|problem| !others.contains(problem)), "{env:?}");
            let list: HashSet<Problem> = list.into_iter().collect();
            assert!(list.is_empty() || drawn.iter().all(|problem| list.contains(problem)), "{env:?}");
        }
    }
}

/// As the documentation of each environment says.
#[test]
fn ids_are_as_documented() {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    let id = |settings: &str, problem: &Problem| {
        let written = numbers(problem.prompt.text().unwrap());
        match settings {
            "name = 'bandit'" => written[0] + if problem.prompt.text().unwrap().starts_with('h') { 56 } else { 0 },
            "name = 'addition'\ndigits = 3" => 1000 * written[0] + written[1],
            "name = 'modular'\nmodulus = 7\noperation = 'subtract'" => 7 * written[0] + written[1],
            "name = 'chain'\nterms = 4\ndigits = 2" => written.iter().fold(0, |id, term| 100 * id + term),
            _ => {
                // The sets with a smaller largest number, and then those with the same and a smaller next one.
                let pairs = written[1] * (written[1] - 1) / 2 + written[0] - 1;
                1000 * ((written[2] - 1) * written[2] * (written[2] + 1) / 6 + pairs) + written[3]
            }
        }
    };
    for settings in [
        "name = 'bandit'",
        "name = 'addition'\ndigits = 3",
        "name = 'modular'\nmodulus = 7\noperation = 'subtract'",
        "name = 'chain'\nterms = 4\ndigits = 2",
        "name = 'countdown'",
    ] {
        let env: BuiltIn = toml::from_str(settings).unwrap();
        for problem in samples(&*env, 100, 13) {
            assert_eq!(problem.id, id(settings, &problem), "{problem:?}");
        }
    }
}

/// A change here changes what every recorded evaluation was on.
#[test]
fn held_out_problems_are_those_of_earlier_versions() {
    let prompts = |env: &BuiltIn| -> Vec<String> {
        enumerate::problems(&**env, Split::HeldOut).skip(20).take(3).map(|problem| problem.prompt.to_string()).collect()
    };
    let found: Vec<String> = BuiltIn::all().iter().map(|env| prompts(env).join("  ")).collect();
    let expected = [
        "h20?  h21?  h22?",
        "3+11=  11+3=  7+11=",
        "13+4%23=  7+14%23=  14+7%23=",
        "2+0+4=  2+1+3=  2+2+6=",
        "2,3,7>35:  3,4,7>9:  3,5,7>36:",
    ];
    assert_eq!(found, expected);
}

#[test]
fn known_answers_are_right_and_truncated_ones_are_truncated() {
    for env in environments() {
        for problem in samples(&*env, 100, 10) {
            assert_eq!(judge(&*env, &problem, &problem.answer), Verdict::Right, "{env:?}, {problem:?}");
            for text in [problem.answer.as_str(), "", "7", "((", "é"] {
                let verdict = env.judge(&[Answer::truncated(&problem, text)]);
                assert_eq!(verdict, [Verdict::Truncated], "{env:?}, {problem:?}: {text:?}");
            }
        }
    }
}

#[test]
fn many_answers_are_judged_in_order_and_each_by_itself() {
    for env in environments() {
        let problems = samples(&*env, 10, 14);
        let texts = ["a", "x", "7", "2*3+7", "1,2", "", "=", &problems[0].answer];
        let answers: Vec<Answer<'_>> = problems
            .iter()
            .flat_map(|problem| texts.map(|text| [Answer::stopped(problem, text), Answer::truncated(problem, text)]))
            .flatten()
            .collect();
        let alone: Vec<Verdict> = answers.iter().flat_map(|&answer| env.judge(&[answer])).collect();
        assert_eq!(env.judge(&answers), alone, "{env:?}");
        assert_eq!(alone.len(), answers.len(), "{env:?}");
        assert!(env.judge(&[]).is_empty(), "{env:?}");
    }
}

#[test]
fn decisive_tokens_are_of_completions_that_are_not_right() {
    for env in environments() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for problem in samples(&*env, 50, 12) {
            assert_eq!(world(&env).decisive(&problem, &problem.answer), None, "{env:?}, {problem:?}");
            let wrong = demonstration(&*env, &problem, 1.0, &mut rng);
            let end = wrong.chars().count();
            let decisive = world(&env).decisive(&problem, &wrong);
            assert!(decisive.is_none_or(|index| index <= end), "{env:?}, {problem:?}: {wrong:?}");
            assert_eq!(decisive.is_some(), env.name() == "chain", "{env:?}, {problem:?}: {wrong:?}");
        }
    }
}

/// Every method on the text, for problems of the environment and for some that are not.
fn use_all(env: &BuiltIn, text: &str, rate: f64, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let problem = |split, rng: &mut ChaCha8Rng| env.problem(split, seed, rng);
    let foreign = Problem { id: seed, prompt: text.into(), answer: text.into() };
    let chat = Problem { prompt: Prompt::Chat(Vec::new()), ..foreign.clone() };
    for problem in [problem(Split::Train, &mut rng), problem(Split::HeldOut, &mut rng), foreign, chat] {
        env.judge(&[Answer::stopped(&problem, text), Answer::truncated(&problem, text)]);
        world(env).decisive(&problem, text);
        world(env).decisive(&problem, &problem.answer);
        let written = demonstration(&**env, &problem, rate, &mut rng);
        assert!(!written.is_empty() || problem.answer.is_empty(), "{env:?}, {problem:?}");
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
            (0..5).for_each(|seed| use_all(&env, text, 1.0, seed));
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text: String, rate: f64, seed: u64) {
        environments().iter().for_each(|env| use_all(env, &text, rate, seed));
    }

    #[test]
    fn no_text_of_the_alphabet_is_too_odd(places in prop::collection::vec(any::<prop::sample::Index>(), 0..40), seed: u64) {
        for env in environments() {
            let alphabet: Vec<char> = world(&env).alphabet().chars().collect();
            let text: String = places.iter().map(|place| *place.get(&alphabet)).collect();
            use_all(&env, &text, 1.0, seed);
        }
    }
}
