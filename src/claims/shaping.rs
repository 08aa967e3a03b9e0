//! OREAL's reward shaping and the expected gradient: weight 1-p on wrong answers, on pairs, on right and wrong answers.

use oreal_algos::{Negatives, Normaliser, Oreal, Positives, RewardCoding, Selection, Shaping, TokenWeights};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::gradients::{scaled, scales};
use super::variants::{CreditOf, Weighted};
use super::worlds::{PASS_RATES, arms, binomial, two_arms};
use crate::error::{Error, Result};
use crate::lab::{Direction, Lab};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "eq6-coefficients",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 6",
            statement: "The gradient of the best-of-n objective weights wrong answers 1-p times as much as right ones.",
            measures: "coefficient of wrong answers over that of right answers, against 1-p",
            derivation: "The objective is 1-(1-p)^n and its gradient is n·(1-p)^(n-1)·∇p. The sum of π·∇logπ over \
                         right answers is ∇p, over wrong answers -∇p, so with sums over both the coefficients are \
                         equal. With means over right and over wrong answers their ratio is (1-p)/p. Eq. 6 has the sum \
                         over right and the mean over wrong answers; only this mixture gives 1-p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| coefficients(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| coefficients(1)) },
        },
        Claim {
            name: "shaping-conditional",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 6 and 11",
            statement: "The mean over wrong answers, weighted by 1-p, gives the gradient of the pass rate: \
                        -(1-p)·E₋[∇logπ] = ∇p.",
            measures: "OREAL's negative term with the group's failure rate, against ∇p",
            derivation: "0 = ∇1 = p·E₊[∇logπ] + (1-p)·E₋[∇logπ], and the first term is ∇p. The group's own failure \
                         rate can replace 1-p: given the number of wrong answers, their mean has expectation E₋, and \
                         the failure rate has expectation 1-p, so the equation is exact at every K. This is the \
                         reading of eq. 6 under which 1-p is correct.",
            recorded: Verdict::Holds,
            check: Exact(|| conditional(Shaping::FailureRate)),
            control: Control {
                wrong: "leave-one-out advantages in place of 1-p",
                check: Exact(|| conditional(Shaping::Rloo)),
            },
        },
        Claim {
            name: "shaping-raw",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 6",
            statement: "On all sampled answers, weight 1 on right and 1-p on wrong answers gives the gradient of \
                        best-of-n.",
            measures: "expected gradient against n·(1-p)^(n-1)·∇p",
            derivation: "Right and wrong answers each contribute their weight times ∇p, so the sum is (2-p)·∇p. No n \
                         makes n·(1-p)^(n-1) equal to 2-p at more than one p. On one question the direction is right, \
                         but the factor is not.",
            recorded: Verdict::UpToScale,
            check: Exact(|| raw(1.0)),
            control: Control { wrong: "the sign of wrong answers is reversed", check: Exact(|| raw(-1.0)) },
        },
        Claim {
            name: "shaping-pairs",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 11 and algorithm 1",
            statement: "On one right and one wrong answer per question, weights 1 and 1-p give the gradient of the \
                        pass rate.",
            measures: "expected gradient of OREAL's pairs against ∇p",
            derivation: "A pair has one right and one wrong answer, whatever p is. If both kinds are in the group, \
                         weights a and b give (a/p + b/(1-p))·∇p. With 1 and the failure rate, this is [P(mixed)/p + 1 \
                         - (1-p)^(K-1)]·∇p, where P(mixed) is the probability that the group has both kinds. It tends \
                         to (1 + 1/p)·∇p as K grows, so hard questions are weighted most.",
            recorded: Verdict::UpToScale,
            check: Exact(|| pairs(Shaping::FailureRate)),
            control: Control {
                wrong: "leave-one-out advantages in place of 1-p",
                check: Exact(|| pairs(Shaping::Rloo)),
            },
        },
        Claim {
            name: "shaping-both-signs",
            topic: Topic::GradientConsistency,
            source: "OREAL, section 2.3: R* = (1-p)·R",
            statement: "Weight 1-p on right and wrong answers gives the gradient of best-of-2.",
            measures: "expected gradient against 2·(1-p)·∇p",
            derivation: "Right and wrong answers each contribute (1-p)·∇p, and 2·(1-p)·∇p is the gradient of 1-(1-p)². \
                         So with rewards of ±1 multiplied by 1-p, the policy gradient maximises best-of-2, and no \
                         other n.",
            recorded: Verdict::Holds,
            check: Exact(|| both_signs(2)),
            control: Control { wrong: "best-of-3 in place of best-of-2", check: Exact(|| both_signs(3)) },
        },
        Claim {
            name: "shaping-estimated",
            topic: Topic::GradientConsistency,
            source: "OREAL, algorithm 1: p = mean of the group",
            statement: "Weight 1-p on right and wrong answers also gives the gradient of best-of-2 if p is the pass \
                        rate of the same group.",
            measures: "expected gradient against 2·(1-p)·∇p, as K grows",
            derivation: "An answer is part of its own group's pass rate, so weight and score function are correlated: \
                         the expectation is [2·(1-p) + (2p-1)/K]·∇p. The error is zero at p = 1/2 and decreases as 1/K \
                         elsewhere. Leaving the answer out of its own pass rate removes it.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| estimated(Shaping::FailureRate)),
            control: Control {
                wrong: "advantages divided by the group's standard deviation",
                check: Exact(|| estimated(Shaping::Grpo)),
            },
        },
        Claim {
            name: "negatives-alone",
            topic: Topic::GradientConsistency,
            source: "OREAL, section 2.2 (right answers suffice; wrong ones complement them)",
            statement: "Wrong answers alone do not raise the pass rate.",
            measures: "projection of OREAL's negative term on ∇p, in units of it, which should be at most 0",
            derivation: "-(1-p)·E₋[∇logπ] = ∇p: lowering the probability of wrong answers raises that of right ones, \
                         since they sum to 1. In expectation wrong answers teach as much as right ones; only the \
                         variance differs.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| negatives_alone(1.0)),
            control: Control { wrong: "the sign of wrong answers is reversed", check: Exact(|| negatives_alone(-1.0)) },
        },
        Claim {
            name: "rloo-difficulty",
            topic: Topic::GradientConsistency,
            source: "OREAL, L2: F as in RLOO",
            statement: "With F = RLOO, wrong answers have the largest weight on hard questions, as with 1-p.",
            measures: "mean weight of wrong answers relative to that at p = 0.5, against (1-p)/0.5",
            derivation: "The leave-one-out advantage of a wrong answer (rewards ±1) is -2·q·K/(K-1), where q is the \
                         group's pass rate. Its mean absolute value is 2K/(K-1)·(p - p^K) if groups without a wrong \
                         answer count as 0. Among groups with a wrong answer it is that divided by 1-p^K, which \
                         increases with p. So wrong answers to easy questions have the largest weights, the reverse of \
                         1-p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| difficulty(Shaping::Rloo, Shaping::Rloo)),
            control: Control {
                wrong: "1-p in place of leave-one-out advantages",
                check: Exact(|| difficulty(Shaping::FailureRate, Shaping::Rloo)),
            },
        },
        Claim {
            name: "grpo-difficulty",
            topic: Topic::GradientConsistency,
            source: "OREAL, L2: F as in GRPO",
            statement: "With F = GRPO, wrong answers have the largest weight on hard questions, as with 1-p.",
            measures: "mean weight of wrong answers relative to that at p = 0.5, against (1-p)/0.5",
            derivation: "The normalised reward of a wrong answer is -√((K-1)/K)·√(q/(1-q)), where q is the group's \
                         pass rate. For large K it tends to -√(p/(1-p)), whose absolute value increases with p without \
                         bound. So easy questions have the largest weights, the reverse of 1-p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| difficulty(Shaping::Grpo, Shaping::Grpo)),
            control: Control {
                wrong: "1-p in place of GRPO's advantages",
                check: Exact(|| difficulty(Shaping::FailureRate, Shaping::Grpo)),
            },
        },
    ]
}

