//! Completions of a model on a server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use oreal_models::{Completion, Ending, Failure, Request, Result, Sampling};
use serde_json::json;

use super::{Remote, Weights};
use crate::http::{Reach, Round};
use crate::seed::seed;
use crate::tinker::wire::{ModelInput, Sample, Sampled, SamplingParams};

/// Weights on the server that completions are drawn from.
#[derive(Debug)]
pub(super) struct Drawable {
    place: Place,
    /// Number of the next call.
    next: AtomicU64,
}

#[derive(Debug)]
enum Place {
    /// A sampling session, whose calls are numbered.
    Session(String),
    Path(String),
}

impl Drawable {
    pub(super) fn session(name: String) -> Drawable {
        Drawable { place: Place::Session(name), next: AtomicU64::new(0) }
    }

    pub(super) fn path(path: String) -> Drawable {
        Drawable { place: Place::Path(path), next: AtomicU64::new(0) }
    }
}

impl Remote {
    /// These weights to draw with; the server is told to keep them where it was not.
    pub(super) fn to_draw_with(&self) -> Result<Arc<Drawable>> {
        if !matches!(self.weights, Weights::Snapshot) {
            self.check_usable()?;
        }
        let mut kept = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = &*kept {
            return Ok(kept.clone());
        }
        let new = Arc::new(self.adapter.to_draw_with()?);
        Ok(kept.insert(new).clone())
    }

    /// Completions as the server reports them, unchecked.
    pub(in crate::tinker) fn draw_as_reported(
        &self,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<Completion>> {
        let from = self.to_draw_with()?;
        let drawn = self.service.each(requests, |round, request| self.draw_one(round, &from, request, how));
        drawn.into_iter().map(|drawn| drawn.map_err(|(_, problem)| self.server_error(problem))).collect()
    }

    pub(super) fn draw_one(
        &self,
        round: &Round<'_>,
        from: &Drawable,
        request: &Request<'_>,
        how: &Sampling,
    ) -> std::result::Result<Completion, (Reach, String)> {
        let sampled: Sampled = self
            .service
            .call_in(round, "asample", &sample(from, request, how))
            .map_err(|failure| (failure.reach, failure.problem))?;
        let drawn = sampled.sequences.into_iter().next();
        let drawn = drawn.ok_or_else(|| (Reach::Request, "the server sent no completion".to_owned()))?;
        let ending = if drawn.stop_reason == "length" { Ending::Truncated } else { Ending::Stopped };
        Ok(Completion { tokens: drawn.tokens, sampled_logp: drawn.logprobs, ending, version: 0 })
    }

    /// Refuses what no sampler may return, and leaves out log-probabilities that are not those of the distribution the tokens were
    /// drawn from.
    pub(super) fn usable(&self, completion: Completion, how: &Sampling) -> std::result::Result<Completion, Failure> {
        completion.check(how, how.vocabulary.unwrap_or(self.settings.vocabulary))?;
        Ok(Completion { sampled_logp: completion.sampled_logp.filter(|_| is_plain(how)), ..completion })
    }
}

/// The call for one completion.
fn sample(from: &Drawable, request: &Request<'_>, how: &Sampling) -> Sample {
    let (session, path) = match &from.place {
        Place::Session(name) => (Some(name.clone()), None),
        Place::Path(path) => (None, Some(path.clone())),
    };
    let seq_id = session.is_some().then(|| from.next.fetch_add(1, Ordering::Relaxed));
    Sample {
        prompt: ModelInput::of(request.prompt.to_vec()),
        num_samples: 1,
        sampling_params: SamplingParams {
            max_tokens: Some(how.max_tokens),
            seed: Some(seed(&request.key).into()),
            stop: json!(how.stop),
            temperature: how.temperature,
            top_k: if how.top_k == 0 { -1 } else { how.top_k as i64 },
            top_p: how.top_p,
        },
        model_path: path,
        base_model: None,
        sampling_session_id: session,
        seq_id,
        prompt_logprobs: None,
    }
}

/// Whether the log-probabilities that servers report are those of this distribution.
fn is_plain(how: &Sampling) -> bool {
    how.temperature == 1.0 && how.top_p == 1.0 && how.top_k == 0
}
