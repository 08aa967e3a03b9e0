//! Evaluations and comparisons as text for a terminal.

use std::path::Path;

use crate::eval::statistics::{Rate, Summary};
use crate::eval::{Comparison, Difference, EvalSettings, Results};

/// Results: the totals, and a table of groups.
pub(super) fn results(results: &Results, settings: &EvalSettings, width: usize) -> String {
    let Summary { problems, .. } = results.total;
    let mut text = format!(
        "\n{}\n{}: {problems} problems, {} of each; {}\n\n",
        results.model,
        results.data,
        counted(results.n, "completion"),
        sampling(settings)
    );
    text += &totals(&results.total, results.n);
    let head: Vec<String> = columns(&results.total, results.n).into_iter().map(|(name, _)| name).collect();
    let rows = results.groups.iter().map(|group| {
        let cells = columns(&group.summary, results.n).into_iter().map(|(_, rate)| rate).collect();
        Row { field: &group.field, value: &group.value, problems: group.summary.problems, cells }
    });
    text += &grouped(&head, &rows.collect::<Vec<_>>(), width);
    text
}

/// A comparison: the difference in total, and a table of groups.
pub(super) fn comparison(comparison: &Comparison, folders: [&Path; 2], width: usize) -> String {
    let mut text = String::from("\n");
    for side in 0..2 {
        let (name, folder) = (["A", "B"][side], folders[side].display());
        let (model, n) = (&comparison.models[side], counted(comparison.n[side], "completion"));
        text += &format!("{name}  {folder}: {model}, {n} of each problem\n");
    }
    let total = &comparison.total;
    let [won, lost, tied] = total.won_lost_tied;
    text += &format!(
        "\npass@1 on {} problems: A {}, B {}\n",
        total.problems,
        percent(total.pass_1[0]),
        percent(total.pass_1[1])
    );
    text += &format!("B minus A: {} points, 95% interval by problem\n", points(total));
    text += &format!("B is better in {} of the resamples\n", percent(total.b_better));
    text += &format!("problems: B better on {won}, A better on {lost}, equal on {tied}\n");
    if let Some(p) = total.mcnemar {
        text += &format!("McNemar's exact test: p = {p:.3}\n");
    }
    if total.left_out > 0 {
        text += &format!("{} problems are left out, because one side has no graded completion\n", total.left_out);
    }
    let rows = comparison.groups.iter().map(|group| {
        let Difference { problems, pass_1: [a, b], won_lost_tied: [won, lost, _], .. } = group.difference;
        let cells = vec![points(&group.difference), percent(a), percent(b), format!("{won} : {lost}")];
        Row { field: &group.field, value: &group.value, problems, cells }
    });
    let head = ["B minus A", "A", "B", "won : lost"].map(str::to_owned);
    text += &grouped(&head, &rows.collect::<Vec<_>>(), width);
    text
}

/// A line for each rate, and one for the rest.
fn totals(total: &Summary, n: usize) -> String {
    let mut rates: Vec<(String, &Rate)> = total.pass.iter().map(|(k, rate)| (format!("pass@{k}"), rate)).collect();
    rates.extend(total.majority.iter().map(|rate| (format!("maj@{n}"), rate)));
    let mut text = "in %, with 95% intervals by problem\n".to_owned();
    for (name, rate) in rates {
        text += &format!("{name:9}{}", shown(rate));
        if rate.problems < total.problems {
            text += &format!("  on the {} with enough graded completions", counted(rate.problems, "problem"));
        }
        if let Some([low, high]) = rate.bounds {
            text += &format!("  between {:.1} and {:.1} whatever is missing", 100.0 * low, 100.0 * high);
        }
        text += "\n";
    }
    let Summary { truncated, unparsable, ungraded, failed, .. } = *total;
    text += &format!("truncated {}, without an answer {}", percent(truncated), percent(unparsable));
    text += &format!(", ungraded {ungraded}, failed {failed} of {}", counted(total.completions + failed, "completion"));
    match total.mean_tokens {
        Some(tokens) => text + &format!("\n{tokens:.0} tokens on average\n"),
        None => text + "\n",
    }
}