/// OREAL on all answers without token weights and KL divergence; right and wrong answers are averaged separately.
fn oreal(shaping: Shaping) -> Oreal {
    Oreal {
        shaping,
        positives: Positives::Plain,
        eta: 1.0.into(),
        negatives: Negatives::LogRatio,
        token_weights: TokenWeights::Uniform,
        normaliser: Normaliser::Trajectories,
        beta: 0.0.into(),
        selection: Selection::All,
        ..Oreal::default()
    }
}

/// The part of the expected gradient that wrong answers contribute: the difference between `eta` 1 and 0, since the
/// loss is linear in `eta`.
fn negative_term(lab: &Lab, oreal: &Oreal) -> Result<Vec<f64>> {
    let with = lab.expected(oreal)?;
    let without = lab.expected(&Oreal { eta: 0.0.into(), ..oreal.clone() })?;
    Ok(with.policy().iter().zip(without.policy()).map(|(a, b)| a - b).collect())
}

/// The gradient of the probability that at least one answer of a group is right, by the score function over every
/// group.
fn best_of_n_gradient(lab: &Lab) -> Result<Vec<f64>> {
    let probabilities = lab.probabilities(0);
    let mut weights = vec![0.0; probabilities.len()];
    for (probability, drawn) in lab.groups(0) {
        let best = drawn.iter().map(|&i| lab.reward(0, i)).fold(0.0, f64::max);
        drawn.iter().for_each(|&i| weights[i] += probability * best / probabilities[i]);
    }
    lab.gradient_of_mean(&|_, answer| weights[answer])
}

