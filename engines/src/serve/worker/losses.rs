//! A loss on sequences, and its gradient.

use oreal_models::{Error, Model, Sequence, Signal, Signals};

use super::{Done, failed, user, wanted};
use crate::serve::batch::Batch;
use crate::serve::job::Gradient;
use crate::serve::reading::Reading;
use crate::serve::results::{Answer, Fault};

/// Tokens of one forward pass.
const PART: usize = 16_384;

/// What was found out about a batch.
struct Found {
    /// Of each target of each row.
    logps: Vec<Vec<f64>>,
    loss: f64,
    /// Of each sequence that is read, for each token of its completion.
    cotangents: Vec<Vec<f64>>,
}

/// The log-probabilities and the loss; where it is wanted, its gradient is accumulated.
pub(super) fn losses(model: &mut Box<dyn Model>, batch: &Batch, gradient: Gradient, most: usize) -> Done<Answer> {
    let reading = Reading::of(&batch.rows, most).ok_or_else(|| too_much(most))?;
    let parts = reading.parts(PART);
    if let ([part], Gradient::Accumulated) = (&parts[..], gradient) {
        let (signals, pass) = model.forward(&reading.sequences(part.clone()), &wanted()).map_err(failed)?;
        let found = Found::of(batch, &reading, reading.split(part.clone(), &column(signals)))?;
        let backward = pass.backward(&cotangents(found.cotangents.concat()));
        return match backward {
            Ok(()) => Ok(found.answer()),
            Err(problem) => Err(discarded(model, &problem)),
        };
    }
    // A loss that is not finite in a later part must leave no gradient of an earlier one.
    let mut read = Vec::new();
    for part in &parts {
        let signals = model.read(&reading.sequences(part.clone()), &wanted()).map_err(failed)?;
        read.extend(reading.split(part.clone(), &column(signals)));
    }
    let found = Found::of(batch, &reading, read)?;
    if gradient == Gradient::Accumulated {
        for part in parts {
            let column = found.cotangents[part.clone()].concat();
            backward(model, &reading.sequences(part), column).map_err(|problem| discarded(model, &problem))?;
        }
    }
    Ok(found.answer())
}

fn backward(model: &mut Box<dyn Model>, sequences: &[Sequence<'_>], column: Vec<f64>) -> Result<(), Error> {
    let (_, pass) = model.forward(sequences, &wanted())?;
    pass.backward(&cotangents(column))
}

fn column(signals: Signals) -> Vec<f64> {
    signals.0.into_values().flatten().collect()
}

fn cotangents(column: Vec<f64>) -> Signals {
    Signals([(Signal::Logp, column)].into())
}

fn discarded(model: &mut Box<dyn Model>, problem: &Error) -> (String, Fault) {
    model.discard();
    (format!("{problem}; the gradient of this model is discarded"), Fault::User)
}

fn too_much(most: usize) -> (String, Fault) {
    user(format!(
        "more than {most} tokens would have to be read: send fewer sequences, or targets that are the input shifted by one"
    ))
}

impl Found {
    /// From the log-probabilities of each sequence.
    fn of(batch: &Batch, reading: &Reading, read: Vec<Vec<f64>>) -> Done<Found> {
        let logps = reading.targets(&read);
        let (mut loss, mut slopes) = (0.0, Vec::new());
        for (row, logps) in batch.rows.iter().zip(&logps) {
            let shares = logps.iter().zip(&row.given).map(|(&logp, &given)| batch.loss.share(logp, given));
            let shares: Vec<_> = shares.collect();
            loss += shares.iter().map(|share| share.value).sum::<f64>();
            slopes.push(shares.iter().map(|share| share.slope).collect::<Vec<f64>>());
        }
        if !loss.is_finite() || slopes.iter().flatten().any(|slope| !slope.is_finite()) {
            return Err(user(
                "the loss or its derivative is not finite, and no gradient was accumulated: look for log-probabilities far \
                 from those of the model",
            ));
        }
        Ok(Found { cotangents: reading.gathered(&slopes), logps, loss })
    }

    fn answer(self) -> Answer {
        Answer::Loss { logps: self.logps, loss: self.loss }
    }
}
