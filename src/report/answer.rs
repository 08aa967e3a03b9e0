//! The first question: did it learn, and is anything wrong?

use serde::Serialize;

use super::recorded::Recorded;
use crate::evaluate::PassRate;
use crate::statistics::interval;

/// An answer in two lines; its state decides its colour.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Answer {
    /// `good`, `bad`, `warn` or `open`.
    pub(crate) state: &'static str,
    pub(crate) headline: String,
    pub(crate) detail: String,
}

/// A row of the table of results.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) label: String,
    before: String,
    after: String,
    bar: Option<Bar>,
    train: String,
    steps: String,
    seeds: String,
    seconds: String,
}

/// Places in a drawing that is 200 wide.
#[derive(Debug, Serialize)]
struct Bar {
    old: f64,
    low: f64,
    high: f64,
    rate: f64,
}

/// A rate with an interval, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rate {
    rate: f64,
    interval: [f64; 2],
}

impl From<PassRate> for Rate {
    fn from(PassRate { rate, low, high, .. }: PassRate) -> Rate {
        Rate { rate: 100.0 * rate, interval: [100.0 * low, 100.0 * high] }
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Rate { rate, interval: [low, high] } = self;
        match low.is_finite() {
            true => write!(f, "{rate:.1} [{low:.1}, {high:.1}]"),
            false => write!(f, "{rate:.1}"),
        }
    }
}

/// How a variant changed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Better,
    Worse,
    Unclear,
    Unfinished,
}

/// The runs of a variant, all of them finished, as one number before and one after. `None` where one has not finished.
fn rates(runs: &[&Recorded]) -> Option<(Rate, Rate, Change)> {
    let pair = |run: &&Recorded| run.outcome.as_ref().and_then(|outcome| Some((outcome.before?, outcome.after?)));
    let pairs: Vec<(PassRate, PassRate)> = runs.iter().map(pair).collect::<Option<_>>()?;
    let change = |low: bool, high: bool| match (low, high) {
        (true, _) => Change::Better,
        (_, true) => Change::Worse,
        _ => Change::Unclear,
    };
    if let [(before, after)] = pairs[..] {
        return Some((before.into(), after.into(), change(after.low > before.high, after.high < before.low)));
    }
    let mean = |values: Vec<f64>| {
        let (mean, [low, high]) = interval(&values);
        Rate { rate: 100.0 * mean, interval: [100.0 * low, 100.0 * high] }
    };
    let before = mean(pairs.iter().map(|(before, _)| before.rate).collect());
    let after = mean(pairs.iter().map(|(_, after)| after.rate).collect());
    let gained = mean(pairs.iter().map(|(before, after)| after.rate - before.rate).collect());
    Some((before, after, change(gained.interval[0] > 0.0, gained.interval[1] < 0.0)))
}

/// Did it learn?
pub(crate) fn answer(variants: &[(String, Vec<&Recorded>)]) -> Answer {
    match variants {
        [(_, runs)] => match rates(runs) {
            Some((before, after, change)) => one(before, after, change, runs.len()),
            None => unfinished(runs),
        },
        many => several(many),
    }
}

fn one(before: Rate, after: Rate, change: Change, seeds: usize) -> Answer {
    let gained = after.rate - before.rate;
    let moved = format!("{:.1}% → {:.1}% ({gained:+.1})", before.rate, after.rate);
    let (state, headline, why) = match (change, seeds) {
        (Change::Better, 1) => ("good", "Yes", "The intervals do not overlap."),
        (Change::Worse, 1) => ("bad", "No, it got worse", "The intervals do not overlap."),
        (Change::Better, _) => ("good", "Yes", "The interval of the gain over seeds is above 0."),
        (Change::Worse, _) => ("bad", "No, it got worse", "The interval of the gain over seeds is below 0."),
        (_, 1) => ("warn", "Not clearly", "The intervals before and after overlap."),
        _ => ("warn", "Not clearly", "The interval of the gain over seeds holds 0."),
    };
    let over = if seeds > 1 { format!(" Mean of {seeds} seeds.") } else { String::new() };
    let detail = format!("On held-out problems: before {before}, after {after}. {why}{over}");
    Answer { state, headline: format!("{headline}: {moved}"), detail }
}

fn unfinished(runs: &[&Recorded]) -> Answer {
    let run = runs.iter().find(|run| run.outcome.is_none()).unwrap_or(&runs[0]);
    let steps = run.steps().map_or_else(String::new, |steps| format!(" of {steps}"));
    let rate = |last: bool| run.metrics.tenth("pass_rate", last);
    let training = match (rate(false), rate(true)) {
        (Some(first), Some(last)) => {
            format!(
                "Rollouts of the first tenth so far: {:.1}% right, of the last: {:.1}%.",
                100.0 * first,
                100.0 * last
            )
        }
        _ => "No step is recorded.".to_owned(),
    };
    let detail = format!("It still runs, or was stopped. {training} Held-out problems are evaluated at the end.");
    Answer { state: "open", headline: format!("Not finished: {} steps{steps}", run.metrics.steps), detail }
}

