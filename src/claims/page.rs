//! How claims are shown: a table of all, a page for one, and a Markdown page for the documentation.

use std::fmt::Write;

use super::claim::{Finding, Topic};
use super::evidence::{Evidence, Row, TOLERANCE, Verdict, worst};
use super::moments::Moment;

/// Two lines for each claim, by topic.
pub fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for of_topic in by_topic(findings) {
        text += &heading(of_topic[0].claim.topic);
        of_topic.iter().for_each(|finding| text += &entry(finding));
    }
    text += &format!(
        "\noff by   how far what was measured is from the statement, at worst (relative, or an angle): the counter-example\n\
         exactly  the same for what holds exactly, which is the statement itself where it holds: at most {TOLERANCE:e} is allowed\n\
         control  the same for a control that is wrong on purpose and must not pass\n\
         oreal claims NAME explains one\n"
    );
    text
}

/// Findings are listed topic by topic.
fn by_topic(findings: &[Finding]) -> impl Iterator<Item = &[Finding]> {
    findings.chunk_by(|a, b| a.claim.topic == b.claim.topic)
}

fn entry(finding: &Finding) -> String {
    let Finding { claim, evidence, violation, .. } = finding;
    let mark = if finding.as_recorded { "" } else { "  NOT AS RECORDED" };
    let exactly = match (finding.verdict, evidence.exactly.is_empty()) {
        (Verdict::Holds, _) | (_, false) => off(evidence.exact_rows()),
        _ => "-".to_owned(),
    };
    let (verdict, stated, control) = (finding.verdict, off(&evidence.stated), off(violated(violation)));
    format!(
        "{:24}  {verdict:32}  {stated:>8}  {exactly:>8}  {control:>8}{mark}\n  {}: {}\n",
        claim.name, claim.source, claim.measures
    )
}

fn heading(topic: Topic) -> String {
    format!(
        "\n{:24}  {:32}  {:>8}  {:>8}  {:>8}\n",
        topic.title().to_uppercase(),
        "verdict",
        "off by",
        "exactly",
        "control"
    )
}

/// Everything about one claim.
pub fn page(finding: &Finding) -> String {
    let Finding { claim, evidence, violation, .. } = finding;
    let mut text = format!("{}: {}\n{}\n\n", claim.name, finding.verdict, claim.source);
    text += &format!("{}\n\n", wrapped(claim.statement, "  "));
    text += &format!("{}\n\n", wrapped(claim.derivation, ""));
    text += &format!("measured: {}\n{}", claim.measures, rows(&evidence.stated, usize::MAX));
    if !evidence.exactly.is_empty() {
        text += &format!("\nwhat holds exactly\n{}", rows(&evidence.exactly, usize::MAX));
    }
    let what = format!("\ncontrol, which must fail: {}: {}", claim.control.wrong, violation.verdict());
    text += &format!("{what}\n{}", rows(violated(violation), 5));
    if !finding.as_recorded {
        text += &format!("\nNOT AS RECORDED: the record says \"{}\"\n", claim.recorded);
    }
    text
}

type Quantity = fn(&Moment) -> f64;

/// A block for each quantity, with a line for each algorithm and number of rollouts and a column for each pass rate. Lines of
/// zeros are left out.
pub fn moments(table: &[Moment]) -> String {
    let quantities: [(&str, Quantity); 4] = [
        ("length along ∇p, in units of it", |moment| moment.scale),
        ("degrees between the expected gradient and ∇p (lines of zeros left out)", |moment| moment.angle),
        ("variance of a batch's gradient", |moment| moment.variance),
        ("signal to noise", |moment| moment.signal_to_noise),
    ];
    let mut blocks = Vec::new();
    for (title, quantity) in quantities {
        let mut text = format!("{title}\n");
        let mut rates: Vec<f64> = table.iter().map(|moment| moment.pass_rate).collect();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        let _ = write!(text, "{:46} {:>3}", "", "K");
        rates.iter().for_each(|p| text += &format!("  {:>8}", format!("p {}", number(*p))));
        text.push('\n');
        for line in lines(table) {
            let cells: Vec<String> = line.iter().map(|moment| number(quantity(moment))).collect();
            if cells.iter().any(|cell| cell != "0") {
                let _ = write!(text, "{:46} {:>3}", line[0].algorithm, line[0].rollouts);
                cells.iter().for_each(|cell| text += &format!("  {cell:>8}"));
                text.push('\n');
            }
        }
        blocks.push(text);
    }
    blocks.join("\n")
}

