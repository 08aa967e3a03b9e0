//! Completions of a model on a server.

use std::sync::PoisonError;

use oreal_models::{Completion, Ending, Failure, Request, Result, Sampling};
use serde_json::json;

use super::{Remote, Weights};
use crate::http::{Reach, Round};
use crate::seed::seed;
use crate::tinker::wire::{ModelInput, Sample, Sampled, SamplingParams};

impl Remote {
    /// Where these weights are saved to draw from; they are saved where they are not.
    pub(super) fn path_for_sampler(&self) -> Result<String> {
        if !matches!(self.weights, Weights::Snapshot) {
            self.check_usable()?;
        }
        let mut saved = self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = &*saved {
            return Ok(path.clone());
        }
        let path = self.adapter.save_for_sampler()?;
        Ok(saved.insert(path).clone())
    }

    /// Completions as the server reports them, unchecked.
    pub(in crate::tinker) fn draw_as_reported(
        &self,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<Completion>> {
        let path = self.path_for_sampler()?;
        let drawn = self.service.each(requests, |round, request| self.draw_one(round, &path, request, how));
        drawn.into_iter().map(|drawn| drawn.map_err(|(_, problem)| self.server_error(problem))).collect()
    }

    pub(super) fn draw_one(
        &self,
        round: &Round<'_>,
        path: &str,
        request: &Request<'_>,
        how: &Sampling,
    ) -> std::result::Result<Completion, (Reach, String)> {
        let sampled: Sampled = self
            .service
            .call_in(round, "asample", &sample(path, request, how))
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
fn sample(path: &str, request: &Request<'_>, how: &Sampling) -> Sample {
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
        model_path: Some(path.to_owned()),
        base_model: None,
        sampling_session_id: None,
        seq_id: None,
        prompt_logprobs: None,
    }
}

/// Whether the log-probabilities that servers report are those of this distribution.
fn is_plain(how: &Sampling) -> bool {
    how.temperature == 1.0 && how.top_p == 1.0 && how.top_k == 0
}
