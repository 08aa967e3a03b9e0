//! Measurements and the verdict that follows from them.

use std::fmt;

use serde::Serialize;

use crate::lab::Direction;

/// Largest deviation of an exactly computed number from the stated one that counts as rounding: relative to the stated
/// number if its absolute value is above 1, absolute otherwise.
pub const TOLERANCE: f64 = 1e-9;

/// The verdict on a claim, a statement about algorithms. It is not a [`crate::envs::Verdict`], which an environment
/// gives on a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The statement is exact at every point of the grid; for an empirical claim, every interval is above the stated
    /// number.
    Holds,
    /// Each question's gradient has the stated direction, but its norm differs by a positive factor that depends on the
    /// question.
    UpToScale,
    /// The deviation is not zero, but goes to zero along every series of the grid.
    InTheLimit,
    /// There is a counterexample; for an empirical claim, an interval is below the stated number.
    DoesNotHold,
    /// Empirical claims only: an interval over seeds contains the stated number, and none is below it.
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

/// The stated and the measured number at one point of a grid.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measurement {
    /// The point: algorithm, p, n, K, beta.
    pub at: String,
    /// The number according to the statement.
    pub stated: f64,
    /// The number that was measured.
    pub measured: f64,
    /// Deviation of the measured number from the stated one, relative to it if its absolute value is above 1. For a
    /// bound, by how much it is violated; for a gradient, [`Direction::off`].
    pub off: f64,
    /// For gradients: the measured one compared with the stated one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Measurements with the same series are listed in order and should converge to the stated number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<String>,
    /// For an empirical claim: 95% interval of the measured number over seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Measurement {
    /// A number that should equal `stated`.
    pub fn number(at: impl Into<String>, stated: f64, measured: f64) -> Measurement {
        let off = (measured - stated).abs() / stated.abs().max(1.0);
        Measurement { at: at.into(), stated, measured, off, direction: None, series: None, interval: None }
    }

    /// A number that should be at least `least`.
    pub fn at_least(at: impl Into<String>, least: f64, measured: f64) -> Measurement {
        Measurement {
            off: (least - measured).max(0.0) / least.abs().max(1.0),
            ..Measurement::number(at, least, measured)
        }
    }

    /// A number that should be at most `most`.
    pub fn at_most(at: impl Into<String>, most: f64, measured: f64) -> Measurement {
        Measurement { off: (measured - most).max(0.0) / most.abs().max(1.0), ..Measurement::number(at, most, measured) }
    }

    /// The total variation distance of two distributions, which should be 0.
    pub fn distributions(at: impl Into<String>, stated: &[f64], measured: &[f64]) -> Measurement {
        let total: f64 = stated.iter().zip(measured).map(|(a, b)| (a - b).abs()).sum();
        Measurement::number(at, 0.0, total / 2.0)
    }

    /// A gradient that should equal `stated`. Its numbers are the projection on `stated` in units of it,
    /// [`Direction::scale`], and 1.
    pub fn gradient(at: impl Into<String>, stated: &[f64], measured: &[f64]) -> Measurement {
        let direction = Direction::new(measured, stated);
        Measurement { off: direction.off, direction: Some(direction), ..Measurement::number(at, 1.0, direction.scale) }
    }

    /// Makes it an element of a series that should converge.
    pub fn in_series(self, series: impl Into<String>) -> Measurement {
        Measurement { series: Some(series.into()), ..self }
    }

    /// A mean over seeds that should be above `stated`, with its 95% interval.
    pub fn above(at: impl Into<String>, stated: f64, measured: f64, interval: [f64; 2]) -> Measurement {
        Measurement { interval: Some(interval), ..Measurement::at_least(at, stated, measured) }
    }

    /// Whether the statement holds here; with an interval, only if the whole interval is above the stated number.
    fn holds(&self) -> bool {
        self.off <= TOLERANCE && self.interval.is_none_or(|[low, _]| low > self.stated)
    }

    fn has_the_stated_direction(&self) -> bool {
        self.direction.is_some_and(|seen| seen.scale > 0.0 && seen.angle < 1e-6)
    }
}

/// The measurements that a check made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// The statement itself, over a grid.
    pub stated: Vec<Measurement>,
    /// A statement that holds exactly in place of one that does not, or a sharper form of one that does. Empty if there
    /// is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exactly: Vec<Measurement>,
}

impl Evidence {
    /// Evidence of the statement over a grid.
    pub fn new(stated: impl IntoIterator<Item = Measurement>) -> Evidence {
        Evidence { stated: stated.into_iter().collect(), exactly: Vec::new() }
    }

    /// Adds the measurements of the statement that holds exactly.
    pub fn exactly(self, measurements: impl IntoIterator<Item = Measurement>) -> Evidence {
        Evidence { exactly: measurements.into_iter().collect(), ..self }
    }

    /// The verdict on the statement. It follows from the measurements alone; without any it is
    /// [`Verdict::DoesNotHold`].
    pub fn verdict(&self) -> Verdict {
        let measurements = &self.stated;
        if measurements.is_empty() {
            return Verdict::DoesNotHold;
        }
        if measurements.iter().any(|one| one.interval.is_some()) {
            return by_intervals(measurements);
        }
        if measurements.iter().all(Measurement::holds) {
            Verdict::Holds
        } else if goes_to_zero(measurements) {
            Verdict::InTheLimit
        } else if measurements.iter().all(Measurement::has_the_stated_direction) {
            Verdict::UpToScale
        } else {
            Verdict::DoesNotHold
        }
    }

    /// Whether the verdict is `verdict` and every measurement of [`Evidence::exactly`] holds.
    pub fn supports(&self, verdict: Verdict) -> bool {
        self.verdict() == verdict && self.exactly.iter().all(Measurement::holds)
    }

