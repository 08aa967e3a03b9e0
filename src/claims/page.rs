//! Output of claims: a table of all, a page about one, and Markdown pages for the documentation.

use std::fmt::Write;

use super::bias_and_noise::BiasAndNoise;
use super::claim::{Finding, Topic};
use super::evidence::{Evidence, Measurement, TOLERANCE, Verdict, worst};

/// The table of `oreal claims`: two lines for each claim, grouped by topic.
pub fn table(findings: &[Finding]) -> String {
    let mut text = String::new();
    for of_topic in by_topic(findings) {
        text += &heading(of_topic[0].claim.topic);
        of_topic.iter().for_each(|finding| text += &entry(finding));
    }
    text += &format!(
        "\noff by   largest deviation of a measurement from the statement (relative, or an angle)\n\
         exactly  largest deviation from the statement that holds exactly; at most {TOLERANCE:e} is allowed\n\
         control  largest deviation of the control, which is wrong on purpose and must fail\n\
         oreal claims NAME explains one claim\n"
    );
    text
}

/// The findings of each topic. Findings are ordered by topic.
fn by_topic(findings: &[Finding]) -> impl Iterator<Item = &[Finding]> {
    findings.chunk_by(|a, b| a.claim.topic == b.claim.topic)
}

fn entry(finding: &Finding) -> String {
    let Finding { claim, evidence, violation, .. } = finding;
    let exactly = match (finding.verdict, evidence.exactly.is_empty()) {
        (Verdict::Holds, _) | (_, false) => off(evidence.exact_measurements()),
        _ => "-".to_owned(),
    };
    let (verdict, stated, control) = (short(finding.verdict), off(&evidence.stated), off(violated(violation)));
    let mut text = format!("{:24}  {verdict:19}  {stated:>8}  {exactly:>8}  {control:>8}\n", claim.name);
    text += &format!("{}\n", wrapped(&format!("{}: {}", claim.source, claim.measures), "  "));
    if !finding.as_recorded {
        text += &not_as_recorded(finding);
    }
    text
}

fn heading(topic: Topic) -> String {
    format!(
        "\n{:24}  {:19}  {:>8}  {:>8}  {:>8}\n",
        topic.title().to_uppercase(),
        "verdict",
        "off by",
        "exactly",
        "control"
    )
}

/// The page of `oreal claims NAME`: statement, derivation and every measurement of one claim.
pub fn page(finding: &Finding) -> String {
    let Finding { claim, evidence, violation, .. } = finding;
    let mut text = format!("{}: {}\n{}\n\n", claim.name, finding.verdict, claim.source);
    text += &format!("{}\n\n", wrapped(claim.statement, "  "));
    text += &format!("{}\n\n", wrapped(claim.derivation, ""));
    let measured = wrapped(&format!("measured: {}", claim.measures), "");
    text += &format!("{measured}\n{}", rows(&evidence.stated, usize::MAX));
    if !evidence.exactly.is_empty() {
        text += &format!("\nwhat holds exactly:\n{}", rows(&evidence.exactly, usize::MAX));
    }
    let control = format!("control, which must fail: {}: {}", claim.control.wrong, violation.verdict());
    text += &format!("\n{}\n{}", wrapped(&control, ""), rows(violated(violation), 5));
    if !finding.as_recorded {
        text += &format!("\n{}", not_as_recorded(finding));
    }
    text
}

fn not_as_recorded(finding: &Finding) -> String {
    format!("  NOT AS RECORDED: the recorded verdict is \"{}\"\n", finding.claim.recorded)
}

/// A verdict in at most 19 characters.
fn short(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::UpToScale => "holds up to a scale",
        Verdict::InTheLimit => "holds in the limit",
        Verdict::DoesNotHold => "does not hold",
        Verdict::Undecided => "undecided",
    }
}

type Quantity = fn(&BiasAndNoise) -> f64;

