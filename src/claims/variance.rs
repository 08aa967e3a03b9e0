//! Variance and signal-to-noise ratio of gradients, exactly.

use oreal_algos::{
    Algorithm, Baseline, Grpo, Kl, Oreal, Reinforce, Rloo, Role, Scale, Selection, Shaping, TokenWeights,
};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::one_answer::OneAnswer;
use super::worlds::{PASS_RATES, arms, binomial, two_arms};
use crate::error::{Error, Result};
use crate::lab::{GradientMoments, Lab};

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "more-rollouts",
            topic: Topic::Variance,
            source: "folklore; RLOO (arXiv 2402.14740)",
            statement: "The variance of RLOO's gradient is proportional to 1/K.",
            measures: "K times the variance against its limit, E[(R-p)²·|X|²] - |∇p|² with X = ∇logπ",
            derivation: "RLOO is the unbiased sample covariance of R and X. Its variance is E[(R-p)²|X|²]/K - \
                         (K-2)|∇p|²/(K(K-1)) + p(1-p)·E|X|²/(K(K-1)): proportional to 1/K up to terms in 1/K², which \
                         come from the variance of the baseline.",
            recorded: Verdict::InTheLimit,
            check: Exact(|| more_rollouts(&Rloo::default())),
            control: Control { wrong: "no baseline", check: Exact(|| more_rollouts(&no_baseline())) },
        },
        Claim {
            name: "baseline-lowers-variance",
            topic: Topic::Variance,
            source: "folklore; RLOO (arXiv 2402.14740), REINFORCE with a baseline (Williams 1992)",
            statement: "The leave-one-out baseline lowers the variance of the gradient.",
            measures: "variance with the baseline against the variance without it",
            derivation: "Without a baseline, a wrong answer contributes no gradient and hence no noise; with one it \
                         contributes some. The change of the variance is [p(1-p)·E|X|² + |∇p|²]/(K(K-1)) + (p²·E|X|² - \
                         2p·E[R|X|²])/K. If right answers are rare and rollouts few, the first term, the noise of the \
                         baseline, is the larger.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| baseline(&Rloo::default())),
            control: Control {
                wrong: "the baseline includes the answer's own reward",
                check: Exact(|| baseline(&Reinforce::default())),
            },
        },
        Claim {
            name: "pairs-waste-rollouts",
            topic: Topic::Variance,
            source: "OREAL, Algorithm 1: one right and one wrong answer of each group are kept",
            statement: "One right and one wrong answer have the same signal-to-noise ratio as all K.",
            measures: "signal-to-noise ratio of OREAL with weights 1 if a pair is kept, against that if all answers \
                       are kept",
            derivation: "More rollouts reduce the variance of the pair's advantages, but the pair still consists of \
                         two draws: as K goes to infinity its step is 2(1-p)·X⁺ - 2ηp·X⁻, which varies with the two \
                         answers. Keeping all answers averages over them, and the signal-to-noise ratio grows with √K. \
                         At K = 2 both are the same.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| pairs(Shaping::Rloo)),
            control: Control {
                wrong: "advantages divided by the group's standard deviation",
                check: Exact(|| pairs(Shaping::Grpo)),
            },
        },
        Claim {
            name: "right-answers-alone",
            topic: Topic::Variance,
            source: "OREAL, section 2.2: right answers are what there is to learn",
            statement: "The right answer of a pair has the same signal-to-noise ratio as the pair.",
            measures: "signal-to-noise ratio of OREAL with weights 1 at η = 0, against η = 0.5",
            derivation: "For large K the advantage of a right answer tends to 2(1-p): on easy questions it vanishes, \
                         and with it the contribution of right answers. There the signal is in the wrong answer, whose \
                         advantage tends to -2p. On hard questions the reverse holds, and η has little effect.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| positives(Shaping::Rloo)),
            control: Control {
                wrong: "advantages divided by the group's standard deviation",
                check: Exact(|| positives(Shaping::Grpo)),
            },
        },
        Claim {
            name: "deviation-is-a-scale",
            topic: Topic::Variance,
            source: "GRPO (arXiv 2402.03300); Dr. GRPO (arXiv 2503.20783)",
            statement: "Division by a group's standard deviation scales a question's gradient and does not change its \
                        signal-to-noise ratio.",
            measures: "signal-to-noise ratio of GRPO against that of RLOO, on a question with one right and one wrong \
                       answer",
            derivation: "The standard deviation varies between groups. If two answers exist and a share m of the group \
                         is right, RLOO's step is m(1-m)·K/(K-1) along a fixed direction. GRPO's is m(1-m)/(s+ε) with \
                         s the group's standard deviation, approximately proportional to the square root of RLOO's. So \
                         its relative noise is about half, and its signal-to-noise ratio about twice as large for many \
                         rollouts.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| deviation(&Grpo { beta: 0.0.into(), ..Grpo::default() })),
            control: Control {
                wrong: "no division by the standard deviation",
                check: Exact(|| deviation(&Grpo::dr_grpo())),
            },
        },
        Claim {
            name: "half-is-best",
            topic: Topic::Variance,
            source: "folklore: questions of medium difficulty teach most",
            statement: "Under OREAL, a question has the highest signal-to-noise ratio at p = 0.5.",
            measures: "signal-to-noise ratio at p against that at 0.5, K = 8, weights 1",
            derivation: "This holds if all answers are kept, and for RLOO and GRPO, since the norm of ∇p is largest \
                         there. A pair's step is a·X⁺ + b·X⁻, where a and b are the advantages of the two. At medium p \
                         both terms matter, and both add the noise of which answer was kept. Near p = 0 and p = 1 one \
                         of them is close to 0 and the step varies less, as long as the group has a pair. As K goes to \
                         infinity, when every group has one, the ratio is lowest at medium p.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| half(0.5)),
            control: Control { wrong: "0.25 in place of 0.5", check: Exact(|| half(0.25)) },
        },
        Claim {
            name: "mixed-groups",
            topic: Topic::Variance,
            source: "DAPO (arXiv 2503.14476), dynamic sampling; OREAL, Algorithm 1",
            statement: "A group of K answers contains both right and wrong ones, so that OREAL can keep a pair, with \
                        probability 1 - p^K - (1-p)^K.",
            measures: "probability that a pair is kept, against the formula",
            derivation: "A group has no pair if all answers are right, with probability p^K, or all are wrong, with \
                         probability (1-p)^K.",
            recorded: Verdict::Holds,
            check: Exact(|| mixed(0)),
            control: Control { wrong: "one answer too few is drawn", check: Exact(|| mixed(1)) },
        },
        Claim {
            name: "k1-changes-nothing",
            topic: Topic::Variance,
            source: "folklore: k1 as a loss has no expected gradient on-policy",
            statement: "Adding k1 to the loss changes neither the mean nor the variance of an on-policy gradient.",
            measures: "mean and variance with k1 in the loss, against those without",
            derivation: "The gradient of k1 is β·X, with expectation 0: k1 adds the constant -β to every advantage. So \
                         the mean does not change, and the variance changes by β²·E|X|²/K - 2β(K-1)/K²·E[(R-p)|X|²]. \
                         It increases for large β. It decreases for small β if right answers have a larger mean |X|² \
                         than wrong ones.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| idle(Kl::K1)),
            control: Control { wrong: "k3 in place of k1", check: Exact(|| idle(Kl::K3)) },
        },
    ]
}

