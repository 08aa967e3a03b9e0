//! What OREAL's shaping of rewards does to the gradient: 1-p on wrong answers, on pairs, on both signs.

use oreal_algos::{Negatives, Normaliser, Oreal, Positives, RewardCoding, Selection, Shaping, TokenWeights};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Row, Verdict};
use super::gradients::{scaled, scales};
use super::variants::{CreditOf, Weighted};
use super::worlds::{PASS_RATES, arms, binomial, two_arms};
use crate::error::Result;
use crate::lab::{Direction, Lab};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "eq6-coefficients",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 6",
            statement: "The gradient of the best-of-n objective weighs wrong answers 1-p times as much as right ones.",
            measures: "coefficient of wrong over that of right answers, against 1-p",
            derivation: "The objective is 1-(1-p)^n and its gradient n·(1-p)^(n-1)·∇p. Written with sums over right and over wrong \
                         answers weighed by π (both of which are ±∇p), the coefficients are equal; with means given right and given \
                         wrong their ratio is (1-p)/p. Eq. 6 has the sum on the right and the mean on the wrong answers: only that \
                         mixture gives 1-p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| coefficients(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| coefficients(1)) },
        },
        Claim {
            name: "shaping-conditional",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 6 and 11",
            statement: "Weighed by 1-p, the mean over wrong answers gives the gradient of the pass rate: -(1-p)·E₋[∇logπ] = ∇p.",
            measures: "OREAL's negative term with the group's failure rate, against ∇p",
            derivation: "0 = ∇1 = p·E₊[∇logπ] + (1-p)·E₋[∇logπ], and the first term is ∇p. The group's own failure rate may stand for 1-p: \
                         given how many are wrong, their mean has expectation E₋, and the failure rate has expectation 1-p, so nothing is \
                         lost at any K. This is the reading of eq. 6 in which 1-p is right.",
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
            statement: "On samples as they come, weight 1 on right and 1-p on wrong answers gives the gradient of best-of-n.",
            measures: "expected gradient against n·(1-p)^(n-1)·∇p",
            derivation: "Each sign contributes its weight times ∇p, so the sum is (2-p)·∇p. No n makes n·(1-p)^(n-1) equal to 2-p at more \
                         than one p: the direction is right on one question, the factor is not.",
            recorded: Verdict::UpToScale,
            check: Exact(|| raw(1.0)),
            control: Control { wrong: "wrong answers pushed up", check: Exact(|| raw(-1.0)) },
        },
        Claim {
            name: "shaping-pairs",
            topic: Topic::GradientConsistency,
            source: "OREAL, eq. 11 and algorithm 1",
            statement: "On one right and one wrong answer of each question, weights 1 and 1-p give the gradient of the pass rate.",
            measures: "expected gradient of OREAL's pairs against ∇p",
            derivation: "A pair has E₊ and E₋ in equal numbers, whatever p: weights a and b give (a/p + b/(1-p))·∇p on questions with both kinds \
                         of answers. With 1 and the failure rate this is [P(mixed)/p + 1 - (1-p)^(K-1)]·∇p, towards 1 + 1/p as K grows: hard \
                         questions count most.",
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
            statement: "1-p on right and wrong answers alike gives the gradient of best-of-2.",
            measures: "expected gradient against 2·(1-p)·∇p",
            derivation: "Both signs contribute (1-p)·∇p, and 2·(1-p)·∇p is the gradient of 1-(1-p)². With rewards of ±1 shaped by 1-p the policy \
                         gradient therefore maximises best-of-2, and no other n.",
            recorded: Verdict::Holds,
            check: Exact(|| both_signs(2)),
            control: Control { wrong: "best-of-3 in place of best-of-2", check: Exact(|| both_signs(3)) },
        },
        Claim {
            name: "shaping-estimated",
            topic: Topic::GradientConsistency,
            source: "OREAL, algorithm 1: p = mean of the group",
            statement: "1-p on right and wrong answers alike gives the gradient of best-of-2 when p is the pass rate of the same group, too.",
            measures: "expected gradient against 2·(1-p)·∇p, as K grows",
            derivation: "An answer is in its own group's pass rate, so weight and score are correlated: the expectation is \
                         [2·(1-p) + (2p-1)/K]·∇p. The error is zero at p = 1/2 and goes to zero as 1/K elsewhere; leaving the answer out of its \
                         own rate removes it.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| estimated(Shaping::FailureRate)),
            control: Control {
                wrong: "advantages divided by the group's deviation",
                check: Exact(|| estimated(Shaping::Grpo)),
            },
        },
        Claim {
            name: "negatives-alone",
            topic: Topic::GradientConsistency,
            source: "OREAL, section 2.2 (right answers suffice; wrong ones complement them)",
            statement: "Wrong answers alone do not raise the pass rate.",
            measures: "OREAL's negative term alone: length along ∇p, which should be at most 0",
            derivation: "-(1-p)·E₋[∇logπ] = ∇p: to push wrong answers down is to push right ones up, for their masses add up to 1. In expectation wrong \
                         answers teach as much as right ones; what differs is variance.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| negatives_alone(1.0)),
            control: Control { wrong: "wrong answers pushed up", check: Exact(|| negatives_alone(-1.0)) },
        },
        Claim {
            name: "rloo-difficulty",
            topic: Topic::GradientConsistency,
            source: "OREAL, L2: F as in RLOO",
            statement: "With F = RLOO wrong answers weigh most on hard questions, as with 1-p.",
            measures: "mean weight of wrong answers, in units of that at p = 0.5, against (1-p)/0.5",
            derivation: "The leave-one-out advantage of a wrong answer (rewards ±1) is -2·q·K/(K-1) with q the group's pass rate: its mean is \
                         2K/(K-1)·(p - p^K), which grows with p. Wrong answers to easy questions weigh most, the reverse of 1-p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| difficulty(Shaping::Rloo, Shaping::Rloo)),
            control: Control {
                wrong: "1-p in place of leave-one-out",
                check: Exact(|| difficulty(Shaping::FailureRate, Shaping::Rloo)),
            },
        },
        Claim {
            name: "grpo-difficulty",
            topic: Topic::GradientConsistency,
            source: "OREAL, L2: F as in GRPO",
            statement: "With F = GRPO wrong answers weigh most on hard questions, as with 1-p.",
            measures: "mean weight of wrong answers, in units of that at p = 0.5, against (1-p)/0.5",
            derivation: "A wrong answer's normalised reward is -√((K-1)/K)·√(q/(1-q)) with q the group's pass rate: towards -√(p/(1-p)) for large K, which \
                         grows with p without bound. Easy questions, again.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| difficulty(Shaping::Grpo, Shaping::Grpo)),
            control: Control {
                wrong: "1-p in place of GRPO",
                check: Exact(|| difficulty(Shaping::FailureRate, Shaping::Grpo)),
            },
        },
    ]
}