fn several(variants: &[(String, Vec<&Recorded>)]) -> Answer {
    let change = |(_, runs): &(String, Vec<&Recorded>)| rates(runs).map_or(Change::Unfinished, |(.., change)| change);
    let changes: Vec<Change> = variants.iter().map(change).collect();
    let count = |which: Change| changes.iter().filter(|change| **change == which).count();
    let (better, worse, unfinished) = (count(Change::Better), count(Change::Worse), count(Change::Unfinished));
    let best = variants.iter().filter_map(|(label, runs)| rates(runs).map(|(_, after, _)| (label, after)));
    let best = best.max_by(|a, b| a.1.rate.total_cmp(&b.1.rate));
    let state = if unfinished == variants.len() {
        "open"
    } else if worse > 0 {
        "bad"
    } else if better + unfinished < variants.len() {
        "warn"
    } else {
        "good"
    };
    let mut detail = match best {
        Some((label, after)) => format!("Highest after training: {label}, {after}."),
        None => "No run has finished.".to_owned(),
    };
    for (count, text) in
        [(worse, "got worse"), (count(Change::Unclear), "without a clear change"), (unfinished, "not finished")]
    {
        if count > 0 {
            detail += &format!(" {count} {text}.");
        }
    }
    Answer { state, headline: format!("{better} of {} variants clearly learned", variants.len()), detail }
}

/// Is anything wrong? Unreadable files count too.
pub(crate) fn alarm(runs: &[Recorded], problems: usize) -> Answer {
    let all = || runs.iter().flat_map(|run| &run.sentinels);
    let (stops, warnings) = all().fold((0, 0), |(stops, warnings), sentinel| match sentinel.severity.as_str() {
        "stop" => (stops + 1, warnings),
        _ => (stops, warnings + 1),
    });
    let ungraded: f64 = runs.iter().map(|run| run.metrics.total("ungraded")).sum();
    let failed: f64 = runs.iter().map(|run| run.metrics.total("failed")).sum();
    let mut facts = Vec::new();
    for (count, text) in [(ungraded, "completions could not be graded"), (failed, "completions could not be drawn")] {
        if count > 0.0 {
            facts.push(format!("{count} {text}"));
        }
    }
    if problems > 0 {
        facts.push(format!("files are not whole: {problems} messages below"));
    }
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let (state, headline) = match (stops, warnings) {
        (0, 0) if facts.is_empty() => ("good", "Nothing was flagged".to_owned()),
        (0, 0) => ("warn", "Some data is missing".to_owned()),
        (0, warnings) => ("warn", counted(warnings, "warning")),
        (stops, 0) => ("bad", format!("{} of training", counted(stops, "stop"))),
        (stops, warnings) => {
            ("bad", format!("{} of training, {}", counted(stops, "stop"), counted(warnings, "warning")))
        }
    };
    let first = all().find(|sentinel| stops == 0 || sentinel.severity == "stop");
    facts.extend(
        first.map(|sentinel| format!("{} (step {})", super::text::visible(&sentinel.what, 300), sentinel.step)),
    );
    Answer { state, headline, detail: facts.join(". ") }
}

/// The table of results.
pub(crate) fn rows(variants: &[(String, Vec<&Recorded>)]) -> Vec<Row> {
    variants.iter().map(|(label, runs)| row(label, runs)).collect()
}

fn row(label: &str, runs: &[&Recorded]) -> Row {
    let finished: Vec<&Recorded> = runs.iter().copied().filter(|run| run.outcome.is_some()).collect();
    let outcomes = || finished.iter().filter_map(|run| run.outcome.as_ref());
    let rates = if finished.is_empty() { None } else { rates(&finished) };
    let mean =
        |of: &dyn Fn(&super::recorded::Outcome) -> f64| outcomes().map(of).sum::<f64>() / finished.len().max(1) as f64;
    let place = |percent: f64| (2.0 * percent).clamp(0.0, 200.0);
    let bar = rates.map(|(before, after, _)| {
        let ends = after.interval.map(|end| if end.is_finite() { place(end) } else { place(after.rate) });
        Bar { old: place(before.rate), low: ends[0], high: ends[1], rate: place(after.rate) }
    });
    let shown = |text: String| if finished.is_empty() { "–".to_owned() } else { text };
    let steps = runs.iter().map(|run| run.metrics.steps).max().unwrap_or(0);
    Row {
        label: label.to_owned(),
        before: rates.map_or_else(|| "–".to_owned(), |(before, ..)| before.to_string()),
        after: rates.map_or_else(|| "not finished".to_owned(), |(_, after, _)| after.to_string()),
        bar,
        train: shown(format!("{:.1}", 100.0 * mean(&|outcome| outcome.training))),
        steps: steps.to_string(),
        seeds: match finished.len() == runs.len() {
            true => runs.len().to_string(),
            false => format!("{} of {}", finished.len(), runs.len()),
        },
        seconds: shown(format!("{:.1}", mean(&|outcome| outcome.seconds))),
    }
}
