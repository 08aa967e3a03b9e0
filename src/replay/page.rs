//! A replay as text.

use super::{Compared, Completion, Counts, Extreme, Replay, Replayed};

/// Completions that are printed; all are in the JSON.
const MOST: usize = 40;

/// The whole comparison: completions, totals, and where algorithms differ.
pub fn page(replay: &Replay) -> String {
    let Counts { batches, groups, completions, tokens } = replay.counts;
    let mut text = format!(
        "{}: {}, {}, {}, {}\n",
        replay.file,
        number(batches, "batch", "batches"),
        number(groups, "group", "groups"),
        number(completions, "completion", "completions"),
        number(tokens, "token", "tokens")
    );
    replay.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    replay.refused.iter().for_each(|refused| text += &format!("left out: {refused}\n"));
    text += "\ncoefficient of a token: -d loss / d log-probability, mean over the tokens of a completion\n\n";
    text += &table(replay);
    for compared in &replay.compared {
        text += &format!("\n{}", sentence(compared));
    }
    text + if replay.compared.is_empty() { "" } else { "\n" }
}

fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn table(replay: &Replay) -> String {
    let names: Vec<&str> = replay.algorithms.iter().map(|algorithm| algorithm.name.as_str()).collect();
    let row = |head: [String; 4], values: Vec<String>| {
        let [line, group, reward, tokens] = head;
        let cells = names.iter().zip(values).map(|(name, value)| format!("  {value:>width$}", width = width(name)));
        format!("{line:>6}  {group:>5}  {reward:>6}  {tokens:>6}{}\n", cells.collect::<String>())
    };
    let head = ["line", "group", "reward", "tokens"].map(str::to_owned);
    let mut text = row(head, names.iter().map(|name| (*name).to_owned()).collect());
    for completion in replay.completions.iter().take(MOST) {
        let Completion { line, group, reward, coefficients, .. } = completion;
        let reward = reward.map_or_else(|| "-".to_owned(), short);
        let tokens = coefficients.first().map_or(0, Vec::len);
        let mean = |values: &Vec<f64>| short(values.iter().sum::<f64>() / values.len().max(1) as f64);
        let head = [line.to_string(), group.to_string(), reward, tokens.to_string()];
        text += &row(head, coefficients.iter().map(mean).collect());
    }
    if replay.completions.len() > MOST {
        text += &format!("  .. and {} more, which --json has\n", replay.completions.len() - MOST);
    }
    let total = |name: &str| [name.to_owned(), String::new(), String::new(), String::new()];
    let sum = |algorithm: &Replayed| if algorithm.sum.abs() < 1e-12 * algorithm.size { 0.0 } else { algorithm.sum };
    text += &row(total("sum"), replay.algorithms.iter().map(|algorithm| short(sum(algorithm))).collect());
    text + &row(total("|sum|"), replay.algorithms.iter().map(|algorithm| short(algorithm.size)).collect())
}

fn width(name: &str) -> usize {
    name.chars().count().max(10)
}

/// Four digits.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e4).contains(&size) => format!("{value:.3e}"),
        size => {
            let digits = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
            let text = format!("{value:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    }
}

/// In words.
fn sentence(compared: &Compared) -> String {
    let Compared { algorithm, against, tokens, only_here, only_there, same, .. } = compared;
    let mut text = format!("{algorithm} against {against}: ");
    text += &match (compared.least, compared.greatest) {
        (Some(least), Some(greatest)) if *same => {
            let apart = (least.factor - 1.0).abs().max((greatest.factor - 1.0).abs());
            let apart = if apart < 1e-9 { 0.0 } else { 100.0 * apart };
            format!("the same coefficients, apart by at most {}%", short(apart))
        }
        _ if *same => "the same coefficients, all of them 0".to_owned(),
        (Some(least), Some(greatest)) if greatest.factor - least.factor <= 1e-6 * greatest.factor.abs() => {
            format!("{} times as large on {}", short(least.factor), number(*tokens, "token", "tokens"))
        }
        (Some(least), Some(greatest)) => {
            format!("{} to {} times as large on {tokens} tokens", place(least), place(greatest))
        }
        _ => "no token has a coefficient in both".to_owned(),
    };
    for (count, name) in [(*only_here, algorithm), (*only_there, against)] {
        if count > 0 {
            text += &format!("; {} only in {name}", number(count, "token", "tokens"));
        }
    }
    text
}

fn place(Extreme { factor, line, token }: Extreme) -> String {
    format!("{} (line {line}, token {token})", short(factor))
}
