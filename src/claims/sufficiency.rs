//! Where cloning right answers leads.

use oreal_algos::{
    Algorithm, Anchor, Average, Kl, Normaliser, Oreal, Positives, Repeats, Rft, Role, Selection, TokenWeights,
};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Row, Verdict};
use super::worlds::{arms, given_right};
use crate::error::Result;
use crate::lab::Lab;

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "cloning-converges",
            topic: Topic::Sufficiency,
            source: "OREAL, section 2.2",
            statement: "Cloning what best-of-n keeps takes the policy to π₀/p, the law of π₀'s right answers.",
            measures: "total variation between policy and π₀/p, as training goes on (RFT, and OREAL's positive term)",
            derivation: "The expected loss is the cross-entropy from π₀/p to the policy (times the chance to keep anything), which has its \
                         infimum there, at every n. A softmax gives wrong answers some mass after any number of steps, so the law is a limit \
                         and never reached. A positive term weighed by advantages has the same limit, since on one question they are the same \
                         for all right answers of a group.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| cloning(Repeats::Keep)),
            control: Control {
                wrong: "answers de-duplicated before one is kept",
                check: Exact(|| cloning(Repeats::Drop)),
            },
        },
        Claim {
            name: "cloning-reverse-kl",
            topic: Topic::Sufficiency,
            source: "OREAL, L1",
            statement: "Cloning with β·KL(π, π₀) has the optimum of E[R] - β·KL(π, π₀): logit P = logit p + 1/β.",
            measures: "log-odds of a right answer where training comes to rest",
            derivation: "Cloning follows ∇log P = ∇P/P, not ∇P. So it rests where logit P = logit p + 1/(βP), the optimum for the temperature βP: closer to \
                         π₀/p than promised, and by a factor that depends on the question. With K answers a question is cloned from only when one is \
                         right, so 1 becomes c = 1-(1-P)^K.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| reverse_kl(Kl::K2)),
            control: Control { wrong: "the released k3 in place of k2", check: Exact(|| reverse_kl(Kl::K3)) },
        },
        Claim {
            name: "cloning-forward-kl",
            topic: Topic::Sufficiency,
            source: "OREAL, released code (k3 as a loss)",
            statement: "Cloning with k3 against π₀ rests at the mixture (π₊ + β·π₀)/(1+β) of π₀ and its right answers.",
            measures: "total variation between the policy at rest and the mixture, as K grows",
            derivation: "As a loss k3 has the gradient of KL(π₀, π), so at rest c·(π₊ - π) + β·(π₀ - π) = 0 with c = 1-(1-P)^K, the chance that there is \
                         anything to clone. The mixture weights are c and β: the statement needs c = 1, that is, K large. Unlike the other divergence it \
                         leaves every wrong answer a share β/(1+β) of its old mass.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| forward_kl(Kl::K3)),
            control: Control { wrong: "k2 in place of k3", check: Exact(|| forward_kl(Kl::K2)) },
        },
        Claim {
            name: "cloning-small-beta",
            topic: Topic::Sufficiency,
            source: "OREAL, section 2.2",
            statement: "Cloning with a divergence from π₀ takes the policy to π₀/p, too.",
            measures: "total variation between the policy at rest and π₀/p, as β falls",
            derivation: "At rest logit P = logit p + c/(βP): finite for every β above 0, and without bound as β goes to 0. Proportions among right answers \
                         are those of π₀ for every β.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| small_beta(1.0)),
            control: Control { wrong: "β is not lowered", check: Exact(|| small_beta(0.0)) },
        },
    ]
}

/// OREAL's positive term alone, with a divergence from the policy before training.
fn positive(beta: f64, kl: Kl) -> Oreal {
    Oreal {
        positives: Positives::Plain,
        eta: 0.0,
        token_weights: TokenWeights::Uniform,
        normaliser: Normaliser::Trajectories,
        selection: Selection::All,
        anchor: Anchor::Reference,
        beta,
        kl,
        ..Oreal::default()
    }
}

fn best_of_n(repeats: Repeats) -> Selection {
    Selection::Right { per_prompt: 1, repeats }
}

