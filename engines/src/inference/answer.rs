//! One completion: what is asked, what every server answers, and what of it can be used.

use oreal_models::{Completion, Ending, Failure, Request, Sampling, Token};

use crate::seed::seed;

/// One completion that is asked for.
pub(super) struct Question<'a> {
    pub(super) prompt: &'a [Token],
    pub(super) how: &'a Sampling,
    pub(super) seed: u32,
    /// Name of the weights that it is drawn from.
    pub(super) weights: String,
}

/// What a server answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) tokens: Vec<Token>,
    /// As the server reports them; `None` is a number that is missing.
    pub(super) logps: Vec<Option<f64>>,
    /// Why it says that the completion ended.
    pub(super) finish: Finish,
    /// What it calls the weights, where it says.
    pub(super) weights: Option<String>,
}

/// Why a server says that a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// At a stop token.
    Stop,
    /// At the limit of tokens, or of the server's context.
    Length,
}

impl<'a> Question<'a> {
    pub(super) fn new(request: &Request<'a>, how: &'a Sampling, weights: String) -> Question<'a> {
        Question { prompt: request.prompt, how, seed: seed(&request.key), weights }
    }
}

impl Answer {
    /// The completion, checked: lengths, tokens, log-probabilities and ending are what was asked for.
    pub(super) fn completion(self, how: &Sampling, version: u64) -> Result<Completion, Failure> {
        let Answer { tokens, logps, finish, .. } = self;
        let stops = |token: &Token| how.stop.contains(token);
        let not_drawn = |problem: String| Err(Failure::NotDrawn { problem });
        if let Some(at) = tokens.iter().position(stops).filter(|at| at + 1 < tokens.len()) {
            return not_drawn(format!("it goes on after the stop token {} at position {at}", tokens[at]));
        }
        if logps.len() != tokens.len() {
            return Err(Failure::LogpCount { tokens: tokens.len(), found: logps.len() });
        }
        let ending = match (tokens.last().is_some_and(stops), finish) {
            (true, _) | (false, Finish::Stop) => Ending::Stopped,
            (false, Finish::Length) if !tokens.is_empty() && tokens.len() < how.max_tokens => {
                let (found, most) = (tokens.len(), how.max_tokens);
                return not_drawn(format!("cut after {found} of {most} tokens: the server's context is too short"));
            }
            (false, Finish::Length) => Ending::Truncated,
        };
        let reported: Vec<f64> = logps.into_iter().map(|logp| logp.unwrap_or(f64::NAN)).collect();
        let completion = Completion { tokens, sampled_logp: Some(reported), ending, version };
        completion.check(how, how.vocabulary.unwrap_or(usize::MAX))?;
        Ok(if how.temperature == 0.0 { certain(completion) } else { completion })
    }
}

/// The most likely token is drawn with probability 1.
fn certain(completion: Completion) -> Completion {
    Completion { sampled_logp: Some(vec![0.0; completion.tokens.len()]), ..completion }
}