fn no_baseline() -> Reinforce {
    Reinforce { baseline: Baseline::None, ..Reinforce::default() }
}

/// The released code with token weights 1 and no KL divergence.
pub(super) fn pair() -> Oreal {
    Oreal { token_weights: TokenWeights::Uniform, beta: 0.0.into(), ..Oreal::default() }
}

/// Mean and variance of the policy's gradient.
pub(super) fn moments(lab: &Lab, algorithm: &dyn Algorithm) -> Result<GradientMoments> {
    Ok(lab.expected(algorithm)?.roles.remove(&Role::POLICY).unwrap_or_default())
}

pub(super) fn at(p: f64, k: usize) -> String {
    format!("p {p}, K {k}")
}

pub(super) fn grid<const N: usize>(sizes: [usize; N]) -> impl Iterator<Item = (f64, usize)> {
    PASS_RATES.into_iter().flat_map(move |p| sizes.map(|k| (p, k)))
}

fn more_rollouts(algorithm: &dyn Algorithm) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, k) in grid([2, 4, 16, 64, 256]) {
        let lab = two_arms(p, k)?;
        let found = k as f64 * moments(&lab, algorithm)?.variance;
        stated.push(Measurement::number(at(p, k), OneAnswer::new(&lab).limit(), found).in_series(format!("p {p}")));
    }
    for (p, k) in grid([2, 4, 8]) {
        let lab = arms(p, k)?;
        let formula = OneAnswer::new(&lab).leave_one_out(k as f64);
        exactly.push(Measurement::number(
            format!("formula, {}", at(p, k)),
            formula,
            moments(&lab, algorithm)?.variance,
        ));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn baseline(with: &dyn Algorithm) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, k) in grid([2, 4, 8]) {
        let lab = arms(p, k)?;
        let (one, n) = (OneAnswer::new(&lab), k as f64);
        let [with, without] = [with, &no_baseline()].map(|algorithm| moments(&lab, algorithm));
        let (with, without) = (with?.variance, without?.variance);
        let own = (p * (1.0 - p) * (one.right + one.wrong) + one.squared_gradient) / (n * (n - 1.0));
        let change = own + (p * p * (one.right + one.wrong) - 2.0 * p * one.right) / n;
        stated.push(Measurement::at_most(at(p, k), without, with));
        exactly.push(Measurement::number(format!("without, {}", at(p, k)), one.plain(n), without));
        exactly.push(Measurement::number(format!("change, {}", at(p, k)), change, with - without));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn pairs(shaping: Shaping) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    let algorithm = Oreal { shaping, ..pair() };
    let eta = algorithm.eta.at(0);
    for (p, k) in grid([2, 4, 8]) {
        let (lab, all) = (arms(p, k)?, Oreal { selection: Selection::All, ..algorithm.clone() });
        let (one, kept, all) = (OneAnswer::new(&lab), moments(&lab, &algorithm)?, moments(&lab, &all)?);
        let rows = if k == 2 { &mut exactly } else { &mut stated };
        rows.push(Measurement::at_least(at(p, k), all.signal_to_noise(), kept.signal_to_noise()));
        let variance = one.of_kept(k, [1.0, eta]).1;
        exactly.push(Measurement::number(format!("variance, {}", at(p, k)), variance, kept.variance));
        let (a, b) = (2.0 * (1.0 - p), -2.0 * eta * p);
        let (mean, variance) = one.of_pair([a, b, a * a, b * b, a * b]);
        let most = mean * (one.squared_gradient / variance).sqrt();
        exactly.push(Measurement::at_most(
            format!("at most the limit of large K, {}", at(p, k)),
            most,
            kept.signal_to_noise(),
        ));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn positives(shaping: Shaping) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, k) in grid([2, 4, 8]) {
        let lab = arms(p, k)?;
        let one = OneAnswer::new(&lab);
        let [right, both] = [0.0, 0.5].map(|eta| moments(&lab, &Oreal { eta: eta.into(), shaping, ..pair() }));
        let (right, both) = (right?, both?);
        stated.push(Measurement::at_least(at(p, k), both.signal_to_noise(), right.signal_to_noise()));
        for (eta, found) in [(0.0, right), (0.5, both)] {
            let formula = one.signal_to_noise(k, [1.0, eta]);
            exactly.push(Measurement::number(
                format!("formula, eta {eta}, {}", at(p, k)),
                formula,
                found.signal_to_noise(),
            ));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn deviation(grpo: &Grpo) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for (p, k) in grid([4, 16, 64]) {
        let lab = two_arms(p, k)?;
        let [divided, plain] = [grpo as &dyn Algorithm, &Rloo::default()].map(|algorithm| moments(&lab, algorithm));
        let (divided, plain) = (divided?.signal_to_noise(), plain?.signal_to_noise());
        stated.push(Measurement::number(at(p, k), plain, divided));
        let step = |right: usize| {
            let m = right as f64 / k as f64;
            m * (1.0 - m) / ((m * (1.0 - m) * k as f64 / (k - 1) as f64).sqrt() + 1e-4)
        };
        let sum = |power: i32| (0..=k).map(|n| binomial(k, n, p) * step(n).powi(power)).sum::<f64>();
        let formula = sum(1) / (sum(2) - sum(1).powi(2)).sqrt();
        exactly.push(Measurement::number(format!("formula, {}", at(p, k)), formula, divided));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn half(best: f64) -> Result<Evidence> {
    let rows = |name: &str, algorithm: &dyn Algorithm| {
        let found = |p| Ok::<_, Error>(moments(&arms(p, 8)?, algorithm)?.signal_to_noise());
        let most = found(best)?;
        let row = |p| Ok(Measurement::at_most(format!("{name}, p {p}"), most, found(p)?));
        PASS_RATES.into_iter().map(row).collect::<Result<Vec<_>>>()
    };
    let all = Oreal { selection: Selection::All, ..pair() };
    let exactly = [rows("RLOO", &Rloo::default())?, rows("GRPO", &Grpo::default())?, rows("OREAL, all answers", &all)?];
    Ok(Evidence::new(rows("OREAL, pairs", &pair())?).exactly(exactly.concat()))
}

fn mixed(fewer: usize) -> Result<Evidence> {
    let row = |(p, k): (f64, usize)| {
        let formula = 1.0 - p.powi(k as i32) - (1.0 - p).powi(k as i32);
        Ok(Measurement::number(at(p, k), formula, arms(p, k - fewer)?.expected(&pair())?.kept))
    };
    Ok(Evidence::new(grid([2, 4, 8]).map(row).collect::<Result<Vec<_>>>()?))
}

fn idle(kl: Kl) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    for ((p, k), beta) in grid([2, 4, 8]).flat_map(|point| [0.01, 0.1, 1.0].map(|beta| (point, beta))) {
        let lab = arms(p, k)?;
        let (one, n, at) = (OneAnswer::new(&lab), k as f64, format!("{}, beta {beta}", at(p, k)));
        let grpo = Grpo { beta: beta.into(), kl, scale: Scale::One, ..Grpo::default() };
        let [with, without] =
            [grpo.clone(), Grpo { beta: 0.0.into(), ..grpo }].map(|algorithm| moments(&lab, &algorithm));
        let (with, without) = (with?, without?);
        let covariance = (1.0 - p) * one.right - p * one.wrong;
        let change = beta * beta * (one.right + one.wrong) / n - 2.0 * beta * (n - 1.0) / (n * n) * covariance;
        stated.push(Measurement::number(format!("variance, {at}"), without.variance, with.variance));
        exactly.push(Measurement::gradient(format!("mean, {at}"), &without.mean, &with.mean));
        exactly.push(Measurement::number(
            format!("change of the variance, {at}"),
            change,
            with.variance - without.variance,
        ));
    }
    Ok(Evidence::new(stated).exactly(exactly))
}
