//! From the metrics of runs to curves: smoothed, averaged over seeds, thinned out.

use std::collections::{BTreeMap, BTreeSet};

use super::recorded::Recorded;
use super::text::visible;
use crate::statistics::interval;

/// Most points of a curve.
const POINTS: usize = 160;

/// Share of a run's steps that the moving mean is over.
const SMOOTHED: usize = 20;

/// Most variants in one chart.
pub(crate) const VARIANTS: usize = 16;

/// Curves of one metric, one for each variant that has it.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// As in `metrics.jsonl`.
    pub(crate) name: String,
    pub(crate) title: String,
    /// Values are shares, shown in percent from 0 to 100.
    pub(crate) percent: bool,
    pub(crate) curves: Vec<Curve>,
}

#[derive(Clone, Debug)]
pub(crate) struct Curve {
    /// Place of its variant on the page, which its colour follows from.
    pub(crate) variant: usize,
    pub(crate) label: String,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) step: u64,
    /// Of one run: the moving mean. Of several seeds: the mean of their moving means.
    pub(crate) mean: f64,
    /// Of one run: the value itself.
    pub(crate) raw: Option<f64>,
    /// Of several seeds: the 95% interval of their mean, by Student's t.
    pub(crate) band: Option<[f64; 2]>,
}

/// A metric that never changes in any run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    pub(crate) title: String,
    pub(crate) value: f64,
}

/// What metrics are called on the page, in its order; those with a section stand for all of the section.
const TITLES: [(&str, &str, bool); 18] = [
    ("pass_rate", "Pass rate of rollouts, %", true),
    ("reward", "Reward", false),
    ("loss", "Loss", false),
    ("terms.", "Term of the loss", false),
    ("entropy", "Entropy, nats a token", false),
    ("kl_to_reference", "KL from the reference, nats a token", false),
    ("length", "Tokens of a completion", false),
    ("truncated", "Truncated completions, %", true),
    ("unparsable", "Unparsable completions, %", true),
    ("ungraded", "Ungraded completions", false),
    ("failed", "Failed completions", false),
    ("mixed_groups", "Groups with right and wrong, %", true),
    ("gradient_norm.", "Gradient norm", false),
    ("first_update_ratio", "Ratio at the first update", false),
    ("rescored.", "Sampler against policy", false),
    ("behind", "Updates since the oldest completion", false),
    ("kept", "Trajectories learnt from", false),
    ("rate.", "Learning rate", false),
];

/// Metrics that say nothing as a curve.
const HIDDEN: [&str; 4] = ["updates", "version", "trajectories", "seconds."];

/// Every metric of the runs, those that are constant apart. `variants` are the runs of each label.
pub(crate) fn charts(variants: &[(String, Vec<&Recorded>)]) -> (Vec<Chart>, Vec<Constant>) {
    let shown = &variants[..variants.len().min(VARIANTS)];
    let runs = || shown.iter().flat_map(|(_, runs)| runs);
    let names: BTreeSet<&String> = runs().flat_map(|run| run.metrics.series.keys()).collect();
    let mut names: Vec<&String> =
        names.into_iter().filter(|name| !HIDDEN.iter().any(|h| name.starts_with(h))).collect();
    names.sort_by_key(|name| TITLES.iter().position(|(known, ..)| is(known, name)).unwrap_or(TITLES.len()));
    let (mut charts, mut constants) = (Vec::new(), Vec::new());
    for name in names {
        let (title, percent) = title(name);
        let title = visible(&title, 100);
        let mut values = runs().filter_map(|run| run.metrics.series.get(name)).flatten().map(|(_, value)| *value);
        let first = values.next().unwrap_or_default();
        if values.all(|value| value == first) {
            constants.push(Constant { title, value: if percent { 100.0 * first } else { first } });
            continue;
        }
        let curve = |(variant, (label, runs)): (usize, &(String, Vec<&Recorded>))| {
            let series: Vec<&[(u64, f64)]> =
                runs.iter().filter_map(|run| run.metrics.series.get(name)).map(Vec::as_slice).collect();
            let points = points(&series);
            (!points.is_empty()).then(|| Curve { variant, label: label.clone(), points })
        };
        let curves = shown.iter().enumerate().filter_map(curve).collect();
        charts.push(Chart { name: name.clone(), title, percent, curves });
    }
    (charts, constants)
}