/// OREAL on all answers without token weights and divergence; right and wrong ones are averaged each for themselves.
fn oreal(shaping: Shaping) -> Oreal {
    Oreal {
        shaping,
        positives: Positives::Plain,
        eta: 1.0,
        negatives: Negatives::LogRatio,
        token_weights: TokenWeights::Uniform,
        normaliser: Normaliser::Trajectories,
        beta: 0.0,
        selection: Selection::All,
        ..Oreal::default()
    }
}

/// The loss is linear in `eta`, so the difference between 1 and 0 is what wrong answers contribute.
fn negative_term(lab: &Lab, oreal: &Oreal) -> Result<Vec<f64>> {
    let with = lab.expected(oreal)?;
    let without = lab.expected(&Oreal { eta: 0.0, ..oreal.clone() })?;
    Ok(with.policy().iter().zip(without.policy()).map(|(a, b)| a - b).collect())
}

/// The gradient of the chance that one of `n` answers is right, from the score function over every group.
fn best_of_n_gradient(lab: &Lab) -> Result<Vec<f64>> {
    let law = lab.probabilities(0);
    let mut weights = vec![0.0; law.len()];
    for (probability, drawn) in lab.groups(0) {
        let best = drawn.iter().map(|&i| lab.reward(0, i)).fold(0.0, f64::max);
        drawn.iter().for_each(|&i| weights[i] += probability * best / law[i]);
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
            stated.push(Row::number(format!("sums over both, p {p}, n {n}"), 1.0 - p, sums[1] / sums[0]));
            stated.push(Row::number(format!("means over both, p {p}, n {n}"), 1.0 - p, means[1] / means[0]));
            let factor = n as f64 * (1.0 - p).powi(n as i32 - 1);
            exactly.push(Row::gradient(format!("n(1-p)^(n-1)·∇p, p {p}, n {n}"), &scaled(&right, factor), &gradient));
            exactly.push(Row::number(format!("sums: 1, p {p}, n {n}"), 1.0, sums[1] / sums[0]));
            exactly.push(Row::number(format!("means: (1-p)/p, p {p}, n {n}"), (1.0 - p) / p, means[1] / means[0]));
            exactly.push(Row::number(format!("sum and mean: 1-p, p {p}, n {n}"), 1.0 - p, means[1] / sums[0]));
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
            rows.push(Row::gradient(format!("p {p}, K {k}"), &lab.pass_rate_gradient()?, &found));
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
            stated.push(Row::gradient(format!("p {p}, n {n}"), &best, found.policy()));
        }
        exactly.push(Row::gradient(format!("(2-p)·∇p, p {p}"), &scaled(&gradient, 2.0 - p), found.policy()));
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
        Ok(Row::gradient(format!("p {p}"), &best, found.policy()))
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
                Row::gradient(&at, &scaled(&gradient, 2.0 * (1.0 - p)), found.policy()).in_series(format!("p {p}")),
            );
            let factor = 2.0 * (1.0 - p) + (2.0 * p - 1.0) / k as f64;
            exactly.push(Row::gradient(format!("2(1-p) + (2p-1)/K, {at}"), &scaled(&gradient, factor), found.policy()));
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
        stated.push(Row::at_most(format!("p {p}"), 0.0, Direction::new(&found, &gradient).scale));
        exactly.push(Row::gradient(format!("∇p, p {p}"), &gradient, &found));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// Mean weight of wrong answers under `shaping`, beside the formula of `derived`.
fn difficulty(shaping: Shaping, derived: Shaping) -> Result<Evidence> {
    let k = 8;
    let weight = |p: f64| {
        let lab = arms(p, k)?;
        let found = negative_term(&lab, &Oreal { reward: RewardCoding::Signed, ..oreal(shaping) })?;
        Ok((1.0 - p) * Direction::new(&found, &lab.pass_rate_gradient()?).scale)
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
        stated.push(Row::number(format!("p {p}, K {k}"), (1.0 - p) / 0.5, weight(p)? / weight(0.5)?));
        let mean: f64 = (0..k).map(|right| binomial(k, right, p) * of_group(right)).sum();
        exactly.push(Row::number(format!("as derived, p {p}, K {k}"), mean, weight(p)?));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
