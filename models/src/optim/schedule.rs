//! The learning rate of each step.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Linear warm-up to `peak`, then a cosine down to `floor * peak` at step `total`, which is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Highest learning rate.
    pub peak: f64,
    /// Steps of warm-up; the peak is reached at the last of them.
    pub warmup: u64,
    /// Steps of the whole run.
    pub total: u64,
    /// Share of the peak that is left at the end; 1 is a constant rate after warm-up.
    pub floor: f64,
}

impl Schedule {
    /// Refuses numbers that give no learning rate.
    ///
    /// # Errors
    /// [`Error::Setting`] with the key.
    pub fn validate(&self) -> Result<()> {
        if !(0.0..=1e6).contains(&self.peak) {
            return Err(Error::setting("schedule", "peak", format!("{} is not in [0, 1e6]", self.peak)));
        }
        if !(0.0..=1.0).contains(&self.floor) {
            return Err(Error::setting("schedule", "floor", format!("{} is not a share, in [0, 1]", self.floor)));
        }
        Ok(())
    }

    /// Learning rate of the step with this number, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1) as f64;
        let progress = ((step - self.warmup) as f64 / span).min(1.0);
        let cosine = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
        self.peak * (self.floor + (1.0 - self.floor) * cosine)
    }
}
