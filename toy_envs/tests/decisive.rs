//! The decisive token of a chain, against the definition followed step by step.

use oreal_toy_envs::{Chain, Ending, Env, Problem, Split, Verdict};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

/// The terms of the prompt.
fn terms(problem: &Problem) -> Vec<i64> {
    problem.prompt.trim_end_matches('=').split('+').map(|term| term.parse().unwrap()).collect()
}

/// Goes on from the prefix without a new slip, as a careful pupil would.
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
    env.judge(problem, &continued(problem, prefix), Ending::Stopped) == Verdict::Right
}

#[test]
fn a_demonstrated_slip_is_decisive_before_it_all_is_open_and_after_it_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (terms, digits) in [(2, 1), (3, 1), (5, 2), (9, 2)] {
        let env = Chain::new(terms, digits).unwrap();
        for _ in 0..300 {
            let problem = env.problem(Split::Train, &mut rng);
            let wrong = env.demonstration(&problem, 1.0, &mut rng);
            assert_eq!(env.judge(&problem, &wrong, Ending::Stopped), Verdict::Wrong, "{problem:?}: {wrong}");
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
fn slips_fall_on_every_step() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let env = Chain::new(4, 1).unwrap();
    let problem = env.problem(Split::Train, &mut rng);
    let mut slips = [0; 3];
    for _ in 0..3000 {
        let wrong = env.demonstration(&problem, 1.0, &mut rng);
        let differs = wrong.split(',').zip(problem.answer.split(',')).position(|(a, b)| a != b);
        slips[differs.unwrap()] += 1;
    }
    assert!(slips.iter().all(|count| (850..1150).contains(count)), "{slips:?}");
}

#[test]
fn any_numbers_written_are_lost_after_their_longest_open_prefix() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let env = Chain::new(4, 1).unwrap();
    let mut late = 0;
    for _ in 0..3000 {
        let problem = env.problem(Split::Train, &mut rng);
        // Near the true sums, so that slips often cancel.
        let near = |sum: &str| (sum.parse::<i64>().unwrap() + rng.random_range(-1..=1)).max(0).to_string();
        let written = problem.answer.split(',').map(near).collect::<Vec<_>>().join(",");
        let open: Vec<usize> = (0..=written.len()).filter(|&end| is_open(&env, &problem, &written[..end])).collect();
        let right = env.judge(&problem, &written, Ending::Stopped) == Verdict::Right;
        let expected = if right { None } else { open.last().copied() };
        assert_eq!(env.decisive(&problem, &written), expected, "{problem:?}: {written}");
        late += usize::from(open.windows(2).any(|pair| pair[1] > pair[0] + 1));
    }
    assert!(late > 100, "slips that cancel were {late} times among the cases");
}
