//! What a model on a server reports, learns, keeps and draws.

use oreal_engines::tinker::{Carrier, Remote, RemoteSettings};
use oreal_models::{
    Clip, Decayed, Ending, Error, Head, Key, Model, Optimiser, Request, Sampling, Sequence, Signal, Signals, Want,
};

use super::{
    SEQUENCES, adamw, assert_close, backward, batch, connect, cotangents, read, remote, served, settings, step, table,
    want,
};

/// The server sends numbers in single precision where the protocol has them so.
const ROUNDING: f64 = 1e-6;

#[test]
fn it_reports_and_learns_as_the_same_model_here() {
    let serving = served();
    let (mut there, mut here) = (remote(&serving.url()), table());
    assert_close(&read(&there, Signal::Logp), &read(&here, Signal::Logp), ROUNDING);
    for number in 1..=4 {
        for model in [&mut there as &mut dyn Model, &mut here] {
            backward(model, Signal::Logp);
            backward(model, Signal::Logp);
            step(model, 0.05 * f64::from(number));
        }
        assert_close(&read(&there, Signal::Logp), &read(&here, Signal::Logp), 20.0 * ROUNDING);
    }
    assert!(read(&here, Signal::Logp).iter().zip(read(&table(), Signal::Logp)).all(|(a, b)| (a - b).abs() > 1e-3));
}

#[test]
fn the_gradient_is_the_same_by_importance_sampling_at_a_ratio_of_one() {
    let serving = served();
    // The server sums; a mean over sequences and tokens is undone by the carrier, so the same step needs a smaller rate.
    let plain = Optimiser::AdamW {
        beta1: 0.0,
        beta2: 0.0,
        epsilon: 1e6,
        weight_decay: 0.0,
        decay: Decayed::All,
        clip: Clip::Off,
        clip_epsilon: 0.0,
    };
    let changes = |carrier, only: usize, rate: f64| {
        let settings = RemoteSettings { carrier, ..settings() };
        let mut model = Remote::new(connect(&serving.url()), settings, &plain).unwrap();
        let (prompt, completion) = SEQUENCES[only];
        let batch = [Sequence { prompt, completion }];
        let before = model.read(&batch, &want(Signal::Logp)).unwrap().0.remove(&Signal::Logp).unwrap();
        let (_, pass) = model.forward(&batch, &want(Signal::Logp)).unwrap();
        let cotangents = cotangents()[..completion.len()].to_vec();
        pass.backward(&Signals([(Signal::Logp, cotangents)].into())).unwrap();
        step(&mut model, rate);
        let after = model.read(&batch, &want(Signal::Logp)).unwrap().0.remove(&Signal::Logp).unwrap();
        after.into_iter().zip(before).map(|(after, before)| after - before).collect::<Vec<f64>>()
    };
    for (only, (_, completion)) in SEQUENCES.iter().enumerate() {
        let summed = changes(Carrier::CrossEntropy, only, 1e4);
        let by_ratio = changes(Carrier::ImportanceSampling, only, 1e4 / completion.len() as f64);
        assert!(summed.iter().any(|change| change.abs() > 1e-4), "{summed:?}");
        assert_close(&by_ratio, &summed, 1e-5);
    }
}

#[test]
fn a_pass_that_is_dropped_and_a_gradient_that_is_discarded_leave_no_trace() {
    let serving = served();
    let mut model = remote(&serving.url());
    let before = read(&model, Signal::Logp);
    drop(model.forward(&batch(), &want(Signal::Logp)).unwrap());
    assert_eq!(model.gradient_norm().unwrap(), Some(0.0));
    backward(&mut model, Signal::Logp);
    assert_eq!(model.gradient_norm().unwrap(), None, "the server has not computed it");
    model.discard();
    assert_eq!(model.gradient_norm().unwrap(), Some(0.0));
    assert_eq!(read(&model, Signal::Logp), before);
}

#[test]
fn a_scalar_is_zero_at_first_and_learns_as_the_difference_of_two_logits() {
    let serving = served();
    let policy = remote(&serving.url());
    for signal in [Signal::Scalar, Signal::ScalarAfter] {
        let mut critic = policy.fork(Head::Scalar, &adamw()).unwrap();
        assert_close(&read(&*critic, signal), &[0.0; 6], ROUNDING);
        backward(&mut *critic, signal);
        step(&mut *critic, 0.1);
        // The first step of Adam moves each logit by the rate (weight decay aside), against the sign of its gradient.
        let found = read(&*critic, signal);
        for (i, (found, cotangent)) in found.iter().zip(cotangents()).enumerate() {
            let expected = if cotangent == 0.0 { 0.0 } else { -0.2 * cotangent.signum() };
            assert!((found - expected).abs() < 0.02, "{signal:?} {i}: {found} where {expected}");
        }
        assert_close(&read(&policy, Signal::Logp), &read(&table(), Signal::Logp), ROUNDING);
    }
}

