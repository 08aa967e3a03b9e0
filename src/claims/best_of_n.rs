//! What best-of-n draws: the law of the answer it keeps.

use oreal_algos::{Repeats, Selection};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Row, Verdict};
use super::worlds::{PASS_RATES, arms, binomial, given_right};
use crate::error::Result;
use crate::lab::Lab;

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "best-of-n-law",
            topic: Topic::BestOfN,
            source: "OREAL, Lemma 2.1",
            statement: "The right answer that best-of-n keeps, one of the right ones among n, is drawn from π/p at every n.",
            measures: "law of the kept answer, given that there is one, against π/p",
            derivation: "Given that k of n answers are right, these k are independent draws from π/p, and to pick one of them \
                         uniformly is to draw once from it. This is so for every k above 0, hence for their mixture over k, at \
                         every n and not only for large ones.",
            recorded: Verdict::Holds,
            check: Exact(|| kept_law(Repeats::Keep)),
            control: Control {
                wrong: "answers de-duplicated before one is kept",
                check: Exact(|| kept_law(Repeats::Drop)),
            },
        },
        Claim {
            name: "best-of-n-gap",
            topic: Topic::BestOfN,
            source: "OREAL, Lemma 2.1",
            statement: "Groups without a right answer counted too, the law of the kept answer falls short of π/p by (1-p)^n.",
            measures: "total variation between kept answers and π/p, against (1-p)^n",
            derivation: "With probability (1-p)^n no answer is right and none is kept. Otherwise the kept one follows π/p, so the \
                         kept mass is (1-(1-p)^n)·π/p, and what is missing is spread as π/p: its total is (1-p)^n.",
            recorded: Verdict::Holds,
            check: Exact(|| gap(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| gap(1)) },
        },
        Claim {
            name: "best-of-n-distinct",
            topic: Topic::BestOfN,
            source: "OREAL, Lemma 2.1; rejection sampling as in RFT (arXiv 2308.01825)",
            statement: "The law is π/p as well when repeated answers are dropped before one is kept.",
            measures: "law of the kept answer, given that there is one, against π/p",
            derivation: "Among distinct right answers each counts once, however probable it is: rare answers are kept too often. \
                         With two right answers of shares a and 1-a of p, the first is kept with probability P(only it) + P(both)/2, \
                         which is the sum over k right answers of P(k)·(1 + a^k - (1-a)^k)/2. It tends to 1/2 for any a.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| distinct(Repeats::Drop)),
            control: Control { wrong: "repeated answers are not dropped", check: Exact(|| distinct(Repeats::Keep)) },
        },
        Claim {
            name: "union-law",
            topic: Topic::BestOfN,
            source: "OREAL, section 2.2",
            statement: "All right answers together, from groups of any sizes, follow π/p, each counted as often as it came.",
            measures: "shares of the pooled right answers against π/p",
            derivation: "The expected number of times a right answer s is among n draws is n·π(s), in proportion to π/p for every n. A \
                         sum over several n stays in that proportion. Counting each answer once per group breaks it: the expected \
                         number is then 1-(1-π(s))^n.",
            recorded: Verdict::Holds,
            check: Exact(|| union(Repeats::Keep)),
            control: Control { wrong: "each answer counted once per group", check: Exact(|| union(Repeats::Drop)) },
        },
        Claim {
            name: "binary-law",
            topic: Topic::BestOfN,
            source: "OREAL, eq. 5",
            statement: "For a binary reward best-of-n draws from π(s)·[R(s)·(1-(1-p)^n)/p + (1-R(s))·(1-p)^(n-1)].",
            measures: "law of the best of n answers, ties broken uniformly, against eq. 5",
            derivation: "A right answer is chosen when one is there: mass 1-(1-p)^n, spread as π/p. Else all n are wrong and one of them \
                         is chosen uniformly: mass (1-p)^n, spread as π/(1-p). The paper's example, p = 0.5 and n = 4, gives right \
                         answers 15/16 of the mass, 1.875 times what π gives them.",
            recorded: Verdict::Holds,
            check: Exact(|| binary_law(Ties::Uniform)),
            control: Control {
                wrong: "ties broken in favour of the first in order",
                check: Exact(|| binary_law(Ties::First)),
            },
        },
        Claim {
            name: "best-of-n-kl",
            topic: Topic::BestOfN,
            source: "OREAL, eq. 4 (after arXiv 2401.01879)",
            statement: "The divergence of best-of-n from π is log n - (n-1)/n.",
            measures: "KL(best-of-n, π) against the formula",
            derivation: "The formula is for rewards without ties. A binary reward ties, and with P = 1-(1-p)^n the divergence is \
                         P·log(P/p) + (1-P)·(n-1)·log(1-p): below the formula for every n above 1, and below -log p for every n, while the \
                         formula grows without bound.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| divergence(Ties::Uniform)),
            control: Control {
                wrong: "ties broken in favour of the first in order",
                check: Exact(|| divergence(Ties::First)),
            },
        },
        Claim {
            name: "best-of-n-optimum",
            topic: Topic::BestOfN,
            source: "OREAL, eq. 1-2 and 5",
            statement: "Best-of-n is the optimum of E[R] - α·KL(·, π) with 1/α = logit(1-(1-p)^n) - logit(p).",
            measures: "law of the best of n answers against π·exp(R/α) normalised",
            derivation: "The optimum multiplies the mass of right answers by exp(1/α) and keeps proportions on both sides, as best-of-n does. \
                         Both laws are therefore one as soon as their odds of being right are: logit(P) = logit(p) + 1/α.",
            recorded: Verdict::Holds,
            check: Exact(|| optimum(|n| n)),
            control: Control { wrong: "α of one answer fewer", check: Exact(|| optimum(|n| n - 1)) },
        },
        Claim {
            name: "one-alpha",
            topic: Topic::BestOfN,
            source: "OREAL, section 2.2",
            statement: "One n is one α: the same n regularises every question alike.",
            measures: "1/α of a question against that of p = 0.5 at the same n",
            derivation: "1/α = logit(1-(1-p)^n) - logit(p) depends on p: from log n for hopeless questions (p to 0) it grows without bound \
                         towards p = 1. Easy questions are pulled furthest from π in odds, though least in mass.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| one_alpha(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| one_alpha(1)) },
        },
    ]
}

