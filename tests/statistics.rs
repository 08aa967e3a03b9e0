//! Statistics over runs agree with rliable, scipy and statsmodels: tests/golden/with_rliable.py made the numbers.

use oreal::statistics::{
    Aggregate, Estimate, Paired, area_under, holm, improvement, pairs_needed, power, probability_of_improvement,
    sign_test, wilcoxon,
};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

const AGGREGATES: [Aggregate; 4] =
    [Aggregate::Mean, Aggregate::Median, Aggregate::InterquartileMean, Aggregate::OptimalityGap { threshold: 1.0 }];

/// `scipy.stats.ttest_1samp`'s confidence interval.
const STUDENT: [f64; 2] = [-0.011912014, 0.251912014];

/// `rliable`: P(X > Y) with its interval, of 5,000 resamples.
const IMPROVEMENT: [f64; 3] = [0.58, 0.36, 0.7933];

/// Differences, and the p-values of `scipy.stats.wilcoxon` (exact) and of the sign test.
const TESTS: [(&[f64], f64, f64); 4] = [
    (&[0.1, 0.2, -0.05, 0.3, 0.15, 0.02], 0.09375, 0.21875),
    (&[0.1, 0.1, -0.1, 0.2, 0.0, 0.3, 0.2], 0.125, 0.21875),
    (&[0.5; 8], 0.0078125, 0.0078125),
    (&[0.1, -0.1], 1.0, 1.0),
];

/// `scipy.stats.wilcoxon` of 80 differences by its normal approximation with correction.
const MANY: f64 = 0.005844115;

/// `statsmodels.stats.multitest.multipletests`
const HOLM: [f64; 5] = [0.04, 0.09, 0.09, 0.025, 0.6];

/// Effects, the power of 3, 5, 10 and 50 pairs, and the pairs that power 0.8 takes: `statsmodels.stats.power.TTestPower`.
const POWERS: [(f64, [f64; 4], usize); 4] = [
    (0.3, [0.062422440, 0.082262774, 0.136136258, 0.547657039], 90),
    (0.5, [0.084107056, 0.140516690, 0.293175607, 0.933897581], 34),
    (0.8, [0.134885399, 0.280992064, 0.616232763, 0.999830286], 15),
    (1.2, [0.230406861, 0.530221251, 0.920333386, 1.0], 8),
];

/// A list for each task.
fn x() -> Vec<Vec<f64>> {
    vec![vec![0.42, 0.47, 0.36, 0.61, 0.44], vec![0.81, 0.77, 0.93, 0.70, 0.88], vec![0.13, 0.55, 0.08, 0.21, 0.34]]
}

fn y() -> Vec<Vec<f64>> {
    vec![vec![0.40, 0.41, 0.39, 0.52, 0.44], vec![0.79, 0.81, 0.90, 0.66, 0.71], vec![0.13, 0.40, 0.10, 0.25, 0.30]]
}

fn one() -> Vec<Vec<f64>> {
    vec![vec![0.736, 0.701, 0.755, 0.622, 0.798, 0.744, 0.690, 0.715]]
}

/// The number, and the ends of its interval up to the noise of the resamples.
fn agrees(found: Estimate, [value, low, high]: [f64; 3], noise: f64, what: &str) {
    assert!((found.value - value).abs() < 1e-8, "{what}: {found:?} beside {value}");
    let near = |a: f64, b: f64| (a - b).abs() < noise;
    assert!(near(found.low, low) && near(found.high, high), "{what}: {found:?} beside [{low}, {high}]");
}

#[test]
fn aggregates_and_their_intervals_are_those_of_rliable() {
    let golden = [
        (
            x(),
            [
                [0.513333333, 0.4573, 0.5753],
                [0.46, 0.3960, 0.5420],
                [0.517777778, 0.4456, 0.5822],
                [0.486666667, 0.4247, 0.5427],
            ],
        ),
        (
            y(),
            [
                [0.480666667, 0.4393, 0.5240],
                [0.432, 0.3980, 0.4780],
                [0.470000000, 0.4311, 0.5089],
                [0.519333333, 0.4760, 0.5607],
            ],
        ),
        (
            one(),
            [
                [0.720125, 0.6851, 0.7525],
                [0.720125, 0.6851, 0.7525],
                [0.724, 0.6845, 0.7565],
                [0.279875, 0.2475, 0.3149],
            ],
        ),
    ];
    for (scores, expected) in golden {
        for (aggregate, expected) in AGGREGATES.into_iter().zip(expected) {
            agrees(aggregate.estimate(&scores, 0), expected, 0.004, &format!("{aggregate:?} of {scores:?}"));
        }
    }
}

