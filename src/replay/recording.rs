//! A file of recorded rollouts, and the columns that are made of its fields.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use oreal_algos::{Column, Experience, Layout, Level};

use super::{Completion, Counts, OfTokens};
use crate::error::{Error, Result};
use crate::rows::{Place, Row, Rows};

/// Recorded rollouts, in batches of groups.
pub struct Recording {
    file: PathBuf,
    batches: Vec<Batch>,
    /// The fields that some completion has.
    fields: BTreeSet<String>,
}

/// The rollouts of one training step.
struct Batch {
    /// As the file names it; empty where it names none.
    step: String,
    groups: Vec<Vec<Recorded>>,
}

/// One completion.
struct Recorded {
    row: Row,
    tokens: usize,
}

/// The number of each batch, with the numbers of its groups, by name.
type Places = BTreeMap<String, (usize, BTreeMap<String, usize>)>;

/// Most tokens of a file.
const MOST_TOKENS: usize = 1 << 24;

/// The fields that have a number for each token, besides `tokens`: the first that is there tells how many tokens there are.
const PER_TOKEN: [&str; 10] = [
    "sampled_logp",
    "old_logp",
    "logp",
    "ref_logp",
    "coefficient",
    "entropy",
    "value",
    "old_value",
    "score",
    "score_after",
];

/// What says how probable the tokens were under the policy.
const LOGPS: [&str; 3] = ["logp", "old_logp", "sampled_logp"];

/// The field with the coefficients that a trainer had.
const COEFFICIENT: &str = "coefficient";

impl Recording {
    /// Reads a file (JSONL or parquet; `-` is JSONL on standard input).
    ///
    /// # Errors
    /// A file or a row that cannot be read, a completion without a group or without tokens, no completions, too many tokens.
    pub fn open(file: &Path) -> Result<Recording> {
        let mut recording = Recording { file: file.to_owned(), batches: Vec::new(), fields: BTreeSet::new() };
        let (mut places, mut tokens) = (Places::new(), 0);
        for row in Rows::open(file)? {
            let row = row?.parse()?;
            let recorded = Recorded { tokens: length(&row)?, row };
            tokens += recorded.tokens;
            if tokens > MOST_TOKENS {
                let problem = format!("more than {MOST_TOKENS} tokens: replay a part of it");
                return Err(Error::file(file, problem));
            }
            recording.put(recorded, &mut places)?;
        }
        if recording.batches.is_empty() {
            return Err(Error::file(file, "no completions: there must be one in each line"));
        }
        Ok(recording)
    }

    /// Adds a completion to its batch and its group.
    fn put(&mut self, recorded: Recorded, places: &mut Places) -> Result<()> {
        let row = &recorded.row;
        let step = if row.has("step") { row.json("step")?.get().to_owned() } else { String::new() };
        let group = row.json(if row.has("group") { "group" } else { "prompt" }).map_err(|_| {
            Error::row(&row.place, "neither `group` nor `prompt`: which completions are of one problem?")
        })?;
        let fields = PER_TOKEN.iter().chain(&["reward", "truncated", "tokens"]).filter(|field| row.has(field));
        self.fields.extend(fields.map(|field| (*field).to_owned()));
        let next = self.batches.len();
        let (batch, groups) = places.entry(step.clone()).or_insert_with(|| (next, BTreeMap::new()));
        if *batch == next {
            self.batches.push(Batch { step, groups: Vec::new() });
        }
        let all = &mut self.batches[*batch].groups;
        let group = *groups.entry(group.get().to_owned()).or_insert(all.len());
        if group == all.len() {
            all.push(Vec::new());
        }
        all[group].push(recorded);
        Ok(())
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        let groups = || self.batches.iter().flat_map(|batch| &batch.groups);
        Counts {
            batches: self.batches.len(),
            groups: groups().count(),
            completions: groups().map(Vec::len).sum(),
            tokens: groups().flatten().map(|recorded| recorded.tokens).sum(),
        }
    }

