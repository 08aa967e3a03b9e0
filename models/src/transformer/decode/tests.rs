use dfdx::prelude::Cpu;

use super::forward::Team;
use super::workers::{AT_ONCE, draw_by};
use super::{Queue, waves};
use crate::architecture::{Family, RopeScaling};
use crate::contract::Model;
use crate::data::{Completion, Head, Key, Request, Sampling, Sequence, Signal, Token, Want};
use crate::optim::Optimiser;
use crate::transformer::read_only::ReadOnly;
use crate::transformer::{Backend, Config, Fused, Stock, Transformer};

/// Widths that need padding, and queries that share keys.
fn model_of<O: Backend<f64>>(family: Family, head_dim: Option<usize>) -> Transformer<f64, O> {
    let config = Config {
        family,
        vocab_size: 19,
        hidden_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim,
        intermediate_size: 37,
        rope_theta: 100.0,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
    };
    let mut model = Transformer::new(config, Head::Vocabulary, &Optimiser::EXACT, 5).unwrap();
    // Biases start at zero and norms at one.
    let small: Vec<_> = model.parameters.iter().filter(|p| p.shape.len() == 1).cloned().collect();
    for parameter in small {
        for entry in 0..parameter.count() {
            model.nudge(&parameter.name, entry, 0.3 * ((entry * 7 + parameter.name.len()) as f64).sin()).unwrap();
        }
    }
    model
}

fn model<O: Backend<f64>>() -> Transformer<f64, O> {
    model_of(Family::Qwen2, None)
}

/// Every family, also with heads that are not as wide together as the residual stream.
fn every_family(check: impl Fn(Family, Option<usize>)) {
    for family in Family::ALL {
        for head_dim in [None, Some(10)] {
            println!("{family:?}, heads of width {head_dim:?}");
            check(family, head_dim);
        }
    }
}

/// More than there are places for, some in groups, of which some stop early.
fn prompts() -> (Vec<Vec<Token>>, Sampling) {
    let prompt = |i: usize| (0..1 + i / 4 % 5).map(|t| ((i / 4 + t) % 19) as Token).collect();
    let count = 2 * AT_ONCE + 31;
    ((0..count).map(prompt).collect(), Sampling { max_tokens: 21, stop: vec![2, 7], ..Sampling::default() })
}

fn requests(prompts: &[Vec<Token>]) -> Vec<Request<'_>> {
    let key = |sample| Key { seed: 3, step: 1, prompt: 0, sample };
    (0..).zip(prompts).map(|(sample, prompt)| Request { prompt, key: key(sample) }).collect()
}

fn in_order(mut done: Vec<(usize, Completion)>) -> Vec<Completion> {
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, completion)| completion).collect()
}

#[test]
fn a_completion_is_the_same_alone_and_in_any_company() {
    let (model, (prompts, how)) = (model::<Fused>(), prompts());
    let requests = requests(&prompts);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let draw = |threads, team| {
        let queue = Queue { requests: &requests, how: &how, at_once: 2 * AT_ONCE };
        in_order(pool(threads).install(|| draw_by(&ReadOnly::of(&model), &queue, team).unwrap()))
    };
    let all = draw(1, Team::Alone);
    for (threads, team) in [(3, Team::Alone), (1, Team::Together), (3, Team::Together)] {
        assert_eq!(draw(threads, team), all, "{threads} threads, {team:?}");
    }
    for at_once in [1, 7] {
        let few = Queue { requests: &requests, how: &how, at_once };
        assert_eq!(in_order(draw_by(&ReadOnly::of(&model), &few, Team::Together).unwrap()), all, "{at_once} at once");
    }
    for i in [0, 1, 4, AT_ONCE, requests.len() - 1] {
        let one = Queue { requests: &requests[i..=i], how: &how, at_once: 1 };
        assert_eq!(in_order(draw_by(&ReadOnly::of(&model), &one, Team::Alone).unwrap()), all[i..=i], "completion {i}");
    }
    let lengths: Vec<usize> = all.iter().map(|completion| completion.tokens.len()).collect();
    assert!(lengths.contains(&21) && lengths.iter().any(|length| *length < 5), "{lengths:?}");
}

#[test]
fn what_is_drawn_has_the_log_probability_that_is_read() {
    every_family(|family, head_dim| {
        let (model, (prompts, how)) = (model_of::<Fused>(family, head_dim), prompts());
        let requests = requests(&prompts);
        let queue = Queue { requests: &requests, how: &how, at_once: 2 * AT_ONCE };
        let drawn = in_order(draw_by(&ReadOnly::of(&model), &queue, Team::Together).unwrap());
        let sequences = prompts.iter().zip(&drawn).map(|(prompt, c)| Sequence { prompt, completion: &c.tokens });
        let want = Want { signals: vec![Signal::Logp], temperature: 1.0 };
        let read = model.read(&sequences.collect::<Vec<_>>(), &want).unwrap();
        let sampled = drawn.iter().flat_map(|completion| completion.sampled_logp.iter().flatten());
        for (i, (sampled, read)) in sampled.zip(&read.0[&Signal::Logp]).enumerate() {
            assert!((sampled - read).abs() < 1e-11, "token {i}: {sampled} drawn, {read} read");
        }
    });
}

#[test]
fn waves_draw_what_workers_draw() {
    every_family(|family, head_dim| {
        let (prompts, how) = prompts();
        let requests = requests(&prompts);
        let queue = Queue { requests: &requests, how: &how, at_once: 2 * AT_ONCE };
        let workers =
            in_order(draw_by(&ReadOnly::of(&model_of::<Fused>(family, head_dim)), &queue, Team::Alone).unwrap());
        for places in if family == Family::Qwen2 { vec![1, 10, 200] } else { vec![100] } {
            let waves = in_order(waves::draw_by(&model_of::<Stock<Cpu>>(family, head_dim), &queue, places).unwrap());
            for (i, (a, b)) in workers.iter().zip(&waves).enumerate() {
                assert_eq!((&a.tokens, a.ending), (&b.tokens, b.ending), "completion {i} of waves of {places}");
                for (a, b) in a.sampled_logp.iter().flatten().zip(b.sampled_logp.iter().flatten()) {
                    assert!((a - b).abs() < 1e-11, "completion {i} of waves of {places}: {a} and {b}");
                }
            }
            assert_eq!(workers.len(), waves.len());
        }
    });
}

#[test]
fn fewer_are_drawn_at_once_where_their_caches_are_large() {
    let Some(memory) = crate::process::memory() else { return };
    let config = Config { num_hidden_layers: 32, num_key_value_heads: 2, ..model::<Fused>().config };
    let most = config.drawn_at_once(1).unwrap();
    assert!(most >= AT_ONCE);
    let tokens = (u128::from(memory) / config.cache_bytes(1)) as usize;
    assert!((1..most).contains(&config.drawn_at_once(tokens / 9).unwrap()));
    assert_eq!(config.drawn_at_once(tokens).unwrap(), 1);
    let message = config.drawn_at_once(2 * tokens).unwrap_err().to_string();
    assert!(message.starts_with("sampling.max_tokens"), "{message}");
}
