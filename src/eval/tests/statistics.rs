//! Rates and intervals.

use oreal_toy_envs::Verdict;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rayon::ThreadPoolBuilder;

use crate::eval::bootstrap::{Interval, Method};
use crate::eval::statistics::{Attempt, Outcome, Summary, pass_at, powers_of_two};

fn near(a: f64, b: f64, by: f64) -> bool {
    (a - b).abs() <= by
}

/// Every subset of `k` of `n` completions, of which the first `right` are right.
fn by_enumeration(k: usize, n: usize, right: usize) -> f64 {
    let subsets = (0..1_u32 << n).filter(|set| set.count_ones() as usize == k);
    let (hits, all) =
        subsets.fold((0, 0), |(hits, all), set| (hits + u32::from(set & ((1 << right) - 1) != 0), all + 1));
    f64::from(hits) / f64::from(all)
}

#[test]
fn pass_at_k_is_the_share_of_subsets_with_a_right_completion() {
    for n in 1..=10 {
        for right in 0..=n {
            for k in 1..=n {
                let (found, expected) = (pass_at(k, n, right), by_enumeration(k, n, right));
                assert!(near(found, expected, 1e-12), "pass@{k} of {right} in {n}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn pass_at_k_is_the_product_of_chen_and_others() {
    // 1 - np.prod(1 - k / np.arange(n - c + 1, n + 1)), human-eval's estimator
    let direct = |k: usize, n: usize, c: usize| match n - c < k {
        true => 1.0,
        false => 1.0 - (n - c + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>(),
    };
    for (k, n, c) in [(1, 200, 3), (10, 200, 3), (100, 200, 3), (64, 256, 17), (1, 65_536, 65_535), (5, 10, 3)] {
        assert!(near(pass_at(k, n, c), direct(k, n, c), 1e-12), "{k} {n} {c}");
    }
    assert!(near(pass_at(5, 10, 3), 1.0 - 21.0 / 252.0, 1e-15));
    assert!(near(pass_at(32_768, 65_536, 1), 0.5, 1e-12) && pass_at(1000, 65_536, 60_000) <= 1.0);
}

#[test]
fn pass_at_k_is_unbiased() {
    let (p, n, k) = (0.15, 8, 4);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let runs = 40_000;
    let mean = (0..runs).map(|_| pass_at(k, n, (0..n).filter(|_| rng.random::<f64>() < p).count())).sum::<f64>();
    let truth = 1.0 - (1.0_f64 - p).powi(k as i32);
    assert!(near(mean / f64::from(runs), truth, 0.005), "{} beside {truth}", mean / f64::from(runs));
}

#[test]
fn bca_intervals_are_those_of_scipy() {
    // scipy.stats.bootstrap((x,), np.mean, n_resamples=1_000_000, method='BCa', random_state=1)
    let rate = [0.0, 0.25, 0.5, 1.0, 1.0, 0.75, 0.0, 0.0, 0.25, 1.0, 0.5, 0.0];
    let mut skewed = vec![0.0; 25];
    skewed.extend([0.25, 0.25, 0.5, 1.0, 0.75]);
    let difference = [0.5, -0.25, 0.0, 1.0, 0.0, 0.25, -0.5, 0.75, 0.0, 0.25];
    let cases = [
        (Interval::of_rate(&rate, 3), 0.229_167, 0.666_667),
        (Interval::of_rate(&skewed, 3), 0.033_333, 0.216_667),
        (Interval::of_difference(&difference, 3).0, -0.05, 0.475),
    ];
    for (found, low, high) in cases {
        // Means lie on grids of 1/48, 1/120 and 1/40: an end may be the next point of the grid.
        assert!(near(found.low, low, 0.026) && near(found.high, high, 0.026), "{found:?} beside [{low}, {high}]");
        assert_eq!(found.method, Method::Bca);
    }
}

/// `scipy.stats.binomtest(k, 10).proportion_ci(0.95, 'exact')`
#[test]
fn one_verdict_a_problem_is_the_interval_of_clopper_and_pearson() {
    for (right, low, high) in [(0, 0.0, 0.308_497_10), (3, 0.066_739_51, 0.652_452_85), (10, 0.691_502_90, 1.0)] {
        let values: Vec<f64> = (0..10).map(|i| f64::from(i < right)).collect();
        let found = Interval::of_rate(&values, 0);
        assert!(near(found.low, low, 1e-6) && near(found.high, high, 1e-6), "{found:?}");
    }
    let none = Interval::of_rate(&[], 0);
    assert_eq!((none.low, none.high), (0.0, 1.0));
}

#[test]
fn equal_values_say_nothing_of_others_for_sure() {
    let half = Interval::of_rate(&[0.5; 20], 0);
    assert!(half.low < 0.3 && half.high > 0.7, "{half:?}");
    let (same, _) = Interval::of_difference(&[0.0; 20], 0);
    // The share of problems that differ is at most 1 - 0.025^(1/20).
    let other = 1.0 - 0.025_f64.powf(1.0 / 20.0);
    assert!(near(same.low, -other, 1e-9) && near(same.high, other, 1e-9), "{same:?}");
    let (none, means) = Interval::of_difference(&[], 0);
    assert_eq!((none.low, none.high, means.len()), (-1.0, 1.0, 0));
}

/// Share of the intervals that hold the true rate: problems of 4 completions with difficulties `draw` gives.
fn coverage(problems: usize, truth: f64, draw: impl Fn(&mut ChaCha8Rng) -> f64) -> f64 {
    let (mut rng, runs) = (ChaCha8Rng::seed_from_u64(5), 200);
    let mut values = || -> Vec<f64> {
        let mut value = |_| {
            let p = draw(&mut rng);
            (0..4).filter(|_| rng.random::<f64>() < p).count() as f64 / 4.0
        };
        (0..problems).map(&mut value).collect()
    };
    let holds = (0..runs).filter(|&run| {
        let interval = Interval::of_rate(&values(), run);
        (interval.low..=interval.high).contains(&truth)
    });
    holds.count() as f64 / runs as f64
}

#[test]
fn intervals_hold_the_rate_about_as_often_as_said() {
    let even = coverage(30, 0.5, |rng| rng.random());
    // The mean of a uniform number's 9th power is 1/10: most problems are hopeless.
    let hard = coverage(40, 0.1, |rng| rng.random::<f64>().powi(9));
    for share in [even, hard] {
        assert!((0.915..=0.985).contains(&share), "{even} and {hard} where 0.95 is said");
    }
}

#[test]
fn resamples_do_not_depend_on_threads() {
    let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7) / 6.0).collect();
    let with = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Interval::of_difference(&values, 9))
    };
    let (one, four) = (with(1), with(4));
    assert_eq!(one, four);
    assert!(one.1.windows(2).all(|pair| pair[0] <= pair[1]) && one.1.len() == 10_000);
    assert_ne!(Interval::of_difference(&values, 10).1, one.1, "another seed, other resamples");
}

fn outcome(right: usize, wrong: usize, ungraded: usize, asked: usize) -> Outcome {
    let verdicts = [(Verdict::Right, right, "1"), (Verdict::Wrong, wrong, "2"), (Verdict::Ungraded, ungraded, "x")];
    let attempts = verdicts.iter().flat_map(|(verdict, count, answer)| {
        (0..*count).map(move |_| Attempt {
            sample: 0,
            verdict: *verdict,
            answer: Some((*answer).into()),
            tokens: Some(10),
        })
    });
    Outcome::new(asked, &attempts.collect::<Vec<_>>())
}

#[test]
fn what_is_missing_is_neither_right_nor_wrong() {
    // Of 4 each: 2 right and 2 wrong; 1 right and 3 ungraded; 1 wrong and 3 not drawn; nothing.
    let outcomes = [outcome(2, 2, 0, 4), outcome(1, 0, 3, 4), outcome(0, 1, 0, 4), outcome(0, 0, 0, 4)];
    let summary = Summary::new(&outcomes.iter().collect::<Vec<_>>(), 4, &[1, 2], 0);
    let one = &summary.pass[&1];
    assert!(near(one.rate, 0.5, 1e-12) && one.problems == 3, "{one:?}");
    let bounds = one.bounds.unwrap();
    assert!(near(bounds[0], 3.0 / 16.0, 1e-12) && near(bounds[1], (0.5 + 1.0 + 0.75 + 1.0) / 4.0, 1e-12), "{one:?}");
    let two = &summary.pass[&2];
    assert!(two.problems == 1 && near(two.rate, 1.0 - 1.0 / 6.0, 1e-12), "{two:?}");
    assert_eq!((summary.ungraded, summary.failed, summary.completions), (3, 7, 9));
    assert_eq!(summary.mean_tokens, Some(10.0));
    let whole = [outcome(2, 2, 0, 4), outcome(0, 4, 0, 4)];
    let whole = Summary::new(&whole.iter().collect::<Vec<_>>(), 4, &powers_of_two(4), 0);
    assert!(whole.pass.values().all(|rate| rate.bounds.is_none()) && whole.pass.len() == 3);
}

#[test]
fn powers_of_two_end_at_n() {
    assert_eq!((powers_of_two(1), powers_of_two(7), powers_of_two(8)), (vec![1], vec![1, 2, 4], vec![1, 2, 4, 8]));
}
