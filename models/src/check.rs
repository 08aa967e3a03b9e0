//! What every model refuses before it computes anything.

use crate::data::{Key, Sampling, Sequence, Signals, Token, Want};
use crate::error::{Error, Result};

pub(crate) fn batch(batch: &[Sequence<'_>], want: &Want, vocabulary: usize) -> Result<()> {
    if !(want.temperature.is_finite() && want.temperature > 0.0) {
        let problem = format!("{} is not positive", want.temperature);
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

pub(crate) fn prompts(prompts: &[&[Token]], keys: &[Key], how: &Sampling, vocabulary: usize) -> Result<()> {
    how.validate(vocabulary)?;
    if prompts.is_empty() {
        return Err(Error::EmptyBatch { what: "prompt" });
    }
    if prompts.len() != keys.len() {
        return Err(Error::Keys { prompts: prompts.len(), keys: keys.len() });
    }
    let mut numbered = prompts.iter().enumerate();
    numbered.try_for_each(|(index, prompt)| tokens("prompt", index, prompt, vocabulary))
}

/// The same signals, of the same lengths.
pub(crate) fn cotangents(signals: &Signals, cotangents: &Signals) -> Result<()> {
    let all = signals.0.keys().chain(cotangents.0.keys());
    let length = |signals: &Signals, signal| signals.0.get(signal).map_or(0, Vec::len);
    all.into_iter().try_for_each(|signal| {
        let (expected, found) = (length(signals, signal), length(cotangents, signal));
        if expected == found {
            return Ok(());
        }
        Err(Error::Cotangent { signal: *signal, expected, found })
    })
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