fn is(known: &str, name: &str) -> bool {
    if known.ends_with('.') { name.starts_with(known) } else { name == known }
}

fn title(name: &str) -> (String, bool) {
    match TITLES.iter().find(|(known, ..)| is(known, name)) {
        Some((known, title, percent)) => match name.strip_prefix(known).filter(|rest| !rest.is_empty()) {
            Some(rest) => (format!("{title}: {rest}"), *percent),
            None => ((*title).to_owned(), *percent),
        },
        None => (name.to_owned(), false),
    }
}

/// One curve from the series of a variant's runs. With several runs, steps that only one has are left out.
pub(crate) fn points(series: &[&[(u64, f64)]]) -> Vec<Point> {
    let smoothed: Vec<Vec<f64>> = series.iter().map(|series| smooth(series)).collect();
    let mut steps: BTreeMap<u64, (Vec<f64>, f64)> = BTreeMap::new();
    for (series, smoothed) in series.iter().zip(&smoothed) {
        for (&(step, raw), &mean) in series.iter().zip(smoothed) {
            let at = steps.entry(step).or_default();
            at.0.push(mean);
            at.1 = raw;
        }
    }
    let several = series.len() > 1;
    let point = |(step, (means, raw)): (u64, (Vec<f64>, f64))| {
        let (mean, band) = interval(&means);
        let band = (several && band.iter().all(|end| end.is_finite())).then_some(band);
        Point { step, mean, raw: (!several).then_some(raw), band }
    };
    let all: Vec<Point> = steps.into_iter().filter(|(_, (means, _))| !several || means.len() > 1).map(point).collect();
    let every = all.len().div_ceil(POINTS).max(1);
    let last = all.len().saturating_sub(1);
    all.into_iter().enumerate().filter(|(i, _)| i % every == 0 || *i == last).map(|(_, point)| point).collect()
}

/// Centred moving mean over a twentieth of the series; shorter at its ends, so that it stays centred.
fn smooth(series: &[(u64, f64)]) -> Vec<f64> {
    let half = series.len() / SMOOTHED / 2;
    let mut sums = Vec::with_capacity(series.len() + 1);
    sums.push(0.0);
    series.iter().for_each(|(_, value)| sums.push(sums[sums.len() - 1] + value));
    let mean = |i: usize| {
        let reach = half.min(i).min(series.len() - 1 - i);
        (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1) as f64
    };
    (0..series.len()).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: impl Iterator<Item = f64>) -> Vec<(u64, f64)> {
        values.enumerate().map(|(step, value)| (step as u64, value)).collect()
    }

    #[test]
    fn one_run_is_smoothed_and_a_line_stays_a_line() {
        let line = series((0..100).map(|i| f64::from(i) * 2.0));
        let found = points(&[&line]);
        assert!(found.iter().all(|p| (p.mean - 2.0 * p.step as f64).abs() < 1e-9 && p.band.is_none()));
        let zigzag = series((0..100).map(|i| f64::from(i % 2)));
        let found = points(&[&zigzag]);
        assert_eq!(found[50].raw, Some(0.0));
        assert!((found[50].mean - 0.5).abs() < 0.15, "{}", found[50].mean);
    }

    #[test]
    fn seeds_have_a_mean_with_the_interval_of_student() {
        let seeds = [1.0, 2.0].map(|value| series((0..3).map(|_| value)));
        let found = points(&[&seeds[0], &seeds[1], &seeds[1][..1]]);
        assert_eq!(found.len(), 3);
        let [low, high] = found[2].band.unwrap();
        assert!((found[2].mean - 1.5).abs() < 1e-12 && found[2].raw.is_none());
        assert!((low + 4.85310).abs() < 1e-4 && (high - 7.85310).abs() < 1e-4, "{low} {high}");
    }

    #[test]
    fn long_runs_are_thinned_out_and_keep_their_ends() {
        let found = points(&[&series((0..100_000).map(f64::from))]);
        assert!(found.len() <= POINTS + 1, "{}", found.len());
        assert_eq!((found[0].step, found[found.len() - 1].step), (0, 99_999));
    }
}
