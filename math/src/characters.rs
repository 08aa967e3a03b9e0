//! Characters: Unicode as LaTeX or ASCII writes it, before an answer is split into tokens.

mod table;

use std::borrow::Cow;

use table::{ascii, plain, subscript, superscript};

/// Prepares an answer for the lexer.
///
/// Control characters, zero-width characters and marks of text direction are removed; white space becomes a space, and a thin
/// space `\,`, because it may separate thousands. Signs become what LaTeX or ASCII writes, so `−½` becomes `-\frac{1}{2}`. A
/// letter of another alphabet that only looks like a Latin one stays what it is. A text of printable ASCII is
/// its own result.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut cleaner = Cleaner { out: String::with_capacity(text.len()), depth: 0, roots: Vec::new() };
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = cleaner.step(c, rest);
    }
    Cow::Owned(cleaner.out)
}

struct Cleaner {
    out: String,
    /// How many parentheses are open.
    depth: usize,
    /// For each `√(` that is open: how many parentheses were open before it.
    roots: Vec<usize>,
}

impl Cleaner {
    /// Writes what `rest` starts with, whose first character is `c`, and returns what follows.
    fn step<'a>(&mut self, c: char, rest: &'a str) -> &'a str {
        let after = rest.strip_prefix(c).unwrap_or_default();
        match c {
            '√' => self.root("\\sqrt", after),
            '∛' => self.root("\\sqrt[3]", after),
            '∜' => self.root("\\sqrt[4]", after),
            _ if superscript(c).is_some() => self.raised(rest),
            _ if subscript(c).is_some() => {
                let (lowered, after) = run(rest, subscript);
                self.push(&["_{", &lowered, "}"]);
                after
            }
            _ => {
                self.sign(plain(c));
                after
            }
        }
    }

    /// A root over the number or the parentheses that `after` starts with. Anything else follows the command as it is.
    fn root<'a>(&mut self, command: &str, after: &'a str) -> &'a str {
        let after = after.trim_start();
        let (number, rest) = first_number(after);
        if !number.is_empty() {
            self.push(&[command, "{", number, "}"]);
            return rest;
        }
        let parentheses = after.starts_with(['(', '（']);
        if parentheses {
            self.roots.push(self.depth);
        }
        self.push(&[command, if parentheses { "{" } else { " " }]);
        after
    }

    /// An exponent `³`, or a fraction `³⁄₄`.
    fn raised<'a>(&mut self, rest: &'a str) -> &'a str {
        let (raised, after) = run(rest, superscript);
        let (lowered, after_lowered) =
            after.strip_prefix(['⁄', '/']).map_or_else(Default::default, |rest| run(rest, subscript));
        if lowered.is_empty() {
            self.push(&["^{", &raised, "}"]);
            return after;
        }
        self.push(&["\\frac{", &raised, "}{", &lowered, "}"]);
        after_lowered
    }

    fn sign(&mut self, c: char) {
        match c {
            '(' => self.depth += 1,
            ')' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        match ascii(c) {
            Some(sign) => self.out.push_str(sign),
            None => self.out.push(c),
        }
        if c == ')' && self.roots.pop_if(|depth| *depth == self.depth).is_some() {
            self.out.push('}');
        }
    }

    fn push(&mut self, parts: &[&str]) {
        self.out.extend(parts.iter().copied());
    }
}

/// The longest start of `text` whose characters `map` knows, mapped, and what follows.
fn run(text: &str, map: fn(char) -> Option<char>) -> (String, &str) {
    let mapped: String = text.chars().map_while(map).collect();
    let after = text.trim_start_matches(|c| map(c).is_some());
    (mapped, after)
}

/// The digits, with decimals, that `text` starts with, and what follows.
fn first_number(text: &str) -> (&str, &str) {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let whole = digits(text);
    let decimals = text.get(whole..).and_then(|rest| rest.strip_prefix('.')).map_or(0, digits);
    let end = if decimals > 0 { whole + 1 + decimals } else { whole };
    text.split_at_checked(end).unwrap_or(("", text))
}

#[cfg(test)]
mod tests;
