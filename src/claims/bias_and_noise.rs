//! Bias, variance and signal-to-noise ratio of every algorithm's gradient, as a table.

use oreal_algos::{Algorithm, BuiltIn, Oreal, Role, TokenWeights};
use oreal_models::{Optimiser, Table};
use serde::Serialize;

use super::variance::pair;
use super::worlds::{PASS_RATES, arms};
use crate::error::Result;
use crate::lab::{Lab, report};

/// Bias and noise of an algorithm's gradient on one question with four answers of one token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BiasAndNoise {
    /// Name and preset, with the settings that differ from the preset.
    pub algorithm: String,
    /// Probability of a right answer under the policy.
    pub pass_rate: f64,
    /// Completions per batch.
    pub rollouts: usize,
    /// Projection of the expected step on the gradient of the pass rate, in units of it.
    pub scale: f64,
    /// Angle between the two in degrees.
    pub angle: f64,
    /// Mean squared distance of a batch's gradient from the expected gradient.
    pub variance: f64,
    /// Norm of the expected gradient over the square root of `variance`.
    pub signal_to_noise: f64,
}

impl BiasAndNoise {
    fn new(label: impl Into<String>, algorithm: &dyn Algorithm, lab: &Lab) -> Result<BiasAndNoise> {
        let report = report(algorithm, lab)?;
        Ok(BiasAndNoise {
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

/// Every algorithm and preset at every pass rate and 2, 4, 8 and 16 rollouts; then OREAL at several eta and beta, with
/// a uniform reference. Token weights are set to 1, since those of an untrained token-level reward model are 0. PPO's
/// critic outputs the true pass rate.
///
/// # Errors
/// Those of [`report`].
pub fn table() -> Result<Vec<BiasAndNoise>> {
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
            table.push(BiasAndNoise::new(&label, &*algorithm, &with_exact_critic(arms(p, rollouts)?))?);
        }
    }
    for (p, eta, beta) in PASS_RATES.into_iter().flat_map(|p| ETAS_AND_BETAS.map(|(eta, beta)| (p, eta, beta))) {
        let lab = arms(p, 8)?.with(Role::REFERENCE, Table::new(4, &Optimiser::EXACT)?);
        let algorithm = Oreal { eta: eta.into(), beta: beta.into(), ..pair() };
        table.push(BiasAndNoise::new(format!("oreal/released, weights 1, eta {eta}, beta {beta}"), &algorithm, &lab)?);
    }
    Ok(table)
}

const ETAS_AND_BETAS: [(f64, f64); 5] = [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0.5, 0.01), (0.5, 0.1)];

/// With a critic that outputs the true pass rate.
fn with_exact_critic(lab: Lab) -> Lab {
    let mut critic = lab.table(Role::CRITIC).clone();
    critic.set_scalar(&lab.questions()[0].prompt, &[], lab.pass_rates()[0]);
    lab.with(Role::CRITIC, critic)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those whose baseline does not depend on the completion it is a baseline of, and whose loss is not scaled.
    const UNBIASED: [&str; 3] = ["rloo/default", "remax/default", "vine_ppo/default"];

    #[test]
    fn the_table_has_every_algorithm_and_some_are_unbiased() {
        let table = table().unwrap();
        assert_eq!(table.len(), 7 * (4 * BuiltIn::all().len() + ETAS_AND_BETAS.len()));
        for row in table {
            assert!(row.variance.is_finite() && row.scale.is_finite(), "{row:?}");
            let unbiased = (row.scale - 1.0).abs() < 1e-9 && row.angle < 1e-5;
            assert!(unbiased || !UNBIASED.contains(&row.algorithm.as_str()), "{row:?}");
        }
    }
}
