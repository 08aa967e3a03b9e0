//! The environments that the tests over the list run over, and what those tests share.
#![allow(dead_code)] // Not every test file needs everything.

use oreal_toy_envs::{Answer, BuiltIn, Env, Problem, Split, Verdict, enumerate};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// Each built-in environment with its default settings, and then with settings at the ends of what is legal.
pub fn environments() -> Vec<BuiltIn> {
    let extremes = [
        "name = 'bandit'\nprobabilities = [1e-300]\nquestions = 1",
        "name = 'bandit'\nquestions = 1000",
        "name = 'addition'\ndigits = 1",
        "name = 'addition'\ndigits = 3\norder = 'least-significant-first'",
        "name = 'addition'\ndigits = 9",
        "name = 'modular'\nmodulus = 2",
        "name = 'modular'\nmodulus = 11\noperation = 'subtract'",
        "name = 'modular'\nmodulus = 1000000\noperation = 'multiply'",
        "name = 'chain'\nterms = 2\ndigits = 1",
        "name = 'chain'\nterms = 9\ndigits = 2",
        "name = 'countdown'\nnumbers = 2\nlargest = 2",
        "name = 'countdown'\nnumbers = 2\nlargest = 99",
        "name = 'countdown'\nnumbers = 4\nlargest = 99",
    ];
    let extremes =
        extremes.map(|settings| toml::from_str(settings).unwrap_or_else(|error| panic!("{settings}: {error}")));
    BuiltIn::all().into_iter().chain(extremes).collect()
}

/// Every problem of the split, or none where there are more than 10000 indices.
pub fn problems(env: &BuiltIn, split: Split) -> Vec<Problem> {
    match env {
        _ if env.count(split) > 10_000 => Vec::new(),
        BuiltIn::Countdown(env) if env.count(split) < 200 => {
            (0..env.count(split)).flat_map(|index| env.problems(split, index)).collect()
        }
        BuiltIn::Countdown(_) => Vec::new(),
        _ => enumerate::problems(&**env, split).collect(),
    }
}

/// Some problems of each split, `count` of the first and then as many of the second.
pub fn samples(env: &dyn Env, count: usize, seed: u64) -> Vec<Problem> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |split| {
        let index = rng.random_range(0..env.count(split));
        env.problem(split, index, &mut rng)
    };
    Split::ALL.iter().flat_map(|&split| (0..count).map(|_| draw(split)).collect::<Vec<_>>()).collect()
}

/// The verdict on one completion that ended by itself.
pub fn judge(env: &dyn Env, problem: &Problem, completion: &str) -> Verdict {
    let verdicts = env.judge(&[Answer::stopped(problem, completion)]);
    assert_eq!(verdicts.len(), 1, "{env:?}");
    verdicts[0]
}

/// A demonstration of an environment that has a teacher.
pub fn demonstration(env: &dyn Env, problem: &Problem, error_rate: f64, rng: &mut ChaCha8Rng) -> String {
    env.teacher().unwrap_or_else(|| panic!("{env:?} has no teacher")).demonstration(problem, error_rate, rng)
}
