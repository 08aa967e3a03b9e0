//! Chat templates: a conversation as one text.

mod environment;
mod json;
mod python;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use jiff::civil::Date;
use minijinja::{Environment, ErrorKind, Value};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::message::{Extra, Message};

/// Longest chat template, in bytes.
const MOST_SOURCE: usize = 1 << 20;

/// Longest text that a template may write, in bytes, beside four times that of the messages.
const MOST_OUTPUT: usize = 1 << 24;

/// A Hugging Face chat template: a Jinja template as transformers renders it.
///
/// It has the settings of transformers (`trim_blocks`, `lstrip_blocks`, loop controls, `{% generation %}` blocks), the
/// functions `raise_exception` and, where a date is given, `strftime_now`, the filter `tojson` that writes as Python
/// does, and the methods of Python's strings and dictionaries.
///
/// A template is not trusted: its size, the instructions it runs, its recursion and its output are bounded, and it has
/// no access to files. What is not bounded is the memory of values that double again and again (`x ~ x` in a loop).
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    source: Arc<str>,
    environment: Arc<Environment<'static>>,
}

/// What a template renders beside the messages.
#[derive(Clone, Debug, Default)]
pub struct Variables<'a> {
    /// Whether the assistant's turn is begun.
    pub add_generation_prompt: bool,
    /// Names of special tokens, such as `bos_token`.
    pub special: Option<&'a BTreeMap<String, String>>,
    /// Further variables.
    pub extra: Option<&'a Extra>,
}

impl ChatTemplate {
    /// Parses a template. Without a date, `strftime_now` is not defined: templates that ask for it first use the date
    /// they have written in them, so that prompts do not change from day to day.
    pub fn new(source: &str) -> Result<Self> {
        Self::with(source, None)
    }

    /// The template with this date as today's, at midnight.
    pub fn on(&self, year: i16, month: i8, day: i8) -> Result<Self> {
        let date = Date::new(year, month, day);
        let problem = |problem| Error::Template { line: None, problem: format!("{year}-{month}-{day}: {problem}") };
        Self::with(&self.source, Some(date.map_err(problem)?))
    }

    fn with(source: &str, today: Option<Date>) -> Result<Self> {
        if source.len() > MOST_SOURCE {
            let problem = format!("{} bytes, where at most {MOST_SOURCE} are read", source.len());
            return Err(Error::Template { line: None, problem });
        }
        let environment = environment::build(source, today).map_err(told)?;
        Ok(Self { source: source.into(), environment: Arc::new(environment) })
    }

    /// The text of the template.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The conversation as one text.
    pub fn render(&self, messages: &[Message], variables: &Variables<'_>) -> Result<String> {
        let mut values: BTreeMap<&str, Value> = BTreeMap::new();
        for (name, value) in variables.extra.into_iter().flatten() {
            let problem = |problem| Error::Template { line: None, problem: format!("variable {name}: {problem}") };
            values.insert(name, Value::deserialize(value).map_err(problem)?);
        }
        for (name, value) in variables.special.into_iter().flatten() {
            values.entry(name).or_insert_with(|| Value::from(value.as_str()));
        }
        for absent in ["tools", "documents"] {
            values.entry(absent).or_insert(Value::from(()));
        }
        values.insert("messages", messages.iter().map(map).collect());
        values.insert("add_generation_prompt", Value::from(variables.add_generation_prompt));
        let length: usize = messages.iter().map(|message| message.content.len()).sum();
        let mut output = Bounded { text: Vec::new(), room: length.saturating_mul(4).saturating_add(MOST_OUTPUT) };
        let template = self.environment.get_template(environment::NAME).map_err(told)?;
        template.render_captured_to(Value::from_pairs(values), &mut output).map_err(|error| self.told(error))?;
        String::from_utf8(output.text).map_err(|problem| Error::Template { line: None, problem: problem.to_string() })
    }
}

fn map(message: &Message) -> Value {
    Value::from_pairs([("role", message.role.name()), ("content", &message.content)])
}

impl ChatTemplate {
    /// The engine's error, with what to do where a date is missing.
    fn told(&self, error: minijinja::Error) -> Error {
        let line = error.line().and_then(|line| self.source.lines().nth(line.saturating_sub(1)));
        let problem = error.to_string();
        let uncalled = line.is_some_and(|line| line.contains("strftime_now")) && problem.contains("not callable");
        let dated = uncalled || problem.contains("strftime_now is unknown");
        match told(error) {
            Error::Template { line, .. } if dated => {
                let problem = "it asks for today's date: give a date, so that prompts stay the same".into();
                Error::Template { line, problem }
            }
            other => other,
        }
    }
}

/// Output that ends with an error when there is no room.
struct Bounded {
    text: Vec<u8>,
    room: usize,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self.room.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("it writes too much"))?;
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The template engine's error as ours.
fn told(error: minijinja::Error) -> Error {
    let problem = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => {
            "it does not end within the number of instructions that a template may take".into()
        }
        (ErrorKind::WriteFailure, _) => "it writes a text many times as long as the messages".into(),
        (ErrorKind::InvalidOperation, Some(detail)) => detail.to_string(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    Error::Template { line: error.line(), problem }
}

#[cfg(test)]
mod tests;
