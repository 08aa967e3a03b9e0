//! From rows of files to examples: the tokens of a prompt, and those of the answer that is imitated.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use oreal_models::Token;
use oreal_toy_envs::Prompt;
use rayon::prelude::*;
use serde::Deserialize;

use super::settings::{Examples, SftSettings};
use crate::epoch::mix;
use crate::error::{Error, Result};
use crate::problems::{Source, conversation};
use crate::renderer::Renderer;
use crate::rows::{Row, Rows};

/// What is imitated: the answer after the prompt, each at least one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Example {
    pub(super) prompt: Vec<Token>,
    pub(super) answer: Vec<Token>,
}

impl Example {
    /// Tokens of prompt and answer.
    pub(super) fn len(&self) -> usize {
        self.prompt.len() + self.answer.len()
    }
}

/// The examples of a file, and those that are not used.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) train: Vec<Example>,
    pub(super) held_out: Vec<Example>,
    /// Longer than the settings allow.
    pub(super) too_long: usize,
    /// Rollouts that are not right, or beyond the most of their problem.
    pub(super) unused: usize,
}

/// Reads and tokenises all examples, in the order of the files.
///
/// # Errors
/// A file or a row that cannot be read, by its place; files without any example to learn from.
pub(super) fn read(settings: &SftSettings, renderer: &dyn Renderer) -> Result<Read> {
    let mut read = Read::default();
    let pairs = match &settings.examples {
        Examples::Solutions { file, source, question, solution, rule, system, instruction } => {
            let (of_question, of_solution) = fields(*source, question.as_deref(), solution.as_deref())?;
            let instruction = instruction.as_deref().unwrap_or_else(|| rule.instruction());
            Rows::each(Path::new(file), |row| {
                let question = row.text(&of_question)?;
                let prompt = renderer.prompt(&conversation(question.trim(), system, instruction))?;
                Ok(Example { prompt, answer: renderer.completion(&row.text(&of_solution)?)? })
            })?
        }
        Examples::Texts { file, fields } => {
            let start = renderer.stop().into_iter().take(1).collect::<Vec<_>>();
            Rows::each(Path::new(file), |row| {
                let texts = fields.iter().map(|field| row.text(field)).collect::<Result<Vec<_>>>()?;
                Ok(Example { prompt: start.clone(), answer: renderer.completion(&texts.join("\n"))? })
            })?
        }
        Examples::Rollouts { files, per_problem } => {
            let mut kept = Kept { most: *per_problem, of_prompt: HashMap::new(), unused: 0 };
            let mut examples = Vec::new();
            for file in files {
                let rows = Rows::each(&rollouts(file), |row| Rollout::of(&row))?;
                let rows: Vec<Rollout> = rows.into_iter().filter(|rollout| kept.keep(rollout)).collect();
                let example = |rollout: &Rollout| rollout.example(renderer);
                examples.append(&mut rows.par_iter().map(example).collect::<Result<Vec<_>>>()?);
            }
            read.unused = kept.unused;
            examples
        }
    };
    let all = pairs.len();
    let below = (settings.sft.held_out * 2_f64.powi(64)) as u64;
    for (i, example) in pairs.into_iter().enumerate() {
        let held_out = mix(settings.seed ^ mix(i as u64)) < below;
        match (example.len() <= settings.sft.longest, held_out) {
            (false, _) => read.too_long += 1,
            (true, true) => read.held_out.push(example),
            (true, false) => read.train.push(example),
        }
    }
    if read.train.is_empty() {
        let Read { held_out, too_long, unused, .. } = &read;
        let problem = format!(
            "no example to learn from: {all} read, {unused} rollouts not used, {too_long} longer than sft.longest, {} held out",
            held_out.len()
        );
        return Err(Error::setting("examples", problem));
    }
    Ok(read)
}

/// The fields of question and solution.
fn fields(source: Option<Source>, question: Option<&str>, solution: Option<&str>) -> Result<(String, String)> {
    let missing = |key: &str| {
        let problem = "name the field, or say where the file comes from (source = math, gsm8k, aime, minerva)";
        Error::setting(format!("examples.{key}"), problem)
    };
    let question = question.or_else(|| source.map(Source::question)).ok_or_else(|| missing("question"))?;
    let solution = solution.or_else(|| source.and_then(Source::solution)).ok_or_else(|| missing("solution"))?;
    Ok((question.to_owned(), solution.to_owned()))
}

/// The file of rollouts that a setting names: itself, or the one in that folder.
fn rollouts(name: &str) -> PathBuf {
    let path = PathBuf::from(name);
    if path.is_dir() { path.join("completions.jsonl") } else { path }
}

/// A line of what `oreal sample` writes.
#[derive(Debug)]
struct Rollout {
    prompt: Prompt,
    text: String,
    /// As they were drawn, where that is known.
    tokens: Option<Vec<Token>>,
    right: bool,
}

impl Rollout {
    fn of(row: &Row) -> Result<Rollout> {
        fn parsed<T: for<'a> Deserialize<'a>>(row: &Row, field: &str) -> Result<T> {
            let wrong = |problem: serde_json::Error| Error::row(&row.place, format!("field `{field}`: {problem}"));
            serde_json::from_str(row.json(field)?.get()).map_err(wrong)
        }
        Ok(Rollout {
            prompt: parsed(row, "messages")?,
            text: row.text("text").unwrap_or_default(),
            tokens: if row.has("ids") { Some(parsed(row, "ids")?) } else { None },
            right: row.text("verdict")? == "right",
        })
    }

    /// The tokens as they were drawn, if they are this renderer's; else those of the text.
    fn example(&self, renderer: &dyn Renderer) -> Result<Example> {
        let prompt = renderer.prompt(&self.prompt)?;
        let stop = renderer.stop();
        let whole = |tokens: &&Vec<Token>| {
            tokens.last().is_some_and(|last| stop.contains(last))
                && tokens.iter().all(|token| (*token as usize) < renderer.vocabulary())
                && renderer.text(tokens).is_ok_and(|text| text == self.text)
        };
        let answer = match self.tokens.as_ref().filter(whole) {
            Some(tokens) => tokens.clone(),
            None => renderer.completion(&self.text)?,
        };
        Ok(Example { prompt, answer })
    }
}

/// Chooses among rollouts: right ones, each text once, and so many of a problem.
struct Kept {
    most: usize,
    of_prompt: HashMap<Prompt, Vec<String>>,
    unused: usize,
}

impl Kept {
    fn keep(&mut self, rollout: &Rollout) -> bool {
        let texts = self.of_prompt.entry(rollout.prompt.clone()).or_default();
        let keep = rollout.right && texts.len() < self.most && !texts.contains(&rollout.text);
        match keep {
            true => texts.push(rollout.text.clone()),
            false => self.unused += 1,
        }
        keep
    }
}
