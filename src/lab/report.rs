//! A summary of one algorithm in a lab.

use std::fmt;

use oreal_algos::Algorithm;
use serde::Serialize;

use super::{Direction, Lab};
use crate::error::Result;

/// Direction and variance of an algorithm's gradient.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the algorithm.
    pub algorithm: String,
    /// Completions per question in a batch.
    pub rollouts: usize,
    /// Pass rate of each question under the policy.
    pub pass_rates: Vec<f64>,
    /// The policy's expected step compared with the gradient of the mean pass rate.
    pub direction: Direction,
    /// Mean squared distance of a batch's gradient from the expected gradient.
    pub variance: f64,
    /// Norm of the expected gradient over the square root of `variance`.
    pub signal_to_noise: f64,
    /// Probability that the policy's gradient is not zero.
    pub moves: f64,
}

/// Computes the report by enumerating every batch that can be drawn.
///
/// # Errors
/// Those of [`Lab::expected`].
pub fn report(algorithm: &dyn Algorithm, lab: &Lab) -> Result<Report> {
    let expected = lab.expected(algorithm)?;
    let moments = expected.roles.get(&oreal_algos::Role::POLICY).cloned().unwrap_or_default();
    Ok(Report {
        algorithm: algorithm.name().to_owned(),
        rollouts: lab.rollouts,
        pass_rates: lab.pass_rates(),
        direction: Direction::new(&moments.mean, &lab.pass_rate_gradient()?),
        variance: moments.variance,
        signal_to_noise: moments.signal_to_noise(),
        moves: expected.moves,
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { algorithm, rollouts, direction, variance, signal_to_noise, moves, .. } = self;
        let rates: Vec<String> = self.pass_rates.iter().map(|p| format!("{p:.3}")).collect();
        writeln!(f, "{algorithm}, {rollouts} rollouts of each question, pass rates {}", rates.join(" "))?;
        writeln!(f, "  angle to the gradient of the pass rate   {:.4} degrees", direction.angle)?;
        writeln!(f, "  projection on it, relative to its norm   {:.6}", direction.scale)?;
        writeln!(f, "  variance of a batch's gradient           {variance:.6}")?;
        writeln!(f, "  signal-to-noise ratio                    {signal_to_noise:.4}")?;
        writeln!(f, "  batches with a gradient other than zero  {:.2}%", 100.0 * moves)
    }
}
