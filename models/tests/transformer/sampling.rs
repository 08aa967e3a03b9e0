//! Completions of the transformer: keyed by what is drawn, not by the batch; drawn from what `read` reports.

use crate::common::{ROUNDING, Way, config, every_way, want};
use oreal_models::{
    Completion, Ending, Head, Key, Model, Optimiser, Request, Sampling, Sequence, Signal, Token, Transformer,
};

every_way!(
    a_sample_does_not_depend_on_its_batch,
    completions_differ_and_end_as_they_say,
    sampled_logp_is_what_read_reports,
    greedy_follows_the_most_likely,
    what_cannot_be_done_is_said,
);

fn model<O: Way>() -> Transformer<f32, O> {
    Transformer::new(config(false), Head::Vocabulary, &Optimiser::default(), 1).unwrap()
}

fn key(sample: u64) -> Key {
    Key { seed: 9, step: 1, prompt: 2, sample }
}

fn how() -> Sampling {
    Sampling { stop: vec![0], max_tokens: 12, ..Sampling::default() }
}

/// Seventeen ragged prompts, the first of them three times.
fn prompts() -> Vec<Vec<Token>> {
    (0..17u32)
        .map(|i| (0..if i < 3 { 4 } else { 1 + i % 6 }).map(|t| (if i < 3 { t } else { i * 3 + t * t }) % 7).collect())
        .collect()
}

fn draw<O: Way>(prompts: &[Vec<Token>], first: u64, how: &Sampling) -> Vec<Completion> {
    let request = |(prompt, sample)| Request { prompt, key: key(sample) };
    let requests: Vec<Request<'_>> = prompts.iter().map(Vec::as_slice).zip(first..).map(request).collect();
    model::<O>().draw(&requests, how).unwrap()
}

fn logps(completion: &Completion) -> impl Iterator<Item = f64> {
    completion.sampled_logp.iter().flatten().copied()
}

fn a_sample_does_not_depend_on_its_batch<O: Way>() {
    let nucleus = Sampling { temperature: 0.8, top_p: 0.9, top_k: 5, ..how() };
    for how in [how(), nucleus, Sampling { temperature: 0.0, ..how() }] {
        let together = draw::<O>(&prompts(), 0, &how);
        for (i, prompt) in prompts().into_iter().enumerate() {
            let alone = &draw::<O>(&[prompt], i as u64, &how)[0];
            assert_eq!((&alone.tokens, alone.ending), (&together[i].tokens, together[i].ending), "sample {i}");
            for (a, b) in logps(alone).zip(logps(&together[i])) {
                assert!((a - b).abs() < ROUNDING, "sample {i}: {a} alone, {b} together");
            }
        }
    }
}

fn completions_differ_and_end_as_they_say<O: Way>() {
    let drawn = draw::<O>(&prompts(), 0, &how());
    assert_ne!(drawn[0].tokens, drawn[1].tokens, "the same prompt under another key");
    for completion in &drawn {
        let stops = completion.tokens.iter().filter(|&&token| token == 0).count();
        match completion.ending {
            Ending::Stopped => assert_eq!((stops, completion.tokens.last()), (1, Some(&0))),
            Ending::Truncated => assert_eq!((stops, completion.tokens.len()), (0, 12)),
        }
    }
    let endings = |ending| drawn.iter().filter(|c| c.ending == ending).count();
    assert!(endings(Ending::Stopped) > 0 && endings(Ending::Truncated) > 0, "the test should see both");
}

fn sampled_logp_is_what_read_reports<O: Way>() {
    for temperature in [1.0, 0.7] {
        let how = Sampling { temperature, ..how() };
        let (prompts, drawn) = (prompts(), draw::<O>(&prompts(), 0, &how));
        let batch: Vec<Sequence<'_>> =
            prompts.iter().zip(&drawn).map(|(prompt, c)| Sequence { prompt, completion: &c.tokens }).collect();
        let read = model::<O>().read(&batch, &want(&[Signal::Logp], temperature)).unwrap();
        let sampled = drawn.iter().flat_map(logps);
        for (read, sampled) in read.0[&Signal::Logp].iter().zip(sampled) {
            assert!((read - sampled).abs() < 1e-4, "read {read}, sampled {sampled}");
        }
    }
}

fn greedy_follows_the_most_likely<O: Way>() {
    let how = Sampling { temperature: 0.0, ..how() };
    let drawn = draw::<O>(&[vec![1, 2]], 0, &how);
    let best = |completion: &[Token], at: usize| {
        let logp = |token: Token| {
            let mut other = completion[..at].to_vec();
            other.push(token);
            let batch = [Sequence { prompt: &[1, 2], completion: &other }];
            *model::<O>().read(&batch, &want(&[Signal::Logp], 1.0)).unwrap().0[&Signal::Logp].last().unwrap()
        };
        (0..7).max_by(|&a, &b| logp(a).total_cmp(&logp(b))).unwrap()
    };
    let tokens = &drawn[0].tokens;
    (0..tokens.len()).for_each(|t| assert_eq!(tokens[t], best(tokens, t), "token {t}"));
    assert!(logps(&drawn[0]).all(|logp| logp == 0.0));
}

fn what_cannot_be_done_is_said<O: Way>() {
    let critic = model::<O>().fork(Head::Scalar, &Optimiser::default()).unwrap();
    let message = critic.draw(&[Request { prompt: &[1], key: key(0) }], &how()).unwrap_err().to_string();
    assert!(message.contains("Scalar head does not report Logp"), "{message}");
    let batch = [Sequence { prompt: &[1], completion: &[2] }];
    let message = model::<O>().read(&batch, &want(&[Signal::Scalar], 1.0)).unwrap_err().to_string();
    assert!(message.contains("Vocabulary head does not report Scalar"), "{message}");
    let message = model::<O>().draw(&[Request { prompt: &[7], key: key(0) }], &how()).unwrap_err().to_string();
    assert!(message.contains("prompt 0 of the batch holds token 7"), "{message}");
    let message = model::<O>().draw(&[Request { prompt: &[], key: key(0) }], &how()).unwrap_err().to_string();
    assert!(message.contains("prompt 0 of the batch is empty"), "{message}");
}
