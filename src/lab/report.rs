//! An algorithm at a glance.

use std::fmt;

use oreal_algos::Algorithm;
use serde::Serialize;

use super::{Direction, Lab};
use crate::error::Result;

/// Where an algorithm's expected gradient points, and how far single batches are from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub algorithm: String,
    /// Completions of a question in a batch.
    pub rollouts: usize,
    /// Of each question.
    pub pass_rates: Vec<f64>,
    /// The expected step, seen from the gradient of the mean pass rate.
    pub direction: Direction,
    /// Mean squared distance of a batch's gradient from the expected one.
    pub variance: f64,
    /// Length of the expected gradient over the square root of `variance`.
    pub signal_to_noise: f64,
    /// Probability that a batch moves the policy.
    pub moves: f64,
}

/// Goes through everything that can be drawn.
pub fn report(algorithm: &dyn Algorithm, lab: &Lab) -> Result<Report> {
    let expected = lab.expected(algorithm)?;
    let moments = expected.roles.get(&oreal_algos::Role::Policy).cloned().unwrap_or_default();
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
        writeln!(f, "  angle to the gradient of the pass rate  {:.4} degrees", direction.angle)?;
        writeln!(f, "  length along it                         {:.6}", direction.scale)?;
        writeln!(f, "  variance of a batch's gradient          {variance:.6}")?;
        writeln!(f, "  signal to noise                         {signal_to_noise:.4}")?;
        writeln!(f, "  batches that move the policy            {:.2}%", 100.0 * moves)
    }
}
