//! Log-probability and entropy of one row of logits, with their vector-Jacobian product in closed form.
//!
//! With `p = softmax(z / T)`, `H` its entropy and `a` the token:
//! `dz_v = (g_l (1[v=a] - p_v) - g_H p_v (log p_v + H)) / T`.

use crate::real::Real;

/// What the vocabulary head reports for one token, or the cotangent of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Row {
    /// Of the token, nats.
    pub logp: f64,
    /// Of the whole row, nats.
    pub entropy: f64,
}

/// Value of one row. A logit of minus infinity is a token of probability zero.
pub fn value<E: Real>(logits: &[E], token: usize, temperature: f64) -> Row {
    let row = Normaliser::new(logits, temperature);
    Row { logp: row.logp(logits[token]), entropy: row.entropy }
}

/// Replaces the logits by their cotangent.
pub fn vjp<E: Real>(logits: &mut [E], token: usize, temperature: f64, cotangent: Row) {
    let row = Normaliser::new(logits, temperature);
    for (v, z) in logits.iter_mut().enumerate() {
        let logp = row.logp(*z);
        let p = logp.exp();
        let hit = f64::from(u8::from(v == token));
        let spread = if p > 0.0 { p * (logp + row.entropy) } else { 0.0 };
        *z = E::of((cotangent.logp * (hit - p) - cotangent.entropy * spread) / temperature);
    }
}

/// The maximum is taken out before any exponential, so no logit overflows.
struct Normaliser {
    temperature: f64,
    max: f64,
    /// Of the sum of exponentials, maximum taken out.
    log_sum: f64,
    entropy: f64,
}

impl Normaliser {
    fn new<E: Real>(logits: &[E], temperature: f64) -> Self {
        let max = logits.iter().map(|z| z.wide()).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut moment) = (0.0, 0.0);
        for z in logits {
            let shifted = (z.wide() - max) / temperature;
            let e = shifted.exp();
            sum += e;
            if e > 0.0 {
                moment += e * shifted;
            }
        }
        let log_sum = sum.ln();
        Self { temperature, max, log_sum, entropy: log_sum - moment / sum }
    }

    fn logp<E: Real>(&self, logit: E) -> f64 {
        (logit.wide() - self.max) / self.temperature - self.log_sum
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
                let row = value(z, token, t);
                g.logp * row.logp + g.entropy * row.entropy
            };
            let mut slope = z.clone();
            vjp(&mut slope, token, t, g);
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
            let (a, b) = (value(&z, token, t), value(&moved, token, t));
            prop_assert!((a.logp - b.logp).abs() < 1e-9 && (a.entropy - b.entropy).abs() < 1e-9);
        }

        #[test]
        fn probabilities_sum_to_one_and_bound_the_entropy((z, _, t, _) in rows()) {
            let total: f64 = (0..z.len()).map(|v| value(&z, v, t).logp.exp()).sum();
            let entropy = value(&z, 0, t).entropy;
            prop_assert!((total - 1.0).abs() < 1e-12);
            prop_assert!((-1e-12..=(z.len() as f64).ln() + 1e-12).contains(&entropy));
        }
    }

    #[test]
    fn impossible_tokens_are_no_trouble() {
        let z = [0.0, f64::NEG_INFINITY, 0.0];
        assert!((value(&z, 0, 1.0).entropy - 2f64.ln()).abs() < 1e-15);
        let mut slope = z;
        vjp(&mut slope, 0, 1.0, Row { logp: 1.0, entropy: 1.0 });
        assert_eq!(slope[1], 0.0);
        assert!((slope[0] - 0.5).abs() < 1e-15);
    }
}
