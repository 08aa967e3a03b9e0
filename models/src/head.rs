//! Log-probability and entropy of one row of logits, with their vector-Jacobian product in closed form.
//!
//! With `p = softmax(z / T)`, `H` its entropy and `a` the token:
//! `dz_v = (g_l (1[v=a] - p_v) - g_H p_v (log p_v + H)) / T`.

use crate::real::Real;
use crate::reduce::{maximum, sums};
use crate::vectors::vectorised;

/// What the vocabulary head reports for one token, or the cotangent of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenOutput {
    /// Log-probability of the token, nats.
    pub logp: f64,
    /// Entropy of the distribution it is drawn from, nats.
    pub entropy: f64,
}

/// The normaliser of one row of logits. A logit of minus infinity is a token of probability zero.
#[derive(Clone, Copy, Debug)]
pub struct Softmax {
    temperature: f64,
    /// The largest logit: subtracted before the exponentials, so that none overflows.
    max: f64,
    /// `log sum exp((z - max) / T)`.
    log_sum: f64,
    /// Nats.
    entropy: f64,
}

/// Lower bound of the argument of an exponential; its value there is 0 in `f64` and 1e-38 in `f32`.
const LEAST: f64 = -1e4;

impl Softmax {
    /// Of at least one logit, at a temperature above zero.
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

    /// Log-probability of a token with this logit, and the entropy.
    pub fn row<E: Real>(&self, logit: E) -> TokenOutput {
        TokenOutput { logp: (logit.wide() - self.max) / self.temperature - self.log_sum, entropy: self.entropy }
    }

    /// Replaces the logits it was made of by their cotangent, given the cotangent of [`Softmax::row`] for `token`.
    pub fn vjp<E: Real>(&self, logits: &mut [E], token: usize, cotangent: TokenOutput) {
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

    fn rows() -> impl Strategy<Value = (Vec<f64>, usize, f64, TokenOutput)> {
        prop::collection::vec(-4.0..4.0f64, 2..9).prop_flat_map(|z| {
            let n = z.len();
            let cotangent = (-2.0..2.0f64, -2.0..2.0f64).prop_map(|(logp, entropy)| TokenOutput { logp, entropy });
            (Just(z), 0..n, 0.3..3.0f64, cotangent)
        })
    }

    proptest! {
        #[test]
        fn vjp_is_the_derivative((z, token, t, g) in rows()) {
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
        softmax.vjp(&mut slope, 0, TokenOutput { logp: 1.0, entropy: 1.0 });
        assert_eq!(slope[1], 0.0);
        assert!((slope[0] - 0.5).abs() < 1e-15);
    }
}
