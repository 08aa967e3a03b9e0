//! Best-of-n: the distribution of the answer that it keeps.

use oreal_algos::{Repeats, Selection};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::worlds::{PASS_RATES, arms, binomial, given_right};
use crate::error::{Error, Result};
use crate::lab::Lab;

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "best-of-n-law",
            topic: Topic::BestOfN,
            source: "OREAL, Lemma 2.1",
            statement: "The right answer that best-of-n keeps, chosen uniformly among the right ones of n, has \
                        distribution π/p for every n.",
            measures: "distribution of the kept answer, given that one is kept, against π/p",
            derivation: "Given that k of n answers are right, these k are independent draws from π/p, and one chosen \
                         uniformly among them is a draw from π/p. This holds for every k above 0, so it holds for the \
                         mixture over k, for every n and not only in the limit of large n.",
            recorded: Verdict::Holds,
            check: Exact(|| kept_distribution(Repeats::Keep)),
            control: Control {
                wrong: "repeated answers are dropped before one is kept",
                check: Exact(|| kept_distribution(Repeats::Drop)),
            },
        },
        Claim {
            name: "best-of-n-gap",
            topic: Topic::BestOfN,
            source: "OREAL, Lemma 2.1",
            statement: "If groups without a right answer are counted too, the distribution of the kept answer falls \
                        short of π/p by (1-p)^n in total.",
            measures: "sum over answers of |π/p - probability that the answer is kept|, against (1-p)^n",
            derivation: "With probability (1-p)^n no answer is right and none is kept. Otherwise the kept answer has \
                         distribution π/p. So an answer is kept with probability (1-(1-p)^n)·π/p, and the differences \
                         from π/p sum to (1-p)^n.",
            recorded: Verdict::Holds,
            check: Exact(|| gap(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| gap(1)) },
        },
        Claim {
            name: "best-of-n-distinct",
            topic: Topic::BestOfN,
            source: "OREAL, Lemma 2.1; rejection sampling as in RFT (arXiv 2308.01825)",
            statement: "The distribution of the kept answer is also π/p if repeated answers are dropped before one is \
                        kept.",
            measures: "distribution of the kept answer, given that one is kept, against π/p",
            derivation: "Among distinct right answers each counts once, however probable it is, so rare answers are \
                         kept too often. If two right answers have shares a and 1-a of p, the first is kept with \
                         probability P(only it was drawn) + P(both were drawn)/2, which is the sum over the number k \
                         of right answers of P(k)·(1 + a^k - (1-a)^k)/2. Given that an answer is kept, this tends to \
                         1/2 for large n and any a strictly between 0 and 1.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| distinct(Repeats::Drop)),
            control: Control { wrong: "repeated answers are not dropped", check: Exact(|| distinct(Repeats::Keep)) },
        },
        Claim {
            name: "union-law",
            topic: Topic::BestOfN,
            source: "OREAL, section 2.2",
            statement: "The right answers of groups of any sizes, pooled and counted as often as they were drawn, have \
                        distribution π/p.",
            measures: "shares of the pooled right answers against π/p",
            derivation: "The expected number of times that a right answer s is among n draws is n·π(s), proportional \
                         to π/p for every n. A sum over several n stays proportional. Counting each answer once per \
                         group breaks this: its expected number is then 1-(1-π(s))^n.",
            recorded: Verdict::Holds,
            check: Exact(|| union(Repeats::Keep)),
            control: Control { wrong: "each answer is counted once per group", check: Exact(|| union(Repeats::Drop)) },
        },
        Claim {
            name: "binary-law",
            topic: Topic::BestOfN,
            source: "OREAL, eq. 5",
            statement: "For a binary reward, best-of-n samples from π(s)·[R(s)·(1-(1-p)^n)/p + (1-R(s))·(1-p)^(n-1)].",
            measures: "distribution of the best of n answers, ties broken uniformly, against eq. 5",
            derivation: "If at least one answer is right, which has probability 1-(1-p)^n, the chosen answer has \
                         distribution π/p. Otherwise all n are wrong, which has probability (1-p)^n, and the chosen \
                         answer has distribution π/(1-p). In the paper's example, p = 0.5 and n = 4, right answers get \
                         15/16 of the probability, 1.875 times what π gives them.",
            recorded: Verdict::Holds,
            check: Exact(|| binary_distribution(Ties::Uniform)),
            control: Control {
                wrong: "ties are broken in favour of the first answer in order",
                check: Exact(|| binary_distribution(Ties::First)),
            },
        },
        Claim {
            name: "best-of-n-kl",
            topic: Topic::BestOfN,
            source: "OREAL, eq. 4 (after arXiv 2401.01879)",
            statement: "The KL divergence of best-of-n from π is log n - (n-1)/n.",
            measures: "KL(best-of-n, π) against the formula",
            derivation: "The formula assumes rewards without ties, and a binary reward has ties. With P = 1-(1-p)^n \
                         the divergence is P·log(P/p) + (1-P)·(n-1)·log(1-p). It is below the formula for every n \
                         above 1, and below -log p for every n, while the formula grows without bound.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| divergence(Ties::Uniform)),
            control: Control {
                wrong: "ties are broken in favour of the first answer in order",
                check: Exact(|| divergence(Ties::First)),
            },
        },
        Claim {
            name: "best-of-n-optimum",
            topic: Topic::BestOfN,
            source: "OREAL, eq. 1-2 and 5",
            statement: "Best-of-n is the optimum of E[R] - α·KL(·, π) with 1/α = logit(1-(1-p)^n) - logit(p).",
            measures: "distribution of the best of n answers against π·exp(R/α), normalised",
            derivation: "The optimum is π·exp(R/α), normalised. Like best-of-n, it keeps the proportions among right \
                         answers and those among wrong answers. So the two distributions are equal if and only if they \
                         give right answers the same probability P: logit(P) = logit(p) + 1/α.",
            recorded: Verdict::Holds,
            check: Exact(|| optimum(|n| n)),
            control: Control { wrong: "α for n-1 answers", check: Exact(|| optimum(|n| n - 1)) },
        },
        Claim {
            name: "one-alpha",
            topic: Topic::BestOfN,
            source: "OREAL, section 2.2",
            statement: "A given n corresponds to one α: the same n regularises every question equally.",
            measures: "1/α at pass rate p against 1/α at p = 0.5, for the same n",
            derivation: "1/α = logit(1-(1-p)^n) - logit(p) depends on p: it tends to log n as p goes to 0 and, for n \
                         above 1, grows without bound as p goes to 1. Best-of-n changes the log-odds of easy questions \
                         most, although their pass rate can rise by at most 1-p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| one_alpha(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| one_alpha(1)) },
        },
    ]
}

