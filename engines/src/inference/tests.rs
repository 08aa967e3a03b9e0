//! The samplers against servers that are right, slow, broken or dishonest.

mod dishonest;
mod weights;

use std::path::Path;

use oreal_models::{Completion, Device, Failure, Head, Key, Model, Optimiser, Request, Runtime};
use oreal_models::{Sampler, Sampling, Saving, Sequence, Signal, Token, TransformerConfig, Want};
use serde_json::Value;

use super::*;
use crate::testing::inference::{Loading, engine, engine_with};
use crate::testing::{self, Server, body, path};

const VOCABULARY: usize = 11;

/// Kinds that load weights, each with how they can be sampled from.
const LEARNERS: [Kind; 3] = [Kind::Sglang, Kind::Vllm(Logprobs::Raw), Kind::Vllm(Logprobs::Processed)];

fn policy(seed: u64) -> Box<dyn Model> {
    let config = TransformerConfig {
        family: oreal_models::Family::Qwen2,
        vocab_size: VOCABULARY,
        hidden_size: 16,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: None,
        intermediate_size: 16,
        rope_theta: 10_000.0,
        rope_scaling: oreal_models::RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
    };
    Runtime::new(None, Device::Cpu).unwrap().create(config, Head::Vocabulary, &Optimiser::EXACT, seed).unwrap()
}

fn how() -> Sampling {
    Sampling { stop: vec![0], max_tokens: 6, vocabulary: Some(VOCABULARY), ..Sampling::default() }
}

/// Three groups of four.
fn requests(prompts: &[Vec<Token>]) -> Vec<Request<'_>> {
    let key = |prompt: usize, sample| Key { seed: 3, step: 5, prompt: prompt as u64, sample };
    let group = |(i, prompt)| (0..4).map(move |sample| Request { prompt, key: key(i, sample) });
    prompts.iter().map(|prompt| &prompt[..]).enumerate().flat_map(group).collect()
}

fn prompts() -> Vec<Vec<Token>> {
    vec![vec![1, 2], vec![3], vec![4, 5, 6]]
}

fn learns(folder: &Path, at_most_behind: u64) -> Policy {
    Policy::Learns { weights: Weights { folder: folder.to_owned(), saving: Saving::default() }, at_most_behind }
}

fn sampler(kind: Kind, server: &Server, policy: Policy) -> Inference {
    Inference::new(kind, &server.settings(), policy, Groups::Complete).unwrap()
}

type Drawn = Vec<std::result::Result<Completion, Failure>>;

fn sample(sampler: &mut Inference, policy: &dyn Model, how: &Sampling) -> Result<Drawn> {
    let prompts = prompts();
    sampler.sample(policy, &requests(&prompts), how)
}

/// Log-probabilities of completions under the policy here.
fn read(policy: &dyn Model, drawn: &Drawn, temperature: f64) -> Vec<f64> {
    let prompts = prompts();
    let completions: Vec<&Completion> = drawn.iter().map(|drawn| drawn.as_ref().unwrap()).collect();
    let sequence = |(i, c): (usize, &&_)| {
        let c: &Completion = c;
        (prompts[i / 4].clone(), c.tokens.clone())
    };
    let owned: Vec<(Vec<Token>, Vec<Token>)> = completions.iter().enumerate().map(sequence).collect();
    let batch: Vec<_> = owned.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    policy.read(&batch, &Want { signals: vec![Signal::Logp], temperature }).unwrap().0.remove(&Signal::Logp).unwrap()
}

