//! Log-probability and entropy of one row of logits, with their vector-Jacobian product in closed form.
//!
//! With `p = softmax(z / T)`, `H` its entropy and `a` the token:
//! `dz_v = (g_l (1[v=a] - p_v) - g_H p_v (log p_v + H)) / T`.

use crate::real::Real;
use crate::vectors::{maximum, sums, vectorised};

/// What the vocabulary head reports for one token, or the cotangent of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Of the token, nats.
    pub logp: f64,
    /// Of the whole row, nats.
    pub entropy: f64,
}

/// What turns the logits of one row into log-probabilities. A logit of minus infinity is a token of probability zero.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    temperature: f64,
    /// Taken out before any exponential, so no logit overflows.
    max: f64,
    /// Of the sum of exponentials, maximum taken out.
    log_sum: f64,
    /// Nats.
    entropy: f64,
}

/// No less than this is put into an exponential: the probability is zero, or as good as.
const LEAST: f64 = -1e4;

impl Softmax {
    /// At a temperature above zero.
    pub fn new<E: Real>(logits: &[E], temperature: f64) -> Self {
        let (max, sum, moment) = vectorised(
            #[inline(always)]
            || {
                let (max, slope, least) = (maximum(logits), E::of(temperature.recip()), E::of(LEAST));
                let [sum, moment] = sums(logits.len(), |i| {
                    let shifted = ((logits[i] - max) * slope).max(least);
                    [shifted.exp(), shifted * shifted.exp()]
                });
                (max.wide(), sum.wide(), moment.wide())
            },
        );
        let log_sum = sum.ln();
        Self { temperature, max, log_sum, entropy: log_sum - moment / sum }
    }

    /// What it is for a token with this logit.
    pub fn row<E: Real>(&self, logit: E) -> Row {
        Row { logp: (logit.wide() - self.max) / self.temperature - self.log_sum, entropy: self.entropy }
    }

    /// Replaces the logits it was made from by their cotangent.
    pub fn vjp<E: Real>(&self, logits: &mut [E], token: usize, cotangent: Row) {
        let [max, slope, log_sum, least] = [self.max, self.temperature.recip(), self.log_sum, LEAST].map(E::of);
        let pull = E::of(-cotangent.logp / self.temperature);
        let (spread, entropy) = (E::of(-cotangent.entropy / self.temperature), E::of(self.entropy));
        vectorised(
            #[inline(always)]
            || {
                for z in logits.iter_mut() {
                    let logp = ((*z - max) * slope).max(least) - log_sum;
                    *z = logp.exp() * (pull + spread * (logp + entropy));
                }
            },
        );
        logits[token] += E::of(cotangent.logp / self.temperature);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = (Vec<f64>, usize, f64, Row)> {
        prop::collection::vec(-4.0..4.0f64, 2..9).prop_flat_map(|z| {
            let n = z.len();
            let cotangent = (-2.0..2.0f64, -2.0..2.0f64).prop_map(|(logp, entropy)| Row { logp, entropy });
            (Just(z), 0..n, 0.3..3.0f64, cotangent)
        })
    }

    proptest! {
        #[test]
        fn vjp_is_the_slope((z, token, t, g) in rows()) {
            let surrogate = |z: &[f64]| {
                let row = Softmax::new(z, t).row(z[token]);
                g.logp * row.logp + g.entropy * row.entropy
            };
            let mut slope = z.clone();
            Softmax::new(&z, t).vjp(&mut slope, token, g);
            for v in 0..z.len() {
                let h = 1e-5;
                let (mut up, mut down) = (z.clone(), z.clone());
                up[v] += h;
                down[v] -= h;
                let difference = (surrogate(&up) - surrogate(&down)) / (2.0 * h);
                prop_assert!((slope[v] - difference).abs() < 1e-8, "dz[{v}] = {} but {difference}", slope[v]);
            }
        }

        #[test]
        fn shifting_all_logits_changes_nothing((z, token, t, _) in rows(), shift in -1e4..1e4f64) {
            let moved: Vec<f64> = z.iter().map(|z| z + shift).collect();
            let (a, b) = (Softmax::new(&z, t).row(z[token]), Softmax::new(&moved, t).row(moved[token]));
            prop_assert!((a.logp - b.logp).abs() < 1e-9 && (a.entropy - b.entropy).abs() < 1e-9);
        }

        #[test]
        fn probabilities_sum_to_one_and_bound_the_entropy((z, _, t, _) in rows()) {
            let softmax = Softmax::new(&z, t);
            let total: f64 = z.iter().map(|z| softmax.row(*z).logp.exp()).sum();
            let entropy = softmax.row(z[0]).entropy;
            prop_assert!((total - 1.0).abs() < 1e-12);
            prop_assert!((-1e-12..=(z.len() as f64).ln() + 1e-12).contains(&entropy));
        }
    }

    #[test]
    fn impossible_tokens_are_no_trouble() {
        let z = [0.0, f64::NEG_INFINITY, 0.0];
        let softmax = Softmax::new(&z, 1.0);
        assert!((softmax.row(z[0]).entropy - 2f64.ln()).abs() < 1e-15);
        assert_eq!(softmax.row(z[1]).logp, f64::NEG_INFINITY);
        let mut slope = z;
        softmax.vjp(&mut slope, 0, Row { logp: 1.0, entropy: 1.0 });
        assert_eq!(slope[1], 0.0);
        assert!((slope[0] - 0.5).abs() < 1e-15);
    }
}
