//! Estimators of ratios, advantages and KL divergences: their expected values, and their expected gradients as losses.

use oreal_algos::{Algorithm, Average, Column, Grpo, Kl, Level, Ppo, Rloo, Role, Whitening, credit_of};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::variants::{CreditOf, Lower, WHOLE};
use super::worlds::{arms, ragged, tree, with_others};
use crate::error::Result;
use crate::lab::{Lab, next_token, norm};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "first-ratio",
            topic: Topic::Estimators,
            source: "PPO (arXiv 1707.06347), GRPO (arXiv 2402.03300)",
            statement: "At the first update every importance ratio is 1, nothing is clipped, and the gradient of the \
                        clipped surrogate is the plain policy gradient.",
            measures: "mean ratio, clipped share and expected gradient of GRPO and PPO, against 1, 0 and the gradient \
                       of -A·logπ",
            derivation: "The policy has not been updated since sampling, so π = π_old at every token. exp(logπ - \
                         logπ_old) is 1 and its gradient is that of logπ. Clipping can act from the second update on; \
                         an algorithm with one update per step never clips.",
            recorded: Verdict::Holds,
            check: Exact(|| first_update(&Grpo { beta: 0.0.into(), average: WHOLE, ..Grpo::default() })),
            control: Control { wrong: "the ratio is detached", check: Exact(|| first_update(&Lower::DetachedRatio)) },
        },
        Claim {
            name: "ppo-first-step",
            topic: Topic::Estimators,
            source: "PPO (arXiv 1707.06347), GAE (arXiv 1506.02438)",
            statement: "With λ = 1, the expected gradient of PPO's first update is that of the pass rate, whatever \
                        values its critic outputs.",
            measures: "expected gradient of PPO with a random critic against ∇p, answers of unequal length",
            derivation: "With λ = 1 the advantage is R - V(prefix). V does not depend on the token drawn after the \
                         prefix, so E[V·∇logπ] = 0 and the critic changes only the variance. With λ below 1 the \
                         critic's errors enter the mean.",
            recorded: Verdict::Holds,
            check: Exact(|| ppo(1.0)),
            control: Control { wrong: "λ = 0.95", check: Exact(|| ppo(0.95)) },
        },
        Claim {
            name: "gae-monte-carlo",
            topic: Topic::Estimators,
            source: "GAE (arXiv 1506.02438), eq. 18",
            statement: "With λ = 1 and no discount, the generalised advantage is the Monte Carlo return minus the \
                        value.",
            measures: "largest difference from R - V over all tokens of all batches",
            derivation: "The sum of r + V' - V over the remaining tokens of an answer telescopes to the sum of \
                         rewards, which is R, minus the first V, because V after the last token is 0.",
            recorded: Verdict::Holds,
            check: Exact(|| monte_carlo(1.0)),
            control: Control { wrong: "λ = 0.95", check: Exact(|| monte_carlo(0.95)) },
        },
        Claim {
            name: "length-bias",
            topic: Topic::Estimators,
            source: "Dr. GRPO (arXiv 2503.20783)",
            statement: "Averaging over an answer's tokens instead of summing over them does not change the direction \
                        of the gradient.",
            measures: "expected gradient of RLOO with token means against ∇p, answers of unequal length",
            derivation: "∇logπ of an answer is a sum over its tokens. Dividing it by the length weights each answer by \
                         1/length, which depends on the answer. Only the sum is unbiased. A mean over all tokens of \
                         the batch has a random denominator and is biased too.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| lengths(WHOLE)),
            control: Control {
                wrong: "token means in place of the sum",
                check: Exact(|| lengths(Average::Trajectory)),
            },
        },
        Claim {
            name: "sampler-support",
            topic: Topic::Estimators,
            source: "OREAL, released code: top-p 0.9 with log-probabilities of the full softmax",
            statement: "Sampling from a nucleus with log-probabilities of the full softmax gives the gradient of the \
                        pass rate.",
            measures: "expected gradient of RLOO against ∇p, where the least probable answer is never drawn",
            derivation: "If answers are drawn from q instead of π, RLOO's expected gradient is the sum of q·(R - \
                         E_q[R])·∇logπ. This is neither the gradient of the policy's pass rate nor that of the \
                         nucleus's: the terms of answers that are never drawn are missing, and the others are divided \
                         by the probability of the nucleus.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| nucleus(&Rloo { average: WHOLE })),
            control: Control {
                wrong: "advantages divided by the group's standard deviation",
                check: Exact(|| nucleus(&Grpo { beta: 0.0.into(), average: WHOLE, ..Grpo::default() })),
            },
        },
        Claim {
            name: "kl-values",
            topic: Topic::Estimators,
            source: "Schulman 2020, \"Approximating KL divergence\"",
            statement: "k1 and k3 are unbiased estimators of KL(π, ref).",
            measures: "expectation of the estimator, summed over an answer's tokens, against the KL divergence",
            derivation: "E[logπ - log ref] is the KL divergence. k3 adds ref/π - 1, whose expectation is 0 at every \
                         token. k2 is half the square of the log-ratio and has another expectation.",
            recorded: Verdict::Holds,
            check: Exact(|| values(&[Kl::K1, Kl::K3])),
            control: Control { wrong: "k2", check: Exact(|| values(&[Kl::K2])) },
        },
        Claim {
            name: "k1-gradient",
            topic: Topic::Estimators,
            source: "folklore; Tang and Munos, arXiv 2506.09477",
            statement: "As a loss, k1 has the gradient of the KL divergence that it estimates.",
            measures: "expected gradient against that of KL(π, ref)",
            derivation: "∇(logπ - log ref) = ∇logπ, whose expectation is 0. So k1 has the right value and no expected \
                         gradient. It can be used in the reward, where it multiplies ∇logπ.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| k1(Kl::K1)),
            control: Control { wrong: "k2", check: Exact(|| k1(Kl::K2)) },
        },
        Claim {
            name: "k2-gradient",
            topic: Topic::Estimators,
            source: "Tang and Munos, arXiv 2506.09477",
            statement: "As a loss, k2 has the gradient of KL(π, ref) on answers of one token.",
            measures: "expected gradient against that of KL(π, ref)",
            derivation: "∇½d² = d·∇logπ with d = logπ - log ref, and E[d·∇logπ] is the gradient of the KL divergence, \
                         because E[∇d] = 0. So k2 has a biased value and the right gradient.",
            recorded: Verdict::Holds,
            check: Exact(|| k2(Kl::K2)),
            control: Control { wrong: "k3", check: Exact(|| k2(Kl::K3)) },
        },
        Claim {
            name: "k2-sequences",
            topic: Topic::Estimators,
            source: "Tang and Munos, arXiv 2506.09477 (the second pitfall)",
            statement: "As a loss, k2 also has the gradient of KL(π, ref) on answers of several tokens.",
            measures: "expected gradient of k2 on each token against that of KL(π, ref) of whole answers",
            derivation: "A token also changes the probability of later prefixes, and with it the expected divergence \
                         at later tokens. A loss of each token's own log-probability has no such term. The gradient of \
                         k2 is that of the divergences at all prefixes, each weighted by the prefix's probability \
                         under the policy, which is held constant.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| sequences(Kl::K2)),
            control: Control { wrong: "k3", check: Exact(|| sequences(Kl::K3)) },
        },
        Claim {
            name: "k3-gradient",
            topic: Topic::Estimators,
            source: "GRPO (arXiv 2402.03300), eq. 4; OREAL, released code",
            statement: "As a loss, k3 has the gradient of the KL divergence that it estimates.",
            measures: "expected gradient against that of KL(π, ref)",
            derivation: "∇k3 = (1 - ref/π)·∇logπ. Its expectation is -E_ref[∇logπ], the gradient of KL(ref, π) at each \
                         prefix. That is the divergence in the other direction, an expectation over the reference \
                         instead of the policy.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| k3(Kl::K3)),
            control: Control { wrong: "k2", check: Exact(|| k3(Kl::K2)) },
        },
        Claim {
            name: "logp-bonus",
            topic: Topic::Estimators,
            source: "folklore",
            statement: "Minimising logπ of the sampled tokens maximises the entropy.",
            measures: "expected gradient of the loss mean(logπ) against that of the negative entropy",
            derivation: "The expectation of -logπ is the entropy, but the expectation of its gradient is -E[∇logπ] = \
                         0. As a loss it has no effect on average and adds noise. The entropy is a separate signal \
                         with its own gradient.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| bonus(Lower::Logp)),
            control: Control { wrong: "the entropy itself, minimised", check: Exact(|| bonus(Lower::Entropy)) },
        },
    ]
}

