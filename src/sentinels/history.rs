//! What the sentinels remember of a run: its first step, the last ones, and counts.

use std::collections::VecDeque;

use super::Probed;
use crate::evaluate::PassRate;
use crate::record::StepRecord;

/// The records of a run, as far as sentinels look back.
pub struct History {
    /// Steps of the whole run.
    pub(super) steps: usize,
    patience: usize,
    first: Option<StepRecord>,
    recent: VecDeque<StepRecord>,
    /// Pass rate over the first steps, as many as are looked back on, and how many there were.
    start: (f64, usize),
    before: PassRate,
    /// The best evaluation so far, with the pass rate of the rollouts around it.
    best: Option<(PassRate, f64)>,
    /// Steps with more than one update, and updates in them that clipped anything.
    pub(super) repeated: usize,
    pub(super) clipped: usize,
}

impl History {
    pub(super) fn new(patience: usize, steps: usize, before: PassRate) -> History {
        let recent = VecDeque::with_capacity(patience.min(1 << 16));
        History { steps, patience, first: None, recent, start: (0.0, 0), before, best: None, repeated: 0, clipped: 0 }
    }

    pub(super) fn push(&mut self, record: &StepRecord) {
        if self.recent.len() == self.patience {
            self.recent.pop_front();
        }
        self.recent.push_back(record.clone());
        self.first.get_or_insert_with(|| record.clone());
        if self.start.1 < self.patience {
            self.start = (self.start.0 + record.pass_rate, self.start.1 + 1);
        }
        if record.updates > 1 {
            self.repeated += 1;
            self.clipped += usize::from(record.terms.get("clipped").is_none_or(|&share| share > 0.0));
        }
        let best = self.best.get_or_insert((self.before, record.pass_rate)).0;
        if let Some(rate) = record.held_out.filter(|rate| rate.rate > best.rate) {
            self.best = Some((rate, self.mean(|record| Some(record.pass_rate)).unwrap_or_default()));
        }
    }

    /// The evaluation after the last step.
    pub(super) fn end(&mut self, after: PassRate) {
        if let Some(last) = self.recent.back_mut() {
            last.held_out = Some(after);
        }
    }

    /// The step that was seen last.
    pub(super) fn last(&self) -> Option<&StepRecord> {
        self.recent.back()
    }

    /// The first step.
    pub(super) fn first(&self) -> Option<&StepRecord> {
        self.first.as_ref()
    }

    /// Whether something held in every one of the last steps, of which there must be enough.
    pub(super) fn lasts(&self, holds: impl Fn(&StepRecord) -> bool) -> bool {
        self.recent.len() == self.patience && self.recent.iter().all(holds)
    }

    /// How many steps are looked back on.
    pub(super) fn patience(&self) -> usize {
        self.patience
    }

    /// Mean over those of the last steps that have the number.
    pub(super) fn mean(&self, of: impl Fn(&StepRecord) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.recent.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Median over those of the last steps that have the number, where all of them have it.
    pub(super) fn median(&self, of: impl Fn(&StepRecord) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.recent.iter().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        (values.len() == self.patience).then(|| values[values.len() / 2])
    }

    /// Pass rate of the first steps, as many as are looked back on.
    pub(super) fn start(&self) -> f64 {
        self.start.0 / self.start.1.max(1) as f64
    }

    /// The best evaluation so far, and the pass rate of the rollouts then.
    pub(super) fn best(&self) -> Option<&(PassRate, f64)> {
        self.best.as_ref()
    }

    /// What the last look at the models found, if it was in the last step.
    pub(super) fn probed(&self) -> Option<&Probed> {
        self.last()?.probed.as_ref()
    }
}