const SIZES: [usize; 4] = [1, 2, 4, 8];

/// A measurement at every pass rate and every n.
fn grid(row: impl Fn(&Lab, f64, usize) -> Result<Measurement>) -> Result<Vec<Measurement>> {
    let points = PASS_RATES.iter().flat_map(|&p| SIZES.map(|n| (p, n)));
    points.map(|(p, n)| row(&arms(p, n)?, p, n)).collect()
}

fn at(p: f64, n: usize) -> String {
    format!("p {p}, n {n}")
}

fn one(repeats: Repeats) -> Selection {
    Selection::Right { per_prompt: 1, repeats }
}

/// The distribution of the answer that a selection keeps, given that it keeps one.
fn given_one(lab: &Lab, repeats: Repeats) -> Result<Vec<f64>> {
    let distribution = lab.expected_counts(one(repeats))?.swap_remove(0);
    let kept: f64 = distribution.iter().sum();
    Ok(distribution.iter().map(|mass| mass / kept).collect())
}

fn kept_distribution(repeats: Repeats) -> Result<Evidence> {
    let row =
        |lab: &Lab, p, n| Ok(Measurement::distributions(at(p, n), &given_right(lab, 0), &given_one(lab, repeats)?));
    Ok(Evidence::new(grid(row)?))
}

fn gap(fewer: usize) -> Result<Evidence> {
    let row = |lab: &Lab, p: f64, n: usize| {
        let kept = if n > fewer {
            lab.clone().rollouts(n - fewer).expected_counts(one(Repeats::Keep))?.swap_remove(0)
        } else {
            vec![0.0; 4]
        };
        let missing = given_right(lab, 0).iter().zip(kept).map(|(a, b)| (a - b).abs()).sum();
        Ok(Measurement::number(at(p, n), (1.0 - p).powi(n as i32), missing))
    };
    Ok(Evidence::new(grid(row)?))
}

fn distinct(repeats: Repeats) -> Result<Evidence> {
    let stated = grid(|lab, p, n| {
        Ok(Measurement::distributions(at(p, n), &given_right(lab, 0), &given_one(lab, Repeats::Drop)?))
    })?;
    let exactly = grid(|lab, p, n| {
        let (a, kept) = (given_right(lab, 0)[0], given_one(lab, repeats)?[0]);
        let first = |k: i32| (1.0 + a.powi(k) - (1.0 - a).powi(k)) / 2.0;
        let mean: f64 = (1..=n).map(|k| binomial(n, k, p) * first(k as i32)).sum();
        Ok(Measurement::number(
            format!("share of the first right answer, {}", at(p, n)),
            mean / (1.0 - (1.0 - p).powi(n as i32)),
            kept,
        ))
    })?;
    Ok(Evidence::new(stated).exactly(exactly))
}

fn union(repeats: Repeats) -> Result<Evidence> {
    let mut rows = Vec::new();
    for p in PASS_RATES {
        let mut pooled = [0.0; 4];
        for n in SIZES {
            let every = Selection::Right { per_prompt: n, repeats };
            let distribution = arms(p, n)?.expected_counts(every)?.swap_remove(0);
            pooled.iter_mut().zip(distribution).for_each(|(sum, mass)| *sum += mass);
        }
        let total: f64 = pooled.iter().sum();
        rows.push(Measurement::distributions(
            format!("p {p}, n 1 to 8"),
            &given_right(&arms(p, 1)?, 0),
            &pooled.map(|mass| mass / total),
        ));
    }
    Ok(Evidence::new(rows))
}