#[test]
fn runs_are_resampled_within_their_task() {
    // With runs that are alike in each task nothing is left to chance, however much tasks differ.
    let found = Aggregate::Mean.estimate(&[vec![0.1; 4], vec![0.9; 4]], 0);
    assert!((found.low - 0.5).abs() < 1e-12 && (found.high - 0.5).abs() < 1e-12, "{found:?}");
    let seeds = [0, 1].map(|seed| Aggregate::Mean.estimate(&one(), seed));
    assert_ne!(seeds[0], seeds[1], "another seed, other resamples");
    assert_eq!(seeds[0], Aggregate::Mean.estimate(&one(), 0));
}

#[test]
fn a_few_runs_far_out_do_not_decide_the_interquartile_mean() {
    let scores = |worst: f64| vec![vec![worst, 0.70, 0.72, 0.74, 0.76, 0.78, 0.80, 0.99]];
    let of = |worst| Aggregate::InterquartileMean.of(&scores(worst));
    assert_eq!(of(0.0), of(0.69));
    assert!((of(0.0) - 0.75).abs() < 1e-12, "{}", of(0.0));
    assert!(Aggregate::InterquartileMean.of(&[]).is_nan());
}

#[test]
fn the_probability_of_improvement_is_that_of_rliable() {
    agrees(improvement(&x(), &y(), 0), IMPROVEMENT, 0.014, "P(X > Y)");
    assert_eq!(probability_of_improvement(&x(), &x()), 0.5);
    assert_eq!(probability_of_improvement(&[vec![2.0, 3.0]], &[vec![0.0, 1.0]]), 1.0);
}

#[test]
fn paired_differences_have_the_interval_of_student() {
    let differences = vec![0.1, 0.2, -0.05, 0.3, 0.15, 0.02];
    let paired = Paired::new(std::slice::from_ref(&differences)).unwrap();
    let Estimate { value, low, high } = paired.difference;
    assert!(
        (value - 0.12).abs() < 1e-12 && (low - STUDENT[0]).abs() < 1e-6 && (high - STUDENT[1]).abs() < 1e-6,
        "{paired:?}"
    );
    assert_eq!((paired.pairs, paired.wilcoxon), (6, wilcoxon(&differences)));
    // Two tasks with the same differences say more than one.
    let both = Paired::new(&[differences.clone(), differences.clone()]).unwrap();
    assert!(both.difference.high < high && (both.deviation - paired.deviation).abs() < 1e-12, "{both:?}");
    assert!(Paired::new(&[differences, Vec::new()]).is_none());
    assert!(Paired::new(&[vec![0.1]]).unwrap().difference.low.is_nan(), "one pair has no interval");
}

#[test]
fn tests_of_pairs_are_those_of_scipy() {
    for (differences, signed_rank, sign) in TESTS {
        let (found, signs) = (wilcoxon(differences), sign_test(differences));
        assert!((found - signed_rank).abs() < 1e-8, "{differences:?}: {found}, not {signed_rank}");
        assert!((signs - sign).abs() < 1e-8, "{differences:?}: {signs}, not {sign}");
    }
    let many: Vec<f64> = (0..80).map(|i| f64::from(i * 37 % 101 - 40) / 100.0).collect();
    assert!((wilcoxon(&many) - MANY).abs() < 1e-8, "{}", wilcoxon(&many));
    assert_eq!((wilcoxon(&[]), wilcoxon(&[0.0]), sign_test(&[0.0])), (1.0, 1.0, 1.0));
}

