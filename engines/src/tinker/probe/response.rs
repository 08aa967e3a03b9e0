//! The response of a log-probability to one small step.

use std::fmt;

use oreal_models::{Clip, Decayed, Error, Model, Optimiser, Result, Sequence, Signal, Signals};

use super::{tokens, want};
use crate::tinker::model::Remote;

/// Far above every entry of a gradient.
const EPSILON: f64 = 1e7;

/// The first rate that is tried.
const RATE: f64 = 200.0;

/// Changes of the sum of log-probabilities that are aimed at, one after another until one is as it must be: the smaller, the closer
/// to linear; the larger, the further above the rounding of a server, which is about 0.01 in bf16.
const WANTED: [f64; 4] = [5e-4, 5e-3, 5e-2, 0.5];

/// How often another rate is tried.
const TRIES: usize = 12;

/// Share by which responses may be off: rounding, and what is not linear.
const OFF: f64 = 0.12;

/// Changes of the sum of the log-probabilities of a sequence A, after steps with these cotangents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Responses {
    /// -1 on each token of A, which raises them.
    a: f64,
    minus_a: f64,
    twice_a: f64,
    /// The first and second half of A's tokens.
    halves: [f64; 2],
    /// A longer sequence P.
    p: f64,
    both: f64,
    a_minus_p: f64,
    /// The rate that gave them.
    pub(super) rate: f64,
}

/// Gradient descent, up to the factor `EPSILON`.
pub(super) fn descent() -> Optimiser {
    clipped(Clip::Off)
}

/// The same with a longest gradient.
fn clipped(clip: Clip) -> Optimiser {
    Optimiser::AdamW {
        beta1: 0.0,
        beta2: 0.0,
        epsilon: EPSILON,
        weight_decay: 0.0,
        decay: Decayed::All,
        clip,
        clip_epsilon: 0.0,
    }
}

impl Responses {
    /// With models of its own. Where no size of step gives what must be, the first that could be measured.
    pub(super) fn find(new: impl Fn(&Optimiser) -> Result<Remote>) -> Result<Responses> {
        let mut first = None;
        for wanted in WANTED {
            match Responses::measure(new(&descent())?, wanted) {
                Ok(responses) if responses.faults().is_empty() => return Ok(responses),
                Ok(responses) => first = first.or(Some(responses)),
                // A larger step does not mend what a smaller one broke.
                Err(error) => return first.ok_or(error),
            }
        }
        first.ok_or_else(|| does_not_learn(0.0))
    }

    /// Moves the model.
    fn measure(mut model: Remote, wanted: f64) -> Result<Responses> {
        let a = [-1.0; A];
        let none = [0.0; P];
        let (mut rate, mut tries) = (RATE, 0);
        let near = |change: f64| (wanted / 3.0..=wanted * 3.0).contains(&change.abs());
        let first = loop {
            let change = respond(&mut model, rate, &a, &none)?;
            tries += 1;
            if near(change) || tries == TRIES {
                break change;
            }
            let factor = if change == 0.0 { 100.0 } else { (wanted / change.abs()).clamp(1e-3, 1e3) };
            rate *= factor;
        };
        if !near(first) {
            return Err(does_not_learn(first));
        }
        let mut with = |a: [f64; A], p: [f64; P]| respond(&mut model, rate, &a, &p);
        let half = |first: bool| std::array::from_fn(|i| if (i < A / 2) == first { -1.0 } else { 0.0 });
        Ok(Responses {
            a: first,
            minus_a: with(a.map(|c| -c), none)?,
            twice_a: with(a.map(|c| 2.0 * c), none)?,
            halves: [with(half(true), none)?, with(half(false), none)?],
            p: with([0.0; A], [-1.0; P])?,
            both: with(a, [-1.0; P])?,
            a_minus_p: with(a, [1.0; P])?,
            rate,
        })
    }

    /// Whether a step is shorter where the gradient is clipped to next to nothing.
    pub(super) fn is_clipped(&self, new: impl FnOnce(&Optimiser) -> Result<Remote>) -> Result<bool> {
        let mut model = new(&clipped(Clip::Norm(1e-12)))?;
        let change = respond(&mut model, self.rate, &[-1.0; A], &[0.0; P])?;
        Ok(change.abs() < 0.1 * self.a.abs())
    }

    /// What is not as it must be, in words.
    pub(super) fn faults(&self) -> Vec<&'static str> {
        let Responses { a, minus_a, twice_a, halves, p, both, a_minus_p, .. } = *self;
        let scale = a.abs().max(p.abs());
        let is = |found: f64, expected: f64| (found - expected).abs() <= OFF * scale.max(expected.abs());
        let checks = [
            (is(minus_a, -a), "it does not change sign with the cotangents"),
            (is(twice_a, 2.0 * a), "it does not grow with the cotangents"),
            (is(halves[0] + halves[1], a), "it does not add up over tokens"),
            (is(both, a + p), "it does not add up over sequences"),
            (is(a_minus_p, a - p), "it does not add up over sequences of both signs"),
            (a > 0.0, "it has the wrong sign"),
        ];
        checks.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect()
    }
}

impl fmt::Display for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Responses { a, minus_a, twice_a, halves: [first, second], p, both, a_minus_p, .. } = self.each(|x| x * 1e4);
        write!(
            f,
            "A {a:.1}, -A {minus_a:.1}, 2A {twice_a:.1}, halves {first:.1} and {second:.1}, P {p:.1}, A and P {both:.1}, A and -P \
             {a_minus_p:.1} (1e-4)"
        )
    }
}

impl Responses {
    fn each(&self, of: impl Fn(f64) -> f64) -> Responses {
        let Responses { a, minus_a, twice_a, halves, p, both, a_minus_p, rate } = *self;
        Responses {
            a: of(a),
            minus_a: of(minus_a),
            twice_a: of(twice_a),
            halves: halves.map(&of),
            p: of(p),
            both: of(both),
            a_minus_p: of(a_minus_p),
            rate,
        }
    }
}

fn does_not_learn(change: f64) -> Error {
    let problem =
        format!("after {TRIES} steps of other rates the log-probabilities change by {change:.1e}: does it learn?");
    Error::Server { server: "probe".to_owned(), problem }
}

/// Tokens of A.
const A: usize = 6;

/// Tokens of P.
const P: usize = 11;

/// The change of A's log-probabilities after a step with these cotangents. A sequence without any is not sent.
fn respond(model: &mut Remote, rate: f64, a: &[f64; A], p: &[f64; P]) -> Result<f64> {
    let vocabulary = model.vocabulary();
    let completions = [tokens(1, A, vocabulary), tokens(2, P, vocabulary)];
    let prompts = [tokens(3, 2, vocabulary), tokens(4, 3, vocabulary)];
    let batch: Vec<Sequence<'_>> =
        prompts.iter().zip(&completions).map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    let sum = |signals: &Signals| signals.0.get(&Signal::Logp).map_or(0.0, |logps| logps[..A].iter().sum::<f64>());
    let (signals, pass) = model.forward(&batch, &want())?;
    let before = sum(&signals);
    pass.backward(&Signals([(Signal::Logp, [&a[..], &p[..]].concat())].into()))?;
    let norm = model.gradient_norm()?;
    model.step(rate, norm)?;
    Ok(sum(&model.read(&batch, &want())?) - before)
}
