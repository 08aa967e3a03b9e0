//! Bias, variance and signal to noise of every algorithm, as a table.

use oreal_algos::{Algorithm, BuiltIn, Oreal, Role, TokenWeights};
use oreal_models::{Optimiser, Table};
use serde::Serialize;

use super::variance::pair;
use super::worlds::{PASS_RATES, arms};
use crate::error::Result;
use crate::lab::{Lab, report};

/// Bias and noise of an algorithm on one question of four one-token answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// With its preset, and what is not as in it.
    pub algorithm: String,
    pub pass_rate: f64,
    /// Completions of the question in a batch.
    pub rollouts: usize,
    /// Length of the expected step along the gradient of the pass rate, in units of it.
    pub scale: f64,
    /// Degrees between the two.
    pub angle: f64,
    /// Mean squared distance of a batch's gradient from the expected one.
    pub variance: f64,
    /// Length of the expected gradient over the square root of `variance`.
    pub signal_to_noise: f64,
}

impl Moment {
    fn new(label: impl Into<String>, algorithm: &dyn Algorithm, lab: &Lab) -> Result<Moment> {
        let report = report(algorithm, lab)?;
        Ok(Moment {
            algorithm: label.into(),
            pass_rate: report.pass_rates[0],
            rollouts: report.rollouts,
            scale: report.direction.scale,
            angle: report.direction.angle,
            variance: report.variance,
            signal_to_noise: report.signal_to_noise,
        })
    }
}

/// Every algorithm with every preset, by pass rate and rollouts; then OREAL by eta and by beta, with a uniform policy for a
/// reference. Where a token-level reward model weighs tokens, weights are 1: at the start they would be 0. PPO's critic
/// knows the pass rate.
pub fn table() -> Result<Vec<Moment>> {
    let mut table = Vec::new();
    for (name, preset, algorithm) in BuiltIn::all() {
        let (label, algorithm) = match algorithm {
            BuiltIn::Oreal(oreal) if oreal.token_weights != TokenWeights::Uniform => {
                let token_weights = TokenWeights::Uniform;
                (format!("{name}/{preset}, weights 1"), BuiltIn::Oreal(Oreal { token_weights, ..oreal }))
            }
            algorithm => (format!("{name}/{preset}"), algorithm),
        };
        for (p, rollouts) in PASS_RATES.into_iter().flat_map(|p| [2, 4, 8, 16].map(|k| (p, k))) {
            table.push(Moment::new(&label, &*algorithm, &informed(arms(p, rollouts)?))?);
        }
    }
    for (p, eta, beta) in PASS_RATES.into_iter().flat_map(|p| ETAS_AND_BETAS.map(|(eta, beta)| (p, eta, beta))) {
        let lab = arms(p, 8)?.with(Role::Reference, Table::new(4, &Optimiser::EXACT));
        let algorithm = Oreal { eta, beta, ..pair() };
        table.push(Moment::new(format!("oreal/released, weights 1, eta {eta}, beta {beta}"), &algorithm, &lab)?);
    }
    Ok(table)
}

const ETAS_AND_BETAS: [(f64, f64); 5] = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.5, 0.01), (0.5, 0.1)];

/// With a critic that knows the pass rate.
fn informed(lab: Lab) -> Lab {
    let mut critic = lab.table(Role::Critic).clone();
    critic.set_scalar(&lab.questions()[0].prompt, &[], lab.pass_rates()[0]);
    lab.with(Role::Critic, critic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_algorithm_and_knows_what_is_unbiased() {
        let table = table().unwrap();
        assert_eq!(table.len(), 7 * (4 * BuiltIn::all().len() + ETAS_AND_BETAS.len()));
        for moment in table {
            assert!(moment.variance.is_finite() && moment.scale.is_finite(), "{moment:?}");
            let unbiased = (moment.scale - 1.0).abs() < 1e-9 && moment.angle < 1e-5;
            assert!(unbiased || moment.algorithm != "rloo/default", "{moment:?}");
        }
    }
}
