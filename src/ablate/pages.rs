//! The results as CSV and Markdown.

use super::results::{Results, VariantResults};
use super::table::{LEGEND, about, cautions, head, row};
use crate::statistics::Estimate;

/// Estimates in `results.csv`; each has three columns.
const ESTIMATES: [&str; 7] =
    ["iqm", "mean", "median", "optimality_gap", "area", "difference", "probability_of_improvement"];

/// A line for each variant, with every number; what is not known is empty.
pub(super) fn csv(results: &Results) -> String {
    let names = ESTIMATES.iter().flat_map(|name| [(*name).to_owned(), format!("{name}_low"), format!("{name}_high")]);
    let rest = [
        "failed",
        "unfinished",
        "wilcoxon",
        "wilcoxon_holm",
        "sign",
        "pairs",
        "deviation",
        "pairs_for_measured",
        "pairs_for_smallest",
    ];
    let spent = ["before", "steps", "updates", "rollouts", "tokens"];
    let head = ["variant", "runs"].into_iter().map(str::to_owned).chain(names);
    let head: Vec<String> = head.chain(rest.into_iter().chain(spent).map(str::to_owned)).collect();
    let mut text = head.join(",") + "\n";
    for variant in &results.variants {
        text += &(line(variant).join(",") + "\n");
    }
    text
}

fn line(row: &VariantResults) -> Vec<String> {
    let (summary, versus) = (row.summary.as_ref(), row.versus.as_ref());
    let estimate = |estimate: Option<Estimate>| match estimate {
        None => [None; 3],
        Some(Estimate { value, low, high }) => [Some(value), Some(low), Some(high)],
    };
    let count = |count: Option<usize>| count.map(|count| count as f64);
    let mut numbers = Vec::new();
    numbers.extend(estimate(summary.map(|summary| summary.iqm)));
    numbers.extend(estimate(summary.map(|summary| summary.mean)));
    numbers.extend(estimate(summary.map(|summary| summary.median)));
    numbers.extend(estimate(summary.map(|summary| summary.optimality_gap)));
    numbers.extend(estimate(summary.map(|summary| summary.area)));
    numbers.extend(estimate(versus.map(|versus| versus.paired.difference)));
    numbers.extend(estimate(versus.map(|versus| versus.improvement)));
    numbers.extend([
        Some(row.failed.len() as f64),
        Some(row.unfinished.len() as f64),
        versus.map(|versus| versus.paired.wilcoxon),
        versus.map(|versus| versus.wilcoxon_holm),
        versus.map(|versus| versus.paired.sign),
        count(versus.map(|versus| versus.paired.pairs)),
        versus.map(|versus| versus.paired.deviation),
        count(versus.and_then(|versus| versus.pairs_for_measured)),
        count(versus.and_then(|versus| versus.pairs_for_smallest)),
        summary.map(|summary| summary.before),
        summary.map(|summary| summary.spent.steps),
        summary.map(|summary| summary.spent.updates),
        summary.map(|summary| summary.spent.rollouts),
        summary.map(|summary| summary.spent.tokens),
    ]);
    let number = |number: Option<f64>| number.filter(|x| x.is_finite()).map_or_else(String::new, |x| x.to_string());
    [quoted(&row.label), row.runs.to_string()].into_iter().chain(numbers.into_iter().map(number)).collect()
}

/// A field of a CSV file (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// The table of the terminal with all its columns, and what each run ended with.
pub(super) fn markdown(results: &Results) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head = head(results);
    let mut text = format!("{}\n\n", about(results));
    text += &line(&head);
    text += &line(&head.each_ref().map(|_| "---".to_owned()));
    results.variants.iter().for_each(|variant| text += &line(&row(variant)));
    text += &format!("\n{LEGEND}\n");
    cautions(results).iter().for_each(|caution| text += &format!("\n{caution}\n"));
    text += "\n| run | pass rate, % |\n| --- | --- |\n";
    for variant in &results.variants {
        for (task, (seeds, scores)) in variant.seeds.iter().zip(&variant.scores).enumerate() {
            let name = match results.tasks[task].as_str() {
                "" => variant.label.clone(),
                task => format!("{}-on-{task}", variant.label),
            };
            for (seed, score) in seeds.iter().zip(scores) {
                text += &line(&[format!("{name}/seed-{seed}"), format!("{:.1}", 100.0 * score)]);
            }
        }
        variant.failed.iter().for_each(|failed| text += &line(&[failed.run.clone(), "failed".to_owned()]));
        variant.unfinished.iter().for_each(|run| text += &line(&[run.clone(), "not finished".to_owned()]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ablate::table::tests::results;

    #[test]
    fn pages_have_every_variant_and_csv_is_rectangular() {
        let (results, text) = (results(), csv(&results()));
        let fields = |line: &str| {
            let mut quoted = false;
            1 + line
                .chars()
                .filter(|c| {
                    quoted ^= *c == '"';
                    *c == ',' && !quoted
                })
                .count()
        };
        let counts: Vec<usize> = text.lines().map(fields).collect();
        assert_eq!(counts, [counts[0]; 4], "{text}");
        assert!(text.contains("\"oreal,beta=0.01\",3,0.5,0.4375,0.625,"), "{text}");
        let page = markdown(&results);
        assert!(page.contains("| oreal,beta=0.01 | 50.0 [43.8, 62.5] | +12.5 ["), "{page}");
        assert!(page.contains("| rft/seed-1 | 37.5 |"), "{page}");
        assert!(page.contains("| c/seed-1 | failed |\n| c/seed-0 | not finished |"), "{page}");
        assert!(page.contains("\nc/seed-1: step 3: the loss is NaN, because"), "{page}");
    }
}
