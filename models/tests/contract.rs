//! What every implementor of `Model` promises, over a list of all of them, through `dyn Model` alone.

use std::path::Path;

use oreal_models::transformer::{Config, Cpu, Fused, Stock};
use oreal_models::{
    Completion, Ending, Error, Family, Head, Key, Model, ModelState, Optimiser, Request, Result, RopeScaling, Sampling,
    Sequence, Signal, Signals, Table, Token, Transformer, Want,
};

/// One implementor in one number type.
struct Case {
    name: &'static str,
    /// Of a transformer.
    family: Option<Family>,
    /// A fresh model with a vocabulary of 7; the seed is for its weights.
    make: fn(Head, &Optimiser, u64) -> Result<Box<dyn Model>>,
    load: fn(&Path, Head) -> Result<Box<dyn Model>>,
    /// Relative size of a rounding error.
    epsilon: f64,
}

macro_rules! transformer {
    ($number:ty, $ops:ty) => {
        transformer!($number, $ops, Family::Qwen2, None)
    };
    ($number:ty, $ops:ty, $family:expr, $head_dim:expr) => {
        Case {
            name: concat!("transformer ", stringify!($ops), " ", stringify!($number), " ", stringify!($family)),
            family: Some($family),
            make: |head, optimiser, seed| {
                let config = Config { family: $family, head_dim: $head_dim, ..config() };
                Ok(Box::new(Transformer::<$number, $ops>::new(config, head, optimiser, seed)?))
            },
            load: |path, head| Ok(Box::new(Transformer::<$number, $ops>::load(path, head, &Optimiser::EXACT)?)),
            epsilon: <$number>::EPSILON as f64,
        }
    };
}

const CASES: [Case; 8] = [
    Case {
        name: "table",
        family: None,
        make: |_, optimiser, _| Ok(Box::new(Table::new(7, optimiser)?)),
        load: |path, _| Ok(Box::new(Table::load(path, &Optimiser::EXACT)?)),
        epsilon: f64::EPSILON,
    },
    transformer!(f32, Fused),
    transformer!(f64, Fused),
    transformer!(f32, Stock<Cpu>),
    transformer!(f64, Stock<Cpu>),
    transformer!(f64, Fused, Family::Qwen3, Some(6)),
    transformer!(f32, Fused, Family::Llama, None),
    transformer!(f64, Stock<Cpu>, Family::Qwen3, Some(6)),
];

fn config() -> Config {
    Config {
        family: Family::Qwen2,
        vocab_size: 7,
        hidden_size: 16,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: None,
        intermediate_size: 20,
        rope_theta: 100.0,
        rope_scaling: RopeScaling::Default,
        rms_norm_eps: 1e-5,
        tie_word_embeddings: true,
    }
}

const BATCH: [Sequence<'static>; 3] = [
    Sequence { prompt: &[1, 2, 3], completion: &[4, 0] },
    Sequence { prompt: &[5], completion: &[6] },
    Sequence { prompt: &[2], completion: &[3, 3, 1, 6, 0] },
];

/// Both heads, with the signals each reports.
fn heads() -> [(Head, Want); 2] {
    let want = |signals: [Signal; 2]| Want { signals: signals.to_vec(), temperature: 0.8 };
    [
        (Head::Vocabulary, want([Signal::Logp, Signal::Entropy])),
        (Head::Scalar, want([Signal::Scalar, Signal::ScalarAfter])),
    ]
}

/// Runs a check on every model with every head.
fn every(check: impl Fn(&Case, Head, &Want)) {
    for case in &CASES {
        for (head, want) in heads() {
            println!("{}, {head:?} head", case.name);
            check(case, head, &want);
        }
    }
}

/// Different for every signal and token; `phase` makes others.
fn cotangents(signals: &Signals, phase: f64) -> Signals {
    let column = |(signal, column): (&Signal, &Vec<f64>)| {
        let number = |t: usize| (1.0 + phase + t as f64 * 2.3 + *signal as usize as f64).cos();
        (*signal, (0..column.len()).map(number).collect())
    };
    Signals(signals.0.iter().map(column).collect())
}

fn combined(a: &Signals, b: &Signals, of: impl Fn(f64, f64) -> f64) -> Signals {
    let column =
        |(signal, x): (&Signal, &Vec<f64>)| (*signal, x.iter().zip(&b.0[signal]).map(|(x, y)| of(*x, *y)).collect());
    Signals(a.0.iter().map(column).collect())
}

fn inner(a: &Signals, b: &Signals) -> f64 {
    combined(a, b, |x, y| x * y).0.values().flatten().sum()
}