/// Worlds with answers of one token, of three tokens, and of unequal length, with a random reference and critic.
pub fn worlds() -> Result<Vec<(String, Lab)>> {
    let mut worlds = Vec::new();
    for p in [0.1, 0.5, 0.9] {
        worlds.push((format!("one token, p {p}"), with_others(arms(p, 3)?, 1, &arms(0.3, 3)?)?));
    }
    for seed in 0..3 {
        worlds.push((format!("tree {seed}"), with_others(tree(seed, 2)?, seed, &tree(seed + 100, 2)?)?));
        worlds.push((format!("ragged tree {seed}"), with_others(ragged(seed, 3)?, seed, &ragged(seed + 100, 3)?)?));
    }
    Ok(worlds)
}

fn first_update(surrogate: &dyn Algorithm) -> Result<Evidence> {
    let ppo = Ppo { average: WHOLE, ..Ppo::default() };
    let mut rows = Vec::new();
    for (world, lab) in worlds()? {
        for (algorithm, plain) in
            [(surrogate, lab.expected(&CreditOf(surrogate))?), (&ppo, lab.expected(&CreditOf(&ppo))?)]
        {
            let found = lab.expected(algorithm)?;
            let at = |what: &str| format!("{what}, {}, {world}", algorithm.name());
            let metric = |name: &str| found.metrics.get(name).copied();
            rows.push(Measurement::number(at("ratio"), 1.0, metric("ratio").unwrap_or(f64::NAN)));
            rows.push(Measurement::number(at("clipped"), 0.0, metric("clipped").unwrap_or(0.0)));
            rows.push(Measurement::number(at("outside"), 0.0, metric("outside").unwrap_or(0.0)));
            rows.push(Measurement::gradient(at("gradient"), plain.policy(), found.policy()));
        }
    }
    Ok(Evidence::new(rows))
}

