//! The decisive token of a chain, against the definition followed step by step.

mod list;

use list::judge;
use oreal_toy_envs::{Chain, Env, Problem, Split, Teacher, Verdict, World};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// The terms of the prompt.
fn terms(problem: &Problem) -> Vec<i64> {
    problem.prompt.text().unwrap().trim_end_matches('=').split('+').map(|term| term.parse().unwrap()).collect()
}

fn draw(env: &Chain, rng: &mut ChaCha8Rng) -> Problem {
    let index = rng.random_range(0..env.count(Split::Train));
    env.problem(Split::Train, index, rng)
}

/// The faithful continuation of the prefix.
fn continued(problem: &Problem, prefix: &str) -> String {
    let terms = terms(problem);
    let mut written: Vec<String> = prefix.split(',').map(str::to_owned).collect();
    loop {
        let step = written.len() - 1;
        let before = if step == 0 { terms[0] } else { written[step - 1].parse().unwrap() };
        let sum = (before + terms[step + 1]).to_string();
        if sum.starts_with(&written[step]) {
            written[step] = sum;
        }
        if written.len() == terms.len() - 1 {
            return written.join(",");
        }
        written.push(String::new());
    }
}

fn is_open(env: &Chain, problem: &Problem, prefix: &str) -> bool {
    judge(env, problem, &continued(problem, prefix)) == Verdict::Right
}

#[test]
fn the_first_wrong_token_of_a_demonstration_is_decisive_and_prefixes_are_open_up_to_it() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (terms, digits) in [(2, 1), (3, 1), (5, 2), (9, 2)] {
        let env = Chain::new(terms, digits).unwrap();
        for _ in 0..300 {
            let problem = draw(&env, &mut rng);
            let wrong = env.demonstration(&problem, 1.0, &mut rng);
            assert_eq!(judge(&env, &problem, &wrong), Verdict::Wrong, "{problem:?}: {wrong}");
            let decisive = env.decisive(&problem, &wrong).unwrap();
            for end in 0..=wrong.len() {
                assert_eq!(is_open(&env, &problem, &wrong[..end]), end <= decisive, "{problem:?}: {wrong} up to {end}");
            }
            let common = wrong.bytes().zip(problem.answer.bytes()).take_while(|(a, b)| a == b).count();
            assert_eq!(decisive, common, "{problem:?}: {wrong}");
        }
    }
}

#[test]
fn mistakes_fall_on_every_step() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let env = Chain::new(4, 1).unwrap();
    let problem = draw(&env, &mut rng);
    let mut counts = [0; 3];
    for _ in 0..3000 {
        let wrong = env.demonstration(&problem, 1.0, &mut rng);
        let differs = wrong.split(',').zip(problem.answer.split(',')).position(|(a, b)| a != b);
        counts[differs.unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
}

#[test]
fn the_decisive_token_follows_the_longest_open_prefix() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let env = Chain::new(4, 1).unwrap();
    let mut late = 0;
    for _ in 0..3000 {
        let problem = draw(&env, &mut rng);
        // Near the true sums, so that mistakes often cancel.
        let near = |sum: &str| (sum.parse::<i64>().unwrap() + rng.random_range(-1..=1)).max(0).to_string();
        let written = problem.answer.split(',').map(near).collect::<Vec<_>>().join(",");
        let open: Vec<usize> = (0..=written.len()).filter(|&end| is_open(&env, &problem, &written[..end])).collect();
        let right = judge(&env, &problem, &written) == Verdict::Right;
        let expected = if right { None } else { open.last().copied() };
        assert_eq!(env.decisive(&problem, &written), expected, "{problem:?}: {written}");
        late += usize::from(open.windows(2).any(|pair| pair[1] > pair[0] + 1));
    }
    assert!(late > 100, "mistakes cancelled in only {late} cases");
}
