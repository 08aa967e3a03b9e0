//! How an answer is understood.

use crate::characters::clean;
use crate::limits::ANSWER_BYTES;
use crate::parse::{Parse, Unreadable, bare, parse};
use crate::token::{Commas, Lexeme, Token, tokens};
use crate::value::Value;

/// An answer, as far as it is understood.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// The value, or why there is none.
    pub value: Result<Value, Unreadable>,
    /// Another value it could have: where commas between digits may group or separate, and where words may be a quantity.
    pub other: Option<Value>,
    /// Whether `a/bc` occurs.
    pub ambiguous: bool,
}

/// The text without what only changes its look; two answers with the same one are the same.
pub(crate) fn key(text: &str) -> String {
    let text = clean(text);
    if text.len() > ANSWER_BYTES {
        return text.trim().to_owned();
    }
    let lexemes = tokens(&text, Commas::Separate);
    let end = lexemes.iter().rposition(|lexeme| lexeme.token != Token::Symbol('.')).map_or(0, |last| last + 1);
    let mut key = String::with_capacity(text.len() + 8);
    for lexeme in &lexemes[..end] {
        match lexeme.token {
            Token::Number(literal) => literal.write(&mut key),
            Token::Letter(c) | Token::Symbol(c) => key.push(c),
            Token::Word(text) => key += text,
            Token::Text(text) => key.extend(text.split_whitespace().flat_map(|word| [word, " "])),
            Token::Command(name) => key.extend(["\\", name]),
        }
        key.push('\u{1f}');
    }
    key
}

/// Reads an answer.
pub(crate) fn read(text: &str) -> Reading {
    let text = clean(text);
    if text.len() > ANSWER_BYTES {
        return Reading { value: Err(Unreadable::TooLarge), other: None, ambiguous: false };
    }
    let all = tokens(&text, Commas::Group);
    let grouped = bare(&all);
    let (value, ambiguous) = match parse(grouped) {
        Ok(Parse { value, ambiguous }) => (Ok(value), ambiguous),
        Err(problem) => (time(grouped).or_else(|| words(grouped)).ok_or(problem), false),
    };
    let two_ways = grouped.iter().any(|lexeme| matches!(lexeme.token, Token::Number(literal) if literal.commas));
    let wordy = grouped.iter().any(|lexeme| matches!(lexeme.token, Token::Word(word) if word.len() > 2));
    let other = if wordy && !matches!(value, Ok(Value::Text(_))) {
        words(grouped)
    } else if two_ways {
        parse(bare(&tokens(&text, Commas::Separate))).ok().map(|parse| parse.value)
    } else {
        None
    };
    Reading { value, other, ambiguous }
}

/// A time of day, which is text, or a ratio.
fn time(tokens: &[Lexeme<'_>]) -> Option<Value> {
    let colon = |lexeme: &Lexeme<'_>| lexeme.token == Token::Symbol(':');
    let parts: Vec<&[Lexeme<'_>]> = tokens.split(colon).collect();
    let number = |part: &[Lexeme<'_>]| matches!(part, [Lexeme { token: Token::Number(_), .. }]);
    if parts.len() < 2 {
        return None;
    }
    if parts.iter().all(|part| number(part)) {
        let items: Option<Vec<Value>> = parts.iter().map(|part| parse(part).ok().map(|parse| parse.value)).collect();
        return Some(Value::Ratio(items?));
    }
    // `1:58 am`
    let (last, first) = parts.split_last()?;
    let letters: String = last.iter().skip(1).map(|lexeme| letters_of(lexeme.token)).collect();
    let half = letters.to_lowercase().replace('.', "");
    if !first.iter().all(|part| number(part)) || !matches!(half.as_str(), "am" | "pm") {
        return None;
    }
    let digits = |part: &&[Lexeme<'_>]| match part.first()?.token {
        Token::Number(literal) => Some(literal.digits()),
        _ => None,
    };
    let numbers: Option<Vec<String>> = parts.iter().map(digits).collect();
    Some(Value::Text(format!("{} {half}", numbers?.join(":"))))
}

fn letters_of(token: Token<'_>) -> String {
    match token {
        Token::Letter(c) | Token::Symbol(c) => c.to_string(),
        Token::Word(text) | Token::Text(text) => text.to_owned(),
        _ => " ".to_owned(),
    }
}

/// Words, with numbers among them, and nothing else.
fn words(tokens: &[Lexeme<'_>]) -> Option<Value> {
    let mut words: Vec<String> = Vec::new();
    for lexeme in tokens {
        match lexeme.token {
            Token::Letter(c) => words.push(c.to_lowercase().collect()),
            Token::Word(text) | Token::Text(text) => words.extend(text.split_whitespace().map(str::to_lowercase)),
            Token::Symbol('.' | ',' | ';' | ':' | '-' | '\'' | '!' | '?' | '(' | ')' | '"') => {}
            Token::Number(literal) => words.push(literal.digits()),
            _ => return None,
        }
    }
    // Numbers in words are text only beside words.
    if !words.iter().any(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 1) && words.len() > 1 {
        return None;
    }
    let plain: Vec<String> =
        words.iter().map(|word| word.trim_matches(['.', ',', ';', '(', ')', '"']).to_owned()).collect();
    (!plain.is_empty()).then(|| Value::Text(plain.join(" ")))
}