fn whole(lambda: f64) -> Ppo {
    Ppo { lambda: lambda.into(), whitening: Whitening::None, reward_beta: 0.0.into(), average: WHOLE, ..Ppo::default() }
}

fn ppo(lambda: f64) -> Result<Evidence> {
    let row = |(world, lab): (String, Lab)| {
        Ok(Measurement::gradient(world, &lab.pass_rate_gradient()?, lab.expected(&whole(lambda))?.policy()))
    };
    Ok(Evidence::new(worlds()?.into_iter().map(row).collect::<Result<Vec<_>>>()?))
}

fn monte_carlo(lambda: f64) -> Result<Evidence> {
    let credit = credit_of(&whole(lambda));
    let mut rows = Vec::new();
    for (world, lab) in worlds()? {
        let mut worst: f64 = 0.0;
        for (_, x) in lab.batches(&credit.reads())? {
            let value = |column| x.column(column).unwrap_or_default();
            let found = credit.evaluate(&x);
            for (i, tokens) in x.layout().spans(Level::Token, Level::Trajectory).into_iter().enumerate() {
                let reward = value(Column::REWARD)[i];
                let off = tokens.map(|t| (found[t] - (reward - value(Column::OLD_VALUE)[t])).abs());
                worst = off.fold(worst, f64::max);
            }
        }
        rows.push(Measurement::number(world, 0.0, worst));
    }
    Ok(Evidence::new(rows))
}