    /// The batch in a message, where there are several.
    pub(super) fn batch_name(&self, number: usize) -> String {
        let step = &self.batches[number].step;
        if step.is_empty() { String::new() } else { format!(" of step {step}") }
    }

    /// The first of these columns that cannot be made of the file, as the rest of a sentence that begins with the algorithm.
    pub(super) fn lacks(&self, columns: &BTreeSet<Column>) -> Option<String> {
        let missing = columns.iter().find(|column| !self.can_make(**column, columns))?;
        let role = missing.role().map_or_else(String::new, |role| format!(", which the {role} reports"));
        let field = if *missing == Column::REF_LOGP && self.has("ref_logp") { "logp" } else { missing.name() };
        Some(format!("reads `{}`{role}: the file has no `{field}`", missing.name()))
    }

    fn can_make(&self, column: Column, with: &BTreeSet<Column>) -> bool {
        let logps = LOGPS.iter().any(|field| self.has(field));
        match column {
            Column::DUPLICATE => true,
            // Without log-probabilities the policy is taken as it was, which a divergence from another cannot be.
            Column::LOGP | Column::OLD_LOGP => logps || !with.contains(&Column::REF_LOGP),
            Column::REF_LOGP => self.has("ref_logp") && logps,
            _ => self.has(column.name()),
        }
    }

    fn has(&self, field: &str) -> bool {
        self.fields.contains(field)
    }

    /// What stands in for columns that are not there, of those that are read.
    pub(super) fn notes(&self, reads: &BTreeSet<Column>) -> Vec<String> {
        let mut notes = Vec::new();
        let ratio = reads.contains(&Column::LOGP) && reads.contains(&Column::OLD_LOGP);
        match LOGPS.map(|field| self.has(field)) {
            [false, false, false] => notes.push("no log-probabilities: every ratio is 1, as at a step's first update"),
            [true, false, false] if ratio => notes.push("no `old_logp`: every ratio is 1, as at a step's first update"),
            [true, false, true] if ratio => notes.push("no `old_logp`: `sampled_logp` in its place"),
            [false, ..] if ratio => notes.push("no `logp`: every ratio is 1, as at a step's first update"),
            _ => {}
        }
        notes.into_iter().map(str::to_owned).collect()
    }

    /// A batch with these columns.
    pub(super) fn experience(&self, number: usize, columns: &BTreeSet<Column>) -> Result<Experience> {
        let Batch { groups, .. } = &self.batches[number];
        let lengths = |group: &Vec<Recorded>| group.iter().map(|recorded| recorded.tokens).collect();
        let mut x = Experience::new(Layout::new(&groups.iter().map(lengths).collect::<Vec<Vec<usize>>>())?);
        for &column in columns {
            let values = match column {
                Column::DUPLICATE => groups.iter().map(|group| duplicates(group)).collect::<Result<Vec<_>>>()?.concat(),
                _ => self.values(groups, column)?,
            };
            x.set(column, values)?;
        }
        Ok(x)
    }

    fn values(&self, groups: &[Vec<Recorded>], column: Column) -> Result<Vec<f64>> {
        let order: &[&str] = match column {
            Column::LOGP => &["logp", "old_logp", "sampled_logp"],
            Column::OLD_LOGP => &["old_logp", "sampled_logp", "logp"],
            _ => &[column.name()],
        };
        let Some(field) = order.iter().find(|field| self.has(field)) else {
            return Ok(vec![0.0; groups.iter().flatten().map(|recorded| recorded.tokens).sum()]);
        };
        match column.level() {
            Level::Token => read(groups.iter().flatten(), |recorded| recorded.of_tokens(field)),
            Level::Trajectory => read(groups.iter().flatten(), |recorded| Ok(vec![recorded.number(field)?])),
            _ => read(groups.iter().filter_map(|group| group.first()), |recorded| Ok(vec![recorded.number(field)?])),
        }
    }

