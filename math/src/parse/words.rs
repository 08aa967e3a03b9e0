//! Letters in a row: names of functions and constants, units, words, or a product of variables.

use crate::parse::function::is_function;
use crate::token::{Lexeme, Token};
use crate::unit::Unit;

/// Constants and Greek letters that are written out in plain text.
const NAMES: [&str; 24] = [
    "pi", "alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "sigma", "omega", "rho", "tau", "phi", "psi",
    "eta", "infty", "infinity", "inf", "oo", "Pi", "Gamma", "Delta", "Omega", "epsilon",
];

/// Short words of English that are no products of variables.
const ENGLISH: [&str; 27] = [
    "no", "yes", "all", "odd", "any", "one", "two", "six", "ten", "and", "or", "is", "it", "the", "to", "if", "of",
    "on", "at", "by", "red", "Yes", "No", "for", "not", "are", "per",
];

/// Modules of Python whose functions some answers name.
const MODULES: [&str; 4] = ["np", "numpy", "math", "sympy"];

/// Splits words into names and variables. What stays a word is a unit or text.
pub(super) fn split<'a>(tokens: &[Lexeme<'a>]) -> Vec<Lexeme<'a>> {
    let mut found: Vec<Lexeme<'a>> = Vec::with_capacity(tokens.len());
    let digits = single_digits(tokens);
    for (i, lexeme) in tokens.iter().enumerate() {
        if digits.contains(&i)
            && let Token::Number(literal) = lexeme.token
            && let Some((first, rest)) = literal.split()
        {
            found.push(Lexeme { token: Token::Number(first), ..*lexeme });
            // `\frac12` has both its arguments in one number.
            match rest.split().filter(|_| !digits.contains(&(i + 1))) {
                Some((second, rest)) => {
                    found.extend([second, rest].map(|l| Lexeme { token: Token::Number(l), ..*lexeme }))
                }
                None => found.push(Lexeme { token: Token::Number(rest), spaced: false }),
            }
            continue;
        }
        let Token::Word(word) = lexeme.token else {
            let module = i.checked_sub(1).and_then(|before| tokens.get(before)).map(|lexeme| lexeme.token);
            if !(lexeme.token == Token::Symbol('.') && matches!(module, Some(Token::Word(w)) if MODULES.contains(&w))) {
                found.push(*lexeme);
            }
            continue;
        };
        let next = tokens.get(i + 1).map(|lexeme| lexeme.token);
        if MODULES.contains(&word) && next == Some(Token::Symbol('.')) {
            continue;
        }
        let after_number = matches!(found.last(), Some(Lexeme { token: Token::Number(_) | Token::Symbol('}'), .. }));
        if after_number && Unit::is_known(word) && !matches!(next, Some(Token::Symbol('('))) {
            found.push(*lexeme);
        } else {
            push(word, lexeme.spaced, &mut found);
        }
    }
    found
}

/// Where a command takes one digit as its argument: behind `\frac`, and behind the first argument of one.
fn single_digits(tokens: &[Lexeme<'_>]) -> Vec<usize> {
    let mut places = Vec::new();
    for (i, lexeme) in tokens.iter().enumerate() {
        if matches!(lexeme.token, Token::Command("frac" | "binom")) {
            places.push(i + 1);
            places.extend(end_of_group(tokens, i + 1));
        }
    }
    places
}

/// The place behind the group that begins here.
pub(super) fn end_of_group(tokens: &[Lexeme<'_>], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, lexeme) in tokens.iter().enumerate().skip(start) {
        match lexeme.token {
            Token::Symbol('{') => depth += 1,
            Token::Symbol('}') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(i + 1);
        }
    }
    None
}

fn push<'a>(word: &'a str, spaced: bool, found: &mut Vec<Lexeme<'a>>) {
    if let Some(name) = command(word) {
        return found.push(Lexeme { token: Token::Command(name), spaced });
    }
    // `sinx` and the like.
    let prefix = (1..=2.min(word.len())).rev().find_map(|letters| {
        let (name, rest) = word.split_at_checked(word.len() - letters)?;
        is_function(name).then_some((name, rest))
    });
    if let Some((name, rest)) = prefix {
        found.push(Lexeme { token: Token::Command(name), spaced });
        return letters(rest, false, found);
    }
    if word.chars().count() <= 3 && !ENGLISH.contains(&word) && !Unit::is_word(word) {
        return letters(word, spaced, found);
    }
    found.push(Lexeme { token: Token::Word(word), spaced });
}

fn command(word: &str) -> Option<&str> {
    match word {
        "infinity" | "inf" | "oo" => Some("infty"),
        "asin" => Some("arcsin"),
        "acos" => Some("arccos"),
        "atan" => Some("arctan"),
        "phi" => Some("varphi"),
        "epsilon" => Some("varepsilon"),
        _ => (NAMES.contains(&word) || is_function(word)).then_some(word),
    }
}

fn letters<'a>(word: &'a str, spaced: bool, found: &mut Vec<Lexeme<'a>>) {
    for (i, letter) in word.chars().enumerate() {
        found.push(Lexeme { token: Token::Letter(letter), spaced: spaced && i == 0 });
    }
}