/// How one of several best answers is chosen.
#[derive(Clone, Copy)]
enum Ties {
    Uniform,
    First,
}

/// The distribution of the best of n answers: chosen among the right ones if there are any, else among all.
fn best(lab: &Lab, ties: Ties) -> Result<Vec<f64>> {
    let mut distribution = vec![0.0; lab.questions()[0].answers.len()];
    let right = |i: usize| lab.reward(0, i) > 0.5;
    for (probability, drawn) in lab.groups(0) {
        let any = drawn.iter().any(|&i| right(i));
        let candidates: Vec<usize> = drawn.into_iter().filter(|&i| !any || right(i)).collect();
        match ties {
            Ties::Uniform => candidates.iter().for_each(|&i| distribution[i] += probability / candidates.len() as f64),
            Ties::First => distribution[candidates[0]] += probability,
        }
    }
    Ok(distribution)
}

fn binary_distribution(ties: Ties) -> Result<Evidence> {
    let row = |lab: &Lab, p: f64, n: usize| {
        let factor = |right: f64| match right > 0.5 {
            true => (1.0 - (1.0 - p).powi(n as i32)) / p,
            false => (1.0 - p).powi(n as i32 - 1),
        };
        Ok(Measurement::distributions(at(p, n), &tilted(lab, factor), &best(lab, ties)?))
    };
    Ok(Evidence::new(grid(row)?))
}

/// The policy's probabilities, each multiplied by a factor of the answer's reward.
fn tilted(lab: &Lab, factor: impl Fn(f64) -> f64) -> Vec<f64> {
    let answers = lab.questions()[0].answers.iter();
    answers.zip(lab.probabilities(0)).map(|(answer, mass)| mass * factor(answer.verdict.reward())).collect()
}

fn divergence(ties: Ties) -> Result<Evidence> {
    let measured = |lab: &Lab, ties| {
        let pairs = best(lab, ties)?.into_iter().zip(lab.probabilities(0));
        Ok::<_, Error>(pairs.filter(|(q, _)| *q > 0.0).map(|(q, p)| q * (q / p).ln()).sum::<f64>())
    };
    let printed = |n: usize| (n as f64).ln() - (n as f64 - 1.0) / n as f64;
    let stated = grid(|lab, p, n| Ok(Measurement::number(at(p, n), printed(n), measured(lab, Ties::Uniform)?)))?;
    let mut exactly = grid(|lab, p, n| {
        let right = 1.0 - (1.0 - p).powi(n as i32);
        let formula = right * (right / p).ln() + (1.0 - right) * (n as f64 - 1.0) * (1.0 - p).ln();
        Ok(Measurement::number(format!("with ties, {}", at(p, n)), formula, measured(lab, ties)?))
    })?;
    exactly.extend(grid(|lab, p, n| {
        Ok(Measurement::at_most(
            format!("at most eq. 4 and -log p, {}", at(p, n)),
            printed(n).min(-p.ln()),
            measured(lab, ties)?,
        ))
    })?);
    Ok(Evidence::new(stated).exactly(exactly))
}

/// `1/α` of best-of-n: the increase of the log-odds of a right answer.
fn strength(p: f64, n: usize) -> f64 {
    let wrong = (1.0 - p).powi(n as i32);
    ((1.0 - wrong) / wrong).ln() - (p / (1.0 - p)).ln()
}

fn optimum(size: impl Fn(usize) -> usize) -> Result<Evidence> {
    let points = PASS_RATES.iter().flat_map(|&p| [2, 4, 8].map(|n| (p, n)));
    let row = |(p, n)| {
        let lab = arms(p, n)?;
        let weighed = tilted(&lab, |right| (right * strength(p, size(n))).exp());
        let total: f64 = weighed.iter().sum();
        let distribution: Vec<f64> = weighed.iter().map(|mass| mass / total).collect();
        Ok(Measurement::distributions(at(p, n), &distribution, &best(&lab, Ties::Uniform)?))
    };
    Ok(Evidence::new(points.map(row).collect::<Result<Vec<_>>>()?))
}

fn one_alpha(fewer: usize) -> Result<Evidence> {
    let measured = |p: f64, n: usize| {
        let lab = arms(p, n - fewer)?;
        let odds =
            |distribution: Vec<f64>| ((distribution[0] + distribution[1]) / (distribution[2] + distribution[3])).ln();
        Ok::<_, Error>(odds(best(&lab, Ties::Uniform)?) - odds(lab.probabilities(0)))
    };
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for n in [2, 4, 8] {
        for p in PASS_RATES {
            let found = measured(p, n)?;
            stated.push(Measurement::number(at(p, n), strength(0.5, n), found));
            exactly.push(Measurement::number(format!("1/α of this p, {}", at(p, n)), strength(p, n), found));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
