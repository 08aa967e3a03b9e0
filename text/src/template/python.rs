//! Methods of Python's strings, where minijinja has none or another.

use minijinja::value::from_args;
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

/// A method of a value, by name.
pub(super) fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => match string(text, name, args) {
            Err(problem) if problem.kind() == ErrorKind::UnknownMethod => {
                pycompat::unknown_method_callback(state, value, name, args)
            }
            result => result,
        },
        None => pycompat::unknown_method_callback(state, value, name, args),
    }
}

/// The filter `trim`.
pub(super) fn trim(text: &Value, characters: Option<String>) -> Value {
    let text = text.to_string();
    let strips = stripped(characters.as_deref());
    text.trim_matches(strips).into()
}

fn string(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let characters = || from_args::<(Option<&str>,)>(args).map(|(characters,)| stripped(characters));
    match name {
        "strip" => Ok(text.trim_matches(characters()?).into()),
        "lstrip" => Ok(text.trim_start_matches(characters()?).into()),
        "rstrip" => Ok(text.trim_end_matches(characters()?).into()),
        "removeprefix" => from_args(args).map(|(prefix,)| text.strip_prefix::<&str>(prefix).unwrap_or(text).into()),
        "removesuffix" => from_args(args).map(|(suffix,)| text.strip_suffix::<&str>(suffix).unwrap_or(text).into()),
        "split" if args.is_empty() => {
            Ok(text.split(is_space).filter(|word| !word.is_empty()).map(Value::from).collect())
        }
        "rsplit" => {
            let (separator, most): (&str, Option<usize>) = from_args(args)?;
            let mut pieces: Vec<&str> = match most {
                Some(most) => text.rsplitn(most.saturating_add(1), separator).collect(),
                None => text.rsplit(separator).collect(),
            };
            pieces.reverse();
            Ok(pieces.into_iter().map(Value::from).collect())
        }
        _ => Err(ErrorKind::UnknownMethod.into()),
    }
}

/// Whether a character is one of these, or without them white space.
fn stripped(characters: Option<&str>) -> impl Fn(char) -> bool {
    let characters: Option<Vec<char>> = characters.map(|characters| characters.chars().collect());
    move |c| characters.as_ref().map_or_else(|| is_space(c), |characters| characters.contains(&c))
}

/// `str.isspace` of Python, which counts the four ASCII separators too.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