#[test]
fn forks_and_states_hold_the_weights_of_their_time() {
    let serving = served();
    let mut model = remote(&serving.url());
    backward(&mut model, Signal::Logp);
    step(&mut model, 0.2);
    let (state, then) = (model.state().unwrap(), read(&model, Signal::Logp));
    let fork = model.fork(Head::Vocabulary, &adamw()).unwrap();
    let go_on = |model: &mut Remote| {
        backward(model, Signal::Logp);
        step(model, 0.1);
        read(model, Signal::Logp)
    };
    let next = go_on(&mut model);
    assert_close(&read(&*fork, Signal::Logp), &then, ROUNDING);
    model.restore(&state).unwrap();
    assert_close(&read(&model, Signal::Logp), &then, ROUNDING);
    assert_close(&go_on(&mut model), &next, ROUNDING);
    // In another session, as a run that goes on has it.
    let mut other = remote(&serving.url());
    other.restore(&state).unwrap();
    assert_close(&go_on(&mut other), &next, ROUNDING);
    // What a scalar is relative to is kept too.
    let mut critic = model.fork(Head::Scalar, &adamw()).unwrap();
    backward(&mut *critic, Signal::Scalar);
    step(&mut *critic, 0.1);
    let mut again = remote(&serving.url()).fork(Head::Scalar, &adamw()).unwrap();
    again.restore(&critic.state().unwrap()).unwrap();
    assert_close(&read(&*again, Signal::Scalar), &read(&*critic, Signal::Scalar), ROUNDING);
    let wrong = oreal_models::Table::new(2, &adamw()).unwrap().state().unwrap();
    assert!(matches!(other.restore(&wrong), Err(Error::State { .. })));
}

#[test]
fn completions_are_drawn_with_the_newest_weights_and_the_same_for_the_same_key() {
    let serving = served();
    let mut model = remote(&serving.url());
    let how = Sampling { stop: vec![0], max_tokens: 3, vocabulary: Some(5), ..Sampling::default() };
    let key = |sample| Key { seed: 7, step: 1, prompt: 0, sample };
    let requests: Vec<Request<'_>> = (0..12).map(|sample| Request { prompt: &[1], key: key(sample) }).collect();
    let drawn = model.draw(&requests, &how).unwrap();
    assert_eq!(drawn, model.draw(&requests, &how).unwrap());
    assert!(drawn.iter().any(|one| one.tokens != drawn[0].tokens), "keys differ");
    for one in &drawn {
        let batch = [Sequence { prompt: &[1], completion: &one.tokens }];
        let read = model.read(&batch, &want(Signal::Logp)).unwrap().0.remove(&Signal::Logp).unwrap();
        assert_close(one.sampled_logp.as_ref().unwrap(), &read, ROUNDING);
        assert_eq!(one.ending == Ending::Stopped, one.tokens.last() == Some(&0));
    }
    // Token 3 first, with next to certainty.
    for _ in 0..40 {
        let batch = [Sequence { prompt: &[1], completion: &[3] }];
        let (_, pass) = model.forward(&batch, &want(Signal::Logp)).unwrap();
        pass.backward(&Signals([(Signal::Logp, vec![-1.0])].into())).unwrap();
        step(&mut model, 0.5);
    }
    assert!(model.draw(&requests, &how).unwrap().iter().all(|one| one.tokens[0] == 3));
    let warm = Sampling { temperature: 2.0, ..how };
    assert!(
        model.draw(&requests, &warm).unwrap().iter().all(|one| one.sampled_logp.is_none()),
        "not of this distribution"
    );
}

#[test]
fn what_the_protocol_cannot_do_is_refused() {
    let serving = served();
    let model = remote(&serving.url());
    let said = |want: Want| model.read(&batch(), &want).unwrap_err().to_string();
    assert!(said(want(Signal::Entropy)).contains("Entropy"));
    assert!(!model.reports(Signal::Entropy) && model.reports(Signal::Scalar));
    assert!(said(Want { temperature: 0.5, ..want(Signal::Logp) }).contains("those at 1"));
    let refused = |settings: RemoteSettings, optimiser: &Optimiser| {
        Remote::new(connect(&serving.url()), settings, optimiser).unwrap_err().to_string()
    };
    assert!(refused(settings(), &Optimiser::EXACT).contains("optimiser.rule"));
    let whole = RemoteSettings { rank: 0, ..settings() };
    assert!(refused(whole, &Optimiser::default()).contains("optimiser.decay"));
    assert!(refused(RemoteSettings { score_tokens: [1, 1], ..settings() }, &adamw()).contains("score_tokens"));
    let unknown = refused(RemoteSettings { base_model: "other".to_owned(), ..settings() }, &adamw());
    assert!(unknown.contains("other"), "{unknown}");
}

#[test]
fn a_saved_model_says_where_it_is() {
    let (serving, folder) = (served(), std::env::temp_dir().join(format!("oreal-tinker-{}", std::process::id())));
    std::fs::create_dir_all(&folder).unwrap();
    remote(&serving.url()).save(&folder).unwrap();
    let text = std::fs::read_to_string(folder.join("tinker.json")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(text.contains("tinker://") && text.contains(&serving.url()), "{text}");
}