/// Answers are drawn from the policy before training all along.
fn cloning(repeats: Repeats) -> Result<Evidence> {
    let schemes: [(&str, Box<dyn Algorithm>); 3] = [
        ("rft", Box::new(Rft { per_prompt: 1, repeats, average: Average::Token })),
        ("oreal, plain", Box::new(Oreal { selection: best_of_n(repeats), ..positive(0.0, Kl::K3) })),
        (
            "oreal, advantages",
            Box::new(Oreal { positives: Positives::Advantage, selection: best_of_n(repeats), ..positive(0.0, Kl::K3) }),
        ),
    ];
    let mut rows = Vec::new();
    for (name, scheme) in &schemes {
        for (p, n) in [(0.1, 8), (0.5, 2), (0.5, 8), (0.9, 2)] {
            let start = arms(p, n)?;
            let target = given_right(&start, 0);
            let mut lab = start.clone().drawn_from(start.table(Role::Policy).clone());
            for step in 1..=80 {
                lab = lab.natural_step(&**scheme, 0.5)?;
                if [10, 20, 40, 80].contains(&step) {
                    let row = Row::laws(format!("{name}, p {p}, n {n}, step {step}"), &target, &lab.probabilities(0));
                    rows.push(row.in_series(format!("{name} {p} {n}")));
                }
            }
        }
    }
    Ok(Evidence::new(rows))
}

/// Trained on its own answers until it rests.
fn rest(p: f64, k: usize, beta: f64, kl: Kl) -> Result<Lab> {
    let mut lab = arms(p, k)?;
    let scheme = positive(beta, kl);
    for _ in 0..400 {
        let before = lab.probabilities(0);
        lab = lab.natural_step(&scheme, 0.5 / (1.0 + beta))?;
        let moved = before.iter().zip(lab.probabilities(0)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if moved < 1e-14 {
            break;
        }
    }
    Ok(lab)
}

const POINTS: [(f64, usize); 4] = [(0.1, 2), (0.5, 2), (0.5, 4), (0.9, 2)];

fn reverse_kl(kl: Kl) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, k) in POINTS {
        for beta in [0.5, 1.0, 2.0] {
            let lab = rest(p, k, beta, kl)?;
            let [was, is] = [p, lab.pass_rates()[0]].map(|p: f64| (p / (1.0 - p)).ln());
            let rate = lab.pass_rates()[0];
            let clones = 1.0 - (1.0 - rate).powi(k as i32);
            let at = format!("p {p}, K {k}, β {beta}");
            stated.push(Row::number(&at, was + 1.0 / beta, is));
            exactly.push(Row::number(format!("logit p + c/(βP), {at}"), was + clones / (beta * rate), is));
            let kept = lab.probabilities(0)[0] / rate;
            exactly.push(Row::number(format!("share of the first right answer, {at}"), 0.7, kept));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn forward_kl(kl: Kl) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, beta) in [(0.5, 0.5), (0.5, 2.0), (0.75, 1.0)] {
        for k in [1, 2, 4, 8] {
            let start = arms(p, 1)?;
            let mixture = |clones: f64| -> Vec<f64> {
                let pairs = given_right(&start, 0).into_iter().zip(start.probabilities(0));
                pairs.map(|(right, was)| (clones * right + beta * was) / (clones + beta)).collect()
            };
            let lab = rest(p, k, beta, kl)?;
            let at = format!("p {p}, β {beta}, K {k}");
            let row = Row::laws(&at, &mixture(1.0), &lab.probabilities(0));
            stated.push(row.in_series(format!("p {p}, β {beta}")));
            let clones = 1.0 - (1.0 - lab.pass_rates()[0]).powi(k as i32);
            exactly.push(Row::laws(format!("weights c and β, {at}"), &mixture(clones), &lab.probabilities(0)));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn small_beta(lowered: f64) -> Result<Evidence> {
    let mut rows = Vec::new();
    for (p, k) in POINTS {
        let target = given_right(&arms(p, 1)?, 0);
        for beta in [4.0_f64, 1.0, 0.25, 0.125, 0.0625] {
            let lab = rest(p, k, 4.0 * (beta / 4.0).powf(lowered), Kl::K2)?;
            let row = Row::laws(format!("p {p}, K {k}, β {beta}"), &target, &lab.probabilities(0));
            rows.push(row.in_series(format!("p {p}, K {k}")));
        }
    }
    Ok(Evidence::new(rows))
}
