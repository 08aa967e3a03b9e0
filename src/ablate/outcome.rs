//! What a finished run came to, from its folder.

use std::path::Path;

use serde::Deserialize;

use super::settings::Matched;
use crate::budget::Spent;
use crate::error::{Error, Result};
use crate::evaluate::PassRate;
use crate::record::{METRICS, REPORT, StepRecord, read_text};
use crate::statistics::area_under;

/// Longest record that is read, in bytes.
const LONGEST: u64 = 1 << 28;

/// A run's result, from its `report.json` and `metrics.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Held-out pass rate before training.
    pub before: PassRate,
    /// Held-out pass rate after training.
    pub after: PassRate,
    /// Area under the curve of the rollouts' pass rate, over what is matched: its mean on the way. 0 without steps.
    pub area: f64,
    /// Steps that were made.
    pub steps: usize,
    /// What they spent.
    pub spent: Spent,
}

#[derive(Deserialize)]
struct Recorded {
    before: PassRate,
    after: PassRate,
    steps: usize,
    spent: Spent,
}

impl Outcome {
    /// Of the run that is recorded in a folder.
    ///
    /// # Errors
    /// Files that are missing, too long or not as a run writes them.
    pub fn read(folder: &Path, matched: Matched) -> Result<Outcome> {
        let path = folder.join(REPORT);
        let recorded: Recorded =
            serde_json::from_str(&read_text(&path, LONGEST)?).map_err(|problem| Error::file(&path, problem))?;
        let Recorded { before, after, steps, spent } = recorded;
        let path = folder.join(METRICS);
        let record = |line: &str| serde_json::from_str(line).map_err(|problem| Error::file(&path, problem));
        let records: Vec<StepRecord> = read_text(&path, LONGEST)?.lines().map(record).collect::<Result<_>>()?;
        let area = area_under(&curve(&records, matched)).unwrap_or(0.0);
        Ok(Outcome { before, after, area, steps, spent })
    }
}

/// The pass rate of each step's rollouts over what was spent before it: the policy that drew them had learnt from that.
fn curve(records: &[StepRecord], matched: Matched) -> Vec<(f64, f64)> {
    let amount = |record: &StepRecord| match matched {
        Matched::Steps => 1.0,
        Matched::Updates => record.updates as f64,
        Matched::Rollouts => (record.trajectories + record.ungraded + record.failed) as f64,
        Matched::Tokens => record.trained_tokens as f64,
        Matched::Seconds => record.seconds.wall(),
    };
    let mut spent = 0.0;
    let point = |record: &StepRecord| {
        let before = spent;
        spent += amount(record);
        (before, record.pass_rate)
    };
    records.iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_over_what_is_matched() {
        let step = |updates, pass_rate| StepRecord { updates, pass_rate, trajectories: 8, ..StepRecord::default() };
        let records = [step(0, 0.0), step(2, 0.5), step(1, 1.0)];
        assert_eq!(curve(&records, Matched::Steps), [(0.0, 0.0), (1.0, 0.5), (2.0, 1.0)]);
        assert_eq!(curve(&records, Matched::Updates), [(0.0, 0.0), (0.0, 0.5), (2.0, 1.0)]);
        assert_eq!(curve(&records, Matched::Rollouts), [(0.0, 0.0), (8.0, 0.5), (16.0, 1.0)]);
    }
}
