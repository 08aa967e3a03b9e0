//! Completions that a server draws, with the log-probabilities that it reports.

use oreal_models::{Completion, Key, Request, Result, Sampling, Sequence, Token};

use super::{largest, logps, tokens};
use crate::tinker::model::{Remote, RemoteSettings};

/// Completions that are drawn to compare log-probabilities.
const DRAWN: u64 = 8;

/// Tokens of each of them.
const LENGTH: usize = 8;

/// Completions of one prompt, up to the first token of each that no tokenizer has.
pub(super) struct Drawn {
    prompt: Vec<Token>,
    completions: Vec<Completion>,
}

impl Drawn {
    /// Completions of a model, drawn with keys of this seed.
    pub(super) fn of(model: &Remote, settings: &RemoteSettings, seed: u64, temperature: f64) -> Result<Drawn> {
        let prompt = tokens(3, 4, settings.vocabulary);
        let key = |sample| Key { seed, step: 0, prompt: 0, sample };
        let requests: Vec<Request<'_>> = (0..DRAWN).map(|i| Request { prompt: &prompt, key: key(i) }).collect();
        let how =
            Sampling { temperature, max_tokens: LENGTH, vocabulary: Some(settings.vocabulary), ..Sampling::default() };
        let drawn = model.draw_as_reported(&requests, &how)?.into_iter();
        let completions = drawn.filter_map(|drawn| known(drawn, settings.vocabulary)).collect();
        Ok(Drawn { prompt, completions })
    }

    pub(super) fn batch(&self) -> Vec<Sequence<'_>> {
        let sequence = |drawn| {
            let Completion { tokens, .. }: &Completion = drawn;
            Sequence { prompt: &self.prompt, completion: tokens }
        };
        self.completions.iter().map(sequence).collect()
    }

    /// How far the reported log-probabilities are from those of a model, at most; `None` where the server does not say them, or
    /// nothing can be compared.
    pub(super) fn apart_from(&self, model: &Remote) -> Result<Option<f64>> {
        let reported: Option<Vec<Vec<f64>>> = self.completions.iter().map(|drawn| drawn.sampled_logp.clone()).collect();
        match reported.filter(|reported| !reported.is_empty()) {
            Some(reported) => Ok(Some(largest(&logps(model, &self.batch())?, &reported.concat()))),
            None => Ok(None),
        }
    }
}

/// A completion up to its first token that no tokenizer has; `None` where that is the first.
fn known(mut drawn: Completion, vocabulary: usize) -> Option<Completion> {
    let count = drawn.tokens.iter().take_while(|token| (**token as usize) < vocabulary).count();
    drawn.tokens.truncate(count);
    drawn.sampled_logp.iter_mut().for_each(|logps| logps.truncate(count));
    (count > 0).then_some(drawn)
}
