//! Whether completions can be drawn from weights that a model had before: what drawing while it trains needs.

use oreal_models::{Model, Result, Signals};
use serde::{Deserialize, Serialize};

use super::drawn::Drawn;
use super::{Finding, Meaning, ROUNDING, largest, logps, want};
use crate::tinker::model::{Remote, RemoteSettings};

/// Until when completions of older weights can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Older {
    /// Always.
    Always,
    /// Until newer weights are to be drawn from.
    UntilNewer,
    /// Only until the model moves: after that others are drawn from, or what trains changes.
    Never,
}

impl Older {
    /// How many steps ahead completions can be drawn; `None` where that is any number.
    pub fn steps_ahead(self) -> Option<usize> {
        match self {
            Older::Always => None,
            Older::UntilNewer => Some(1),
            Older::Never => Some(0),
        }
    }
}

/// Difference of log-probabilities, in nats, that tells two sets of weights apart: well above rounding.
const APART: f64 = 0.5;

/// How often a model is moved until its weights can be told apart from those before.
const TRIES: usize = 16;

/// `before` stays as it is, and `moving` has the same weights at first. `rate` is one that moves a log-probability a little.
pub(super) fn older(
    before: &Remote,
    mut moving: Remote,
    rate: f64,
    settings: &RemoteSettings,
) -> Result<(Older, Finding)> {
    let old = moving.frozen()?;
    let draw = |model: &Remote, seed| Drawn::of(model, settings, seed, 1.0);
    let of_before = |drawn: Drawn| Ok(drawn.apart_from(before)?.map(|far| far < ROUNDING));
    let drawn = draw(&old, 1)?;
    let Some(moved) = away(&mut moving, &drawn, rate)? else {
        return Ok(told(Older::Never, "it cannot be told: the weights hardly move"));
    };
    let trains_on = |moving: &Remote| Ok(largest(&logps(moving, &drawn.batch())?, &moved) < ROUNDING);
    let of_old = of_before(draw(&old, 2)?)?;
    if !trains_on(&moving)? {
        return Ok(told(Older::Never, "what trains becomes what is drawn from"));
    }
    match of_old {
        None => return Ok(told(Older::Never, "it cannot be told: the server says no log-probabilities")),
        Some(false) => return Ok(told(Older::Never, "they are of other weights")),
        Some(true) => {}
    }
    // Some servers take the newest weights when they are first asked for them.
    draw(&moving.frozen()?, 3)?;
    let still = of_before(draw(&old, 4)?)?;
    if !trains_on(&moving)? {
        return Ok(told(Older::Never, "what trains becomes what is drawn from"));
    }
    Ok(match still {
        Some(true) => told(Older::Always, "they are of the older weights, and what trains stays as it is"),
        _ => told(Older::UntilNewer, "they are of the older weights until newer ones are drawn from"),
    })
}

fn told(older: Older, what: &str) -> (Older, Finding) {
    let (meaning, advice) = match older.steps_ahead() {
        None => (Meaning::Good, String::new()),
        Some(most) => (Meaning::Note, format!(": train.steps_ahead must be at most {most}")),
    };
    let question = "completions of older weights while newer ones train".to_owned();
    (older, Finding { question, answer: format!("{what}{advice}"), meaning })
}

/// Moves a model until its log-probabilities of these completions are far from what they were; what they are then. `None` where it
/// takes too long.
fn away(model: &mut Remote, drawn: &Drawn, mut rate: f64) -> Result<Option<Vec<f64>>> {
    let batch = drawn.batch();
    if batch.is_empty() {
        return Ok(None);
    }
    let before = logps(model, &batch)?;
    for _ in 0..TRIES {
        let (signals, pass) = model.forward(&batch, &want())?;
        let lower = signals.0.into_iter().map(|(signal, values)| (signal, vec![1.0; values.len()])).collect();
        pass.backward(&Signals(lower))?;
        let norm = model.gradient_norm()?;
        model.step(rate, norm)?;
        let now = logps(model, &batch)?;
        if largest(&before, &now) > APART {
            return Ok(Some(now));
        }
        rate *= 2.0;
    }
    Ok(None)
}