/// The moments of an algorithm with a number of rollouts, pass rate by pass rate, in the order in which they first come.
fn lines(table: &[Moment]) -> Vec<Vec<&Moment>> {
    let mut lines: Vec<Vec<&Moment>> = Vec::new();
    for moment in table {
        let same =
            |line: &&mut Vec<&Moment>| (&line[0].algorithm, line[0].rollouts) == (&moment.algorithm, moment.rollouts);
        match lines.iter_mut().find(same) {
            Some(line) => line.push(moment),
            None => lines.push(vec![moment]),
        }
    }
    lines
}

/// The documentation page: `oreal claims --markdown`. Its numbers are rounded so far that they are the same on any processor.
pub fn markdown(findings: &[Finding], table: &[Moment]) -> String {
    let mut text = String::from(HEAD);
    for finding in findings {
        let claim = &finding.claim;
        let _ = writeln!(text, "| [`{}`](#{}) | {} | {} |", claim.name, claim.name, finding.verdict, claim.statement);
    }
    for of_topic in by_topic(findings) {
        let _ = write!(text, "\n## {}\n", of_topic[0].claim.topic.title());
        of_topic.iter().for_each(|finding| text += &section(finding));
    }
    let some: Vec<Moment> = table.iter().filter(|moment| moment.rollouts == 8).cloned().collect();
    text + &format!("{TABLE}\n```text\n{}```\n", moments(&some))
}

/// The documentation page of the claims that are checked by training: `oreal claims --empirical --markdown`.
pub fn trained(findings: &[Finding]) -> String {
    let mut text = String::from(TRAINED);
    for Finding { claim, verdict, evidence, violation, .. } in findings {
        let _ = write!(text, "\n## {}\n\n> {}\n>\n> {}: **{verdict}**\n", claim.name, claim.statement, claim.source);
        let _ = writeln!(text, "\n{}\n\nMeasured: {}.", claim.derivation, claim.measures);
        let _ = writeln!(text, "\n```text\n{}```", rows(&evidence.stated, usize::MAX));
        if !evidence.exactly.is_empty() {
            let _ = writeln!(text, "\nWhat holds instead:\n\n```text\n{}```", rows(&evidence.exactly, usize::MAX));
        }
        let _ = writeln!(text, "\nControl, which must fail ({}): {}.", claim.control.wrong, violation.verdict());
        let _ = writeln!(text, "\n```text\n{}```", rows(&violation.stated, usize::MAX));
    }
    text
}

fn section(finding: &Finding) -> String {
    let Finding { claim, evidence, violation, .. } = finding;
    let mut text = format!("\n### {}\n\n", claim.name);
    let _ = writeln!(text, "> {}\n>\n> {}: **{}**\n", claim.statement, claim.source, finding.verdict);
    let _ = writeln!(text, "{}\n", claim.derivation);
    let _ = writeln!(text, "Measured: {}; {}.", claim.measures, summary(&evidence.stated));
    if !evidence.exactly.is_empty() {
        let _ = writeln!(text, "What holds exactly: {}.", summary(&evidence.exactly));
    }
    let _ = writeln!(text, "Control ({}): {}.", claim.control.wrong, summary(violated(violation)));
    text
}

fn summary(rows: &[Row]) -> String {
    let count = format!("{} points", rows.len());
    match worst(rows) {
        Some(row) if row.off > TOLERANCE => {
            let Row { at, stated, measured, .. } = row;
            let angle = row.direction.map_or(String::new(), |seen| format!(", {} degrees apart", number(seen.angle)));
            let (stated, measured) = (number(*stated), number(*measured));
            format!("{count}, at worst stated {stated}, measured {measured}{angle} ({at})")
        }
        _ => format!("{count}, none off by more than {TOLERANCE:e}"),
    }
}

/// A line for each, or for so many of those that are furthest off.
fn rows(rows: &[Row], most: usize) -> String {
    let mut shown: Vec<&Row> = rows.iter().collect();
    if most < rows.len() {
        shown.sort_by(|a, b| b.off.total_cmp(&a.off));
        shown.truncate(most);
    }
    let width = shown.iter().map(|row| row.at.chars().count()).max().unwrap_or(0);
    let trained = shown.iter().any(|row| row.interval.is_some());
    let last = if trained { "95% interval" } else { "  off by" };
    let mut text = format!("  {:width$}  {:>10}  {:>10}  {last}\n", "", "stated", "measured");
    for row in &shown {
        let Row { at, stated, measured, .. } = row;
        let _ = write!(text, "  {at:width$}  {:>10}  {:>10}", number(*stated), number(*measured));
        let _ = match row.interval {
            Some([low, high]) => write!(text, "  [{}, {}]", number(low), number(high)),
            None => write!(text, "  {:>8}", gap(row.off)),
        };
        if let Some(seen) = row.direction {
            let _ = write!(text, "  {} degrees", number(seen.angle));
        }
        text.push('\n');
    }
    if shown.len() < rows.len() {
        let _ = writeln!(text, "  .. and {} more", rows.len() - shown.len());
    }
    text
}

