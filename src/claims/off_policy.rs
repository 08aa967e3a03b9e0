//! Losses off-policy: the guard on large log-ratios, truncated importance sampling, and the KL estimator with a ratio.

use oreal_algos::{
    Added, Algorithm, Baseline, Column, Experience, Grpo, Kl, Layout, RatioGuard, Reinforce, Role, SamplerRatio, Scale,
};
use oreal_models::{Optimiser, Table};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::estimators::{negative_kl_gradient, worlds};
use super::evidence::{Evidence, Measurement, Verdict};
use super::gradients::scaled;
use super::variants::{Lower, WHOLE};
use super::worlds::{PASS_RATES, arms};
use crate::error::Result;
use crate::lab::{Lab, next_token, norm};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "guard-first-update",
            topic: Topic::Estimators,
            source: "verl (its actor clamps log-ratios at 20)",
            statement: "At the first update a guard on the log-ratio of the surrogate does not change the gradient, \
                        however small its bound.",
            measures: "expected gradient of GRPO with a guard against that without",
            derivation: "At the first update the surrogate's log-ratio, logπ - logπ_old, is 0 at every token. That is \
                         inside any bound, where the guard is the identity and its derivative is 1. The guard also \
                         applies to the log-ratio to the reference in k3, which is not 0 if policy and reference \
                         differ.",
            recorded: Verdict::Holds,
            check: Exact(|| guard_at_first_update(0.0)),
            control: Control {
                wrong: "k3 against another reference, with β = 1",
                check: Exact(|| guard_at_first_update(1.0)),
            },
        },
        Claim {
            name: "guard-off-policy",
            topic: Topic::Estimators,
            source: "verl (its actor clamps log-ratios at 20)",
            statement: "Off-policy, a guard on the log-ratio does not change the expected gradient.",
            measures: "expected gradient of the importance-weighted surrogate with a guard at bound G, answers drawn \
                       uniformly, against (K-1)/K·∇p",
            derivation: "Without a guard and without clipping, the expected gradient of π/μ·(R - mean of the group) \
                         is (K-1)/K times the sum of π·(R - E_μ[R])·∇logπ, which is (K-1)/K·∇p for every sampler μ. \
                         Beyond the bound the guarded ratio is constant and has no gradient, so the sum runs only \
                         over answers with |log π/μ| below G. In exchange the loss of a token is bounded: at \
                         log-ratio 50 and advantage -1 it is e^G, not e^50.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| guard_off_policy(true)),
            control: Control { wrong: "no guard", check: Exact(|| guard_off_policy(false)) },
        },
        Claim {
            name: "truncated-sampler-ratio",
            topic: Topic::Estimators,
            source: "IMPALA (arXiv 1802.01561); verl and TRL weight tokens so",
            statement: "Where a sampler μ that is not the policy draws answers of one token, the weight min(π/μ, C) gives the \
                        gradient of the pass rate with a bias of at most √2 times the probability that is cut off right \
                        answers, and with none where nothing is cut.",
            measures: "expected gradient of REINFORCE with sampler_ratio = { truncated = C }, answers drawn uniformly: against \
                       that with min(π, C·μ) in place of π, its distance from ∇p, and ∇p itself where π ≤ C·μ",
            derivation: "Under μ the expectation of min(π/μ, C)·R·∇logπ is the sum of min(π, C·μ)·R·∇logπ. It falls short of \
                         ∇p, the sum of π·R·∇logπ, by the sum of max(π - C·μ, 0)·R·∇logπ, and the norm of ∇logπ is at most \
                         √2 for a softmax of logits. The variance is that of at most C·R·∇logπ, however small μ. On answers of \
                         several tokens each token has its own weight, which leaves out how likely its prefix was.",
            recorded: Verdict::Holds,
            check: Exact(|| truncated(true)),
            control: Control { wrong: "no weight", check: Exact(|| truncated(false)) },
        },
        Claim {
            name: "k3-corrected",
            topic: Topic::Estimators,
            source: "DeepSeek-V3.2 (arXiv 2512.02556), unbiased KL estimate; TRL's default",
            statement: "As a loss, k3 times the importance ratio has the gradient of KL(π, ref) on answers of one \
                        token, on-policy and off-policy.",
            measures: "expected gradient against that of KL(π, ref), answers drawn from the policy and uniformly",
            derivation: "With the ratio π/μ to the sampler, ∇(π/μ·k3) = π/μ·(k3 + 1 - ref/π)·∇logπ. Under μ its \
                         expectation is E_π[(logπ - log ref)·∇logπ], the gradient of KL(π, ref) for every sampler μ. \
                         On answers of several tokens it is that gradient at each prefix, weighted by the prefix's \
                         probability under μ.",
            recorded: Verdict::Holds,
            check: Exact(|| corrected(Kl::K3Corrected)),
            control: Control { wrong: "k3 without the ratio", check: Exact(|| corrected(Kl::K3)) },
        },
    ]
}

/// Bounds on the log-ratio that some answers of a world exceed.
const BOUNDS: [f64; 3] = [0.25, 0.5, 1.0];

/// The surrogate without clipping, with the group's mean reward as baseline.
fn surrogate(bound: Option<f64>) -> Grpo {
    let ratio_guard = bound.map_or(RatioGuard::Off, |bound| RatioGuard::Bound(bound.into()));
    let (clip_low, clip_high) = (1e9.into(), 1e9.into());
    Grpo { beta: 0.0.into(), scale: Scale::One, average: WHOLE, clip_low, clip_high, ratio_guard, ..Grpo::default() }
}