    /// The coefficients that the file holds, where it does.
    pub(super) fn recorded(&self) -> Result<Option<OfTokens>> {
        let all = self.batches.iter().flat_map(|batch| batch.groups.iter().flatten());
        let read = || all.map(|recorded| recorded.of_tokens(COEFFICIENT)).collect();
        self.has(COEFFICIENT).then(read).transpose()
    }

    /// Every completion with these coefficients, in the order of the file.
    pub(super) fn completions(&self, coefficients: &[&OfTokens]) -> Result<Vec<Completion>> {
        let (mut completions, mut group) = (Vec::new(), 0);
        for batch in &self.batches {
            for recorded in &batch.groups {
                group += 1;
                for recorded in recorded {
                    let at = completions.len();
                    completions.push(Completion {
                        line: recorded.place().number,
                        step: batch.step.clone(),
                        group,
                        reward: self.has("reward").then(|| recorded.number("reward")).transpose()?,
                        coefficients: coefficients.iter().map(|values| values[at].clone()).collect(),
                    });
                }
            }
        }
        completions.sort_by_key(|completion| completion.line);
        Ok(completions)
    }
}

impl Recorded {
    fn place(&self) -> &Place {
        &self.row.place
    }

    /// A finite number for each token.
    fn of_tokens(&self, field: &str) -> Result<Vec<f64>> {
        let wrong = |problem: String| Error::row(self.place(), format!("field `{field}`: {problem}"));
        let values: Vec<f64> = serde_json::from_str(self.row.json(field)?.get())
            .map_err(|_| wrong("not a list of numbers, one for each token".to_owned()))?;
        if values.len() != self.tokens {
            return Err(wrong(format!("{} numbers for {} tokens", values.len(), self.tokens)));
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(token) => Err(wrong(format!("{} at token {}; every value must be finite", values[token], token + 1))),
        }
    }

    /// A finite number, or a truth value.
    fn number(&self, field: &str) -> Result<f64> {
        match self.row.json(field)?.get() {
            "true" => Ok(1.0),
            "false" => Ok(0.0),
            _ => match self.row.number(field)? {
                value if value.is_finite() => Ok(value),
                value => Err(Error::row(self.place(), format!("field `{field}`: {value}; it must be finite"))),
            },
        }
    }
}

fn read<'a>(
    recorded: impl Iterator<Item = &'a Recorded>,
    of: impl Fn(&Recorded) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    Ok(recorded.map(of).collect::<Result<Vec<_>>>()?.concat())
}

/// How many tokens a completion has.
fn length(row: &Row) -> Result<usize> {
    let Some(field) = ["tokens"].iter().chain(&PER_TOKEN).find(|field| row.has(field)) else {
        let problem =
            "neither `tokens` nor a list with a number for each token, such as `old_logp`: how many tokens are there?";
        return Err(Error::row(&row.place, problem));
    };
    let list: Vec<serde::de::IgnoredAny> = serde_json::from_str(row.json(field)?.get())
        .map_err(|_| Error::row(&row.place, format!("field `{field}`: not a list with an item for each token")))?;
    match list.len() {
        0 => Err(Error::row(&row.place, format!("field `{field}`: a completion without tokens"))),
        tokens => Ok(tokens),
    }
}

/// 1 where an earlier completion of the group has the same tokens, or the same text where no tokens are recorded.
fn duplicates(group: &[Recorded]) -> Result<Vec<f64>> {
    let mut seen = BTreeSet::new();
    let mut repeated = |recorded: &Recorded| {
        let field = ["tokens", "completion", "text"].into_iter().find(|field| recorded.row.has(field));
        let same = field.map(|field| recorded.row.json(field)).transpose()?;
        Ok(f64::from(same.is_some_and(|same| !seen.insert(same.get().to_owned()))))
    };
    group.iter().map(&mut repeated).collect()
}
