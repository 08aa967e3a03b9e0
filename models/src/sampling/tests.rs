use proptest::prelude::*;

use super::*;

fn how(temperature: f64, top_p: f64, top_k: usize) -> Sampling {
    Sampling { temperature, top_p, top_k, ..Sampling::default() }
}

/// Probability of each token, by sweeping the uniform number.
fn frequencies(logits: &[f64], how: &Sampling) -> Vec<f64> {
    let n = 100_000;
    let mut counts = vec![0.0; logits.len()];
    for i in 0..n {
        let uniform = (f64::from(i) + 0.5) / f64::from(n);
        counts[draw(logits, how, uniform).unwrap().token as usize] += 1.0 / f64::from(n);
    }
    counts
}

#[test]
fn greedy_takes_the_first_of_the_best() {
    let drawn = draw(&[0.0, 2.0, 2.0], &how(0.0, 1.0, 0), 0.99).unwrap();
    assert_eq!(drawn, Draw { token: 1, logp: 0.0 });
}

#[test]
fn support_is_what_the_settings_say() {
    let logits = [0.1f64.ln(), 0.4f64.ln(), 0.2f64.ln(), 0.3f64.ln()];
    let close = |found: Vec<f64>, expected: [f64; 4]| {
        let same = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(same, "{found:?} is not {expected:?}");
    };
    close(frequencies(&logits, &how(1.0, 1.0, 0)), [0.1, 0.4, 0.2, 0.3]);
    close(frequencies(&logits, &how(1.0, 1.0, 2)), [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
    close(frequencies(&logits, &how(1.0, 0.69, 0)), [0.0, 4.0 / 7.0, 0.0, 3.0 / 7.0]);
    close(frequencies(&logits, &how(1.0, 0.71, 0)), [0.0, 4.0 / 9.0, 2.0 / 9.0, 3.0 / 9.0]);
    close(frequencies(&logits, &how(1.0, 0.01, 0)), [0.0, 1.0, 0.0, 0.0]);
    // Top-p sees what top-k left: 4/7 alone is already half.
    close(frequencies(&logits, &how(1.0, 0.5, 2)), [0.0, 1.0, 0.0, 0.0]);
    close(frequencies(&logits, &how(0.5, 1.0, 0)), [1.0 / 30.0, 16.0 / 30.0, 4.0 / 30.0, 9.0 / 30.0]);
}

proptest! {
    #[test]
    fn sampled_logp_is_the_frequency(logits in prop::collection::vec(-2.0..2.0f64, 2..6), t in 0.5..2.0f64, p in 0.2..1.0f64, k in 0usize..5) {
        let how = how(t, p, k);
        let frequencies = frequencies(&logits, &how);
        for uniform in [0.0, 0.3, 0.6, 0.999] {
            let drawn = draw(&logits, &how, uniform).unwrap();
            prop_assert!((drawn.logp.exp() - frequencies[drawn.token as usize]).abs() < 1e-4);
        }
    }
}

#[test]
fn streams_follow_their_key() {
    let key = Key { seed: 1, step: 2, prompt: 3, sample: 4 };
    let mut bytes = Vec::new();
    for number in [1u64, 2, 3, 4] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let mut expected = ChaCha8Rng::from_seed(bytes.try_into().unwrap());
    assert_eq!(key.stream().random::<f64>(), expected.random::<f64>());
    let other = Key { sample: 5, ..key };
    assert_ne!(key.stream().random::<f64>(), other.stream().random::<f64>());
}

#[test]
fn tokens_beyond_the_allowed_vocabulary_have_probability_zero() {
    let logits: Vec<f64> = (0..9000).map(|i| f64::from(i % 7)).collect();
    for allowed in [3, 4500] {
        for (top_p, top_k) in [(1.0, 0), (0.9, 0), (1.0, 2)] {
            let how = Sampling { vocabulary: Some(allowed), ..how(1.0, top_p, top_k) };
            for uniform in [0.0, 0.4, 0.8, 0.999_999] {
                let drawn = draw(&logits, &how, uniform).unwrap();
                assert!((drawn.token as usize) < allowed, "{drawn:?} of {allowed}");
                assert_eq!(
                    drawn,
                    draw(&logits[..allowed], &Sampling { vocabulary: None, ..how.clone() }, uniform).unwrap()
                );
            }
        }
    }
    let greedy = Sampling { vocabulary: Some(3), ..how(0.0, 1.0, 0) };
    assert_eq!(draw(&logits, &greedy, 0.5).unwrap().token, 2);
}

/// Where the reference, which sorts everything, would put this token: the uniform numbers that draw it.
fn interval(logits: &[f64], how: &Sampling, token: Token) -> (f64, f64) {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weigh = |z: f64| ((z - max) / how.temperature).exp();
    let mut kept: Vec<(usize, f64)> = logits.iter().map(|z| weigh(*z)).enumerate().filter(|(_, w)| *w > 0.0).collect();
    if how.top_k > 0 || how.top_p < 1.0 {
        kept.sort_by(|a, b| b.1.total_cmp(&a.1));
        kept.truncate(if how.top_k > 0 { how.top_k } else { kept.len() });
        let total: f64 = kept.iter().map(|(_, w)| w).sum();
        let mut held = 0.0;
        let count = kept
            .iter()
            .take_while(|(_, w)| {
                let before = held;
                held += w;
                before < how.top_p * total
            })
            .count();
        kept.truncate(count);
    }
    let total: f64 = kept.iter().map(|(_, w)| w).sum();
    let at = kept.iter().position(|(t, _)| *t == token as usize);
    let at = at.unwrap_or_else(|| panic!("token {token} is not kept"));
    let below: f64 = kept[..at].iter().map(|(_, w)| w).sum();
    (below / total, (below + kept[at].1) / total)
}

/// Peaked, flat, with ties and with impossible tokens.
fn vocabulary(seed: u64, size: usize, spread: f64) -> Vec<f64> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    let mut logit = |_| match stream.random_range(0..20) {
        0 => 1.0,
        1 => f64::NEG_INFINITY,
        _ => f64::from((stream.random::<f64>().powi(3) * spread) as f32),
    };
    (0..size).map(&mut logit).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// The passes over large vocabularies against the reference, in the model's own two types.
    #[test]
    fn large_vocabularies_are_drawn_from_as_small_ones(
        seed in 0..u64::MAX, size in 1usize..3000, spread in 0.1..60f64,
        t in 0.3..2.0f64, p in prop_oneof![Just(1.0), 0.05..1.0f64], k in prop_oneof![Just(0usize), 1usize..40, 1usize..3000],
        uniform in 0.0..1.0f64,
    ) {
        let logits = vocabulary(seed, size, spread);
        prop_assume!(logits.iter().any(|z| z.is_finite()));
        let how = how(t, p, k);
        let single: Vec<f32> = logits.iter().map(|z| *z as f32).collect();
        for (drawn, off) in [(large::draw(&logits, &how, uniform).unwrap(), 1e-9), (large::draw(&single, &how, uniform).unwrap(), 1e-5)] {
            let (first, end) = interval(&logits, &how, drawn.token);
            prop_assert!(first - off <= uniform && uniform < end + off, "{uniform} drew {drawn:?} of [{first}, {end})");
            prop_assert!((drawn.logp - (end - first).ln()).abs() < 20.0 * off, "{drawn:?}: {}", (end - first).ln());
        }
    }

    #[test]
    fn few_tokens_are_drawn_exactly_as_the_reference_says(
        seed in 0..u64::MAX, size in 1usize..60, p in prop_oneof![Just(1.0), 0.05..1.0f64], k in 0usize..9, uniform in 0.0..1.0f64,
    ) {
        let logits = vocabulary(seed, size, 5.0);
        prop_assume!(logits.iter().any(|z| z.is_finite()));
        let how = how(1.0, p, k);
        let drawn = draw(&logits, &how, uniform).unwrap();
        let (first, end) = interval(&logits, &how, drawn.token);
        prop_assert!(first - 1e-15 <= uniform && uniform < end + 1e-15);
        prop_assert!((drawn.logp - (end - first).ln()).abs() < 1e-12);
    }
}

#[test]
fn logits_that_are_not_finite_are_refused_at_every_size() {
    for size in [10, 10_000] {
        for (top_p, top_k, temperature) in [(1.0, 0, 1.0), (0.9, 0, 1.0), (1.0, 3, 1.0), (1.0, 0, 0.0)] {
            let how = how(temperature, top_p, top_k);
            let with = |z: f32| {
                let mut logits = vec![0.5f32; size];
                logits[size / 2] = z;
                draw(&logits, &how, 0.5).is_err()
            };
            assert!(with(f32::NAN) && with(f32::INFINITY) && !with(f32::NEG_INFINITY), "{how:?}");
            assert!(draw(&vec![f32::NEG_INFINITY; size], &how, 0.5).is_err());
        }
    }
}

#[test]
fn wrong_settings_are_named() {
    let cases = [
        (how(-1.0, 1.0, 0), "sampling.temperature"),
        (how(f64::NAN, 1.0, 0), "sampling.temperature"),
        (how(1e-300, 1.0, 0), "sampling.temperature"),
        (how(1e300, 1.0, 0), "sampling.temperature"),
        (Sampling { vocabulary: Some(0), ..Sampling::default() }, "sampling.vocabulary"),
        (Sampling { vocabulary: Some(5), ..Sampling::default() }, "sampling.vocabulary"),
        (Sampling { vocabulary: Some(2), stop: vec![2], ..Sampling::default() }, "sampling.stop"),
        (how(1.0, 0.0, 0), "sampling.top_p"),
        (how(1.0, 1.1, 0), "sampling.top_p"),
        (Sampling { max_tokens: 0, ..Sampling::default() }, "sampling.max_tokens"),
        (Sampling { stop: vec![4], ..Sampling::default() }, "sampling.stop"),
    ];
    for (wrong, named) in cases {
        let message = wrong.validate(4).unwrap_err().to_string();
        assert!(message.starts_with(named), "{message}");
    }
    assert!(draw(&[f64::NAN, 0.0], &how(1.0, 1.0, 0), 0.5).is_err());
}
