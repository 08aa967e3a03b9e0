//! Signals of a model on a server, and what their cotangents become.

use oreal_models::{Error, Head, Pass, Result, Sequence, Signal, Signals, Want, check};

use super::Remote;
use super::adapter::Adapter;
use super::carrier::Contribution;
use super::rows::Rows;

impl Remote {
    /// Log-probabilities of the targets of each row, by these weights.
    fn logps(&self, adapter: &Adapter, rows: &Rows) -> Result<Vec<Vec<f64>>> {
        adapter.forward(rows, self.settings.batch)
    }

    pub(super) fn rows(&self, batch: &[Sequence<'_>], want: &Want) -> Result<Vec<Read>> {
        check::batch(batch, want, self.settings.vocabulary)?;
        self.check_usable()?;
        if want.temperature != 1.0 {
            let problem = format!("{}: a server's log-probabilities are those at 1", want.temperature);
            return Err(Error::setting("want", "temperature", problem));
        }
        want.signals.iter().map(|&signal| self.read_signal(batch, signal)).collect()
    }

    fn read_signal(&self, batch: &[Sequence<'_>], signal: Signal) -> Result<Read> {
        let Some(untouched) = &self.untouched else {
            if signal != Signal::Logp {
                return Err(Error::Head { head: Head::Vocabulary, signal });
            }
            let rows = Rows::of_completions(batch);
            let logps = self.logps(&self.adapter, &rows)?;
            return Ok(Read { signal, values: rows.chosen(&logps), rows, logps });
        };
        if !matches!(signal, Signal::Scalar | Signal::ScalarAfter) {
            return Err(Error::Head { head: Head::Scalar, signal });
        }
        let rows = Rows::of_scores(batch, signal, self.settings.score_tokens);
        let logps = self.logps(&self.adapter, &rows)?;
        let before = self.logps(untouched, &rows)?;
        let values = rows.differences(&logps).into_iter().zip(rows.differences(&before)).map(|(now, then)| now - then);
        Ok(Read { signal, values: values.collect(), rows, logps })
    }
}

/// One signal as it was read, with what is needed to send its cotangents.
pub(super) struct Read {
    pub(super) signal: Signal,
    pub(super) values: Vec<f64>,
    pub(super) rows: Rows,
    pub(super) logps: Vec<Vec<f64>>,
}

/// A forward pass whose cotangents become part of the model's gradient.
pub(super) struct RemotePass<'a> {
    pub(super) gradient: &'a mut Vec<Contribution>,
    pub(super) read: Vec<Read>,
}

impl Pass for RemotePass<'_> {
    fn backward(self: Box<Self>, cotangents: &Signals) -> Result<()> {
        let signals: Vec<(Signal, usize)> = self.read.iter().map(|read| (read.signal, read.values.len())).collect();
        check::cotangents(&signals, cotangents)?;
        for Read { signal, rows, logps, .. } in self.read {
            if let Some(cotangents) = cotangents.0.get(&signal) {
                self.gradient.extend(rows.contributions(logps, cotangents));
            }
        }
        Ok(())
    }
}