/// The table of `oreal claims --moments`: a block for each quantity, with a line for each algorithm and number of
/// rollouts and a column for each pass rate. Lines that contain only zeros are omitted.
pub fn moments(table: &[BiasAndNoise]) -> String {
    let quantities: [(&str, Quantity); 4] = [
        ("projection on ∇p, in units of it", |row| row.scale),
        ("angle between the expected gradient and ∇p in degrees (lines of zeros omitted)", |row| row.angle),
        ("variance of a batch's gradient", |row| row.variance),
        ("signal-to-noise ratio", |row| row.signal_to_noise),
    ];
    let mut blocks = Vec::new();
    for (title, quantity) in quantities {
        let mut text = format!("{title}\n");
        let mut pass_rates: Vec<f64> = table.iter().map(|row| row.pass_rate).collect();
        pass_rates.sort_by(f64::total_cmp);
        pass_rates.dedup();
        let _ = write!(text, "{:46} {:>3}", "", "K");
        pass_rates.iter().for_each(|p| text += &format!("  {:>8}", format!("p {}", number(*p))));
        text.push('\n');
        for line in lines(table) {
            let cells: Vec<String> = line.iter().map(|row| number(quantity(row))).collect();
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

/// For each algorithm and number of rollouts, its rows by pass rate, in the order of the table.
fn lines(table: &[BiasAndNoise]) -> Vec<Vec<&BiasAndNoise>> {
    let mut lines: Vec<Vec<&BiasAndNoise>> = Vec::new();
    for row in table {
        let same =
            |line: &&mut Vec<&BiasAndNoise>| (&line[0].algorithm, line[0].rollouts) == (&row.algorithm, row.rollouts);
        match lines.iter_mut().find(same) {
            Some(line) => line.push(row),
            None => lines.push(vec![row]),
        }
    }
    lines
}

/// The page `docs/claims.md`, written by `oreal claims --markdown`. Numbers are rounded to four digits, so that they
/// are the same on any processor.
pub fn markdown(findings: &[Finding], table: &[BiasAndNoise]) -> String {
    let mut text = String::from(HEAD);
    for finding in findings {
        let claim = &finding.claim;
        let _ = writeln!(text, "| [`{}`](#{}) | {} | {} |", claim.name, claim.name, finding.verdict, claim.statement);
    }
    for of_topic in by_topic(findings) {
        let _ = write!(text, "\n## {}\n", of_topic[0].claim.topic.title());
        of_topic.iter().for_each(|finding| text += &section(finding));
    }
    let some: Vec<BiasAndNoise> = table.iter().filter(|row| row.rollouts == 8).cloned().collect();
    text + &format!("{TABLE}\n```text\n{}```\n", moments(&some))
}

/// The page `docs/by_training.md` of the empirical claims, written by `oreal claims --empirical --markdown`.
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

fn summary(rows: &[Measurement]) -> String {
    let count = format!("{} points", rows.len());
    match worst(rows) {
        Some(row) if row.off > TOLERANCE => {
            let Measurement { at, stated, measured, .. } = row;
            let angle = row.direction.map_or(String::new(), |seen| format!(", {} degrees apart", number(seen.angle)));
            let (stated, measured) = (number(*stated), number(*measured));
            format!("{count}, largest deviation: stated {stated}, measured {measured}{angle} ({at})")
        }
        _ => format!("{count}, largest deviation at most {TOLERANCE:e}"),
    }
}

/// A line for each measurement, or for the `most` with the largest deviations.
fn rows(rows: &[Measurement], most: usize) -> String {
    let mut shown: Vec<&Measurement> = rows.iter().collect();
    if most < rows.len() {
        shown.sort_by(|a, b| b.off.total_cmp(&a.off));
        shown.truncate(most);
    }
    let width = shown.iter().map(|row| row.at.chars().count()).max().unwrap_or(0);
    let trained = shown.iter().any(|row| row.interval.is_some());
    let last = if trained { "95% interval" } else { "  off by" };
    let mut text = format!("  {:width$}  {:>10}  {:>10}  {last}\n", "", "stated", "measured");
    for row in &shown {
        let Measurement { at, stated, measured, .. } = row;
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

/// The measurements at which a control fails: those that should be exact, or the statement itself if these hold.
fn violated(violation: &Evidence) -> &[Measurement] {
    let exact = violation.exact_measurements();
    if worst(exact).is_some_and(|row| row.off <= TOLERANCE) { &violation.stated } else { exact }
}

/// The largest deviation of a list: an angle in degrees if gradients differ in direction.
fn off(rows: &[Measurement]) -> String {
    let angle = rows.iter().filter_map(|row| row.direction).map(|seen| seen.angle).fold(0.0, f64::max);
    match worst(rows) {
        Some(row) if row.interval.is_some() => "-".to_owned(),
        Some(_) if angle > 1e-6 => format!("{angle:.1}°"),
        Some(row) => gap(row.off),
        None => "-".to_owned(),
    }
}

/// A deviation; one within rounding is shown as `<1e-9`.
fn gap(off: f64) -> String {
    match off {
        off if off <= TOLERANCE => format!("<{TOLERANCE:e}"),
        off if !(0.01..1e3).contains(&off) => format!("{off:.1e}"),
        off => number(off),
    }
}

/// A number with four digits. It is first rounded to ten, so that a result near a rounding boundary is printed alike on
/// every processor; values below 1e-6 are printed as 0.
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

/// The text in lines of at most 78 characters, plus indentation.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.len() - 1;
        if !lines[line].is_empty() && lines[line].chars().count() + word.chars().count() >= 78 {
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

Statements from the theory of outcome-reward reinforcement learning. Each is checked by running the algorithms of this
repository on problems small enough to enumerate every possible rollout. Nothing is sampled: an expected gradient is
the sum over every group of K answers and every selection the algorithm can make, each weighted by its probability.
`oreal claims` recomputes the numbers, `oreal claims NAME` prints every measurement of one claim, and
`oreal claims --markdown` writes this page.

The verdict follows from the numbers: *holds*; *holds up to a scale per question* (each question's gradient has the
stated direction, but its norm differs by a positive factor that depends on the question); *holds only in the limit*
(the deviation is not zero, but goes to zero); *does not hold as stated* (there is a counterexample). Each claim has a
control, the same check on something wrong on purpose, which must fail.

An answer is a completion with its verdict. R is its reward in {0, 1}; π(s) is the policy's probability of answer s; p
is the pass rate, the probability of a right answer; π₊ = π/p is the distribution of right answers; E₊ and E₋ are means
over right and over wrong answers; n or K is the number of answers to a question, the group. ∇ is the gradient with
respect to the policy's parameters, ∇p that of the pass rate. X is ∇logπ of an answer, X⁺ and X⁻ those of a random right
and a random wrong answer. π₀ is the policy before training and P the pass rate after it; ref is the reference policy.

| claim | verdict | statement |
|---|---|---|
";

const TRAINED: &str = "# Claims that need training

No theorem states these claims. They are checked by training small transformers from several seeds, and each result is
a mean with a 95% interval. A claim *holds* if every interval is above the stated number, *does not hold as stated* if
an interval is below it, and is *undecided* otherwise. `oreal claims --empirical --markdown` writes this page; the
numbers are the same on the same kind of processor. The exact claims are in [claims.md](claims.md).
";

const TABLE: &str = "
## Bias, variance and signal-to-noise ratio of every algorithm

The gradient of one group of K = 8 answers to one question with two right and two wrong answers, at the first update.
The signal-to-noise ratio is the norm of the expected gradient over the standard deviation of a group's gradient.
\"Weights 1\" means that token weights are set to 1: an untrained token-level reward model outputs 0, which makes every
weight 0. PPO's critic outputs p. The lines with eta and beta have a uniform reference. `oreal claims --moments` prints
K = 2, 4, 8 and 16.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_alike_on_every_processor() {
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
        assert!(lines.lines().all(|line| line.starts_with("  word") && line.len() <= 80));
        assert_eq!(lines.split_whitespace().count(), 50);
    }
}