fn lengths(unbiased: Average) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for seed in 0..5 {
        let lab = ragged(seed, 4)?;
        let truth = lab.pass_rate_gradient()?;
        for (name, average) in [("mean of each answer", Average::Trajectory), ("mean of all tokens", Average::Token)] {
            let found = lab.expected(&Rloo { average })?;
            stated.push(Measurement::gradient(format!("{name}, ragged tree {seed}"), &truth, found.policy()));
        }
        let found = lab.expected(&Rloo { average: unbiased })?;
        exactly.push(Measurement::gradient(format!("summed, ragged tree {seed}"), &truth, found.policy()));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn nucleus(algorithm: &dyn Algorithm) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for p in [0.25, 0.5, 0.75] {
        let lab = arms(p, 4)?;
        let (probabilities, prompt) = (lab.probabilities(0), lab.questions()[0].prompt.clone());
        let rarest =
            (0..probabilities.len()).min_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap_or(0);
        let mut sampler = lab.table(Role::POLICY).clone();
        let cut = |(i, mass): (usize, &f64)| if i == rarest { -1e4 } else { mass.ln() };
        sampler.set_logits(&prompt, &[], &probabilities.iter().enumerate().map(cut).collect::<Vec<_>>());
        let drawn = lab.questions()[0].probabilities(&sampler);
        let rate = lab.questions()[0].pass_rate(&sampler);
        let follows = lab.gradient_of_mean(&|_, i| drawn[i] / probabilities[i] * (lab.reward(0, i) - rate))?;
        let truth = lab.pass_rate_gradient()?;
        let found = lab.drawn_from(sampler).expected(algorithm)?;
        stated.push(Measurement::gradient(format!("p {p}"), &truth, found.policy()));
        exactly.push(Measurement::gradient(format!("q·(R - E_q[R])·∇logπ, p {p}"), &follows, found.policy()));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn values(estimators: &[Kl]) -> Result<Evidence> {
    let mut rows = Vec::new();
    for (world, lab) in worlds()? {
        let exact: f64 = lab.probabilities(0).iter().zip(log_ratios(&lab)).map(|(p, d)| p * d).sum();
        for &kl in estimators {
            rows.push(Measurement::number(
                format!("{kl:?}, {world}"),
                exact,
                lab.expected(&Lower::Divergence(kl))?.loss,
            ));
        }
    }
    Ok(Evidence::new(rows))
}

/// `logπ - log ref` of each whole answer.
fn log_ratios(lab: &Lab) -> Vec<f64> {
    let reference = lab.questions()[0].probabilities(lab.table(Role::REFERENCE));
    lab.probabilities(0).iter().zip(reference).map(|(p, q)| (p / q).ln()).collect()
}

/// The negative gradient of KL(π, ref) of whole answers.
pub fn negative_kl_gradient(lab: &Lab) -> Result<Vec<f64>> {
    let ratios = log_ratios(lab);
    lab.gradient_of_mean(&|_, answer| -ratios[answer])
}

fn k1(kl: Kl) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (world, lab) in worlds()? {
        let found = lab.expected(&Lower::Divergence(kl))?;
        stated.push(Measurement::gradient(&world, &negative_kl_gradient(&lab)?, found.policy()));
        exactly.push(Measurement::number(format!("norm of the gradient, {world}"), 0.0, norm(found.policy())));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn k2(kl: Kl) -> Result<Evidence> {
    let one_token = worlds()?.into_iter().filter(|(world, _)| world.starts_with("one token"));
    let row = |(world, lab): (String, Lab)| {
        let found = lab.expected(&Lower::Divergence(kl))?;
        Ok(Measurement::gradient(world, &negative_kl_gradient(&lab)?, found.policy()))
    };
    Ok(Evidence::new(one_token.map(row).collect::<Result<Vec<_>>>()?))
}

fn sequences(kl: Kl) -> Result<Evidence> {
    let rows = |p: &[f64], q: &[f64]| {
        let divergence: f64 = p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum();
        p.iter().zip(q).map(|(p, q)| p * (divergence - (p / q).ln())).collect()
    };
    by_state(kl, "KL(π, ref) at each prefix", rows)
}

fn k3(kl: Kl) -> Result<Evidence> {
    by_state(kl, "KL(ref, π) at each prefix", |p, q| p.iter().zip(q).map(|(p, q)| q - p).collect())
}

/// The expected gradient against that of KL(π, ref) of whole answers, and against `row(π, ref)` at each state times the
/// probability of its prefix under the policy. `row` gets the next-token probabilities.
fn by_state(kl: Kl, what: &str, row: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (world, lab) in worlds()? {
        let found = lab.expected(&Lower::Divergence(kl))?;
        stated.push(Measurement::gradient(&world, &negative_kl_gradient(&lab)?, found.policy()));
        let (mut expected, mut measured) = (Vec::new(), Vec::new());
        for (state, gradient) in found.by_state(Role::POLICY) {
            let [p, q] = [Role::POLICY, Role::REFERENCE].map(|role| next_token(lab.table(role), state));
            let visits = lab.table(Role::POLICY).probability(&state.prompt, &state.prefix);
            expected.extend(row(&p, &q).into_iter().map(|g| visits * g));
            measured.extend_from_slice(gradient);
        }
        exactly.push(Measurement::gradient(format!("{what}, {world}"), &expected, &measured));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn bonus(loss: Lower) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (world, lab) in worlds()? {
        let raised: Vec<f64> = lab.expected(&Lower::Entropy)?.policy().iter().map(|g| -g).collect();
        let found = lab.expected(&loss)?;
        stated.push(Measurement::gradient(&world, &raised, found.policy()));
        exactly.push(Measurement::number(format!("norm of the gradient, {world}"), 0.0, norm(found.policy())));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
