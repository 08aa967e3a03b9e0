//! The results as a table for a terminal.

use super::results::{Failed, Results, VariantResults};
use crate::config::Part;
use crate::statistics::Estimate;

/// Headings of the table, the most important first; the first one's column is always shown.
pub(super) fn head(results: &Results) -> [String; 9] {
    let smallest = (1000.0 * results.smallest_difference).round() / 10.0;
    let versus = format!("minus {}", results.baseline);
    let enough = format!("n for {smallest}");
    let names = ["variant", "IQM, %", &versus, "p", "better, %", "n", "mean, %", "area, %", &enough];
    names.map(str::to_owned)
}

/// The cells of a row, in the order of the headings.
pub(super) fn row(row: &VariantResults) -> [String; 9] {
    let none = || "-".to_owned();
    let summary = |of: &dyn Fn(&super::results::Summary) -> String| row.summary.as_ref().map_or_else(none, of);
    let versus = |of: &dyn Fn(&super::results::Versus) -> String| row.versus.as_ref().map_or_else(none, of);
    [
        row.label.clone(),
        summary(&|summary| percent(&summary.iqm)),
        versus(&|versus| points(&versus.paired.difference)),
        versus(&|versus| format!("{:.3}", versus.wilcoxon_holm)),
        versus(&|versus| percent(&versus.improvement)),
        runs(row),
        summary(&|summary| percent(&summary.mean)),
        summary(&|summary| percent(&summary.area)),
        versus(&|versus| versus.pairs_for_smallest.map_or_else(none, |pairs| pairs.to_string())),
    ]
}

/// How many runs the numbers are over, and of how many, where some are missing.
fn runs(row: &VariantResults) -> String {
    match row.failed.len() + row.unfinished.len() {
        0 => row.runs.to_string(),
        missing => format!("{} of {}", row.runs, row.runs + missing),
    }
}

/// What the numbers are.
pub(super) fn about(results: &Results) -> String {
    let problems = match results.problems {
        Part::All => "held-out problems",
        Part::Pilot => "held-out problems of the pilot half",
        Part::Final => "held-out problems of the final half",
    };
    let matched = match results.budget {
        Some(budget) => format!("{budget} {} each", results.matched.name()),
        None => format!("equal {}", results.matched.name()),
    };
    let mut envs = results.envs.clone();
    envs.dedup();
    format!(
        "pass rate after training on {} {problems} of {}; {} seeds, {matched}; intervals at 95 %",
        results.held_out,
        envs.join(", "),
        results.seeds.len()
    )
}

/// What the headings mean.
pub(super) const LEGEND: &str = "IQM: interquartile mean over runs. Difference: paired by seed, in points. p: signed-rank test, \
                                 corrected by Holm's method. better: probability that a run ends above one of the baseline. \
                                 area: mean pass rate of the rollouts on the way.";

/// What a reader must know before trusting the numbers: runs that are missing or spent less, too few seeds for the tests.
pub(super) fn cautions(results: &Results) -> Vec<String> {
    let mut cautions = Vec::new();
    let pairs: Vec<usize> = results.variants.iter().filter_map(|row| Some(row.versus?.paired.pairs)).collect();
    let (most, compared) = (pairs.iter().copied().max().unwrap_or(0), pairs.len() as f64);
    // The smallest p-value of n pairs is 2^(1-n), and Holm's method multiplies it by the number of comparisons.
    let enough = (1..64).find(|n| compared * 0.5_f64.powi(n - 1) < 0.05).unwrap_or(64) as usize;
    if most > 0 && most < enough {
        let few = format!("with {most} pairs and {compared} comparisons p cannot be below 0.05");
        cautions.push(format!("{few}: take {enough} seeds or more"));
    }
    for row in &results.variants {
        if !row.failed.is_empty() {
            let (label, failed) = (&row.label, counted(row.failed.len()));
            let too_good = if row.runs > 0 { ", so the numbers of the others may be too good" } else { "" };
            cautions.push(format!("{label}: {failed} failed without a score{too_good}"));
            cautions.extend(row.failed.iter().map(|Failed { run, problem }| format!("{run}: {}", one_line(problem))));
        }
        if !row.unfinished.is_empty() {
            cautions.push(format!("{}: {} not finished", row.label, counted(row.unfinished.len())));
        }
        if let Some(summary) = row.summary.filter(|summary| summary.short > 0) {
            let label = &row.label;
            cautions
                .push(format!("{label}: {} runs ended with train.steps before the budget was spent", summary.short));
        }
    }
    cautions
}

/// So many runs, in words.
pub(crate) fn counted(runs: usize) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

/// A message without line breaks and other control characters.
pub(crate) fn one_line(message: &str) -> String {
    message
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A line for each variant. Columns that `width` has no room for are left out from the last one on; the files have all.
pub(super) fn table(results: &Results, width: usize) -> String {
    let rows: Vec<[String; 9]> = std::iter::once(head(results)).chain(results.variants.iter().map(row)).collect();
    let length = |text: &str| text.chars().count();
    let widest = |place: usize| rows.iter().map(|row| length(&row[place])).max().unwrap_or(0);
    let (mut widths, mut used) = (Vec::new(), 0);
    for place in 0..9 {
        used += widest(place) + if place == 0 { 0 } else { 2 };
        if place > 0 && used > width {
            break;
        }
        widths.push(widest(place));
    }
    let mut text = format!("{}\n\n", wrapped(&about(results), width));
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += &format!("{}\n", cells.join("  ").trim_end());
    }
    text += &format!("\n{}\n", wrapped(LEGEND, width));
    cautions(results).iter().for_each(|caution| text += &format!("{}\n", wrapped(caution, width)));
    text
}

/// Lines of at most `width` characters, words whole.
fn wrapped(text: &str, width: usize) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
        }
        line += if line.is_empty() { "" } else { " " };
        line += word;
    }
    lines.push(line);
    lines.join("\n")
}

fn percent(Estimate { value, low, high }: &Estimate) -> String {
    let [value, low, high] = [value, low, high].map(|x| 100.0 * x);
    format!("{value:.1} [{low:.1}, {high:.1}]")
}

fn points(Estimate { value, low, high }: &Estimate) -> String {
    let [value, low, high] = [value, low, high].map(|x| 100.0 * x);
    match low.is_finite() && high.is_finite() {
        true => format!("{value:+.1} [{low:+.1}, {high:+.1}]"),
        // One pair has no interval.
        false => format!("{value:+.1}"),
    }
}

#[cfg(test)]
pub(super) mod tests;