/// The rates that groups are shown with, the most important first: pass@1, majority vote, pass@k for the largest k.
fn columns(summary: &Summary, n: usize) -> Vec<(String, String)> {
    let pass_1 = summary.pass_1().map(|rate| ("pass@1".to_owned(), rate));
    let majority = summary.majority.as_ref().map(|rate| (format!("maj@{n}"), rate));
    let largest = summary.pass.last_key_value().filter(|(k, _)| **k > 1);
    let largest = largest.map(|(k, rate)| (format!("pass@{k}"), rate));
    [pass_1, majority, largest].into_iter().flatten().map(|(name, rate)| (name, shown(rate))).collect()
}

fn shown(rate: &Rate) -> String {
    let [mean, low, high] = [rate.rate, rate.interval.low, rate.interval.high].map(|x| 100.0 * x);
    if rate.problems == 0 { "unknown".to_owned() } else { format!("{mean:.1} [{low:.1}, {high:.1}]") }
}

fn points(difference: &Difference) -> String {
    let [mean, low, high] =
        [difference.difference, difference.interval.low, difference.interval.high].map(|x| 100.0 * x);
    format!("{mean:+.1} [{low:+.1}, {high:+.1}]")
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn sampling(settings: &EvalSettings) -> String {
    let EvalSettings { temperature, top_p, top_k, max_tokens, seed, .. } = *settings;
    let mut text = match temperature {
        0.0 => "greedy".to_owned(),
        _ => format!("temperature {temperature}"),
    };
    if temperature > 0.0 && top_p < 1.0 {
        text += &format!(", top-p {top_p}");
    }
    if temperature > 0.0 && top_k > 0 {
        text += &format!(", top-k {top_k}");
    }
    text + &format!(", at most {}, seed {seed}", counted(max_tokens, "token"))
}

/// A line of a table of groups.
struct Row<'a> {
    field: &'a str,
    value: &'a str,
    problems: usize,
    /// The most important first.
    cells: Vec<String>,
}

/// The groups of each field under its name. The last columns are left out where `width` has no room for them; results.json has
/// all. The first one always stays.
fn grouped(head: &[String], rows: &[Row<'_>], width: usize) -> String {
    const INDENT: &str = "  ";
    let length = |text: &str| text.chars().count();
    let names = rows.iter().map(|row| length(row.field).max(INDENT.len() + length(row.value)));
    let (name, mut room) = (names.max().unwrap_or(0), width);
    let count = "problems";
    room = room.saturating_sub(name + 2 + count.len());
    let column = |place: usize| {
        let cells = rows.iter().filter_map(|row| row.cells.get(place)).map(|cell| length(cell));
        cells.chain(head.get(place).map(|head| length(head))).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = Vec::new();
    for place in 0..head.len() {
        room = room.saturating_sub(2 + column(place));
        if place > 0 && room == 0 {
            break;
        }
        widths.push(column(place));
    }
    let line = |first: &str, problems: &str, cells: &[String]| {
        let cells: String = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:width$}")).collect();
        format!("{}\n", format!("{first:name$}  {problems:>8}{cells}").trim_end())
    };
    let (mut text, mut field) = (String::new(), "");
    for row in rows {
        if row.field != field {
            field = row.field;
            text += &format!("\n{}", line(field, count, head));
        }
        text += &line(&format!("{INDENT}{}", row.value), &row.problems.to_string(), &row.cells);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_groups_fit_the_terminal() {
        let head = ["pass@1", "maj@4", "pass@4"].map(str::to_owned);
        let cells = || vec!["12.3 [10.0, 14.5]".to_owned(); 3];
        let row = |field, value| Row { field, value, problems: 97, cells: cells() };
        let rows = [row("level", "1"), row("level", "2"), row("subject", "Intermediate Algebra")];
        for (width, columns) in [(200, 3), (92, 3), (80, 2), (52, 1), (20, 1)] {
            let text = grouped(&head, &rows, width);
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width.max(52), "{width}:\n{text}");
            assert!(text.lines().all(|line| line.matches("12.3").count() % columns == 0), "{width}:\n{text}");
            assert_eq!(text.matches("12.3").count(), 3 * columns, "{width}:\n{text}");
            assert_eq!(text.lines().filter(|line| line.contains("problems")).count(), 2, "a head for each field");
        }
        assert_eq!(grouped(&head, &[], 80), "");
    }
}