fn backward(model: &mut dyn Model, want: &Want, phase: f64) {
    let (signals, pass) = model.forward(&BATCH, want).unwrap();
    pass.backward(&cotangents(&signals, phase)).unwrap();
}

fn step(model: &mut dyn Model, rate: f64) {
    let norm = model.gradient_norm().unwrap();
    model.step(rate, norm).unwrap();
}

fn train(model: &mut dyn Model, want: &Want, steps: u64) {
    for number in 0..steps {
        backward(model, want, number as f64);
        step(model, 0.02);
    }
}

fn bytes(model: &dyn Model) -> Vec<u8> {
    model.state().unwrap().to_bytes().unwrap()
}

fn trained(case: &Case, head: Head, want: &Want) -> Box<dyn Model> {
    let mut model = (case.make)(head, &Optimiser::default(), 3).unwrap();
    train(&mut *model, want, 3);
    model
}

/// A step of gradient descent at rate `h` changes `sum of cotangent * signal` by `-h |gradient|²`, to first order;
/// central differences, the other side by the opposite cotangents. And of two sums, each changes along the other's
/// gradient by as much.
#[test]
fn gradients_are_those_of_differences() {
    every(|case, head, want| {
        let model = trained(case, head, want).fork(head, &Optimiser::EXACT).unwrap();
        let [first, second] = [0.0, 9.0].map(|phase| cotangents(&model.read(&BATCH, want).unwrap(), phase));
        let moved = |along: &Signals, h: f64| {
            let mut model = model.fork(head, &Optimiser::EXACT).unwrap();
            let (_, pass) = model.forward(&BATCH, want).unwrap();
            pass.backward(&combined(along, along, |x, _| if h < 0.0 { -x } else { x })).unwrap();
            let norm = model.gradient_norm().unwrap().unwrap();
            model.step(h.abs() / norm, Some(norm)).unwrap();
            (model.read(&BATCH, want).unwrap(), norm)
        };
        let h = case.epsilon.powf(1.0 / 3.0);
        let slope = |along: &Signals, of: &Signals| {
            let ((down, norm), (up, _)) = (moved(along, h), moved(along, -h));
            ((inner(&up, of) - inner(&down, of)) / (2.0 * h), norm)
        };
        let off = 300.0 * case.epsilon.powf(2.0 / 3.0);
        for along in [&first, &second] {
            let (difference, norm) = slope(along, along);
            assert!(norm > 0.1, "{norm}");
            assert!((difference - norm).abs() < off * norm, "{}: {norm} but {difference}", case.name);
        }
        let ((along_first, a), (along_second, b)) = (slope(&first, &second), slope(&second, &first));
        assert!((along_first * a - along_second * b).abs() < off * a * b, "{}", case.name);
    });
}

#[test]
fn a_pass_reports_what_is_read_and_leaves_no_trace_when_it_is_dropped() {
    every(|case, head, want| {
        let mut model = trained(case, head, want);
        let read = model.read(&BATCH, want).unwrap();
        let before = bytes(&*model);
        backward(&mut *model, want, 0.0);
        let norm = model.gradient_norm().unwrap();
        let (signals, pass) = model.forward(&BATCH, want).unwrap();
        assert_eq!(signals, read, "{}", case.name);
        drop(pass);
        assert_eq!(model.gradient_norm().unwrap(), norm, "{}", case.name);
        model.discard();
        assert_eq!(model.gradient_norm().unwrap(), Some(0.0), "{}: discarded", case.name);
        assert_eq!(bytes(&*model), before, "{}", case.name);
        // What was discarded does not come back.
        backward(&mut *model, want, 0.0);
        assert_eq!(model.gradient_norm().unwrap(), norm, "{}: the same gradient again", case.name);
    });
}

#[test]
fn passes_add_up() {
    every(|case, head, want| {
        let model = trained(case, head, want).fork(head, &Optimiser::EXACT).unwrap();
        let [mut once, mut twice] = [(); 2].map(|()| model.fork(head, &Optimiser::EXACT).unwrap());
        let (signals, pass) = once.forward(&BATCH, want).unwrap();
        pass.backward(&combined(&cotangents(&signals, 0.0), &cotangents(&signals, 9.0), |x, y| x + y)).unwrap();
        backward(&mut *twice, want, 0.0);
        backward(&mut *twice, want, 9.0);
        let [a, b] = [&once, &twice].map(|model| model.gradient_norm().unwrap().unwrap());
        assert!(a > 0.1 && (a - b).abs() < 100.0 * case.epsilon * a, "{}: {a} and {b}", case.name);
        for model in [&mut once, &mut twice] {
            model.step(0.1, Some(1.0)).unwrap();
            assert_eq!(model.gradient_norm().unwrap(), Some(0.0), "{}: a step takes the gradient", case.name);
        }
        let [a, b] = [&once, &twice].map(|model| model.read(&BATCH, want).unwrap());
        for (a, b) in a.0.values().flatten().zip(b.0.values().flatten()) {
            assert!((a - b).abs() < 1000.0 * case.epsilon, "{}: {a} and {b}", case.name);
        }
    });
}