fn apart(policy: &dyn Model, drawn: &Drawn, temperature: f64) -> f64 {
    let sampled = drawn.iter().flat_map(|drawn| drawn.as_ref().unwrap().sampled_logp.clone().unwrap());
    read(policy, drawn, temperature).iter().zip(sampled).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn honest() -> Box<testing::inference::Flaw> {
    Box::new(|_, _, answer| answer)
}

/// Requests to a path, their bodies.
fn sent(server: &Server, to: &str) -> Vec<Value> {
    server.requests().iter().filter(|request| path(request) == to).map(|request| body(request)).collect()
}

#[test]
fn completions_and_log_probabilities_are_those_of_the_policy() {
    for kind in LEARNERS {
        let (server, folder, policy) = (engine(kind, Loading::Always, honest()), folder(), policy(1));
        let mut sampler = sampler(kind, &server, learns(folder.path(), 0));
        sampler.moved(&*policy, 7).unwrap();
        let temperature = if kind == Kind::Vllm(Logprobs::Raw) { 1.0 } else { 0.7 };
        let how = Sampling { temperature, ..how() };
        let drawn = sample(&mut sampler, &*policy, &how).unwrap();
        assert_eq!(drawn.len(), 12);
        assert!(apart(&*policy, &drawn, temperature) < 1e-5, "{kind:?}");
        assert!(drawn.iter().all(|drawn| drawn.as_ref().unwrap().version == 7), "{kind:?}");
        assert_eq!(sample(&mut sampler, &*policy, &how).unwrap(), drawn, "{kind:?}: keys decide");
        let different = drawn.iter().skip(1).take(3).filter(|other| **other != drawn[0]).count();
        assert!(different > 0, "{kind:?}: every completion has a seed of its own");
    }
}

#[test]
fn llama_cpp_draws_from_a_fixed_policy() {
    let (folder, policy) = (folder(), policy(1));
    policy.save(folder.path()).unwrap();
    // It ends at a token of its own; one of ours that is none of its is cut here.
    let server = engine_with(Kind::LlamaCpp, folder.path(), &[9], honest());
    let mut fixed = sampler(Kind::LlamaCpp, &server, Policy::Fixed);
    fixed.moved(&*policy, 0).unwrap();
    let how = Sampling { stop: vec![0, 9], ..how() };
    let drawn = sample(&mut fixed, &*policy, &how).unwrap();
    assert!(apart(&*policy, &drawn, 1.0) < 1e-5);
    let ends = |drawn: &Drawn, token| drawn.iter().flatten().any(|c| c.tokens.last() == Some(&token));
    assert!(drawn.iter().flatten().all(|c| c.version == 0) && ends(&drawn, 0));
    let refused = fixed.moved(&*policy, 1).unwrap_err().to_string();
    assert!(refused.contains("its policy is fixed"), "{refused}");
    let learns = learns(folder.path(), 0);
    let refused = Inference::new(Kind::LlamaCpp, &server.settings(), learns, Groups::Complete).unwrap_err();
    assert!(refused.key == "kind" && refused.problem.contains("loads no new weights"), "{refused}");
}

#[test]
fn a_sampling_whose_log_probability_is_not_reported_is_refused_by_key() {
    let usual = how();
    let (warm, narrow, few, greedy) = (
        Sampling { temperature: 0.7, ..usual.clone() },
        Sampling { top_p: 0.9, ..usual.clone() },
        Sampling { top_k: 5, ..usual.clone() },
        Sampling { temperature: 0.0, top_k: 5, ..usual.clone() },
    );
    let refused = |kind: Kind, how: &Sampling| kind.reported().check(how).err().map(|wrong| wrong.key);
    for (kind, expected) in [
        (Kind::Sglang, [None, Some("top_p"), Some("top_k")]),
        (Kind::Vllm(Logprobs::Raw), [Some("temperature"), Some("top_p"), Some("top_k")]),
        (Kind::Vllm(Logprobs::Processed), [None, None, None]),
        (Kind::LlamaCpp, [Some("temperature"), Some("top_p"), Some("top_k")]),
    ] {
        assert_eq!([&warm, &narrow, &few].map(|how| refused(kind, how)), expected, "{kind:?}");
        assert_eq!([&usual, &greedy].map(|how| refused(kind, how)), [None, None], "{kind:?}");
    }
    let server = engine(Kind::Sglang, Loading::Always, honest());
    let folder = folder();
    let mut sglang = sampler(Kind::Sglang, &server, learns(folder.path(), 0));
    let problem = sample(&mut sglang, &*policy(1), &narrow).unwrap_err().to_string();
    assert_eq!(problem, "sampling.top_p: SGLang: must be 1: the server's log-probabilities are before top-p");
    assert_eq!(server.count(), 0, "before any work");
}

#[test]
fn the_most_likely_token_is_certain() {
    let (server, folder, policy) = (engine(Kind::Sglang, Loading::Always, honest()), folder(), policy(1));
    let mut sampler = sampler(Kind::Sglang, &server, learns(folder.path(), 0));
    let drawn = sample(&mut sampler, &*policy, &Sampling { temperature: 0.0, ..how() }).unwrap();
    let here = policy.draw(&requests(&prompts()), &Sampling { temperature: 0.0, ..how() }).unwrap();
    assert!(drawn.iter().zip(here).all(|(drawn, here)| *drawn.as_ref().unwrap() == here));
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
