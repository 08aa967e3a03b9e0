//! Wall time by stage.

use serde::Serialize;

use super::recorded::Recorded;

/// Stages of a step in their order, and what comes besides.
const STAGES: [(&str, &str); 4] =
    [("sample", "sampling"), ("judge", "judging"), ("fill", "columns and credit"), ("update", "updates")];

/// What the rest of a run's time is.
const REST: &str = "evaluation and the rest";

/// A variant's time: the mean over its runs.
#[derive(Debug, Serialize)]
pub(crate) struct Timing {
    label: String,
    total: String,
    parts: Vec<Stage>,
}

/// A part of a bar that is 1000 wide.
#[derive(Debug, Serialize)]
struct Stage {
    name: String,
    text: String,
    class: usize,
    from: f64,
    width: f64,
}

/// The names of the stages, and each variant's times; none where nothing was measured.
pub(crate) fn timings(variants: &[(String, Vec<&Recorded>)]) -> (Vec<String>, Vec<Timing>) {
    let names = STAGES.iter().map(|(_, name)| (*name).to_owned()).chain([REST.to_owned()]).collect();
    (names, variants.iter().filter_map(|(label, runs)| timing(label, runs)).collect())
}

fn timing(label: &str, runs: &[&Recorded]) -> Option<Timing> {
    let mean = |of: &dyn Fn(&Recorded) -> f64| runs.iter().map(|run| of(run)).sum::<f64>() / runs.len() as f64;
    let mut seconds: Vec<(&str, f64)> =
        STAGES.iter().map(|(key, name)| (*name, mean(&|run| run.metrics.total(&format!("seconds.{key}"))))).collect();
    let measured: f64 = seconds.iter().map(|(_, seconds)| seconds).sum();
    let whole = mean(&|run| run.outcome.as_ref().map_or(0.0, |outcome| outcome.seconds));
    seconds.push((REST, (whole - measured).max(0.0)));
    let total: f64 = seconds.iter().map(|(_, seconds)| seconds.max(0.0)).sum();
    if total <= 0.0 || !total.is_finite() {
        return None;
    }
    let mut from = 0.0;
    let stage = |(class, (name, seconds)): (usize, &(&str, f64))| {
        let width = 1000.0 * seconds.max(0.0) / total;
        from += width;
        let text = format!("{seconds:.1} s ({:.0}%)", width / 10.0);
        Stage { name: (*name).to_owned(), text, class, from: from - width, width }
    };
    let parts = seconds.iter().enumerate().map(stage).collect();
    let per = if runs.len() > 1 { ", mean of its seeds" } else { "" };
    Some(Timing { label: label.to_owned(), total: format!("{total:.1} s{per}"), parts })
}