/// The rows that a control fails at: those that should be exact, unless only the statement itself changes.
fn violated(violation: &Evidence) -> &[Row] {
    let exact = violation.exact_rows();
    if worst(exact).is_some_and(|row| row.off <= TOLERANCE) { &violation.stated } else { exact }
}

/// How far off a list is at worst: by an angle, where gradients point elsewhere.
fn off(rows: &[Row]) -> String {
    let angle = rows.iter().filter_map(|row| row.direction).map(|seen| seen.angle).fold(0.0, f64::max);
    match worst(rows) {
        Some(row) if row.interval.is_some() => "-".to_owned(),
        Some(_) if angle > 1e-6 => format!("{angle:.1}°"),
        Some(row) => gap(row.off),
        None => "-".to_owned(),
    }
}

/// Rounding shows as what it is.
fn gap(off: f64) -> String {
    match off {
        off if off <= TOLERANCE => format!("<{TOLERANCE:e}"),
        off if !(0.01..1e3).contains(&off) => format!("{off:.1e}"),
        off => number(off),
    }
}

/// Four digits; what rounding left of zero is zero, and what it took from a half is given back.
fn number(x: f64) -> String {
    let scale = 10f64.powi(9 - x.abs().max(1e-6).log10().floor() as i32);
    let x = (x * scale).round() / scale;
    match x.abs() {
        size if size < 1e-6 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{x:.3e}"),
        size => {
            let digits = (3 - size.log10().floor() as i32).max(0) as usize;
            let text = format!("{x:.digits$}");
            let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
            short.to_owned()
        }
    }
}

/// Lines of at most 100 characters.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        if !lines[line].is_empty() && lines[line].chars().count() + word.chars().count() > 99 {
            lines.push(String::new());
        }
        let line = lines.len() - 1;
        if !lines[line].is_empty() {
            lines[line].push(' ');
        }
        lines[line] += word;
    }
    lines.iter().map(|line| format!("{indent}{line}")).collect::<Vec<_>>().join("\n")
}

const HEAD: &str = "# Claims

What the theory of outcome-reward reinforcement learning says, each statement checked by running the algorithms of this
repository on problems small enough to go through everything that can be drawn. Nothing here is sampled: an expected
gradient is the sum over every group of K answers and every choice the algorithm can make, each with its probability.
`oreal claims` makes the numbers again, `oreal claims NAME` shows the whole grid of one claim, and
`oreal claims --markdown` writes this page.

A verdict follows from the numbers: *holds*; *holds up to a scale per question* (each question's gradient points the right
way, but is longer or shorter by a factor of its own); *holds only in the limit* (wrong by an amount that falls to zero);
*does not hold as stated* (there is a counter-example). Each claim has a control that is wrong on purpose and must fail.
R is the reward in {0, 1}, p the probability of a right answer, π₊ = π/p the law of right answers, E₊ and E₋ means over right
and over wrong answers, n or K the number of answers to a question.

| claim | verdict | statement |
|---|---|---|
";

const TRAINED: &str = "# Claims that need training

No theorem says these; they are checked by training small transformers from several seeds, and what comes out is an interval.
A claim *holds* when each of its intervals is on its side, *does not hold as stated* when one is on the other, and is
*undecided* otherwise. `oreal claims --empirical --markdown` writes this page, with the same numbers on the same kind of
processor. The exact claims are in [claims.md](claims.md).
";

const TABLE: &str = "
## Bias, variance and signal to noise of every algorithm

The gradient of one group of K = 8 answers to one question with two right and two wrong answers, at the start of training.
Signal to noise is the length of the expected gradient over the standard deviation of a group's. Weights 1: the token-level
reward model says 0 at the start, and would stop every step. PPO's critic knows p. The lines with eta and beta have a uniform
reference. `oreal claims --moments` prints K = 2, 4, 8 and 16.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_what_any_processor_says() {
        for (x, text) in [
            (0.0, "0"),
            (1e-12, "0"),
            (-2.5, "-2.5"),
            (21.83456, "21.83"),
            (12345.678, "12346"),
            (0.00012, "1.200e-4"),
            (2e8, "2.000e8"),
            (1.0, "1"),
            (0.046875 - 1e-17, "0.04688"),
            (0.046875 + 1e-17, "0.04688"),
            (100.0, "100"),
        ] {
            assert_eq!(number(x), text);
        }
        assert_eq!([gap(1e-12), gap(0.2), gap(3e-3)], ["<1e-9", "0.2", "3.0e-3"]);
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let text = "word ".repeat(50);
        let lines = wrapped(&text, "  ");
        assert!(lines.lines().all(|line| line.starts_with("  word") && line.len() <= 102));
        assert_eq!(lines.split_whitespace().count(), 50);
    }
}