const SIZES: [usize; 4] = [1, 2, 4, 8];

/// Every pass rate with every size.
fn grid(row: impl Fn(&Lab, f64, usize) -> Result<Row>) -> Result<Vec<Row>> {
    let points = PASS_RATES.iter().flat_map(|&p| SIZES.map(|n| (p, n)));
    points.map(|(p, n)| row(&arms(p, n)?, p, n)).collect()
}

fn at(p: f64, n: usize) -> String {
    format!("p {p}, n {n}")
}

fn one(repeats: Repeats) -> Selection {
    Selection::Right { per_prompt: 1, repeats }
}

/// The law of the answer that a selection keeps, given that it keeps one.
fn given_one(lab: &Lab, repeats: Repeats) -> Result<Vec<f64>> {
    let law = lab.law(one(repeats))?.swap_remove(0);
    let kept: f64 = law.iter().sum();
    Ok(law.iter().map(|mass| mass / kept).collect())
}

fn kept_law(repeats: Repeats) -> Result<Evidence> {
    let row = |lab: &Lab, p, n| Ok(Row::laws(at(p, n), &given_right(lab, 0), &given_one(lab, repeats)?));
    Ok(Evidence::new(grid(row)?))
}

fn gap(fewer: usize) -> Result<Evidence> {
    let row = |lab: &Lab, p: f64, n: usize| {
        let kept = if n > fewer {
            lab.clone().rollouts(n - fewer).law(one(Repeats::Keep))?.swap_remove(0)
        } else {
            vec![0.0; 4]
        };
        let missing = given_right(lab, 0).iter().zip(kept).map(|(a, b)| (a - b).abs()).sum();
        Ok(Row::number(at(p, n), (1.0 - p).powi(n as i32), missing))
    };
    Ok(Evidence::new(grid(row)?))
}

fn distinct(repeats: Repeats) -> Result<Evidence> {
    let stated = grid(|lab, p, n| Ok(Row::laws(at(p, n), &given_right(lab, 0), &given_one(lab, Repeats::Drop)?)))?;
    let exactly = grid(|lab, p, n| {
        let (a, kept) = (given_right(lab, 0)[0], given_one(lab, repeats)?[0]);
        let first = |k: i32| (1.0 + a.powi(k) - (1.0 - a).powi(k)) / 2.0;
        let mean: f64 = (1..=n).map(|k| binomial(n, k, p) * first(k as i32)).sum();
        Ok(Row::number(format!("share of the first, {}", at(p, n)), mean / (1.0 - (1.0 - p).powi(n as i32)), kept))
    })?;
    Ok(Evidence::new(stated).exactly(exactly))
}

