//! Transcripts as the page shows them: a few groups of each run, their tokens with numbers to colour by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files;
use super::text::visible;
use crate::record::TRANSCRIPTS;

/// Most groups of one page, and of one run on it.
const GROUPS: usize = 24;

/// Most right and most wrong completions of a group.
const COMPLETIONS: usize = 6;

/// Most tokens of a completion.
const TOKENS: usize = 600;

/// Most characters of a prompt, and of a token.
const PROMPT: usize = 4000;
const PIECE: usize = 200;

/// Most parts of a formula that are shown of a token.
const PARTS: usize = 40;

/// Transcripts of one step of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    run: String,
    step: u64,
    prompt: String,
    answer: String,
    completions: Vec<Completion>,
    /// Completions of the group that are not shown.
    left_out: usize,
}

#[derive(Debug, Serialize)]
struct Completion {
    verdict: String,
    reward: f64,
    kept: bool,
    tokens: Vec<String>,
    /// Tokens that are not shown.
    left_out: usize,
    /// What there is to know of each token, in the order it is told in.
    facts: Vec<Fact>,
}

/// A number of a trajectory, or one for each of its tokens.
#[derive(Debug, Serialize)]
struct Fact {
    /// What it is in the formula: `reward`, `baseline`, `denominator`, `weight`, `coefficient`, `column`, `cotangent`, ..
    kind: String,
    /// What it is called.
    name: String,
    /// What it is computed from.
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    value: Of,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Of {
    One(f64),
    Each(Vec<Option<f64>>),
}

/// A line of `transcripts.jsonl`, of any age.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    step: u64,
    prompt: Value,
    answer: Value,
    completion: String,
    verdict: String,
    reward: f64,
    kept: bool,
    tokens: Vec<u64>,
    pieces: Vec<String>,
    sampled_logp: Option<Vec<Option<f64>>>,
    advantage: Vec<Option<f64>>,
    update: Option<usize>,
    columns: BTreeMap<String, Of>,
    cotangents: BTreeMap<String, Of>,
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
struct Part {
    of: String,
    kind: String,
    #[serde(default)]
    name: Option<String>,
    expression: String,
    level: String,
    value: Of,
}

/// Groups of a run: the first, the last, and some between. `runs` share the page.
pub(crate) fn read(run: &str, folder: &Path, runs: usize, problems: &mut Vec<String>) -> Vec<Shown> {
    let (path, mut steps) = (folder.join(TRANSCRIPTS), BTreeSet::new());
    let broken = files::lines(&path, &mut |line| steps.extend(line.get("step").and_then(Value::as_u64)));
    if let Some(broken) = broken.filter(|broken| *broken > 0) {
        problems.push(format!("{}: lines that could not be read: {broken}", path.display()));
    }
    let chosen = spread(&steps.into_iter().collect::<Vec<_>>(), (GROUPS / runs.max(1)).max(1));
    let mut groups: BTreeMap<u64, Vec<Line>> = BTreeMap::new();
    files::lines(&path, &mut |line| {
        if let Some(step) = line.get("step").and_then(Value::as_u64).filter(|step| chosen.contains(step)) {
            groups.entry(step).or_default().extend(serde_json::from_value::<Line>(line).ok().map(bounded));
        }
    });
    groups.into_values().filter(|lines| !lines.is_empty()).map(|lines| shown(run, lines)).collect()
}

/// So many of these, evenly, with the last; with the first too where there are two or more.
fn spread(steps: &[u64], most: usize) -> BTreeSet<u64> {
    let last = steps.len().saturating_sub(1);
    match most {
        _ if steps.len() <= most => steps.iter().copied().collect(),
        1 => steps.last().copied().into_iter().collect(),
        _ => (0..most).map(|i| steps[i * last / (most - 1)]).collect(),
    }
}

/// Without what is never shown, so that many long completions take little memory.
fn bounded(mut line: Line) -> Line {
    line.parts.truncate(PARTS);
    let parts = line.parts.iter_mut().map(|part| &mut part.value);
    for of in parts.chain(line.columns.values_mut()).chain(line.cotangents.values_mut()) {
        if let Of::Each(values) = of {
            values.truncate(TOKENS);
        }
    }
    line.advantage.truncate(TOKENS);
    line.sampled_logp.iter_mut().for_each(|values| values.truncate(TOKENS));
    line
}

fn shown(run: &str, lines: Vec<Line>) -> Shown {
    let all = lines.len();
    let (step, prompt, answer) = (lines[0].step, conversation(&lines[0].prompt), conversation(&lines[0].answer));
    let mut count = [0; 2];
    let mut completions = Vec::new();
    for line in lines {
        let of = &mut count[usize::from(line.verdict == "Right")];
        *of += 1;
        if *of <= COMPLETIONS {
            completions.push(completion(line));
        }
    }
    let left_out = all - completions.len();
    Shown { run: visible(run, PIECE), step, prompt, answer, completions, left_out }
}

/// A prompt's text; a conversation with who speaks.
fn conversation(prompt: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let said = |message: &Value| format!("{}: {}", text(&message["role"]), text(&message["content"]));
    let whole = match prompt {
        Value::Array(messages) => messages.iter().take(64).map(said).collect::<Vec<_>>().join("\n"),
        other => text(other),
    };
    visible(&whole, PROMPT)
}

fn completion(line: Line) -> Completion {
    let pieces = match line.pieces.len() == line.tokens.len() {
        true => line.pieces.clone(),
        false => line.completion.chars().map(String::from).collect(),
    };
    let name = |(i, piece): (usize, &String)| match piece.is_empty() {
        true => format!("⟨{}⟩", line.tokens.get(i).copied().unwrap_or_default()),
        false => visible(piece, PIECE),
    };
    let left_out = pieces.len().saturating_sub(TOKENS);
    let tokens = pieces.iter().enumerate().take(TOKENS).map(name).collect();
    let Line { verdict, reward, kept, .. } = &line;
    Completion { verdict: visible(verdict, PIECE), reward: *reward, kept: *kept, tokens, left_out, facts: facts(&line) }
}

fn facts(line: &Line) -> Vec<Fact> {
    let fact = |kind: &str, name: &str, from: &str, value: Of| Fact {
        kind: visible(kind, PIECE),
        name: visible(name, PIECE),
        from: visible(from, PIECE),
        value: short(value),
    };
    let mut facts = vec![fact("reward", "reward", "", Of::One(line.reward))];
    for part in &line.parts {
        let name = part.name.as_deref().unwrap_or(&part.expression);
        let from =
            if name != part.expression { format!("{}, in the {}", part.expression, part.of) } else { in_the(part) };
        facts.push(fact(&part.kind, name, &from, part.value.clone()));
    }
    facts.push(fact("advantage", "advantage", "", Of::Each(line.advantage.clone())));
    facts.extend(line.cotangents.iter().map(|(name, of)| fact("cotangent", &format!("dL/d {name}"), "", of.clone())));
    let sampled = line.sampled_logp.clone().map(|values| fact("column", "sampled_logp", "", Of::Each(values)));
    facts.extend(line.columns.iter().map(|(name, of)| fact("column", name, "", of.clone())).chain(sampled));
    facts.extend(line.update.map(|update| fact("update", "update of the step", "", Of::One(update as f64))));
    facts
}

fn in_the(part: &Part) -> String {
    format!("one for each {}, in the {}", part.level, part.of)
}

/// To five digits.
fn short(of: Of) -> Of {
    let round = |value: f64| format!("{value:.4e}").parse().unwrap_or(value);
    match of {
        Of::One(value) => Of::One(round(value)),
        Of::Each(values) => Of::Each(values.into_iter().map(|value| value.map(round)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_spread_over_the_run() {
        let steps: Vec<u64> = (0..50).map(|i| 10 * i).collect();
        let few = spread(&steps, 5);
        assert_eq!((few.len(), few.first(), few.last()), (5, Some(&0), Some(&490)));
        assert_eq!(spread(&steps, 1).into_iter().collect::<Vec<_>>(), [490]);
        assert_eq!(spread(&steps[..3], 5).len(), 3);
        assert_eq!(spread(&[], 1).len(), 0);
    }
}