fn guard_at_first_update(beta: f64) -> Result<Evidence> {
    let mut rows = Vec::new();
    for (world, lab) in worlds()? {
        let gradient = |bound| lab.expected(&Grpo { beta: beta.into(), kl: Kl::K3, ..surrogate(bound) });
        let without = gradient(None)?;
        for bound in BOUNDS {
            let with = gradient(Some(bound))?;
            rows.push(Measurement::gradient(format!("bound {bound}, {world}"), without.policy(), with.policy()));
        }
    }
    Ok(Evidence::new(rows))
}

/// The lab with answers drawn from a policy that is uniform at every state.
fn drawn_uniformly(lab: Lab) -> Result<Lab> {
    let uniform = Table::new(lab.table(Role::POLICY).vocabulary(), &Optimiser::EXACT)?;
    Ok(lab.drawn_from(uniform))
}

fn guard_off_policy(guarded: bool) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, bound) in PASS_RATES.into_iter().flat_map(|p| BOUNDS.map(|bound| (p, bound))) {
        let (k, at) = (4, format!("p {p}, G {bound}"));
        let lab = drawn_uniformly(arms(p, k)?)?;
        let (factor, truth) = ((k - 1) as f64 / k as f64, lab.pass_rate_gradient()?);
        let whole = scaled(&truth, factor);
        // Two of the four answers are right.
        let sampled = |answer: usize| (lab.probabilities(0)[answer] / 0.25).ln();
        let within = lab.gradient_of_mean(&|_, answer| {
            if sampled(answer).abs() < bound { factor * (lab.reward(0, answer) - 0.5) } else { 0.0 }
        })?;
        let found = lab.expected(&surrogate(guarded.then_some(bound)))?;
        stated.push(Measurement::gradient(&at, &whole, found.policy()));
        exactly.push(Measurement::gradient(format!("sum over answers within, {at}"), &within, found.policy()));
        let unguarded = lab.expected(&surrogate(None))?;
        exactly.push(Measurement::gradient(format!("without a guard, {at}"), &whole, unguarded.policy()));
    }
    for bound in [5.0, 20.0] {
        let loss = loss_of_one_token(&surrogate(guarded.then_some(bound)))?;
        exactly.push(Measurement::number(format!("log of the loss at log-ratio 50, G {bound}"), bound, loss.ln()));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

/// The loss of a single token at log-ratio 50 and advantage -1.
fn loss_of_one_token(algorithm: &dyn Algorithm) -> Result<f64> {
    let mut x = Experience::new(Layout::new(&[vec![1]])?);
    for (column, value) in [(Column::LOGP, -1.0), (Column::OLD_LOGP, -51.0), (Column::ADVANTAGE, -1.0)] {
        x.set(column, vec![value])?;
    }
    Ok(algorithm.objective().evaluate(&x).value)
}

fn truncated(weighted: bool) -> Result<Evidence> {
    let mut rows = Vec::new();
    for (p, bound) in PASS_RATES.into_iter().flat_map(|p| [0.5, 1.0, 2.0, 1e3].map(|bound| (p, bound))) {
        let lab = arms(p, 2)?;
        let uniform = Table::new(lab.table(Role::POLICY).vocabulary(), &Optimiser::EXACT)?;
        let lab = lab.drawn_elsewhere(uniform);
        let (policy, at) = (lab.probabilities(0), format!("p {p}, C {bound}"));
        let sampled = 1.0 / policy.len() as f64;
        let kept = |answer: usize| policy[answer].min(bound * sampled) / policy[answer];
        let stated = lab.gradient_of_mean(&|_, answer| kept(answer) * lab.reward(0, answer))?;
        let sampler_ratio = if weighted { SamplerRatio::Truncated(bound.into()) } else { SamplerRatio::Off };
        let reinforce = Reinforce { baseline: Baseline::None, ..Reinforce::default() };
        let found = lab.expected(&*Added { sampler_ratio, ..Added::default() }.to(Box::new(reinforce)))?;
        rows.push(Measurement::gradient(format!("min(π, C·μ), {at}"), &stated, found.policy()));
        let truth = lab.pass_rate_gradient()?;
        let apart: Vec<f64> = truth.iter().zip(found.policy()).map(|(truth, found)| truth - found).collect();
        let cut: f64 = (0..policy.len()).map(|a| lab.reward(0, a) * (policy[a] - bound * sampled).max(0.0)).sum();
        rows.push(Measurement::at_most(format!("bias, {at}"), 2f64.sqrt() * cut, norm(&apart)));
        if cut == 0.0 {
            rows.push(Measurement::gradient(format!("nothing is cut, {at}"), &truth, found.policy()));
        }
    }
    Ok(Evidence::new(rows))
}

fn corrected(kl: Kl) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (world, lab) in worlds()? {
        for (sampler, uniform) in [("on-policy", false), ("drawn uniformly", true)] {
            let lab = if uniform { drawn_uniformly(lab.clone())? } else { lab.clone() };
            let (found, at) = (lab.expected(&Lower::Divergence(kl))?, format!("{sampler}, {world}"));
            if world.starts_with("one token") {
                stated.push(Measurement::gradient(&at, &negative_kl_gradient(&lab)?, found.policy()));
            }
            let (mut expected, mut measured) = (Vec::new(), Vec::new());
            for (state, gradient) in found.by_state(Role::POLICY) {
                let [p, q] = [Role::POLICY, Role::REFERENCE].map(|role| next_token(lab.table(role), state));
                let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
                let visits = if uniform {
                    (p.len() as f64).powi(-(state.prefix.len() as i32))
                } else {
                    lab.table(Role::POLICY).probability(&state.prompt, &state.prefix)
                };
                expected.extend(p.iter().zip(&q).map(|(p, q)| visits * p * (divergence - (p / q).ln())));
                measured.extend_from_slice(gradient);
            }
            exactly.push(Measurement::gradient(format!("KL(π, ref) at each prefix, {at}"), &expected, &measured));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
