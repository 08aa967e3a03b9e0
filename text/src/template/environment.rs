//! Jinja as transformers sets it up.

use jiff::civil::{Date, DateTime, Time};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use super::{json, python};

/// Name of the one template of an environment.
pub(super) const NAME: &str = "chat_template";

/// Instructions that a template may take. A message takes some hundred.
const FUEL: u64 = 10_000_000;

/// Depth of nested calls of macros.
const RECURSION: usize = 100;

pub(super) fn build(source: &str, today: Option<Date>) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_unknown_method_callback(python::method);
    environment.add_filter("tojson", json::tojson);
    environment.add_filter("trim", python::trim);
    // Of Python, in which nothing is there to iterate over in `None`.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_function("raise_exception", refuse);
    if let Some(today) = today {
        let now = DateTime::from_parts(today, Time::midnight());
        environment.add_function("strftime_now", move |format: String| strftime(now, &format));
    }
    environment.add_template_owned(NAME, without_generation(source))?;
    Ok(environment)
}

fn refuse(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, format!("it refuses the conversation: {message}")))
}

fn strftime(now: DateTime, format: &str) -> Result<String, Error> {
    let problem = |problem| Error::new(ErrorKind::InvalidOperation, format!("strftime_now({format:?}): {problem}"));
    jiff::fmt::strtime::format(format, now).map_err(problem)
}

/// The template with `{% generation %}` blocks, which mark what an assistant says, made blocks without effect.
fn without_generation(source: &str) -> String {
    let mut result = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        result.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        match tag.trim_matches(['{', '%', '}', '-', '+']).trim() {
            "generation" => result.push_str(&tag.replacen("generation", "with", 1)),
            "endgeneration" => result.push_str(&tag.replacen("endgeneration", "endwith", 1)),
            _ => result.push_str(tag),
        }
        rest = after;
    }
    result.push_str(rest);
    result
}
