//! Rollouts of a policy that trains here, drawn by an inference server: SGLang, vLLM or llama.cpp.
//!
//! Prompts go there as tokens; tokens and log-probabilities come back. A policy that learns is written as a checkpoint into a
//! folder that both can see ([`Weights`]), and the server is told to load it before it is next asked for completions. Each
//! completion is checked where it enters, and says which weights drew it. A group of completions is complete or absent, as
//! [`Groups`] says. [`Reported`] is what each server's log-probability is of: a sampling that it does not tell is refused.

mod answer;
mod group;
mod kind;
mod llama_cpp;
mod reported;
mod sglang;
mod vllm;
mod weights;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher, RandomState};

use oreal_models::{Completion, Error, Failure, Model, Request, Result, Sampler, Sampling};

use crate::http::{self, Client, IllegalSetting, KeyHeader, Reach, Server};
use answer::Question;
pub use group::Groups;
pub use kind::{Kind, Logprobs};
pub use reported::{Contains, Reported, Unreported};
use weights::Store;
pub use weights::Weights;

/// Longest answer of such a server that has to be read, in bytes: some 200 000 tokens with their log-probabilities.
pub const LONGEST: u64 = 1 << 24;

/// Draws completions on an inference server.
#[derive(Debug)]
pub struct Inference {
    kind: Kind,
    client: Client,
    url: String,
    groups: Groups,
    /// Where a policy that learns is written; `None` for a fixed one.
    store: Option<Store>,
    at_most_behind: u64,
    /// Names this sampler's weights apart from those of others on the same server.
    run: String,
    /// Of the policy here.
    version: u64,
    /// Of the weights that the server has confirmed.
    loaded: Option<u64>,
}

/// The policy that completions are drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Policy {
    /// The server has it already, and it stays as it is.
    Fixed,
    /// It learns here.
    Learns {
        /// How the server gets its weights.
        weights: Weights,
        /// Most updates that the policy may be ahead of the server's weights. With 0, completions are of the current weights.
        at_most_behind: u64,
    },
}

impl Inference {
    /// A sampler on this server, whose key goes into a `Bearer` header. A folder for weights is taken when they are first
    /// written.
    ///
    /// # Errors
    /// Settings without sense, by key.
    pub fn new(
        kind: Kind,
        server: &Server,
        policy: Policy,
        groups: Groups,
    ) -> std::result::Result<Inference, IllegalSetting> {
        let client = Client::new(server, KeyHeader::Bearer)?;
        let (store, at_most_behind) = match policy {
            Policy::Fixed => (None, 0),
            Policy::Learns { .. } if kind == Kind::LlamaCpp => return Err(IllegalSetting::new("kind", NEVER_LOADS)),
            Policy::Learns { weights, at_most_behind } => (Some(Store::new(weights)?), at_most_behind),
        };
        let run = format!("{:016x}", RandomState::new().build_hasher().finish());
        let (url, version, loaded) = (server.url.clone(), 0, None);
        Ok(Inference { kind, client, url, groups, store, at_most_behind, run, version, loaded })
    }

    /// Requests that were sent again, since the sampler was made.
    pub fn retried(&self) -> u64 {
        self.client.retried()
    }

    fn failed(&self, problem: impl ToString) -> Error {
        Error::Server { server: self.url.clone(), problem: problem.to_string() }
    }

    /// What the server is told to call the weights of a version.
    fn name(&self, version: u64) -> String {
        format!("{}:{version}", self.run)
    }

    /// Writes the policy's weights and has the server load them, where its own are too old.
    fn refresh(&mut self, policy: &dyn Model) -> Result<u64> {
        let Some(store) = &mut self.store else { return Ok(0) };
        if let Some(loaded) = self.loaded
            && self.version.checked_sub(loaded).is_some_and(|behind| behind <= self.at_most_behind)
        {
            return Ok(loaded);
        }
        let folder = store.write(policy, self.version)?;
        self.loaded = None;
        let loading = self.kind.load(&self.client.round(), &folder, &self.name(self.version));
        loading.map_err(|failure| self.failed(format!("new weights were not loaded: {failure}")))?;
        self.loaded = Some(self.version);
        if let Some(store) = &mut self.store {
            store.keep_only(&folder)?;
        }
        Ok(self.version)
    }

    /// The version that drew a completion, from what the server says, if it does. `loaded` is what it has confirmed.
    fn version_of(&self, said: Option<&str>, loaded: u64) -> std::result::Result<u64, String> {
        let Some(said) = said.filter(|_| self.store.is_some()) else { return Ok(loaded) };
        if said == self.name(loaded) {
            return Ok(loaded);
        }
        let own = said.strip_prefix(&self.run).and_then(|rest| rest.strip_prefix(':'));
        match own.and_then(|version| version.parse::<u64>().ok()) {
            Some(older) if older < loaded && self.version - older <= self.at_most_behind => Ok(older),
            Some(other) => Err(format!("drawn from version {other}, though the server has confirmed {loaded}")),
            None => {
                let shown: String = said.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
                Err(format!("drawn from weights that the server calls `{shown}`: another run uses this server"))
            }
        }
    }

    /// The completion of one request; an error of the server is not one of the completion.
    fn draw(
        &self,
        round: &http::Round<'_>,
        request: &Request<'_>,
        how: &Sampling,
        loaded: u64,
    ) -> std::result::Result<std::result::Result<Completion, Failure>, http::Failure> {
        let question = Question::new(request, how, self.name(loaded));
        match round.send(|http| self.kind.draw(http, &question)) {
            Ok(answer) => Ok(self
                .version_of(answer.weights.as_deref(), loaded)
                .map_err(|problem| Failure::NotDrawn { problem })
                .and_then(|version| answer.completion(how, version))),
            Err(failure) if failure.reach == Reach::Server => Err(failure),
            Err(http::Failure { problem, .. }) => Ok(Err(Failure::NotDrawn { problem })),
        }
    }
}

impl Sampler for Inference {
    fn moved(&mut self, _policy: &dyn Model, version: u64) -> Result<()> {
        if self.store.is_none() && version > 0 {
            return Err(self.failed("its policy is fixed, but the policy here learns: its rate must be 0"));
        }
        self.version = version;
        Ok(())
    }

    /// An error where the server is down, does not load the weights, or where no completion of the call can be used.
    fn sample(
        &mut self,
        policy: &dyn Model,
        requests: &[Request<'_>],
        how: &Sampling,
    ) -> Result<Vec<std::result::Result<Completion, Failure>>> {
        self.kind.reported().check(how).map_err(|wrong| Error::Setting {
            section: "sampling",
            key: wrong.key,
            problem: format!("{}: {}", self.kind.name(), wrong.problem),
        })?;
        let loaded = self.refresh(policy)?;
        let drawn = self.client.each(requests, |round, request| self.draw(round, request, how, loaded));
        let drawn: std::result::Result<Vec<_>, http::Failure> = drawn.into_iter().collect();
        let mut drawn = drawn.map_err(|failure| self.failed(failure))?;
        if let Some(Err(first)) = drawn.first().filter(|_| drawn.iter().all(std::result::Result::is_err)) {
            return Err(self.failed(format!("none of {} completions can be used; the first: {first}", drawn.len())));
        }
        self.groups.apply(requests, &mut drawn);
        Ok(drawn)
    }
}

/// Why a policy that learns has no use for llama.cpp.
const NEVER_LOADS: &str = "must be \"sglang\" or \"vllm\" for a policy that learns: llama.cpp loads no new weights";
