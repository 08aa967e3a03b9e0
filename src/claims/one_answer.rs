//! Gradients of answers of one token: formulas that the laboratory is compared with.

use super::worlds::binomial;
use crate::lab::Lab;

/// Moments of a single answer of one token, with `X = ∇logπ`.
pub struct OneAnswer {
    pub p: f64,
    /// `|∇p|²`
    pub squared_gradient: f64,
    /// `E[R·|X|²]`
    pub right: f64,
    /// `E[(1-R)·|X|²]`
    pub wrong: f64,
}

impl OneAnswer {
    pub fn new(lab: &Lab) -> OneAnswer {
        let (p, probabilities) = (lab.pass_rates()[0], lab.probabilities(0));
        let squares: f64 = probabilities.iter().map(|mass| mass * mass).sum();
        let mut one = OneAnswer { p, squared_gradient: 0.0, right: 0.0, wrong: 0.0 };
        for (answer, mass) in lab.questions()[0].answers.iter().zip(probabilities) {
            let (r, square) = (answer.verdict.reward(), 1.0 - 2.0 * mass + squares);
            one.squared_gradient += (mass * (r - p)).powi(2);
            one.right += mass * r * square;
            one.wrong += mass * (1.0 - r) * square;
        }
        one
    }

    /// Variance of the gradient of K answers without a baseline.
    pub fn plain(&self, k: f64) -> f64 {
        (self.right - self.squared_gradient) / k
    }

    /// K times the variance as K goes to infinity: `E[(R-p)²·|X|²] - |∇p|²`.
    pub fn limit(&self) -> f64 {
        (1.0 - self.p).powi(2) * self.right + self.p.powi(2) * self.wrong - self.squared_gradient
    }

    /// Variance of the gradient of K answers with the leave-one-out baseline.
    pub fn leave_one_out(&self, k: f64) -> f64 {
        let baseline = self.p * (1.0 - self.p) * (self.right + self.wrong) + self.squared_gradient;
        self.limit() / k + baseline / (k * (k - 1.0))
    }

    /// Mean in units of `∇p` and variance of `a·X⁺ + b·X⁻` for a random right and a random wrong answer, from the
    /// expectations of `a`, `b`, `a²`, `b²` and `ab`.
    pub fn of_pair(&self, [a, b, aa, bb, ab]: [f64; 5]) -> (f64, f64) {
        let (p, q) = (self.p, 1.0 - self.p);
        let mean = a / p - b / q;
        let square = aa * self.right / p + bb * self.wrong / q - 2.0 * ab * self.squared_gradient / (p * q);
        (mean, square - mean * mean * self.squared_gradient)
    }

    /// Mean in units of `∇p` and variance of the step of a pair kept of `k` answers: OREAL's with RLOO on rewards of ±1, whose
    /// right answer counts `right` times and whose wrong answer `wrong` times.
    pub fn of_kept(&self, k: usize, [right, wrong]: [f64; 2]) -> (f64, f64) {
        let mut sums = [0.0; 5];
        for n in 1..k {
            let [a, b] = [right * (k - n) as f64, -wrong * n as f64].map(|sum| 2.0 * sum / (k - 1) as f64);
            let mass = binomial(k, n, self.p);
            sums.iter_mut().zip([a, b, a * a, b * b, a * b]).for_each(|(sum, x)| *sum += mass * x);
        }
        self.of_pair(sums)
    }

    /// The signal-to-noise ratio of [`OneAnswer::of_kept`].
    pub fn signal_to_noise(&self, k: usize, weights: [f64; 2]) -> f64 {
        let (mean, variance) = self.of_kept(k, weights);
        mean * (self.squared_gradient / variance).sqrt()
    }
}
