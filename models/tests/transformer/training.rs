//! Steps: they learn, they are the same at any number of threads, and a bad gradient changes nothing.

use crate::common::{Way, batch, config, differentiate, every_way, step, want};
use oreal_models::transformer::{Config, Fused};
use oreal_models::{Head, Model, Optimiser, Schedule, Sequence, Signal, Signals, Transformer};

every_way!(
    learns_to_reverse,
    seeds_differ,
    a_bad_gradient_is_named_and_changes_nothing,
    the_gradient_is_gone_after_a_step,
    the_optimiser_is_the_same_in_every_way,
);

fn model<O: Way>() -> Transformer<f32, O> {
    Transformer::new(config(false), Head::Vocabulary, &Optimiser::default(), 1).unwrap()
}

/// Mean negative log-probability.
fn likelihood(signals: &Signals) -> Signals {
    let n = signals.0[&Signal::Logp].len();
    Signals([(Signal::Logp, vec![-1.0 / n as f64; n])].into())
}

/// Reverses three digits.
fn reversal() -> Vec<([u32; 4], [u32; 4])> {
    let digit = |i: u32, place: u32| 1 + i / 6u32.pow(place) % 6;
    (0..216).map(|i| ([digit(i, 0), digit(i, 1), digit(i, 2), 0], [digit(i, 2), digit(i, 1), digit(i, 0), 0])).collect()
}

fn train<O: Way>(model: &mut Transformer<f32, O>, steps: u64) -> f64 {
    let data = reversal();
    let batch: Vec<_> = data.iter().map(|(prompt, completion)| Sequence { prompt, completion }).collect();
    let schedule = Schedule { peak: 1e-2, warmup: 10, total: steps, floor: 0.1 };
    let want = want(&[Signal::Logp], 1.0);
    for number in 0..steps {
        let part = &batch[(number as usize * 54) % 216..][..54];
        differentiate(model, part, &want, likelihood);
        step(model, schedule.rate(number));
    }
    let logp = &model.read(&batch, &want).unwrap().0[&Signal::Logp];
    -logp.iter().sum::<f64>() / logp.len() as f64
}

fn learns_to_reverse<O: Way>() {
    let loss = train(&mut model::<O>(), 250);
    assert!(loss < 0.1, "loss {loss}; chance is {:.2}", 6f64.ln() * 0.75);
}

#[test]
fn same_seed_same_bytes_at_any_number_of_threads() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            // Wide enough for the matrix products to be shared out.
            let wide = Config { hidden_size: 64, intermediate_size: 128, ..config(false) };
            let mut model = Transformer::<f32, Fused>::new(wide, Head::Vocabulary, &Optimiser::default(), 1).unwrap();
            train(&mut model, 12);
            model.weights().flat_map(|(_, w)| w).map(f32::to_bits).collect::<Vec<u32>>()
        })
    };
    let one = run(1);
    assert_eq!(one, run(1), "the same run twice");
    assert_eq!(one, run(2), "two threads");
    assert_eq!(one, run(3), "three threads");
}

fn seeds_differ<O: Way>() {
    let first = |seed| {
        let model = Transformer::<f32, O>::new(config(false), Head::Vocabulary, &Optimiser::default(), seed);
        model.unwrap().weights().next().unwrap().1
    };
    assert_eq!(first(4), first(4));
    assert_ne!(first(4), first(5));
}

fn a_bad_gradient_is_named_and_changes_nothing<O: Way>() {
    let mut model = model::<O>();
    let before: Vec<Vec<f32>> = model.weights().map(|(_, w)| w).collect();
    let constant = |x: f64| move |s: &Signals| Signals([(Signal::Logp, vec![x; s.0[&Signal::Logp].len()])].into());
    let (signals, pass) = model.forward(&batch(), &want(&[Signal::Logp], 1.0)).unwrap();
    let message = pass.backward(&constant(f64::NAN)(&signals)).unwrap_err().to_string();
    assert!(message.contains("cotangent of Logp at token 0"), "{message}");
    assert_eq!(model.gradient_norm().unwrap(), Some(0.0));
    // Finite in f64, infinite in f32.
    differentiate(&mut model, &batch(), &want(&[Signal::Logp], 1.0), constant(1e39));
    let message = model.gradient_norm().unwrap_err().to_string();
    assert!(message.contains("model.embed_tokens.weight"), "{message}");
    assert!(model.step(0.1, Some(f64::INFINITY)).is_err());
    assert_eq!(before, model.weights().map(|(_, w)| w).collect::<Vec<_>>());
}

fn the_gradient_is_gone_after_a_step<O: Way>() {
    let mut model = model::<O>();
    differentiate(&mut model, &batch(), &want(&[Signal::Logp], 1.0), likelihood);
    assert!(step(&mut model, 0.0) > 0.0);
    assert_eq!(step(&mut model, 0.0), 0.0);
}

/// Three steps of each rule, one of them clipped, one without a gradient.
fn the_optimiser_is_the_same_in_every_way<O: Way>() {
    for optimiser in [Optimiser::default(), Optimiser::Sgd { clip: oreal_models::Clip::Norm(0.2), clip_epsilon: 1e-6 }]
    {
        let mut fused = Transformer::<f64, Fused>::new(config(false), Head::Vocabulary, &optimiser, 1).unwrap();
        let mut other = Transformer::<f64, O>::new(config(false), Head::Vocabulary, &optimiser, 1).unwrap();
        for slope in [-1.0, 0.0, -0.01] {
            let loss = |s: &Signals| Signals([(Signal::Logp, vec![slope; s.0[&Signal::Logp].len()])].into());
            let want = want(&[Signal::Logp], 1.0);
            if slope != 0.0 {
                differentiate(&mut fused, &batch(), &want, loss);
                differentiate(&mut other, &batch(), &want, loss);
            }
            let (a, b) = (step(&mut fused, 0.01), step(&mut other, 0.01));
            assert!((a - b).abs() < 1e-11 * (1.0 + a), "gradient norm {a} and {b}");
            for ((name, a), (_, b)) in fused.weights().zip(other.weights()) {
                let off = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                assert!(off < 1e-8, "{name} is off by {off} after a slope of {slope}");
            }
        }
    }
}
