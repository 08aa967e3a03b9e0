//! Reports as a table for a terminal.

use crate::evaluate::PassRate;
use crate::record::Report;

/// Characters of a line beside its label.
const VALUES: usize = 68;

/// A line for each report where `width` columns are enough, else a few lines for each.
pub fn table(reports: &[Report], width: usize) -> String {
    let label = reports.iter().map(|report| report.algorithm.chars().count()).max().unwrap_or(0).max(9);
    let rows: Vec<[String; 7]> = reports.iter().map(row).collect();
    if label + VALUES <= width {
        let mut text = line(label, &HEAD.map(str::to_owned));
        rows.iter().for_each(|row| text += &line(label, row));
        return text;
    }
    let mut text = String::new();
    for [name, values @ ..] in &rows {
        text += &format!("{name}\n");
        for (head, value) in HEAD[1..].iter().zip(values) {
            text += &format!("  {head:12}{value}\n");
        }
    }
    text
}

const HEAD: [&str; 7] = ["algorithm", "before", "after", "train", "steps", "rate", "s"];

fn row(report: &Report) -> [String; 7] {
    [
        report.algorithm.clone(),
        percent(&report.before),
        percent(&report.after),
        format!("{:.1}", 100.0 * report.training),
        report.steps.to_string(),
        format!("{:e}", report.rate),
        format!("{:.1}", report.seconds),
    ]
}

fn percent(PassRate { rate, low, high, .. }: &PassRate) -> String {
    let [rate, low, high] = [rate, low, high].map(|x| 100.0 * x);
    format!("{rate:.1} [{low:.1}, {high:.1}]")
}

fn line(label: usize, [name, before, after, training, steps, rate, seconds]: &[String; 7]) -> String {
    let text = format!("{name:label$}  {before:18}  {after:18}  {training:>5}  {steps:>5}  {rate:>6}  {seconds:>6}");
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn report(algorithm: &str) -> Report {
        let counts: Vec<(usize, usize)> = (0..40).map(|i| (usize::from(i % 3 > 0), 1)).collect();
        let (before, after) = (PassRate::new(&counts, 0), PassRate::new(&[(1, 1); 30], 0));
        Report {
            algorithm: algorithm.to_owned(),
            preset: None,
            env: "addition".to_owned(),
            seed: 0,
            steps: 180,
            spent: crate::budget::Spent::default(),
            before,
            after,
            training: 0.5,
            rate: 5e-4,
            seconds: 12.3,
            findings: Vec::new(),
            notices: Vec::new(),
            folder: None,
            config: None,
        }
    }

    #[test]
    fn tables_fit_the_terminal() {
        let reports = ["oreal", "grpo-dr_grpo", "an_algorithm_of_ones_own"].map(report);
        for width in [40, 80, 200] {
            let text = table(&reports, width);
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}:\n{text}");
            assert!(
                ["65.0", "100.0", "50.0", "180", "5e-4", "12.3"].iter().all(|value| text.contains(value)),
                "{text}"
            );
        }
        assert_eq!(table(&reports[..2], 80).lines().count(), 3, "a line each");
        assert_eq!(table(&reports[..1], 40).lines().count(), 7, "a line for each value");
    }
}
