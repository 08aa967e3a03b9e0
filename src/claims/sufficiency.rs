//! Cloning of right answers: the policies that it converges to.

use oreal_algos::{
    Algorithm, Anchor, Average, Kl, Normaliser, Oreal, Positives, Repeats, Rft, Role, Selection, TokenWeights,
};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::worlds::{arms, given_right};
use crate::error::Result;
use crate::lab::Lab;

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "cloning-converges",
            topic: Topic::Sufficiency,
            source: "OREAL, section 2.2",
            statement: "Cloning the answers that best-of-n keeps takes the policy to π₀/p, the distribution of the \
                        initial policy's right answers.",
            measures: "total variation distance between policy and π₀/p, as training proceeds (RFT, and OREAL's \
                       positive term)",
            derivation: "The expected loss is the cross-entropy from π₀/p to the policy, times the probability that an \
                         answer is kept. Its infimum is at π₀/p, for every n. A softmax gives wrong answers some \
                         probability after any finite number of steps, so π₀/p is a limit that is never reached. A \
                         positive term weighted by advantages has the same limit, because all right answers of a group \
                         have the same advantage.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| cloning(Repeats::Keep)),
            control: Control {
                wrong: "repeated answers are dropped before one is kept",
                check: Exact(|| cloning(Repeats::Drop)),
            },
        },
        Claim {
            name: "cloning-reverse-kl",
            topic: Topic::Sufficiency,
            source: "OREAL, L1",
            statement: "Cloning with β·KL(π, π₀) has the optimum of E[R] - β·KL(π, π₀): logit P = logit p + 1/β.",
            measures: "log-odds of a right answer at the fixed point of training",
            derivation: "Cloning ascends log P, whose gradient is ∇P/P, instead of P. So the fixed point satisfies \
                         logit P = logit p + 1/(βP), the optimum for the coefficient βP in place of β. It is closer to \
                         π₀/p than the statement says, by an amount that depends on the question. With K answers per \
                         question, there is something to clone only if one of them is right, so the last term becomes \
                         c/(βP) with c = 1-(1-P)^K.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| reverse_kl(Kl::K2)),
            control: Control { wrong: "the released k3 in place of k2", check: Exact(|| reverse_kl(Kl::K3)) },
        },
        Claim {
            name: "cloning-forward-kl",
            topic: Topic::Sufficiency,
            source: "OREAL, released code (k3 as a loss)",
            statement: "Cloning with k3 against π₀ converges to the mixture (π₊ + β·π₀)/(1+β) of π₀ and its right \
                        answers.",
            measures: "total variation distance between the policy at the fixed point and the mixture, as K grows",
            derivation: "As a loss, k3 has the gradient of KL(π₀, π), so the fixed point satisfies c·(π₊ - π) + β·(π₀ \
                         - π) = 0, where c = 1-(1-P)^K is the probability that there is an answer to clone. The \
                         mixture weights are c and β, so the statement needs c = 1, the limit of large K. Unlike KL(π, \
                         π₀), this divergence leaves every wrong answer a share β/(c+β) of its initial probability.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| forward_kl(Kl::K3)),
            control: Control { wrong: "k2 in place of k3", check: Exact(|| forward_kl(Kl::K2)) },
        },
        Claim {
            name: "cloning-small-beta",
            topic: Topic::Sufficiency,
            source: "OREAL, section 2.2",
            statement: "Cloning with a KL divergence from π₀ also takes the policy to π₀/p.",
            measures: "total variation distance between the policy at the fixed point and π₀/p, as β decreases",
            derivation: "At the fixed point logit P = logit p + c/(βP): finite for every β above 0, and without bound \
                         as β goes to 0. The proportions among right answers are those of π₀ for every β.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| small_beta(1.0)),
            control: Control { wrong: "β is not decreased", check: Exact(|| small_beta(0.0)) },
        },
    ]
}

/// OREAL's positive term alone, with a KL divergence from the policy before training.
fn positive(beta: f64, kl: Kl) -> Oreal {
    Oreal {
        positives: Positives::Plain,
        eta: 0.0.into(),
        token_weights: TokenWeights::Uniform,
        normaliser: Normaliser::Trajectories,
        selection: Selection::All,
        anchor: Anchor::Reference,
        beta: beta.into(),
        kl,
        ..Oreal::default()
    }
}

fn best_of_n(repeats: Repeats) -> Selection {
    Selection::Right { per_prompt: 1, repeats }
}

/// Training on answers that are always drawn from the policy before training.
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
            let mut lab = start.clone().drawn_from(start.table(Role::POLICY).clone());
            for step in 1..=80 {
                lab = lab.natural_step(&**scheme, 0.5)?;
                if [10, 20, 40, 80].contains(&step) {
                    let row = Measurement::distributions(
                        format!("{name}, p {p}, n {n}, step {step}"),
                        &target,
                        &lab.probabilities(0),
                    );
                    rows.push(row.in_series(format!("{name} {p} {n}")));
                }
            }
        }
    }
    Ok(Evidence::new(rows))
}

/// The lab after on-policy training to the fixed point.
fn fixed_point(p: f64, k: usize, beta: f64, kl: Kl) -> Result<Lab> {
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
            let lab = fixed_point(p, k, beta, kl)?;
            let [initial, trained] = [p, lab.pass_rates()[0]].map(|p: f64| (p / (1.0 - p)).ln());
            let rate = lab.pass_rates()[0];
            let clones = 1.0 - (1.0 - rate).powi(k as i32);
            let at = format!("p {p}, K {k}, β {beta}");
            stated.push(Measurement::number(&at, initial + 1.0 / beta, trained));
            exactly.push(Measurement::number(
                format!("logit p + c/(βP), {at}"),
                initial + clones / (beta * rate),
                trained,
            ));
            let kept = lab.probabilities(0)[0] / rate;
            exactly.push(Measurement::number(format!("share of the first right answer, {at}"), 0.7, kept));
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
            let lab = fixed_point(p, k, beta, kl)?;
            let at = format!("p {p}, β {beta}, K {k}");
            let row = Measurement::distributions(&at, &mixture(1.0), &lab.probabilities(0));
            stated.push(row.in_series(format!("p {p}, β {beta}")));
            let clones = 1.0 - (1.0 - lab.pass_rates()[0]).powi(k as i32);
            exactly.push(Measurement::distributions(
                format!("weights c and β, {at}"),
                &mixture(clones),
                &lab.probabilities(0),
            ));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn small_beta(lowered: f64) -> Result<Evidence> {
    let mut rows = Vec::new();
    for (p, k) in POINTS {
        let target = given_right(&arms(p, 1)?, 0);
        for beta in [4.0_f64, 1.0, 0.25, 0.125, 0.0625] {
            let lab = fixed_point(p, k, 4.0 * (beta / 4.0).powf(lowered), Kl::K2)?;
            let row = Measurement::distributions(format!("p {p}, K {k}, β {beta}"), &target, &lab.probabilities(0));
            rows.push(row.in_series(format!("p {p}, K {k}")));
        }
    }
    Ok(Evidence::new(rows))
}