    /// The measurements that must hold within rounding: [`Evidence::exactly`], or the statement itself if that is
    /// empty.
    pub fn exact_measurements(&self) -> &[Measurement] {
        if self.exactly.is_empty() { &self.stated } else { &self.exactly }
    }
}

/// The measurement with the largest deviation, rounded to 1e-6; the first of equal ones. NaN counts as infinite.
pub fn worst(measurements: &[Measurement]) -> Option<&Measurement> {
    let key = |one: &Measurement| if one.off.is_nan() { f64::INFINITY } else { (1e6 * one.off).round() };
    measurements.iter().rev().max_by(|a, b| key(a).total_cmp(&key(b)))
}

/// Whether every measurement belongs to a series, and the deviations of each series decrease at every step (until they
/// are within rounding) to less than a hundredth of the first.
fn goes_to_zero(measurements: &[Measurement]) -> bool {
    let same = |a: &Measurement, b: &Measurement| a.series == b.series;
    measurements.iter().all(|one| one.series.is_some())
        && measurements.chunk_by(same).all(|series| {
            let decreases = series.windows(2).all(|pair| pair[1].off < pair[0].off || pair[1].holds());
            series.len() > 2 && decreases && series[series.len() - 1].off < 0.01 * series[0].off
        })
}

/// The verdict on measurements with intervals.
fn by_intervals(measurements: &[Measurement]) -> Verdict {
    let all = |holds: &dyn Fn([f64; 2], f64) -> bool| {
        measurements.iter().all(|one| one.interval.is_some_and(|interval| holds(interval, one.stated)))
    };
    let any = measurements.iter().any(|one| one.interval.is_some_and(|[_, high]| high < one.stated));
    match (all(&|[low, _], stated| low > stated), any) {
        (true, _) => Verdict::Holds,
        (_, true) => Verdict::DoesNotHold,
        _ => Verdict::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rows: impl IntoIterator<Item = Measurement>) -> Verdict {
        Evidence::new(rows).verdict()
    }

    #[test]
    fn verdicts_follow_from_measurements() {
        let exact = || Measurement::number("", 0.5, 0.5 + 1e-12);
        let wrong = || Measurement::number("", 0.5, 0.6);
        assert_eq!(verdict([exact(), exact()]), Verdict::Holds);
        assert_eq!(verdict([exact(), wrong()]), Verdict::DoesNotHold);
        assert_eq!(verdict([]), Verdict::DoesNotHold, "no evidence");
        let longer = || Measurement::gradient("", &[1.0, 2.0], &[2.0, 4.0]);
        assert_eq!(verdict([longer()]), Verdict::UpToScale);
        assert_eq!(verdict([longer(), Measurement::gradient("", &[1.0, 2.0], &[-2.0, -4.0])]), Verdict::DoesNotHold);
        assert_eq!(verdict([longer(), Measurement::gradient("", &[1.0, 2.0], &[2.0, 1.0])]), Verdict::DoesNotHold);
        assert_eq!(verdict([longer(), exact()]), Verdict::DoesNotHold, "a number has no direction");
        assert_eq!(verdict([Measurement::at_least("", 1.0, 2.0), Measurement::at_most("", 1.0, 0.5)]), Verdict::Holds);
        assert_eq!(verdict([Measurement::at_least("", 1.0, 0.5)]), Verdict::DoesNotHold);
        assert_eq!(verdict([Measurement::number("", 0.0, f64::NAN)]), Verdict::DoesNotHold, "NaN proves nothing");
    }

    #[test]
    fn a_limit_needs_a_series_that_decreases_far_enough() {
        let series =
            |values: &[f64]| values.iter().map(|v| Measurement::number("", 0.0, *v).in_series("n")).collect::<Vec<_>>();
        assert_eq!(verdict(series(&[1.0, 0.1, 0.001])), Verdict::InTheLimit);
        assert_eq!(verdict(series(&[1.0, 0.5, 0.25])), Verdict::DoesNotHold, "not far enough");
        assert_eq!(verdict(series(&[1.0, 2.0, 0.001])), Verdict::DoesNotHold, "not decreasing");
        assert_eq!(
            verdict([Measurement::number("", 0.0, 1.0), Measurement::number("", 0.0, 0.001)]),
            Verdict::DoesNotHold
        );
    }

    #[test]
    fn intervals_decide_only_if_they_are_on_one_side() {
        let row = |low: f64, high: f64| Measurement::above("", 0.0, (low + high) / 2.0, [low, high]);
        assert_eq!(verdict([row(0.1, 0.2), row(0.3, 0.4)]), Verdict::Holds);
        assert_eq!(verdict([row(0.1, 0.2), row(-0.3, 0.4)]), Verdict::Undecided);
        assert_eq!(verdict([row(0.1, 0.2), row(-0.3, -0.1)]), Verdict::DoesNotHold);
    }

    #[test]
    fn what_holds_instead_must_hold() {
        let evidence = Evidence::new([Measurement::number("", 1.0, 2.0)]);
        assert!(evidence.supports(Verdict::DoesNotHold));
        assert!(!evidence.clone().exactly([Measurement::number("", 2.0, 2.1)]).supports(Verdict::DoesNotHold));
        assert!(evidence.clone().exactly([Measurement::number("", 2.0, 2.0)]).supports(Verdict::DoesNotHold));
        assert!(
            !evidence.clone().exactly([Measurement::above("", 0.0, 0.2, [-0.1, 0.5])]).supports(Verdict::DoesNotHold)
        );
        assert!(evidence.exactly([Measurement::above("", 0.0, 0.2, [0.1, 0.3])]).supports(Verdict::DoesNotHold));
    }
}