fn coefficients(fewer: usize) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for p in PASS_RATES {
        for n in [2, 3, 4] {
            let lab = arms(p, n - fewer)?;
            let gradient = best_of_n_gradient(&lab)?;
            let right = lab.pass_rate_gradient()?;
            let wrong = lab.gradient_of_mean(&|question, answer| 1.0 - lab.reward(question, answer))?;
            let sums = [Direction::new(&gradient, &right).scale, -Direction::new(&gradient, &wrong).scale];
            let means = [sums[0] * p, sums[1] * (1.0 - p)];
            stated.push(Measurement::number(format!("sums over both, p {p}, n {n}"), 1.0 - p, sums[1] / sums[0]));
            stated.push(Measurement::number(format!("means over both, p {p}, n {n}"), 1.0 - p, means[1] / means[0]));
            let factor = n as f64 * (1.0 - p).powi(n as i32 - 1);
            exactly.push(Measurement::gradient(
                format!("n(1-p)^(n-1)·∇p, p {p}, n {n}"),
                &scaled(&right, factor),
                &gradient,
            ));
            exactly.push(Measurement::number(format!("sums: 1, p {p}, n {n}"), 1.0, sums[1] / sums[0]));
            exactly.push(Measurement::number(
                format!("means: (1-p)/p, p {p}, n {n}"),
                (1.0 - p) / p,
                means[1] / means[0],
            ));
            exactly.push(Measurement::number(format!("sum and mean: 1-p, p {p}, n {n}"), 1.0 - p, means[1] / sums[0]));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn conditional(shaping: Shaping) -> Result<Evidence> {
    let mut rows = Vec::new();
    for p in PASS_RATES {
        for k in [2, 4, 8] {
            let lab = arms(p, k)?;
            let found = negative_term(&lab, &oreal(shaping))?;
            rows.push(Measurement::gradient(format!("p {p}, K {k}"), &lab.pass_rate_gradient()?, &found));
        }
    }
    Ok(Evidence::new(rows))
}

fn raw(sign: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for p in PASS_RATES {
        let lab = arms(p, 4)?;
        let weighted = Weighted { right: 1.0, wrong: sign * (1.0 - p), selection: Selection::All };
        let (found, gradient) = (lab.expected(&weighted)?, lab.pass_rate_gradient()?);
        for n in [1, 2, 4] {
            let best = scaled(&gradient, n as f64 * (1.0 - p).powi(n - 1));
            stated.push(Measurement::gradient(format!("p {p}, n {n}"), &best, found.policy()));
        }
        exactly.push(Measurement::gradient(format!("(2-p)·∇p, p {p}"), &scaled(&gradient, 2.0 - p), found.policy()));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn pairs(shaping: Shaping) -> Result<Evidence> {
    let algorithm = Oreal { selection: Selection::Pair, ..oreal(shaping) };
    scales(&[4, 16], &algorithm, |p, k| {
        let (all_wrong, all_right) = ((1.0 - p).powi(k as i32), p.powi(k as i32));
        (1.0 - all_wrong - all_right) / p + 1.0 - all_wrong / (1.0 - p)
    })
}

fn both_signs(n: i32) -> Result<Evidence> {
    let rows = PASS_RATES.map(|p| {
        let lab = arms(p, 4)?;
        let found = lab.expected(&Weighted { right: 1.0 - p, wrong: 1.0 - p, selection: Selection::All })?;
        let best = scaled(&lab.pass_rate_gradient()?, f64::from(n) * (1.0 - p).powi(n - 1));
        Ok(Measurement::gradient(format!("p {p}"), &best, found.policy()))
    });
    Ok(Evidence::new(rows.into_iter().collect::<Result<Vec<_>>>()?))
}

fn estimated(shaping: Shaping) -> Result<Evidence> {
    let oreal = oreal(shaping);
    let algorithm = CreditOf(&oreal);
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for p in [0.05, 0.25, 0.75, 0.95] {
        for k in [2, 4, 16, 64, 256] {
            let lab = two_arms(p, k)?;
            let (found, gradient) = (lab.expected(&algorithm)?, lab.pass_rate_gradient()?);
            let at = format!("p {p}, K {k}");
            stated.push(
                Measurement::gradient(&at, &scaled(&gradient, 2.0 * (1.0 - p)), found.policy())
                    .in_series(format!("p {p}")),
            );
            let factor = 2.0 * (1.0 - p) + (2.0 * p - 1.0) / k as f64;
            exactly.push(Measurement::gradient(
                format!("2(1-p) + (2p-1)/K, {at}"),
                &scaled(&gradient, factor),
                found.policy(),
            ));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn negatives_alone(sign: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for p in PASS_RATES {
        let lab = arms(p, 4)?;
        let found = scaled(&negative_term(&lab, &oreal(Shaping::FailureRate))?, sign);
        let gradient = lab.pass_rate_gradient()?;
        stated.push(Measurement::at_most(format!("p {p}"), 0.0, Direction::new(&found, &gradient).scale));
        exactly.push(Measurement::gradient(format!("∇p, p {p}"), &gradient, &found));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// Mean weight of wrong answers under `shaping`, compared with the formula for `derived`.
fn difficulty(shaping: Shaping, derived: Shaping) -> Result<Evidence> {
    let k = 8;
    let weight = |p: f64| {
        let lab = arms(p, k)?;
        let found = negative_term(&lab, &Oreal { reward: RewardCoding::Signed, ..oreal(shaping) })?;
        Ok::<_, Error>((1.0 - p) * Direction::new(&found, &lab.pass_rate_gradient()?).scale)
    };
    let of_group = |right: usize| {
        let (n, q) = (k as f64, right as f64 / k as f64);
        match derived {
            Shaping::Grpo => 2.0 * q / (2.0 * (q * (1.0 - q) * n / (n - 1.0)).sqrt() + 1e-8),
            _ => 2.0 * q * n / (n - 1.0),
        }
    };
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for p in PASS_RATES {
        stated.push(Measurement::number(format!("p {p}, K {k}"), (1.0 - p) / 0.5, weight(p)? / weight(0.5)?));
        let mean: f64 = (0..k).map(|right| binomial(k, right, p) * of_group(right)).sum();
        exactly.push(Measurement::number(format!("derived formula, p {p}, K {k}"), mean, weight(p)?));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