fn union(repeats: Repeats) -> Result<Evidence> {
    let mut rows = Vec::new();
    for p in PASS_RATES {
        let mut pooled = [0.0; 4];
        for n in SIZES {
            let every = Selection::Right { per_prompt: n, repeats };
            let law = arms(p, n)?.law(every)?.swap_remove(0);
            pooled.iter_mut().zip(law).for_each(|(sum, mass)| *sum += mass);
        }
        let total: f64 = pooled.iter().sum();
        rows.push(Row::laws(
            format!("p {p}, n 1 to 8"),
            &given_right(&arms(p, 1)?, 0),
            &pooled.map(|mass| mass / total),
        ));
    }
    Ok(Evidence::new(rows))
}

/// Which of several best answers is chosen.
#[derive(Clone, Copy)]
enum Ties {
    Uniform,
    First,
}

/// The law of the best of n answers, right or wrong: of the right ones where there are any, else of all.
fn best(lab: &Lab, ties: Ties) -> Result<Vec<f64>> {
    let mut law = vec![0.0; lab.questions()[0].answers.len()];
    let right = |i: usize| lab.reward(0, i) > 0.5;
    for (probability, drawn) in lab.groups(0) {
        let any = drawn.iter().any(|&i| right(i));
        let candidates: Vec<usize> = drawn.into_iter().filter(|&i| !any || right(i)).collect();
        match ties {
            Ties::Uniform => candidates.iter().for_each(|&i| law[i] += probability / candidates.len() as f64),
            Ties::First => law[candidates[0]] += probability,
        }
    }
    Ok(law)
}

fn binary_law(ties: Ties) -> Result<Evidence> {
    let row = |lab: &Lab, p: f64, n: usize| {
        let factor = |right: f64| match right > 0.5 {
            true => (1.0 - (1.0 - p).powi(n as i32)) / p,
            false => (1.0 - p).powi(n as i32 - 1),
        };
        Ok(Row::laws(at(p, n), &tilted(lab, factor), &best(lab, ties)?))
    };
    Ok(Evidence::new(grid(row)?))
}

/// The policy's law with the mass of right and of wrong answers multiplied.
fn tilted(lab: &Lab, factor: impl Fn(f64) -> f64) -> Vec<f64> {
    let answers = lab.questions()[0].answers.iter();
    answers.zip(lab.probabilities(0)).map(|(answer, mass)| mass * factor(answer.verdict.reward())).collect()
}

fn divergence(ties: Ties) -> Result<Evidence> {
    let measured = |lab: &Lab, ties| {
        let pairs = best(lab, ties)?.into_iter().zip(lab.probabilities(0));
        Ok(pairs.filter(|(q, _)| *q > 0.0).map(|(q, p)| q * (q / p).ln()).sum::<f64>())
    };
    let printed = |n: usize| (n as f64).ln() - (n as f64 - 1.0) / n as f64;
    let stated = grid(|lab, p, n| Ok(Row::number(at(p, n), printed(n), measured(lab, Ties::Uniform)?)))?;
    let mut exactly = grid(|lab, p, n| {
        let right = 1.0 - (1.0 - p).powi(n as i32);
        let formula = right * (right / p).ln() + (1.0 - right) * (n as f64 - 1.0) * (1.0 - p).ln();
        Ok(Row::number(format!("with ties, {}", at(p, n)), formula, measured(lab, ties)?))
    })?;
    exactly.extend(grid(|lab, p, n| {
        Ok(Row::at_most(
            format!("at most eq. 4 and -log p, {}", at(p, n)),
            printed(n).min(-p.ln()),
            measured(lab, ties)?,
        ))
    })?);
    Ok(Evidence::new(stated).exactly(exactly))
}

/// `1/α` of best-of-n: the difference of the log-odds of a right answer.
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
        let law: Vec<f64> = weighed.iter().map(|mass| mass / total).collect();
        Ok(Row::laws(at(p, n), &law, &best(&lab, Ties::Uniform)?))
    };
    Ok(Evidence::new(points.map(row).collect::<Result<Vec<_>>>()?))
}

fn one_alpha(fewer: usize) -> Result<Evidence> {
    let measured = |p: f64, n: usize| {
        let lab = arms(p, n - fewer)?;
        let odds = |law: Vec<f64>| ((law[0] + law[1]) / (law[2] + law[3])).ln();
        Ok(odds(best(&lab, Ties::Uniform)?) - odds(lab.probabilities(0)))
    };
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for n in [2, 4, 8] {
        for p in PASS_RATES {
            let found = measured(p, n)?;
            stated.push(Row::number(at(p, n), strength(0.5, n), found));
            exactly.push(Row::number(format!("its own, {}", at(p, n)), strength(p, n), found));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
