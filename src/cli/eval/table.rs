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
    if !results.groups.is_empty() {
        let rows = results.groups.iter().map(|group| {
            let Summary { problems, .. } = group.summary;
            let mut row = vec![format!("{} {}", group.field, group.value), problems.to_string()];
            row.extend(columns(&group.summary, results.n).into_iter().map(|(_, rate)| rate));
            row
        });
        let mut head = vec![String::new(), "problems".to_owned()];
        head.extend(columns(&results.total, results.n).into_iter().map(|(name, _)| format!("{name}, %")));
        text += &format!("\n{}", aligned(&head, &rows.collect::<Vec<_>>(), width));
    }
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
    if !comparison.groups.is_empty() {
        let row = |group: &crate::eval::GroupDifference| {
            let Difference { problems, pass_1: [a, b], won_lost_tied: [won, lost, _], .. } = group.difference;
            let name = format!("{} {}", group.field, group.value);
            vec![
                name,
                problems.to_string(),
                percent(a),
                percent(b),
                points(&group.difference),
                format!("{won} : {lost}"),
            ]
        };
        let head = ["", "problems", "A", "B", "B minus A", "won : lost"].map(str::to_owned);
        text += &format!("\n{}", aligned(&head, &comparison.groups.iter().map(row).collect::<Vec<_>>(), width));
    }
    text
}

/// A line for each rate, and one for the rest.
fn totals(total: &Summary, n: usize) -> String {
    let mut rates: Vec<(String, &Rate)> = total.pass.iter().map(|(k, rate)| (format!("pass@{k}"), rate)).collect();
    rates.extend(total.majority.iter().map(|rate| (format!("maj@{n}"), rate)));
    let mut text = String::new();
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

/// The rates that groups are shown with: pass@1, pass@k for the largest k, majority vote.
fn columns(summary: &Summary, n: usize) -> Vec<(String, String)> {
    let largest = summary.pass.last_key_value().filter(|(k, _)| **k > 1);
    let pass = summary.pass_1().map(|rate| (&1, rate)).into_iter().chain(largest);
    let pass = pass.map(|(k, rate)| (format!("pass@{k}"), shown(rate)));
    pass.chain(summary.majority.iter().map(|rate| (format!("maj@{n}"), shown(rate)))).collect()
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

/// A line for each row where `width` columns are enough, else a few lines for each. The first column is the row's name.
fn aligned(head: &[String], rows: &[Vec<String>], width: usize) -> String {
    let length = |text: &String| text.chars().count();
    let column = |place: usize| rows.iter().chain([&head.to_vec()]).filter_map(|row| row.get(place)).map(length).max();
    let widths: Vec<usize> = (0..head.len()).map(|place| column(place).unwrap_or(0)).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    if widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) <= width {
        return line(head) + &rows.iter().map(|row| line(row)).collect::<String>();
    }
    let of_row = |row: &Vec<String>| {
        let values = head.iter().zip(row).skip(1).map(|(head, value)| format!("  {head:12}{value}\n"));
        format!("{}\n{}", row.first().map_or("", String::as_str), values.collect::<String>())
    };
    rows.iter().map(of_row).collect()
}
