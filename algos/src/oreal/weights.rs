//! Weights of tokens from the reward model's scores.

use super::Oreal;
use super::settings::{Alignment, Pooling, TokenWeights};
use crate::coefficient::Coefficient;
use crate::expr::Expr;
use crate::rank::{Frozen, Live, Token};
use crate::terms::Terms;

impl Oreal {
    /// The reward model's score of each token.
    pub(super) fn score<'g>(&self, x: Terms<'g>) -> Expr<'g, Token, Live> {
        match self.alignment {
            Alignment::Before => x.score(),
            Alignment::After => x.score_after(),
        }
    }

    /// Weights on the tokens of right and of wrong answers.
    pub(super) fn weights<'g>(&self, x: Terms<'g>) -> [Expr<'g, Token, Frozen>; 2] {
        let score = match self.pooling {
            Pooling::RunningMean => self.score(x).running_mean(),
            Pooling::Own => self.score(x),
        };
        let right = score.sigmoid().detach().named("confidence");
        let wrong = 1.0 - right;
        match self.token_weights {
            TokenWeights::Uniform => [x.number(1.0); 2],
            TokenWeights::Threshold(tau) => [right, wrong].map(|c| above(x, c, "τ", tau)),
            TokenWeights::Thresholds { right: tau, wrong: tau_wrong } => {
                [above(x, right, "τ_right", tau), above(x, wrong, "τ_wrong", tau_wrong)]
            }
            TokenWeights::TopShare(share) => {
                [right, wrong].map(|c| c.per_trajectory_with("top_share", x.setting("ρ", share), top_share))
            }
        }
    }
}

/// `clip((c - τ)/(1 - τ), 0, 1)`
fn above<'g>(
    x: Terms<'g>,
    confidence: Expr<'g, Token, Frozen>,
    symbol: &'static str,
    threshold: Coefficient,
) -> Expr<'g, Token, Frozen> {
    let tau = x.setting(symbol, threshold);
    ((confidence - tau) / (1.0 - tau)).clip(0.0, 1.0)
}

/// The highest `share` of the values (rounded down, at least one of them; earlier ones first among equals) scaled from 0 to
/// 1, and 0 on the rest. Where all the highest are the same, each weighs 1.
fn top_share(c: &[f64], share: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..c.len()).collect();
    order.sort_by(|&a, &b| c[b].total_cmp(&c[a]));
    order.truncate(((share * c.len() as f64) as usize).clamp(1, c.len()));
    let (high, low) = (c[order[0]], c[order[order.len() - 1]]);
    let mut weights = vec![0.0; c.len()];
    for i in order {
        weights[i] = if high > low { (c[i] - low) / (high - low) } else { 1.0 };
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `topk_rescale` of the released code answers.
    #[test]
    fn top_share_is_that_of_the_released_code() {
        assert_eq!(top_share(&[0.8, 0.3], 0.5), [1.0, 0.0]);
        assert_eq!(top_share(&[0.5, 0.5, 0.5], 0.7), [1.0, 1.0, 0.0]);
        assert_eq!(top_share(&[0.1, 0.9, 0.5, 0.7], 0.75), [0.0, 1.0, 0.0, 0.4999999999999999]);
        assert_eq!(top_share(&[0.4], 0.2), [1.0]);
    }
}
