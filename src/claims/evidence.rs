//! Measurements, and the verdict that follows from them.

use std::fmt;

use serde::Serialize;

use crate::lab::Direction;

/// How far a number that is computed exactly may be from the one that is stated, relative to it where it is above 1: room for
/// rounding, not for error.
pub const TOLERANCE: f64 = 1e-9;

/// What a statement turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Holds,
    /// Each question's gradient points where it should, but is longer or shorter by a factor of its own.
    UpToScale,
    /// Wrong by an amount that goes to zero.
    InTheLimit,
    /// There is a counter-example.
    DoesNotHold,
    /// The interval over seeds contains both.
    Undecided,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Holds => "holds",
            Verdict::UpToScale => "holds up to a scale per question",
            Verdict::InTheLimit => "holds only in the limit",
            Verdict::DoesNotHold => "does not hold as stated",
            Verdict::Undecided => "undecided",
        })
    }
}

/// What was found at one point of a grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Where: the algorithm, p, n, K, beta.
    pub at: String,
    pub stated: f64,
    pub measured: f64,
    /// How far the second is from the first.
    pub off: f64,
    /// For gradients: the one measured, seen from the one stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Rows of one series, in order, go to a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// An interval of the measured number over seeds, for what was not computed exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Row {
    /// A number that should be another.
    pub fn number(at: impl Into<String>, stated: f64, measured: f64) -> Row {
        let off = (measured - stated).abs() / stated.abs().max(1.0);
        Row { at: at.into(), stated, measured, off, direction: None, series: None, interval: None }
    }

    /// A number that should be at least another.
    pub fn at_least(at: impl Into<String>, least: f64, measured: f64) -> Row {
        Row { off: (least - measured).max(0.0) / least.abs().max(1.0), ..Row::number(at, least, measured) }
    }

    /// A number that should be at most another.
    pub fn at_most(at: impl Into<String>, most: f64, measured: f64) -> Row {
        Row { off: (measured - most).max(0.0) / most.abs().max(1.0), ..Row::number(at, most, measured) }
    }

    /// Two laws that should be one: their total variation, which should be 0.
    pub fn laws(at: impl Into<String>, stated: &[f64], measured: &[f64]) -> Row {
        let total: f64 = stated.iter().zip(measured).map(|(a, b)| (a - b).abs()).sum();
        Row::number(at, 0.0, total / 2.0)
    }

    /// A gradient that should be another. The numbers shown are the factor between them.
    pub fn gradient(at: impl Into<String>, stated: &[f64], measured: &[f64]) -> Row {
        let direction = Direction::new(measured, stated);
        Row { off: direction.off, direction: Some(direction), ..Row::number(at, 1.0, direction.scale) }
    }

    /// As one of a series that goes to a limit.
    pub fn in_series(self, series: impl Into<String>) -> Row {
        Row { series: Some(series.into()), ..self }
    }

    /// A mean over seeds with its interval, which should be above `stated`.
    pub fn above(at: impl Into<String>, stated: f64, measured: f64, interval: [f64; 2]) -> Row {
        Row { interval: Some(interval), ..Row::at_least(at, stated, measured) }
    }

    /// A mean over seeds does only with its whole interval.
    fn holds(&self) -> bool {
        self.off <= TOLERANCE && self.interval.is_none_or(|[low, _]| low > self.stated)
    }

    fn points_the_same_way(&self) -> bool {
        self.direction.is_some_and(|seen| seen.scale > 0.0 && seen.angle < 1e-6)
    }
}

/// What speaks for and against a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// The statement as it stands, over a grid.
    pub stated: Vec<Row>,
    /// Where it does not simply hold: what does, exactly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exactly: Vec<Row>,
}

impl Evidence {
    /// The statement over a grid.
    pub fn new(stated: impl IntoIterator<Item = Row>) -> Evidence {
        Evidence { stated: stated.into_iter().collect(), exactly: Vec::new() }
    }

    /// With what holds instead.
    pub fn exactly(self, rows: impl IntoIterator<Item = Row>) -> Evidence {
        Evidence { exactly: rows.into_iter().collect(), ..self }
    }

    /// What the statement turns out to be, decided by its rows alone.
    pub fn verdict(&self) -> Verdict {
        let rows = &self.stated;
        if rows.is_empty() {
            return Verdict::DoesNotHold;
        }
        if rows.iter().any(|row| row.interval.is_some()) {
            return by_intervals(rows);
        }
        if rows.iter().all(Row::holds) {
            Verdict::Holds
        } else if goes_to_zero(rows) {
            Verdict::InTheLimit
        } else if rows.iter().all(Row::points_the_same_way) {
            Verdict::UpToScale
        } else {
            Verdict::DoesNotHold
        }
    }

    /// The evidence bears a verdict out, and what is said to hold instead does.
    pub fn supports(&self, verdict: Verdict) -> bool {
        self.verdict() == verdict && self.exactly.iter().all(Row::holds)
    }

    /// The rows that must be right to the last digits: what holds exactly, which is the statement itself where nothing else
    /// is said to.
    pub fn exact_rows(&self) -> &[Row] {
        if self.exactly.is_empty() { &self.stated } else { &self.exactly }
    }
}