#[test]
fn refused_cotangents_and_steps_change_nothing() {
    every(|case, head, want| {
        let mut model = trained(case, head, want);
        let before = bytes(&*model);
        for wrong in [f64::NAN, f64::INFINITY] {
            let (signals, pass) = model.forward(&BATCH, want).unwrap();
            let mut cotangents = cotangents(&signals, 0.0);
            cotangents.0.values_mut().next().unwrap()[3] = wrong;
            let message = pass.backward(&cotangents).unwrap_err().to_string();
            assert!(message.contains("at token 3 of the batch"), "{}: {message}", case.name);
        }
        let (signals, pass) = model.forward(&BATCH, want).unwrap();
        let more = Signals([(Signal::Logp, vec![0.0; 9]), (Signal::ScalarAfter, vec![0.0; 9])].into());
        assert!(matches!(pass.backward(&more), Err(Error::Cotangent { .. })), "{}", case.name);
        assert_eq!(signals.0.len(), 2);
        assert_eq!(model.gradient_norm().unwrap(), Some(0.0), "{}", case.name);
        for (rate, norm) in [(f64::NAN, Some(1.0)), (-0.1, Some(1.0)), (0.1, Some(f64::NAN)), (0.1, None)] {
            assert!(matches!(model.step(rate, norm), Err(Error::Setting { .. })), "{}: {rate} {norm:?}", case.name);
        }
        assert_eq!(bytes(&*model), before, "{}", case.name);
        let wrong = serde_json::from_str(r#"{"rule":"adamw","epsilon":0.0}"#).unwrap();
        assert!(model.fork(head, &wrong).is_err(), "{}: forked with an optimiser that cannot step", case.name);
        assert!((case.make)(head, &wrong, 1).is_err(), "{}: made with an optimiser that cannot step", case.name);
    });
}

#[test]
fn forks_are_equal_and_apart() {
    every(|case, head, want| {
        let model = trained(case, head, want);
        let read = model.read(&BATCH, want).unwrap();
        let mut fork = model.fork(head, &Optimiser::default()).unwrap();
        assert_eq!(fork.read(&BATCH, want).unwrap(), read, "{}", case.name);
        assert_eq!(fork.parameters(), model.parameters(), "{}", case.name);
        assert_eq!(fork.state().unwrap().steps(), 0, "{}: a fresh optimiser", case.name);
        train(&mut *fork, want, 1);
        assert_ne!(fork.read(&BATCH, want).unwrap(), read, "{}", case.name);
        assert_eq!(model.read(&BATCH, want).unwrap(), read, "{}", case.name);
    });
}

#[test]
fn parameters_without_a_gradient_are_named() {
    every(|case, head, want| {
        let mut model = (case.make)(head, &Optimiser::default(), 1).unwrap();
        assert!(model.idle_parameters().unwrap().is_empty(), "before the first step");
        let (signals, pass) = model.forward(&BATCH, want).unwrap();
        pass.backward(&combined(&signals, &signals, |_, _| 0.0)).unwrap();
        step(&mut *model, 0.02);
        let idle = model.idle_parameters().unwrap();
        let named = idle.iter().any(|name| name.contains("q_proj")) && idle.iter().any(|name| name.contains("norm"));
        assert_eq!(named, case.family.is_some(), "{idle:?}");
        train(&mut *model, want, 3);
        assert_eq!(model.idle_parameters().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn files_hold_the_weights() {
    every(|case, head, want| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy.safetensors");
        let model = trained(case, head, want);
        model.save(&path).unwrap();
        let read = (case.load)(&path, head).unwrap();
        assert_eq!(read.read(&BATCH, want).unwrap(), model.read(&BATCH, want).unwrap(), "{}", case.name);
        for wrong in ["/dev/zero", "/dev/null"] {
            let message = (case.load)(Path::new(wrong), head).err().unwrap().to_string();
            assert!(message.contains("/dev/"), "{}: {message}", case.name);
        }
    });
}

/// Three steps, the state as bytes, a model that started elsewhere, and two more steps: as if nothing had been between.
#[test]
fn training_continues_from_a_state() {
    every(|case, head, want| {
        let mut model = trained(case, head, want);
        let state = model.state().unwrap();
        let copy = ModelState::from_bytes(&state.to_bytes().unwrap()).unwrap();
        assert_eq!((&copy, copy.steps()), (&state, 3), "{}", case.name);
        let mut other = (case.make)(head, &Optimiser::default(), 4).unwrap();
        backward(&mut *other, want, 5.0);
        other.restore(&copy).unwrap();
        assert_eq!(other.gradient_norm().unwrap(), Some(0.0), "{}: the gradient of before is forgotten", case.name);
        assert_eq!(bytes(&*other), bytes(&*model), "{}", case.name);
        for model in [&mut model, &mut other] {
            train(&mut **model, want, 2);
        }
        assert_eq!(model.state().unwrap().steps(), 5);
        assert_eq!(bytes(&*other), bytes(&*model), "{}: two more steps", case.name);
        assert_ne!(bytes(&*other), copy.to_bytes().unwrap(), "{}: two steps move it", case.name);
    });
}

#[test]
fn states_of_other_models_are_refused_and_change_nothing() {
    for (case, other) in CASES.iter().zip(CASES.iter().cycle().skip(1)) {
        let (head, want) = &heads()[0];
        let mut model = trained(case, *head, want);
        let before = bytes(&*model);
        let state = trained(other, *head, want).state().unwrap();
        let restored = model.restore(&state);
        if case.epsilon != other.epsilon || case.family != other.family {
            assert!(matches!(restored, Err(Error::State { .. })), "{} took a state of {}", case.name, other.name);
            assert_eq!(bytes(&*model), before, "{}", case.name);
        } else {
            restored.unwrap();
        }
    }
}

fn request(prompt: &[Token], sample: u64) -> Request<'_> {
    Request { prompt, key: Key { seed: 9, step: 1, prompt: 2, sample } }
}

#[test]
fn completions_depend_on_prompt_and_key_alone() {
    for case in &CASES {
        let (head, want) = &heads()[0];
        let model = trained(case, *head, want);
        let prompts: [&[Token]; 4] = [&[1, 2, 3], &[1, 2, 3], &[5], &[2, 4, 4, 1, 0, 6]];
        let requests: Vec<Request<'_>> = (0..).zip(prompts).map(|(sample, prompt)| request(prompt, sample)).collect();
        let how = Sampling { stop: vec![0], max_tokens: 9, ..Sampling::default() };
        for how in [how.clone(), Sampling { top_p: 0.9, temperature: 0.7, vocabulary: Some(5), ..how }] {
            let together = model.draw(&requests, &how).unwrap();
            let reversed: Vec<Request<'_>> = requests.iter().rev().copied().collect();
            let reversed = model.draw(&reversed, &how).unwrap();
            for (i, drawn) in together.iter().enumerate() {
                let alone = &model.draw(&requests[i..=i], &how).unwrap()[0];
                for other in [alone, &reversed[3 - i]] {
                    assert_eq!((&other.tokens, other.ending), (&drawn.tokens, drawn.ending), "{}: {i}", case.name);
                    let logps = |c: &Completion| c.sampled_logp.clone().unwrap();
                    let off = logps(other).iter().zip(logps(drawn)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                    assert!(off < 1000.0 * case.epsilon, "{}: {off}", case.name);
                }
                drawn.check(&how, how.vocabulary.unwrap_or(7)).unwrap();
                assert_eq!(drawn.version, 0);
                let ended = drawn.tokens.last() == Some(&0);
                assert_eq!(drawn.ending, if ended { Ending::Stopped } else { Ending::Truncated }, "{}", case.name);
            }
            assert_ne!(together[0].tokens, together[1].tokens, "{}: one prompt, two keys", case.name);
        }
        let wrong = Sampling { max_tokens: usize::MAX, ..Sampling::default() };
        assert!(
            matches!(model.draw(&requests, &wrong), Err(Error::Setting { key: "max_tokens", .. })),
            "{}",
            case.name
        );
        assert!(model.draw(&[request(&[7], 0)], &Sampling::default()).is_err(), "{}: unknown token", case.name);
        assert!(model.draw(&[request(&[], 0)], &Sampling::default()).is_err(), "{}: empty prompt", case.name);
    }
}

#[test]
fn models_move_between_threads() {
    every(|case, head, want| {
        let mut here = trained(case, head, want);
        let mut there = trained(case, head, want);
        train(&mut *here, want, 1);
        let there = std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                train(&mut *there, want, 1);
                there
            });
            worker.join().unwrap()
        });
        assert_eq!(bytes(&*there), bytes(&*here), "{}", case.name);
    });
}
