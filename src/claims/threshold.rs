//! The threshold on the reward model's confidence: what it does to the first token of a problem, and what weights without it do.

use oreal_algos::{Oreal, TokenWeights};

use super::claim::Check::Exact;
use super::claim::{Claim, Control, Topic};
use super::evidence::{Evidence, Measurement, Verdict};
use super::one_answer::OneAnswer;
use super::token_rewards::{released, with_prompt_score};
use super::variance::{at, grid, moments, pair};
use super::worlds::{arms, tree};
use crate::error::Result;

pub fn claims() -> Vec<Claim> {
    vec![
        Claim {
            name: "first-token-threshold",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 10 and released code",
            statement: "The threshold of 0.5 keeps the signal-to-noise ratio that a problem's first token has without a \
                        threshold.",
            measures: "signal-to-noise ratio of a pair's step on answers of one token with confidence c, threshold 0.5 \
                       against threshold 0",
            derivation: "Before the first token, right and wrong answers of a problem have the same prefix, the prompt, \
                         and so the same confidence c. Without a threshold their weights are c and 1-c, and the step \
                         is c·a·X⁺ + (1-c)·b·X⁻, where a and b are the advantages of the two. With the threshold, \
                         they are max(2c-1, 0) and max(1-2c, 0): one of the two is 0, and the first token \
                         learns from right answers alone or from wrong ones alone. The other factor scales signal and \
                         noise alike, so c does not matter any more, only its side of 0.5. On easy problems a right \
                         answer's advantage is close to 0, on hard ones a wrong answer's: there the other side \
                         had the signal.",
            recorded: Verdict::DoesNotHold,
            check: Exact(|| first_token(0.5)),
            control: Control { wrong: "threshold 0 on both sides", check: Exact(|| first_token(0.0)) },
        },
        Claim {
            name: "no-threshold-start",
            topic: Topic::TokenRewards,
            source: "OREAL, eq. 10, with a threshold of 0",
            statement: "Without a threshold, a reward model that outputs 0 halves the policy's expected step, and changes \
                        nothing else.",
            measures: "expected step with a threshold of 0, against half of that with weights 1",
            derivation: "A score of 0 is a confidence of 0.5. With a threshold of 0 the weights are the confidence and \
                         1 less the confidence, 0.5 for each token. So training need not wait for the reward \
                         model: until it has learnt, the step is that of OREAL without token weights. Adam's step does not \
                         depend on such a factor.",
            recorded: Verdict::Holds,
            check: Exact(|| start(0.0)),
            control: Control { wrong: "threshold 0.5: see `zero-start`", check: Exact(|| start(0.5)) },
        },
    ]
}

/// Confidences in the prompt, on both sides of 0.5.
const CONFIDENCES: [f64; 4] = [0.2, 0.4, 0.6, 0.8];

fn thresholded(tau: f64) -> Oreal {
    Oreal { token_weights: TokenWeights::Threshold(tau.into()), ..released() }
}

fn first_token(tau: f64) -> Result<Evidence> {
    let (mut stated, mut exactly) = (Vec::new(), Vec::new());
    let [with, without] = [tau, 0.0].map(thresholded);
    let eta = with.eta.at(0);
    for ((p, k), c) in grid([2, 4, 8]).flat_map(|point| CONFIDENCES.map(|c| (point, c))) {
        let lab = with_prompt_score(arms(p, k)?, (c / (1.0 - c)).ln());
        let (one, at) = (OneAnswer::new(&lab), format!("{}, c {c}", at(p, k)));
        let [with, without] = [moments(&lab, &with)?, moments(&lab, &without)?];
        stated.push(Measurement::at_least(&at, without.signal_to_noise(), with.signal_to_noise()));
        let alone = if c > 0.5 { [1.0, 0.0] } else { [0.0, eta] };
        for (what, weights, found) in [("one side alone", alone, with), ("both sides", [c, eta * (1.0 - c)], without)] {
            let formula = one.signal_to_noise(k, weights);
            exactly.push(Measurement::number(format!("{what}, {at}"), formula, found.signal_to_noise()));
        }
    }
    Ok(Evidence::new(stated).exactly(exactly))
}

fn start(tau: f64) -> Result<Evidence> {
    let row = |seed, rollouts| {
        let lab = tree(seed, rollouts)?;
        let half: Vec<f64> = moments(&lab, &pair())?.mean.iter().map(|x| x / 2.0).collect();
        let found = moments(&lab, &thresholded(tau))?.mean;
        Ok(Measurement::gradient(format!("tree {seed}, K {rollouts}"), &half, &found))
    };
    let points = (0..4).flat_map(|seed| [2, 3, 4].map(|k| (seed, k)));
    Ok(Evidence::new(points.map(|(seed, k)| row(seed, k)).collect::<Result<Vec<_>>>()?))
}