/// The row that is furthest off, the first of them where rounding alone would decide; numbers that are none are furthest.
pub fn worst(rows: &[Row]) -> Option<&Row> {
    let key = |row: &Row| if row.off.is_nan() { f64::INFINITY } else { (1e6 * row.off).round() };
    rows.iter().rev().max_by(|a, b| key(a).total_cmp(&key(b)))
}

/// Every row is one of a series, and each series falls at every step, to less than a hundredth of where it began.
fn goes_to_zero(rows: &[Row]) -> bool {
    let same = |a: &Row, b: &Row| a.series == b.series;
    rows.iter().all(|row| row.series.is_some())
        && rows.chunk_by(same).all(|series| {
            let falls = series.windows(2).all(|pair| pair[1].off < pair[0].off || pair[1].holds());
            series.len() > 2 && falls && series[series.len() - 1].off < 0.01 * series[0].off
        })
}

fn by_intervals(rows: &[Row]) -> Verdict {
    let all = |holds: &dyn Fn([f64; 2], f64) -> bool| {
        rows.iter().all(|row| row.interval.is_some_and(|interval| holds(interval, row.stated)))
    };
    let any = rows.iter().any(|row| row.interval.is_some_and(|[_, high]| high < row.stated));
    match (all(&|[low, _], stated| low > stated), any) {
        (true, _) => Verdict::Holds,
        (_, true) => Verdict::DoesNotHold,
        _ => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rows: impl IntoIterator<Item = Row>) -> Verdict {
        Evidence::new(rows).verdict()
    }

    #[test]
    fn verdicts_follow_from_rows() {
        let exact = || Row::number("", 0.5, 0.5 + 1e-12);
        let wrong = || Row::number("", 0.5, 0.6);
        assert_eq!(verdict([exact(), exact()]), Verdict::Holds);
        assert_eq!(verdict([exact(), wrong()]), Verdict::DoesNotHold);
        assert_eq!(verdict([]), Verdict::DoesNotHold, "no evidence is none");
        let longer = || Row::gradient("", &[1.0, 2.0], &[2.0, 4.0]);
        assert_eq!(verdict([longer()]), Verdict::UpToScale);
        assert_eq!(verdict([longer(), Row::gradient("", &[1.0, 2.0], &[-2.0, -4.0])]), Verdict::DoesNotHold);
        assert_eq!(verdict([longer(), Row::gradient("", &[1.0, 2.0], &[2.0, 1.0])]), Verdict::DoesNotHold);
        assert_eq!(verdict([longer(), exact()]), Verdict::DoesNotHold, "a number has no direction");
        assert_eq!(verdict([Row::at_least("", 1.0, 2.0), Row::at_most("", 1.0, 0.5)]), Verdict::Holds);
        assert_eq!(verdict([Row::at_least("", 1.0, 0.5)]), Verdict::DoesNotHold);
        assert_eq!(verdict([Row::number("", 0.0, f64::NAN)]), Verdict::DoesNotHold, "what is no number proves nothing");
    }

    #[test]
    fn a_limit_needs_a_series_that_falls_far_enough() {
        let series =
            |values: &[f64]| values.iter().map(|v| Row::number("", 0.0, *v).in_series("n")).collect::<Vec<_>>();
        assert_eq!(verdict(series(&[1.0, 0.1, 0.001])), Verdict::InTheLimit);
        assert_eq!(verdict(series(&[1.0, 0.5, 0.25])), Verdict::DoesNotHold, "not far enough");
        assert_eq!(verdict(series(&[1.0, 2.0, 0.001])), Verdict::DoesNotHold, "not falling");
        assert_eq!(verdict([Row::number("", 0.0, 1.0), Row::number("", 0.0, 0.001)]), Verdict::DoesNotHold);
    }

    #[test]
    fn intervals_decide_only_when_they_are_on_one_side() {
        let row = |low: f64, high: f64| Row::above("", 0.0, (low + high) / 2.0, [low, high]);
        assert_eq!(verdict([row(0.1, 0.2), row(0.3, 0.4)]), Verdict::Holds);
        assert_eq!(verdict([row(0.1, 0.2), row(-0.3, 0.4)]), Verdict::Undecided);
        assert_eq!(verdict([row(0.1, 0.2), row(-0.3, -0.1)]), Verdict::DoesNotHold);
    }

    #[test]
    fn what_holds_instead_must_hold() {
        let evidence = Evidence::new([Row::number("", 1.0, 2.0)]);
        assert!(evidence.supports(Verdict::DoesNotHold));
        assert!(!evidence.clone().exactly([Row::number("", 2.0, 2.1)]).supports(Verdict::DoesNotHold));
        assert!(evidence.clone().exactly([Row::number("", 2.0, 2.0)]).supports(Verdict::DoesNotHold));
        assert!(!evidence.clone().exactly([Row::above("", 0.0, 0.2, [-0.1, 0.5])]).supports(Verdict::DoesNotHold));
        assert!(evidence.exactly([Row::above("", 0.0, 0.2, [0.1, 0.3])]).supports(Verdict::DoesNotHold));
    }
}
