//! What stands left of an equals sign and names its value: `x`, `f(x)`, `\angle ABC`, `Area`.

use crate::parse::Parser;
use crate::token::{Lexeme, Token};
use crate::value::Side;

/// Longest name, in tokens.
const LONGEST: usize = 16;

/// Commands that begin the name of a figure.
const FIGURES: [&str; 8] =
    ["angle", "overline", "triangle", "measuredangle", "overrightarrow", "widehat", "widetilde", "odot"];

impl Parser<'_, '_> {
    /// Passes a name with an equals sign behind it.
    pub(super) fn name(&mut self) -> Option<Side> {
        let rest = self.tokens.get(self.at..)?;
        let end = rest.iter().take(LONGEST + 1).position(|lexeme| is_sign(lexeme.token))?;
        let name = rest.get(..end).filter(|name| !name.is_empty())?;
        let symbol = matches!(name, [Lexeme { token: Token::Letter(_), .. }]);
        if symbol || !(is_application(name) || is_words(name) || is_figure(name)) {
            return None;
        }
        self.at += end;
        Some(Side::Name(spelled(name), None))
    }
}

impl Parser<'_, '_> {
    /// Passes words that stand right of a sign, up to the end.
    pub(super) fn words_name(&mut self) -> Option<Side> {
        let rest = self.tokens.get(self.at..)?;
        let words = rest.iter().all(|lexeme| matches!(lexeme.token, Token::Word(_) | Token::Text(_)));
        if rest.is_empty() || !words {
            return None;
        }
        self.at = self.tokens.len();
        Some(Side::Name(spelled(rest), None))
    }
}

fn is_sign(token: Token<'_>) -> bool {
    matches!(token, Token::Symbol('=') | Token::Command("in" | "approx"))
}

/// `f(x)`, `f_1(x, y)`, `y'(0)`: a letter, and brackets with letters or numbers in them.
fn is_application(name: &[Lexeme<'_>]) -> bool {
    let Some(open) = name.iter().position(|lexeme| lexeme.token == Token::Symbol('(')) else { return false };
    let (head, arguments) = name.split_at(open);
    let function = match head {
        [first] => is_letter(first.token),
        [first, rest @ ..] => is_letter(first.token) && rest.iter().all(|lexeme| is_mark(lexeme.token)),
        [] => false,
    };
    let closed = arguments.last().is_some_and(|lexeme| lexeme.token == Token::Symbol(')'));
    let inside = arguments.get(1..arguments.len().saturating_sub(1)).unwrap_or_default();
    let simple =
        |lexeme: &Lexeme<'_>| is_letter(lexeme.token) || matches!(lexeme.token, Token::Number(_) | Token::Symbol(','));
    let adjacent = inside.windows(2).any(|pair| pair.iter().all(|l| !matches!(l.token, Token::Symbol(','))));
    function && closed && !inside.is_empty() && inside.iter().all(simple) && !adjacent
}

fn is_letter(token: Token<'_>) -> bool {
    matches!(token, Token::Letter(_) | Token::Command("varphi" | "psi" | "delta" | "theta" | "mu" | "sigma"))
}

/// What belongs to a letter: subscripts and primes.
fn is_mark(token: Token<'_>) -> bool {
    matches!(token, Token::Symbol('_' | '{' | '}' | '\'' | '^') | Token::Number(_) | Token::Command("prime"))
}

/// Words, or the two letters of a segment.
fn is_words(name: &[Lexeme<'_>]) -> bool {
    let word = |lexeme: &Lexeme<'_>| matches!(lexeme.token, Token::Word(_) | Token::Text(_));
    let letter = |lexeme: &Lexeme<'_>| matches!(lexeme.token, Token::Letter(_));
    let capital = |lexeme: &Lexeme<'_>| matches!(lexeme.token, Token::Letter(c) if c.is_uppercase());
    (name.iter().any(word) && name.iter().all(|l| word(l) || letter(l))) || (name.len() > 1 && name.iter().all(capital))
}

fn is_figure(name: &[Lexeme<'_>]) -> bool {
    let begins = |lexeme: &Lexeme<'_>| matches!(lexeme.token, Token::Command(c) if FIGURES.contains(&c));
    let head = name.iter().take(2).any(begins);
    let plain = |lexeme: &Lexeme<'_>| {
        begins(lexeme)
            || matches!(lexeme.token, Token::Letter(_) | Token::Number(_) | Token::Symbol('{' | '}' | '_' | '\''))
    };
    head && name.iter().all(plain)
}

/// The tokens as text.
pub(super) fn spelled(tokens: &[Lexeme<'_>]) -> String {
    let spell = |lexeme: &Lexeme<'_>| match lexeme.token {
        Token::Number(literal) => literal.digits(),
        Token::Letter(c) | Token::Symbol(c) => c.to_string(),
        Token::Word(text) | Token::Text(text) => text.to_owned(),
        Token::Command(name) => format!("\\{name} "),
    };
    tokens.iter().map(spell).collect()
}