#[test]
fn five_pairs_never_give_a_small_p() {
    assert_eq!(wilcoxon(&[0.5; 5]), 0.0625);
    assert_eq!(wilcoxon(&[0.5; 6]), 0.03125);
}

#[test]
fn many_comparisons_are_corrected_as_in_statsmodels() {
    let found = holm(&[0.01, 0.04, 0.03, 0.005, 0.6]);
    for (found, expected) in found.iter().zip(HOLM) {
        assert!((found - expected).abs() < 1e-12, "{found:?}");
    }
    assert_eq!(holm(&[]), Vec::<f64>::new());
}

#[test]
fn power_and_the_pairs_it_takes_are_those_of_statsmodels() {
    for (effect, powers, pairs) in POWERS {
        for (n, expected) in [3, 5, 10, 50].into_iter().zip(powers) {
            assert!((power(effect, n) - expected).abs() < 1e-6, "effect {effect}, {n} pairs: {}", power(effect, n));
        }
        assert_eq!(pairs_needed(effect, 1.0), Some(pairs), "effect {effect}");
        assert_eq!(pairs_needed(-2.0 * effect, 2.0), Some(pairs), "neither sign nor scale matter");
    }
    assert_eq!((pairs_needed(0.0, 1.0), pairs_needed(f64::NAN, 1.0), pairs_needed(1.0, 0.0)), (None, None, Some(2)));
    assert_eq!(pairs_needed(1e-9, 1.0), None, "more than a billion");
    assert!(pairs_needed(1e-3, 1.0).is_some_and(|pairs| (7_848_000..=7_850_000).contains(&pairs)));
}

#[test]
fn areas_are_means_over_the_way() {
    // numpy.trapezoid([0.2, 0.5, 0.6, 0.9], [0, 10, 40, 50]) / 50
    let found = area_under(&[(0.0, 0.2), (10.0, 0.5), (40.0, 0.6), (50.0, 0.9)]).unwrap();
    assert!((found - 0.55).abs() < 1e-12, "{found}");
    assert_eq!((area_under(&[]), area_under(&[(3.0, 0.5)])), (None, Some(0.5)));
}

/// Normal scores of so many runs of each of `tasks` tasks, whose means are 0, 1, ..
fn scores(tasks: usize, runs: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let normal = Normal::standard();
    let mut task = |task: usize| (0..runs).map(|_| task as f64 + normal.inverse_cdf(rng.random::<f64>())).collect();
    (0..tasks).map(&mut task).collect()
}

/// How often the intervals of so many simulated ablations hold the truth.
fn coverage(tasks: usize, runs: usize, simulations: u64, interval: impl Fn(&[Vec<f64>], u64) -> Estimate) -> f64 {
    let (mut rng, truth) = (ChaCha8Rng::seed_from_u64(3), (tasks - 1) as f64 / 2.0);
    let holds = |simulation: &u64| {
        let Estimate { low, high, .. } = interval(&scores(tasks, runs, &mut rng), *simulation);
        (low..=high).contains(&truth)
    };
    (0..simulations).filter(holds).count() as f64 / simulations as f64
}

#[test]
fn intervals_of_differences_hold_the_truth_as_often_as_said() {
    let student = |scores: &[Vec<f64>], _| Paired::new(scores).unwrap().difference;
    for (tasks, runs) in [(1, 3), (1, 8), (3, 5)] {
        // A share of 2000 has a standard error of 0.005.
        let found = coverage(tasks, runs, 2000, student);
        assert!((0.935..=0.97).contains(&found), "{tasks} tasks, {runs} runs: {found} where 0.95 is said");
    }
}

#[test]
fn bootstrap_intervals_of_few_runs_are_as_narrow_as_said() {
    let bootstrap = |scores: &[Vec<f64>], seed| Aggregate::Mean.estimate(scores, seed);
    let (few, more) = (coverage(1, 5, 80, bootstrap), coverage(2, 8, 80, bootstrap));
    // A share of 80 has a standard error of 0.04 here.
    assert!((0.74..=0.93).contains(&few), "{few} with 5 runs, where 0.84 is said");
    assert!((0.84..=0.99).contains(&more), "{more} with 16 runs");
}
