//! Checks of inputs that all models share, those elsewhere too.

use crate::data::{Request, Sampling, Sequence, Signal, Signals, Token, Want};
use crate::error::{Error, Result};
use crate::sampling::TEMPERATURES;

/// Temperature, lengths and tokens of a batch.
pub fn batch(batch: &[Sequence<'_>], want: &Want, vocabulary: usize) -> Result<()> {
    if !TEMPERATURES.contains(&want.temperature) {
        let problem = format!("{} is not in [{}, {}]", want.temperature, TEMPERATURES.start(), TEMPERATURES.end());
        return Err(Error::setting("want", "temperature", problem));
    }
    if batch.is_empty() {
        return Err(Error::EmptyBatch { what: "sequence" });
    }
    batch.iter().enumerate().try_for_each(|(index, sequence)| {
        tokens("prompt", index, sequence.prompt, vocabulary)?;
        tokens("completion", index, sequence.completion, vocabulary)
    })
}

/// How completions are asked for, and the prompts of the requests.
pub fn requests(requests: &[Request<'_>], how: &Sampling, vocabulary: usize) -> Result<()> {
    how.validate(vocabulary)?;
    if requests.is_empty() {
        return Err(Error::EmptyBatch { what: "request" });
    }
    let mut numbered = requests.iter().enumerate();
    numbered.try_for_each(|(index, request)| tokens("prompt", index, request.prompt, vocabulary))
}

/// Cotangents have the lengths of `signals`, hold no other signal, and are finite.
pub fn cotangents(signals: &[(Signal, usize)], cotangents: &Signals) -> Result<()> {
    for &(signal, expected) in signals {
        let found = cotangents.0.get(&signal).map_or(0, Vec::len);
        if found != expected {
            return Err(Error::Cotangent { signal, expected, found });
        }
    }
    for (&signal, column) in &cotangents.0 {
        if !signals.iter().any(|(known, _)| *known == signal) {
            return Err(Error::Cotangent { signal, expected: 0, found: column.len() });
        }
        if let Some(token) = column.iter().position(|cotangent| !cotangent.is_finite()) {
            let what = format!("the cotangent of {signal:?} at token {token} of the batch, {},", column[token]);
            return Err(Error::NotFinite { what });
        }
    }
    Ok(())
}

fn tokens(what: &'static str, index: usize, tokens: &[Token], vocabulary: usize) -> Result<()> {
    if tokens.is_empty() {
        return Err(Error::Empty { what, index });
    }
    match tokens.iter().find(|&&token| token as usize >= vocabulary) {
        Some(&token) => Err(Error::UnknownToken { what, index, token, vocabulary }),
        None => Ok(()),
    }
}
